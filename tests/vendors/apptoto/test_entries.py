"""Whatever an entry holds, Apptoto refuses it beforehand or holds it exactly, on whatever way it got there."""

from __future__ import annotations

import json

from hypothesis import given, settings

from pipeline.model.outcome import Accepted
from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.defaults import FIELDS, OWN
from pipeline.vendors.apptoto.simulator import Simulator
from pipeline.vendors.contract import Step
from tests.vendors.apptoto.acts import ACCOUNT, EVERYTHING, Content, bring, do, expected, held, situation
from tests.vendors.apptoto.entries import ANYWHERE, ENTRIES


@settings(max_examples=120)
@given(content=ENTRIES)
def test_an_entry_has_problems_or_stands_at_the_vendor_as_it_is(content: Content) -> None:
    vendor, options = Simulator(ACCOUNT), {"calendar_creation": "allow"}
    if VENDOR.problems(content, options):
        return
    assert bring(vendor, None, content, options) == [Step.CREATE]
    assert held(vendor) == [expected(content)]


@given(content=ANYWHERE)
def test_a_sound_entry_has_no_problems(content: Content) -> None:
    assert VENDOR.problems(content, {}) == []


@given(content=ENTRIES)
def test_a_problem_names_its_field_and_quotes_no_value(content: Content) -> None:
    for problem in VENDOR.problems(content, {}):
        name = problem.split()[0].rstrip(":")
        assert name.removeprefix("apptoto.") in {*FIELDS, *OWN}
        assert "ann@example.com" not in problem
        assert "nobody" not in problem


def test_an_entry_with_every_field_comes_back_with_every_field() -> None:
    assert EVERYTHING.keys() == {*FIELDS, "apptoto"}
    assert EVERYTHING["apptoto"].keys() == OWN.keys()
    assert VENDOR.problems(EVERYTHING, {}) == []
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, EVERYTHING, {})
    assert held(vendor) == [expected(EVERYTHING)]
    (entry,) = held(vendor)
    assert (entry["end"], entry["show_as"], len(entry["participants"])) == ("2026-12-24T14:00:00", 3, 4)
    assert entry["custom_data"] == {"a": {"b": [1, 2.5, True, None, "é"]}}


@settings(max_examples=75)
@given(before=ANYWHERE, after=ANYWHERE)
def test_an_update_leads_to_what_a_create_would_have_made(before: Content, after: Content) -> None:
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, before, {})
    steps = bring(vendor, before, after, {})
    moves = before["collection"] != after["collection"]
    assert steps == ([Step.DELETE, Step.CREATE] if moves else [Step.UPDATE])
    assert held(vendor) == [expected(after)]


@settings(max_examples=50)
@given(before=ANYWHERE, after=ANYWHERE)
def test_a_whole_write_leads_to_the_same(before: Content, after: Content) -> None:
    after = {**after, "collection": before["collection"]}
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, before, {})
    (outcome,) = do(vendor, Step.WRITE, situation(after, before, unsure=True))
    assert isinstance(outcome, Accepted)
    assert held(vendor) == [expected(after)]


@given(before=ANYWHERE, after=ANYWHERE)
def test_an_update_says_no_more_than_it_must(before: Content, after: Content) -> None:
    after = {**after, "collection": before["collection"]}
    request = VENDOR.request(Step.UPDATE, [situation(after, before)])
    (said,) = json.loads(request.body)["events"]
    held_by = {
        "title": ("title",), "location": ("location",), "content": ("description",), "all_day": ("all_day",),
        "start_time": ("start", "end", "time_zone", "end_time_zone", "all_day"),
        "time_zone": ("time_zone",), "show_as": ("busy", "apptoto"),
        "participants": ("participants", "apptoto"), "custom_data": ("apptoto",),
    }  # fmt: skip
    said = {name for name in said if name not in ("external_id", "calendar", "calendar_id", "end_time")}
    for name in said:
        assert any(before.get(part) != after.get(part) for part in held_by[name])


@given(content=ANYWHERE)
def test_a_deleted_entry_is_gone_and_its_key_is_free(content: Content) -> None:
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, content, {})
    assert bring(vendor, content, None, {}) == [Step.DELETE]
    assert held(vendor) == []
    assert bring(vendor, None, content, {}) == [Step.CREATE]
    assert held(vendor) == [expected(content)]
