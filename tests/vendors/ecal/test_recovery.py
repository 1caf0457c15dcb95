"""Whatever gets lost on the way, the newest state ends at ECAL, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import blame
from pipeline.model import facts as f
from pipeline.model.change import Change, Version
from pipeline.model.outcome import Outcome, Rejected, Unknown
from pipeline.model.wanted import apply
from pipeline.vendors.contract import Situation, Step
from pipeline.vendors.ecal import VENDOR
from tests.vendors.ecal.entries import APIS, sayable
from tests.vendors.ecal.publisher import KEY, PERSON, PRIVATE, PUBLIC, Publisher, meant, situation


class Row:
    """One entry's row, brought through the ledger's own transitions; the clock is a number."""

    def __init__(self, publisher: Publisher, options: Mapping[str, Any]) -> None:
        self.publisher, self.options = publisher, options
        self.policy = f.Policy(
            "d",
            "a",
            recover_at_once=VENDOR.defaults.recover_at_once,
            settle_time=VENDOR.defaults.settle_time,
            max_attempts=1000,
            needs_identity=lambda _: VENDOR.express(options).needs_identity,
        )
        self.facts = f.Facts("d", KEY)
        self.now, self.order = 1e6, 0
        self.late: list[tuple[float, Callable[[], Any]]] = []

    def want(self, content: Mapping[str, Any] | None, person: str | None) -> None:
        self.order += 1
        version = Version(self.order, "t", 0, self.order, 1)
        kind: Any = "delete" if content is None else "upsert"
        change = Change("d", KEY, kind, version, "rule", content=content or {}, identity=person)
        self.facts = apply(self.facts, change, {}, self.now, self.policy) or self.facts

    def turn(self, fate: str = "heard", share: float = 0.0) -> bool:
        """One call, if there is something to call for. `share`: how much of the settle time a late act takes."""
        self.facts = f.place(self.facts, self.now, self.policy)
        if self.facts.state == "held":
            assert self.facts.wake_at is not None
            self.advance(self.facts.wake_at)
            self.facts = f.expire(self.facts, self.now, self.policy)
        if self.facts.state != "ready":
            return False
        self.facts = f.claim(self.facts, "w", self.now + 20, self.now, self.policy)
        given = self.situation()
        step = VENDOR.plan(given)
        assert isinstance(step, Step)
        self.settle(step, given, self.outcome(step, given, fate, share))
        return True

    def outcome(self, step: Step, given: Situation, fate: str, share: float) -> Outcome:
        if fate == "late":
            at = self.now + share * self.policy.settle_time
            self.late.append((at, lambda: self.publisher.bring(step, given)))
            self.late.sort(key=lambda one: one[0])
        said = self.publisher.bring(step, given) if fate in ("heard", "unheard") else None
        return said if said is not None and fate == "heard" else Unknown("timeout")

    def settle(self, step: Step, given: Situation, outcome: Outcome) -> None:
        assert not isinstance(outcome, Rejected)
        answer = blame.Answer(
            self.facts.epoch, outcome, step.value, given.wanted, self.facts.sent_hash or f.NOTHING, given.identity,
            asked=self.now, at=self.now, jitter=0.5,
        )  # fmt: skip
        self.facts = blame.settle(self.facts, answer, None, self.now, self.policy)

    def situation(self) -> Situation:
        row = self.facts
        return Situation(
            key=KEY,
            wanted=None if row.wanted_hash == f.NOTHING else row.desired,
            observed=row.observed,
            identity=row.identity,
            observed_identity=row.observed_identity,
            vendor_id=row.vendor_id,
            unsure=row.observed_hash == f.UNSURE,
            absent=row.absent,
            options=self.options,
        )

    def advance(self, until: float) -> None:
        while self.late and self.late[0][0] <= until:
            self.late.pop(0)[1]()
        self.now = max(self.now, until)


FATES = st.tuples(st.sampled_from(("heard", "unheard", "unsent", "late")), st.sampled_from((0.0, 0.5, 0.99)))
PEOPLE = st.sampled_from(("ann", "bob"))


def histories(options: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    wanted = st.tuples(st.none() | sayable(options), PEOPLE, st.lists(FATES, max_size=3))
    return st.tuples(st.just(options), st.lists(wanted, min_size=1, max_size=3))


@settings(max_examples=50, deadline=None)
@given(history=APIS.flatmap(histories))
def test_whatever_gets_lost_the_newest_state_ends_at_ecal(
    history: tuple[Mapping[str, Any], Sequence[tuple[dict[str, Any] | None, str, Sequence[tuple[str, float]]]]],
) -> None:
    options, wants = history
    row = Row(Publisher(), options)
    for content, person, fates in wants:
        row.want(content, None if options is PUBLIC else person)
        for fate, share in fates:
            row.turn(fate, share)
    for _ in range(20):
        row.turn()
    row.advance(row.now + 100)
    assert row.facts.state == "idle"
    content, person, _ = wants[-1]
    owners = list(row.publisher.simulator._owners.values())
    if content is None:
        assert owners == []
    else:
        assert owners == [content["collection"] if options is PUBLIC else person]
        assert row.publisher.held() == meant(content)


def test_a_repeated_create_is_adopted_by_its_reference() -> None:
    """The POST took effect unheard, came late, and made ours a 409."""
    row = Row(Publisher(), PRIVATE)
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    row.want(content, PERSON)
    row.turn("late", 0.5)
    row.turn("heard")  # a PUT: nothing there yet
    assert row.facts.absent
    row.advance(row.now + 15)
    row.turn("heard")  # a POST: 409
    assert row.facts.error == "exists"
    row.turn("heard")  # a PUT
    assert row.facts.state == "idle"
    assert [kind for _, kind, _ in row.publisher.simulator.writes[KEY]] == ["create", "update"]


def test_a_409_of_which_nothing_is_known_is_replaced() -> None:
    """It may stand in a stranger's calendar: nothing of ours may be written there."""
    publisher = Publisher()
    stranger = situation(wanted={"title": "Old", "location": "L", "start": "2026-12-24", "all_day": True})
    publisher.bring(Step.CREATE, replace(stranger, identity="stranger"))
    row = Row(publisher, PRIVATE)
    row.want({"title": "Mine", "location": "L", "start": "2026-12-24", "all_day": True}, PERSON)
    while row.turn():
        pass
    (entry,) = publisher.simulator.entries()
    assert (entry["calendar"], entry["title"]) == (PERSON, "Mine")
    assert [kind for _, kind, _ in publisher.simulator.writes[KEY]] == ["create", "delete", "create"]
