"""What is planned after an answer was lost: nothing is doubled, and what is wanted is there in the end."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.outcome import Absent, Accepted, Exists, Look
from pipeline.model.wire import Response
from pipeline.vendors.add_to_calendar_pro.recovery import judgement
from pipeline.vendors.add_to_calendar_pro.simulator import Simulator
from pipeline.vendors.contract import Situation, Step
from tests.vendors.add_to_calendar_pro.acts import (
    ENTRY,
    KEY,
    NAME,
    NOW,
    PROKEY,
    VENDOR,
    call,
    held,
    made,
    send,
    simulator,
    situation,
)
from tests.vendors.add_to_calendar_pro.entries import check, quick, sayable


def recover(at: Simulator, one: Situation) -> Situation:
    """Steps until the vendor acknowledges what is wanted, as the ledger takes them once the quiet time is over."""
    for _ in range(40):
        step = VENDOR.plan(one)
        assert isinstance(step, Step)
        match send(at, step, one):
            case Accepted(vendor_id=vendor_id) if step is not Step.DELETE:
                return situation(one.wanted, one.wanted, vendor_id=vendor_id)
            case Accepted() | Absent():
                if one.wanted is None:
                    return situation()
                one = situation(one.wanted)
            case Look(candidates=candidates):
                one = situation(one.wanted, one.observed, vendor_id=one.vendor_id, unsure=True, candidates=candidates)
            case Exists(vendor_id=vendor_id):
                one = situation(one.wanted, one.observed, vendor_id=vendor_id, unsure=True)
            case other:
                raise AssertionError(other)
    raise AssertionError("no end")


def merged(observed: Any, sent: Any) -> dict[str, Any]:
    """What the ledger keeps of a lost call: the fields of both."""
    return {**(observed or {}), **(sent or {}), NAME: {**(observed or {}).get(NAME, {}), **(sent or {}).get(NAME, {})}}


@quick
@given(
    content=sayable, newer=sayable, acted=st.booleans(), changed=st.booleans(), gone=st.booleans(), old=st.booleans()
)
def test_a_lost_create_is_found_or_repeated_never_doubled(
    content: Any, newer: Any, acted: bool, changed: bool, gone: bool, old: bool
) -> None:
    at = simulator(answers="old" if old else "new")
    for number in range(3):
        send(at, Step.CREATE, situation({**content, "title": "Another's"}, key=f"OTHER-{number}"))
    if acted:
        made(at, content)
    wanted = None if gone else newer if changed else content
    recover(at, situation(wanted, content, unsure=True))
    ours = [entry for entry in at.entries() if entry["title"] != "Another's" or entry["key"] == at.items()[-1][0]]
    mine = hashlib.sha256(KEY.encode()).hexdigest()[:16]
    assert [key for key, _ in at.items()].count(mine) == (0 if gone else 1)
    assert len(at.items()) == (3 if gone else 4)
    if not gone:
        alone = simulator()
        made(alone, wanted)
        assert [e["content"]["dates"] for e in ours if e["key"] == mine] == [
            e["content"]["dates"] for e in alone.entries()
        ]


@quick
@given(before=sayable, between=sayable, after=sayable, acted=st.booleans(), gone=st.booleans())
def test_a_lost_change_ends_in_what_is_wanted(before: Any, between: Any, after: Any, acted: bool, gone: bool) -> None:
    at = simulator()
    vendor_id = made(at, before)
    lost = situation(between, before, vendor_id=vendor_id)
    step = VENDOR.plan(lost)
    assert isinstance(step, Step)
    if acted:
        send(at, step, lost)
    wanted = None if gone else after
    end = recover(at, situation(wanted, merged(before, between), vendor_id=vendor_id, unsure=True))
    if gone:
        assert at.items() == []
        return
    check(at, after)
    fresh = simulator()
    made(fresh, after)
    assert held(at) == held(fresh)
    assert at.items() == [(hashlib.sha256(KEY.encode()).hexdigest()[:16], end.vendor_id)]


def test_a_lost_change_that_acted_needs_no_second_one() -> None:
    at, after = simulator(), {**ENTRY, "title": "Paid"}
    vendor_id = made(at, ENTRY)
    send(at, Step.UPDATE, situation(after, ENTRY, vendor_id=vendor_id))
    recover(at, situation(after, merged(ENTRY, after), vendor_id=vendor_id, unsure=True))
    assert [kind for _, kind, _ in at.writes[at.items()[0][0]]] == ["create", "update"]


def test_a_lost_replacement_is_not_taken_for_a_lost_update() -> None:
    """The delete of a change of group may not have acted: a PATCH would leave the entry in its old group."""
    at, after = simulator(), {**ENTRY, "collection": "g-2"}
    vendor_id = made(at, ENTRY)
    recover(at, situation(after, merged(ENTRY, after), vendor_id=vendor_id, unsure=True))
    assert [event["event_group"] for event in held(at)] == ["g-2"]


def test_dates_that_nobody_remembers_do_not_stay() -> None:
    three = {**ENTRY, "dates": [{"start": f"2026-12-2{n}"} for n in range(3)]}
    one = {**ENTRY, "dates": three["dates"][:1]}
    at = simulator()
    vendor_id = made(at, three)
    recover(at, situation(one, merged(three, one), vendor_id=vendor_id, unsure=True))
    assert [entry["start"] for entry in at.entries()] == ["2026-12-20"]


def test_a_look_is_good_for_the_content_that_was_wanted_then() -> None:
    newer = {**ENTRY, "title": "Newer"}
    looked = judgement(Step.WRITE, ENTRY).candidates
    known = {"unsure": True, "vendor_id": PROKEY, "candidates": looked}
    assert VENDOR.plan(situation(ENTRY, ENTRY, **known)) is Step.WRITE
    assert VENDOR.plan(situation(newer, ENTRY, **known)) is Step.FIND


def test_candidates_are_looked_at_those_with_the_title_first() -> None:
    rows = [{"id": "a1", "label": "Other"}, {"prokey": "b2", "label": "Due"}, {"id": "c3", "label": None}]
    one = situation(ENTRY, ENTRY, unsure=True)
    assert VENDOR.read(Step.FIND, [one], Response(200, body=json.dumps(rows).encode()), NOW) == [
        Look(("b2", "a1", "c3"))
    ]
    second = situation(ENTRY, ENTRY, unsure=True, candidates=["b2", "a1"])
    other = Response(200, body=b'{"dates": [], "iCalFileName": null}')
    assert VENDOR.read(Step.FIND, [second], other, NOW) == [Look(("a1",))]


def test_a_full_page_has_another_after_it() -> None:
    rows = [{"prokey": f"p-{n}", "label": "x"} for n in range(800)]
    (found,) = VENDOR.read(
        Step.FIND, [situation(ENTRY, ENTRY, unsure=True)], Response(200, body=json.dumps(rows).encode()), NOW
    )
    assert isinstance(found, Look)
    assert (len(found.candidates), found.candidates[-1]) == (801, "page:2")
    last = situation(ENTRY, ENTRY, unsure=True, candidates=found.candidates[-1:])
    assert dict(VENDOR.request(Step.FIND, [last]).query)["page"] == "2"


def test_what_is_on_the_second_page_is_found() -> None:
    at = simulator()
    for number in range(805):
        call(at, "POST", "/event", {"event_group": "g-1", "dates": [{"name": f"n{number}", "startDate": "2026-12-24"}]})
    vendor_id = made(at, ENTRY)
    one, looks = situation(ENTRY, {**ENTRY, "title": "x"}, unsure=True), 0
    while isinstance(outcome := send(at, Step.FIND, one), Look):
        one, looks = situation(ENTRY, one.observed, unsure=True, candidates=outcome.candidates), looks + 1
    assert isinstance(outcome, Accepted)
    assert (outcome.vendor_id, looks) == (vendor_id, 807)


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.UPDATE),
        ({"observed": None, "vendor_id": None}, Step.CREATE),
        ({"vendor_id": None}, Step.FIND),
        ({"wanted": None}, Step.DELETE),
        ({"wanted": None, "unsure": True}, Step.DELETE),
        ({"wanted": None, "unsure": True, "vendor_id": None}, Step.FIND),
        ({"observed": {**ENTRY, "collection": "g-2"}}, Step.DELETE),
        ({"unsure": True, "vendor_id": None}, Step.FIND),
        ({"unsure": True, "vendor_id": None, "candidates": ("a",)}, Step.FIND),
        ({"unsure": True, "vendor_id": None, "absent": True}, Step.CREATE),
        ({"unsure": True}, Step.FIND),
        ({"unsure": True, "candidates": judgement(Step.WRITE, ENTRY).candidates}, Step.WRITE),
        ({"unsure": True, "candidates": judgement(Step.DELETE, ENTRY).candidates}, Step.DELETE),
    ],
)
def test_it_plans(changed: dict[str, Any], step: Step) -> None:
    assert VENDOR.plan(Situation(**{**vars_of(situation(ENTRY, ENTRY, vendor_id=PROKEY)), **changed})) is step


def vars_of(one: Situation) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Situation.__slots__}
