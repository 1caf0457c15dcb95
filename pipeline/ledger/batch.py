"""The rows of one transaction: read once, changed in memory by the model's transitions, written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from pipeline.ledger.directory import Person
from pipeline.ledger.entries import Key
from pipeline.ledger.groups import Rosters
from pipeline.ledger.values import Raw, Result, Settled
from pipeline.model import facts as f
from pipeline.model import wanted
from pipeline.model.blame import Answer, settle
from pipeline.model.change import Change
from pipeline.model.facts import UNSURE, Facts, Policy
from pipeline.model.groups import hold
from pipeline.model.wanted import due


@dataclass(slots=True)
class Batch:
    """`before` is what was read."""

    before: Mapping[Key, Facts]
    policies: Mapping[str, Policy]
    rows: dict[Key, Facts] = field(init=False)
    again: bool = False
    """A change that says what a dead entry holds already tries it again."""
    applied: int = 0
    revived: int = 0
    stale: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(destination, kind) → changes that were older than what is held, or repeats."""
    saved: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rows = dict(self.before)

    def changed(self) -> Iterator[tuple[Facts, Facts]]:
        """Each row that has changed, before and after."""
        return ((self.before[key], row) for key, row in self.rows.items() if row is not self.before[key])

    def relink(self, identities: Mapping[Person, str | None], relinked: set[Person], now: float) -> None:
        """Tells the entries of subscribers of whom the directory has just learnt."""
        for key, row in self.rows.items():
            if row.subscriber is not None and (row.destination, row.subscriber) in relinked:
                identity = identities[row.destination, row.subscriber]
                self.rows[key] = wanted.link(row, identity, now, self.policies[row.destination])

    def apply(self, change: Change, raw: Raw, identities: Mapping[Person, str | None], now: float) -> None:
        key, policy = (change.destination, change.key), self.policies[change.destination]
        before = self.rows[key]
        after = wanted.apply(before, change, raw, now, policy)
        if after is None and self.again and wanted.holds(before, change) and before.state == "dead":
            self.revived += 1
            self.rows[key] = wanted.revive(before, now, policy)
            return
        if after is None:
            self.stale[change.destination, change.kind] += 1
            return
        if after.subscriber is not None and after.identity is None:
            identity = identities.get((after.destination, after.subscriber))
            after = wanted.identified(after, identity, now, policy) if identity else after
        if self.again and after.state == "dead":
            after = wanted.revive(after, now, policy)  # newer rules that say what the vendor once refused
        self.applied += 1
        if before.state in ("ready", "held") and before.desired_hash != after.desired_hash:
            self.saved[change.destination] += 1
        self.rows[key] = after

    def doubt(self, now: float) -> None:
        """What has changed is looked for at the vendor first: a ledger that knew more may have sent it."""
        for _, row in list(self.changed()):
            if row.observed_hash == UNSURE and row.lease_until is None:
                continue
            self.rows[row.destination, row.key] = f.doubt(row, now, self.policies[row.destination])

    def regroup(self, newest: Rosters, now: float) -> None:
        """Ends the entries that their groups no longer name, and takes back such an end where it no longer holds."""
        for key, row in self.rows.items():
            policy = self.policies[row.destination]
            if row.group_name is None:
                self.rows[key] = hold(row, None, None, now, policy)
            elif (row.destination, row.group_name) in newest:
                self.rows[key] = hold(row, *newest[row.destination, row.group_name], now, policy)

    def settle(self, results: Sequence[Result], goods: Mapping[str, float | None], now: float) -> list[Settled]:
        """`goods`: account → when it last accepted something."""
        settled = []
        for result in results:
            for claimed, answer in zip_longest(result.grant.entries, result.answers):
                name = (claimed.destination, claimed.key)
                if name in self.rows:
                    one = self._settled(name, claimed.epoch, answer, goods.get(result.account), now)
                    self.rows[name] = one.after
                    settled.append(one)
        return settled

    def _settled(self, name: Key, epoch: int, answer: Answer | None, good_since: float | None, now: float) -> Settled:
        before, policy = self.rows[name], self.policies[name[0]]
        if answer is None:
            after = f.release(before, epoch, now, policy)
        else:
            after = settle(before, answer, good_since, now, policy)
        good = after.event_time if after.state == "idle" and after.observed_hash != before.observed_hash else None
        return Settled(before, after, answer, good, None if good is None else due(after, policy))
