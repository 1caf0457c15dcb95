"""Whatever answers are lost, the newest state stands at Apptoto once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import blame, wanted
from pipeline.model import facts as f
from pipeline.model.change import Change, Version, merge
from pipeline.model.outcome import Outcome
from pipeline.model.wire import Response
from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.simulator import Simulator
from pipeline.vendors.contract import Situation, Step
from tests.vendors.apptoto.acts import ACCOUNT, EVERYTHING, NOW, PLAIN, Content, call, expected, held, situation
from tests.vendors.apptoto.entries import sound_entries


@dataclass
class Relay:
    """One row of the ledger by its own transitions, and a lane that loses answers; no clock but a number."""

    config: Mapping[str, Any]
    row: f.Facts = field(default_factory=lambda: f.Facts("d", "K"))
    now: float = 1_000_000.0
    order: int = 0

    def __post_init__(self) -> None:
        self.vendor = Simulator({**ACCOUNT, **self.config})
        self.policy = f.Policy(
            "d", "a", problems=lambda content: VENDOR.problems(content, {}), needs_identity=lambda content: False,
            recover_at_once=VENDOR.defaults.recover_at_once, settle_time=VENDOR.defaults.settle_time,
        )  # fmt: skip

    def want(self, content: Content | None) -> None:
        self.order += 1
        version = Version(self.order, "t", 0, self.order, 1)
        kind: Any = "delete" if content is None else "upsert"
        change = Change("d", "K", kind, version, "rule", content=content or {})
        self.row = wanted.apply(self.row, change, {}, self.now, self.policy) or self.row

    def turn(self, fate: str) -> bool:
        """One call, as soon as there is one to make: answered, or its answer lost before or after it acted."""
        while self.row.state == "held":
            self.now = max(self.now, self.row.wake_at or 0.0)
            self.row = f.expire(self.row, self.now, self.policy)
        if self.row.state != "ready":
            return False
        self.row = f.claim(self.row, "w", self.now + 130, self.now, self.policy)
        now = self.situation()
        step = VENDOR.plan(now)
        assert isinstance(step, Step)
        request = VENDOR.request(step, [now])
        response = Response(502) if fate == "ignored" else call(self.vendor, request)
        lost = Response(504) if fate == "lost" else response
        self.settle(step, now, VENDOR.read(step, [now], lost, NOW)[0])
        assert len(self.vendor.items()) <= 1
        return True

    def situation(self) -> Situation:
        row = self.row
        return situation(
            None if row.wanted_hash == f.NOTHING else dict(row.desired or {}),
            None if row.observed is None else dict(row.observed),
            vendor_id=row.vendor_id,
            unsure=row.observed_hash == f.UNSURE,
            absent=row.absent,
            candidates=tuple(row.candidates or ()),
        )

    def settle(self, step: Step, now: Situation, outcome: Outcome) -> None:
        answer = blame.Answer(
            self.row.epoch, outcome, step.value, now.wanted, self.row.sent_hash or "", None, self.now, self.now, 0.5
        )
        self.row = blame.settle(self.row, answer, None, self.now, self.policy)

    def settle_down(self) -> None:
        assert any(not self.turn("answered") for _ in range(8)), f"it has not converged: {self.row}"
        assert self.row.state in ("idle", "waiting")


CONFIGS: tuple[Mapping[str, Any], ...] = ({}, {"external_id_in_answers": False}, {"wrong_event": "refuse"})
FATES = st.lists(st.sampled_from(("answered", "lost", "ignored", "lost", "ignored")), max_size=3)
# By id, as an answer names a calendar by its id alone; the same by name is in docs/vendors/apptoto.md.
WANTED = st.lists(st.tuples(st.none() | sound_entries(("7", "8")), FATES), min_size=1, max_size=4)


@settings(max_examples=100)
@given(config=st.sampled_from(CONFIGS), wanted=WANTED)
def test_whatever_answers_are_lost_the_newest_state_stands_at_the_vendor_once(
    config: Mapping[str, Any], wanted: list[tuple[Content | None, list[str]]]
) -> None:
    relay = Relay(config)
    for content, fates in wanted:
        relay.want(content)
        for fate in fates:
            relay.turn(fate)
    relay.settle_down()
    last = None if wanted[-1][0] is None else dict(merge([wanted[-1][0]]))  # the ledger's layers keep no null in a map
    names = {"7": "Team", "8": "Home"}
    assert held(relay.vendor) == ([] if last is None else [{**expected(last), "calendar": names[last["collection"]]}])


def test_an_event_that_somebody_removed_is_made_again_by_the_next_change() -> None:
    relay = Relay({})
    relay.want(EVERYTHING)
    relay.settle_down()
    call(relay.vendor, VENDOR.request(Step.DELETE, [situation(None)]))
    relay.want({**EVERYTHING, "title": "New"})
    relay.settle_down()
    assert held(relay.vendor) == [expected({**EVERYTHING, "title": "New"})]


def test_a_lost_delete_of_a_replacement_leaves_nothing_in_the_old_calendar() -> None:
    relay = Relay({})
    relay.want({**PLAIN, "collection": "7"})
    relay.settle_down()
    relay.want({**PLAIN, "collection": "8"})
    relay.turn("ignored")
    relay.settle_down()
    assert [entry["calendar"] for entry in held(relay.vendor)] == ["Home"]
