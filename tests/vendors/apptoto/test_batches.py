"""Several events in one call: which may share it, and what an answer says of each."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.outcome import Accepted, Exists, Look, Rejected, Split, Unknown
from pipeline.model.wire import Response
from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.simulator import Simulator
from pipeline.vendors.contract import Situation, Step
from tests.vendors.apptoto.acts import ACCOUNT, EVERYTHING, NOW, PLAIN, Content, bring, do, situation
from tests.vendors.apptoto.entries import TEXTS


def three(**changed: Content) -> list[Situation]:
    return [situation({**PLAIN, **changed.get(key, {})}, key=key) for key in ("a", "b", "c")]


def test_events_share_a_call_and_deletes_stand_alone() -> None:
    created, allowed = situation(PLAIN), situation(PLAIN, options={"calendar_creation": "allow"})
    together = VENDOR.together
    assert together(Step.CREATE, created) == together(Step.CREATE, situation(EVERYTHING, key="other"))
    assert together(Step.CREATE, created) != together(Step.CREATE, allowed)
    assert together(Step.DELETE, created) is together(Step.FIND, created) is None
    assert VENDOR.defaults.batch <= 25


def test_one_key_never_stands_twice_in_a_call() -> None:
    with pytest.raises(ValueError, match="twice"):
        VENDOR.request(Step.CREATE, [situation(PLAIN), situation(PLAIN)])


def test_a_full_batch_is_taken_whole() -> None:
    vendor = Simulator(ACCOUNT)
    many = [situation(PLAIN, key=f"k{n}") for n in range(VENDOR.defaults.batch)]
    assert {type(outcome) for outcome in do(vendor, Step.CREATE, *many)} == {Accepted}
    assert len(vendor.items()) == len(many)


def test_a_wrong_event_is_refused_alone_where_the_vendor_tells_which() -> None:
    vendor = Simulator(ACCOUNT)
    outcomes = do(vendor, Step.CREATE, *three(b={"collection": "Nowhere"}))
    assert [type(one) for one in outcomes] == [Accepted, Rejected, Accepted]
    assert [key for key, _ in vendor.items()] == ["a", "c"]


def test_a_call_that_is_refused_whole_is_split() -> None:
    vendor = Simulator({**ACCOUNT, "wrong_event": "refuse"})
    given = three(b={"collection": "Nowhere"})
    assert set(do(vendor, Step.CREATE, *given)) == {Split()}
    assert vendor.items() == []
    assert [type(do(vendor, Step.CREATE, one)[0]) for one in given] == [Accepted, Rejected, Accepted]


def test_more_than_a_server_takes_is_unknown() -> None:
    vendor = Simulator({**ACCOUNT, "max_batch": 2})
    assert set(do(vendor, Step.CREATE, *three())) == {Unknown("http_502")}


def test_an_event_that_stayed_in_another_calendar_is_deleted_first() -> None:
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, {**PLAIN, "collection": "7"}, {})
    after = {**PLAIN, "collection": "8"}
    (outcome,) = do(vendor, Step.WRITE, situation(after, after, unsure=True))
    assert isinstance(outcome, Look)
    assert VENDOR.plan(situation(after, after, unsure=True, candidates=outcome.candidates)) is Step.DELETE
    assert isinstance(do(vendor, Step.CREATE, situation(after))[0], Exists)


def test_a_deleted_event_that_stays_deleted_is_told() -> None:
    vendor = Simulator({**ACCOUNT, "deleted_stay": True})
    bring(vendor, None, dict(PLAIN), {})
    bring(vendor, dict(PLAIN), None, {})
    assert do(vendor, Step.CREATE, situation(PLAIN)) == [Rejected("unsupported", "is_deleted")]


ANSWERED = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 3) | TEXTS,
        "external_id": st.sampled_from(("a", "b", "c", "other", None)),
        "calendar_id": st.sampled_from((7, 8, "7", None)),
        "is_deleted": st.booleans() | st.none(),
        "errors": st.sampled_from(([], ["ann@example.com"])),
    },
)


@given(step=st.sampled_from((Step.CREATE, Step.UPDATE, Step.WRITE, Step.DELETE)), events=st.lists(ANSWERED, max_size=4))
def test_any_list_of_events_is_read_and_never_accepts_more_than_it_holds(step: Step, events: list[Content]) -> None:
    asked = [replace(one, vendor_id=str(n + 1)) for n, one in enumerate(three())][: 1 if step is Step.DELETE else 3]
    outcomes = VENDOR.read(step, asked, Response(200, {}, json.dumps({"events": events}).encode()), NOW)
    assert len(outcomes) == len(asked)
    assert sum(isinstance(one, Accepted) for one in outcomes) <= len(events)
    assert "ann@example.com" not in repr(outcomes)
