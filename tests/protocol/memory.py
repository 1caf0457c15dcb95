"""Four vendors in memory, one of each kind: what they hold, what they answer, and what must never happen to them.

`ecal` creates and updates apart, by the caller's key. `apptoto` upserts by it, several entries a call. `calreply`
(as Rokt) takes a call first, acts later, and creates as often as it is asked to. `add_to_calendar_pro` knows no key of
the caller's, and costs credits. The next step is the vendor's own `plan`; only the wire is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Outcome,
    Rejected,
    Split,
    Unconfirmed,
)
from pipeline.vendors.add_to_calendar_pro import VENDOR as PRO
from pipeline.vendors.add_to_calendar_pro.recovery import judgement
from pipeline.vendors.apptoto import VENDOR as APPTOTO
from pipeline.vendors.calreply import VENDOR as CALREPLY
from pipeline.vendors.contract import Situation, Step, Vendor
from pipeline.vendors.ecal import VENDOR as ECAL

POISON = "poison"
"""A title that every vendor refuses."""


@dataclass(frozen=True, slots=True)
class Kind:
    vendor: Vendor
    windows: tuple[tuple[int, float], ...]
    identified: bool = False
    """An entry needs a subscriber whom the vendor knows."""
    batch: int = 1
    credits: float | None = None
    """For each minute."""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.vendor.name

    @property
    def acts_later(self) -> bool:
        return self.vendor is CALREPLY

    @property
    def upserts(self) -> bool:
        return self.vendor is APPTOTO

    @property
    def keyless(self) -> bool:
        return self.vendor is PRO


KINDS = (
    Kind(ECAL, ((2, 1.0), (5, 30.0)), identified=True),
    Kind(APPTOTO, ((2, 10.0),), batch=2),
    Kind(CALREPLY, ((3, 1.0),), identified=True, options={"account_code": "acme", "api": "rokt"}),
    Kind(PRO, ((3, 1.0),), credits=3.0),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One entry's part of a call."""

    step: Step
    situation: Situation
    serial: int
    """Which desired state of the entry it was claimed for, counted as they were claimed."""

    @property
    def poisoned(self) -> bool:
        wanted = self.situation.wanted or {}
        return self.step not in (Step.FIND, Step.DELETE) and wanted.get("title") == POISON


@dataclass(slots=True)
class Item:
    id: str
    key: str
    person: str | None
    content: dict[str, Any]


class Broken(AssertionError):
    """A promise that was not kept."""


@dataclass(slots=True)
class Memory:
    """One account at a vendor."""

    kind: Kind
    items: list[Item] = field(default_factory=list)
    arrivals: dict[tuple[int, float], deque[float]] = field(default_factory=dict)
    spent: dict[float | None, float] = field(default_factory=dict)
    """Credits, by the period of the budget in which the call was claimed."""
    newest: dict[str, int] = field(default_factory=dict)
    born: int = 0

    def arrive(self, now: float) -> None:
        """Counts a call against every window: any so many seconds, wherever they begin."""
        for window in self.kind.windows:
            calls, seconds = window
            seen = self.arrivals.setdefault(window, deque(maxlen=calls + 1))
            seen.append(now)
            if len(seen) > calls and seen[-1] - seen[0] < seconds - 1e-3:
                raise Broken(f"quota: {calls + 1} calls within {seen[-1] - seen[0]:.3f} of {seconds} s")

    def charge(self, period: float | None, asked: Sequence[Asked]) -> None:
        if self.kind.credits is None:
            return
        cost = sum(self.kind.vendor.cost(one.step, one.situation) for one in asked)
        self.spent[period] = self.spent.get(period, 0.0) + cost
        if self.spent[period] > self.kind.credits + 1e-6:
            raise Broken("credits: more spent than there are")

    def say(self, asked: Sequence[Asked], promised: bool) -> list[Outcome] | None:
        """What it answers before it acts: a refusal, or (`promised`) that it will. None: it will act, then answer."""
        if any(one.poisoned for one in asked):
            return [Split() if len(asked) > 1 else Rejected("invalid") for _ in asked]
        if promised and all(one.step is not Step.FIND and self._there(one) for one in asked):
            return [Unconfirmed(self._id_of(one)) for one in asked]
        return None

    def act(self, asked: Sequence[Asked]) -> list[Outcome]:
        return [self._acted(one) for one in asked]

    def _acted(self, one: Asked) -> Outcome:
        """Nothing older may change what something newer made, and nothing may be there twice."""
        key = one.situation.key
        before = [(item.id, item.person, dict(item.content)) for item in self.items if item.key == key]
        outcome = self._answer(one)
        after = [(item.id, item.person, dict(item.content)) for item in self.items if item.key == key]
        if len(after) > 1:
            raise Broken(f"doubled: two items for one key after {one.step}")
        if after != before:
            if one.serial < self.newest.get(key, 0):
                raise Broken(f"order: {one.step} of an older state after a newer one")
            self.newest[key] = one.serial
        return outcome

    def _answer(self, one: Asked) -> Outcome:
        there = self._meant(one)
        match one.step:
            case Step.FIND:
                return self._seen(one)
            case Step.CREATE:
                return self._created(one, there)
            case Step.DELETE:
                if there is None:
                    return Absent()
                self.items.remove(there)
                return Accepted()
            case _ if there is None:
                return self._created(one, None) if self.kind.upserts else Absent()
            case _:
                return self._written(one, there)

    def _there(self, one: Asked) -> bool:
        return one.step is Step.CREATE or self._meant(one) is not None

    def _id_of(self, one: Asked) -> str | None:
        there = self._meant(one)
        return one.situation.key if there is None else there.id

    def _meant(self, one: Asked) -> Item | None:
        """By the vendor's id where it knows no other name, else by the caller's key."""
        name = one.situation.vendor_id if self.kind.keyless else one.situation.key
        return next((item for item in self.items if name == (item.id if self.kind.keyless else item.key)), None)

    def _created(self, one: Asked, there: Item | None) -> Outcome:
        if there is not None and self.kind.upserts:
            return self._written(one, there)
        if there is not None and not (self.kind.keyless or self.kind.acts_later):
            return Exists()
        self.born += 1
        wanted = one.situation
        key = wanted.key
        born = Item(key if self.kind.acts_later else f"id{self.born}", key, wanted.identity, dict(wanted.wanted or {}))
        self.items.append(born)
        return Accepted(born.id)

    def _written(self, one: Asked, there: Item) -> Outcome:
        """An update says only what has changed since what was observed."""
        wanted, observed = one.situation.wanted or {}, one.situation.observed or {}
        if one.step is Step.UPDATE and not self.kind.acts_later:
            kept = {name: value for name, value in there.content.items() if name in wanted or name not in observed}
            wanted = kept | {name: value for name, value in wanted.items() if observed.get(name) != value}
        there.content = dict(wanted)
        return Accepted(there.id)

    def _seen(self, one: Asked) -> Outcome:
        found = self._found(one.situation)
        if found is None:
            return Absent()
        if self.kind.keyless and one.situation.vendor_id:
            return judgement(Step.WRITE, one.situation.wanted or {})
        same = found.content == one.situation.wanted and found.person == one.situation.identity
        return Accepted(found.id) if same else Exists(found.id)

    def _found(self, situation: Situation) -> Item | None:
        """By its id, or by its marker, or in one person's feed."""
        person = situation.observed_identity or situation.identity
        for item in self.items:
            if self.kind.keyless and situation.vendor_id in (None, item.id) and item.key == situation.key:
                return item
            if not self.kind.keyless and item.key == situation.key and item.person == person:
                return item
        return None
