"""Whatever happens on the way, the vendor ends with exactly the newest state: one entry, many changes, a bad network.

The row goes through its pure transitions only; the clock is a number. The vendor is in memory. It may act late (within
`settle_time`), lose answers, refuse, and confirm before it acts; workers die, stop, and settle after their lease ran
out. Two kinds: ECAL's, whose POST of a reference that is there answers 409, and one like Rokt's, which takes every
call before it acts and would double a repeated create.

Broken on purpose, and seen to fail (which kind):
MUTANTS
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.model import facts as f
from pipeline.model.change import BASE, Change, Version, merge
from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Outcome,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
)
from pipeline.vendors.calreply import VENDOR as CALREPLY
from pipeline.vendors.contract import Situation, Step, Vendor
from pipeline.vendors.ecal import VENDOR as ECAL

SLACK, TIMEOUT, LEASE, SETTLE = 2.0, 10.0, 20.0, 30.0
NOTE = "note"
KEY = "k"
PEOPLE = ("ann", "bob")
EXTRAS: tuple[Mapping[str, Any], ...] = ({}, {"time_zone": "Europe/Paris"}, {"alerts": [60]}, {"description": "d"})
FATES = ("answered", "unheard", "died", "retry", "rejected", "throttled", "unauthorized", "unsent")


@dataclass(slots=True)
class Item:
    """What stands in somebody's calendar."""

    number: int
    person: str
    content: dict[str, Any]


@dataclass(slots=True)
class Call:
    serial: int
    """Which desired state it was made for, counted as they came to be."""
    facts: f.Facts
    situation: Situation
    step: Step
    outcome: Outcome = field(default_factory=Unknown)


@dataclass(slots=True)
class Calendar:
    """The vendor. `late`: it takes a call first and acts later, and knows no call that a late twin makes fail."""

    late: bool
    items: list[Item] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    newest: int = 0

    def say(self, call: Call) -> Outcome:
        """What it answers to a call that arrives now."""
        there = self._meant(call)
        match call.step:
            case Step.FIND:
                return self._seen(call.situation)
            case Step.CREATE:
                done: Outcome = Accepted(str(next(self.numbers))) if not (self.items and not self.late) else Exists()
            case _:
                done = Accepted(None if call.step is Step.DELETE else KEY) if there else Absent()
        return Unconfirmed(KEY if call.step is not Step.DELETE else None) if self.late and there_or_new(call, there) else done

    def act(self, call: Call) -> None:
        """What it does, at once or late."""
        before = [(item.person, dict(item.content)) for item in self.items]
        self._act(call, self._meant(call))
        after = [(item.person, item.content) for item in self.items]
        assert len(self.items) <= 1, f"two items after {call.step}"
        if before != after:
            assert call.serial >= self.newest, f"{call.step} of an older state after a newer one"
            self.newest = call.serial

    def _act(self, call: Call, there: Item | None) -> None:
        situation = call.situation
        wanted = dict(situation.wanted or {})
        match call.step:
            case Step.CREATE if self.late or not self.items:
                self.items.append(Item(next(self.numbers), situation.identity or "", wanted))
            case Step.UPDATE if there and not self.late:
                there.content = _updated(there.content, situation.observed or {}, wanted)
            case Step.WRITE | Step.UPDATE if there:
                there.content = wanted
            case Step.DELETE if there:
                self.items.remove(there)
            case _:
                pass
