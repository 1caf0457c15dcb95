"""Whatever an entry says either has problems, or arrives at the strict simulator as it was meant."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.model.outcome import Absent, Accepted
from pipeline.vendors.contract import Step
from tests.vendors.add_to_calendar_pro.acts import OPTIONS, PROKEY, VENDOR, held, made, send, simulator, situation
from tests.vendors.add_to_calendar_pro.entries import check, contents, quick, sayable


@settings(quick, max_examples=120)
@given(content=contents)
def test_an_entry_has_problems_or_the_vendor_takes_all_of_it(content: dict[str, Any]) -> None:
    if VENDOR.problems(content, OPTIONS):
        return
    at = simulator()
    made(at, content)
    check(at, content)


@quick
@given(before=sayable, after=sayable, old=st.booleans())
def test_an_update_leads_from_any_content_to_any_other(before: Any, after: Any, old: bool) -> None:
    after = {**after, "collection": before["collection"]}
    at = simulator(answers="old" if old else "new")
    one = situation(after, before, vendor_id=made(at, before))
    assert VENDOR.plan(one) is Step.UPDATE
    assert isinstance(send(at, Step.UPDATE, one), Accepted)
    check(at, after)
    fresh = simulator()
    made(fresh, after)
    assert held(at) == held(fresh)


@quick
@given(before=sayable, after=sayable)
def test_a_whole_write_says_what_an_update_says(before: Any, after: Any) -> None:
    after = {**after, "collection": before["collection"]}
    assume(len(before.get("dates") or "1") <= len(after.get("dates") or "1"))
    at, whole = simulator(), simulator()
    send(at, Step.UPDATE, situation(after, before, vendor_id=made(at, before)))
    assert isinstance(send(whole, Step.WRITE, situation(after, vendor_id=made(whole, before))), Accepted)
    assert held(whole) == held(at)


@given(before=sayable, after=sayable)
@quick
def test_an_update_says_nothing_of_what_did_not_change(before: Any, after: Any) -> None:
    after = {**after, "collection": before["collection"]}
    one = situation(after, before, vendor_id=PROKEY)
    said = json.loads(VENDOR.request(Step.UPDATE, [one]).body)
    assert said
    assert not {"event_group", "new_event_group_name", "iCalFileName", "status"} & said.keys()
    again = json.loads(VENDOR.request(Step.UPDATE, [situation(after, after, vendor_id=PROKEY)]).body)
    assert list(again) == ["dates"]
    assert [list(row) for row in again["dates"]] == [["name"]]


@quick
@given(content=sayable)
def test_a_delete_leaves_nothing(content: Any) -> None:
    at = simulator()
    one = situation(None, content, vendor_id=made(at, content))
    assert VENDOR.plan(one) is Step.DELETE
    assert (send(at, Step.DELETE, one), at.items()) == (Accepted(), [])
    assert send(at, Step.DELETE, one) == Absent()
