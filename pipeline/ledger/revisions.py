"""The rule sets that were active, those that are held back, and what came of each worker's last reading of its rules.

The newest revision is the active one. Rules that come back get a number of their own, higher than all before: what they
say of an old record must win over what a wrong set said of it in between.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, text, update

from pipeline.ledger import entries
from pipeline.ledger import tables as t
from pipeline.ledger.database import Transaction, clock, insert_into
from pipeline.model.facts import NOTHING, Facts

CHUNK = 500
ALONE = text("lock table rulesets in share row exclusive mode")
NEWEST = 20
"""Revisions of which it is told when they were taken."""
FORGOTTEN = 86_400.0
"""Seconds after which a worker that has gone is no longer told of."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A rule set that was active from `at` on. `rules` is its JSON, None where an older version wrote it."""

    revision: int
    digest: str
    at: float | None
    rules: str | None


@dataclass(frozen=True, slots=True)
class RulesHold:
    """A rule set that waits for `calends approve`: it would end `ended` of `live` entries."""

    digest: str
    reason: str
    ended: int
    live: int
    at: float
    approved_by: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a worker runs, and why it did not take what it read last; `refused` None: it did."""

    worker: str
    revision: int
    at: float
    refused: str | None = None
    problems: int = 0


@dataclass(frozen=True, slots=True)
class RulesState:
    """All that is known of rules, for people."""

    active: Revision | None
    holds: tuple[RulesHold, ...]
    readings: tuple[Reading, ...]
    taken: tuple[tuple[int, float | None], ...] = ()
    """The newest revisions, and when each was taken."""


class RuleBook:
    """What the ledger knows of rules. Every method raises LedgerUnavailable where the database is away."""

    def __init__(self, transaction: Transaction, look: Transaction) -> None:
        """`look`: for what writes nothing, beside whoever writes."""
        self._transaction, self._look = transaction, look

    def activate(self, digest: str, rules: str | None = None) -> int:
        """The number of this rule set, active from now on; the same one where it is active already."""
        return int(self._transaction(lambda connection: _activate(connection, digest, rules, clock(connection))))

    def active(self) -> Revision | None:
        found: Revision | None = self._transaction(_active)
        return found

    def hold(self, digest: str, reason: str, ended: int, live: int) -> None:
        """It waits for an approval; one that waits already goes on waiting, or stays approved."""
        values = {"digest": digest, "reason": reason, "ended": ended, "live": live}

        def work(connection: Connection) -> None:
            statement = insert_into(connection, t.rule_holds).on_conflict_do_nothing()
            connection.execute(statement, [values | {"at": clock(connection)}])

        self._transaction(work)

    def held(self, digest: str) -> RulesHold | None:
        return next((one for one in self.state().holds if one.digest == digest), None)

    def withdraw(self, digest: str) -> None:
        """Nobody wants this rule set any more."""
        gone = delete(t.rule_holds).where(t.rule_holds.c.digest == digest)
        self._transaction(lambda connection: connection.execute(gone))

    def approve(self, digest: str, actor: str) -> None:
        approved = update(t.rule_holds).where(t.rule_holds.c.digest == digest).values(approved_by=actor)
        self._transaction(lambda connection: connection.execute(approved))

    def note(self, worker: str, revision: int, refused: str | None = None, problems: int = 0) -> None:
        """The worker's last reading of its rules, in the place of the one before."""
        values = {"worker": worker, "revision": revision, "refused": refused, "problems": problems}

        def work(connection: Connection) -> None:
            connection.execute(delete(t.rule_readings).where(t.rule_readings.c.worker == worker))
            connection.execute(insert_into(connection, t.rule_readings).values(**values, at=clock(connection)))

        self._transaction(work)

    def forget(self, worker: str) -> None:
        """The worker has stopped."""
        gone = delete(t.rule_readings).where(t.rule_readings.c.worker == worker)
        self._transaction(lambda connection: connection.execute(gone))

    def entries_of(self, rule: str) -> Iterator[Facts]:
        """Every entry of which this rule wrote a layer, a chunk at a time: a look through the whole ledger."""
        last = ("", "")
        while True:
            step = functools.partial(entries.written_by, rule=rule, after=last, limit=CHUNK)
            rows: list[Facts] = self._look(step)
            yield from rows
            if len(rows) < CHUNK:
                return
            last = (rows[-1].destination, rows[-1].key)

    def entries(self, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Facts]:
        """Those that there are."""
        found: dict[tuple[str, str], Facts] = self._transaction(lambda connection: entries.locked(connection, names))
        return found

    def live(self) -> int:
        """Entries that should be at a vendor."""
        count = select(func.count()).where(t.entries.c.desired_hash != NOTHING)
        return int(self._transaction(lambda connection: connection.execute(count).scalar_one()))

    def known(self) -> tuple[int | None, dict[str, int]]:
        """The newest revision, and digest → revision of each rule set that was ever run."""
        query = select(t.rulesets.c.digest, t.rulesets.c.revision)
        known: dict[str, int] = self._transaction(lambda connection: dict(connection.execute(query).all()))
        return max(known.values(), default=None), known

    def state(self) -> RulesState:
        found: RulesState = self._transaction(lambda connection: _state(connection, clock(connection)))
        return found


def _activate(connection: Connection, digest: str, rules: str | None, now: float) -> int:
    if connection.dialect.name == "postgresql":
        # Workers begin together: of two that found the set new, the second would take the first one's number away.
        connection.execute(ALONE)
    newest = _active(connection)
    if newest is None or newest.digest != digest:
        connection.execute(delete(t.rulesets).where(t.rulesets.c.digest == digest))
        values = {"digest": digest, "at": now, "rules": rules}
        connection.execute(insert_into(connection, t.rulesets).on_conflict_do_nothing(), [values])
    elif rules is not None and newest.rules is None:
        connection.execute(update(t.rulesets).where(t.rulesets.c.digest == digest).values(rules=rules))
    connection.execute(delete(t.rule_holds).where(t.rule_holds.c.digest == digest))
    query = select(t.rulesets.c.revision).where(t.rulesets.c.digest == digest)
    return int(connection.execute(query).scalar_one())


def _active(connection: Connection) -> Revision | None:
    columns = (t.rulesets.c.revision, t.rulesets.c.digest, t.rulesets.c.at, t.rulesets.c.rules)
    row = connection.execute(select(*columns).order_by(t.rulesets.c.revision.desc()).limit(1)).mappings().first()
    return None if row is None else Revision(**row)


def _state(connection: Connection, now: float) -> RulesState:
    late = t.rule_readings.c.at > now - FORGOTTEN
    rows = connection.execute(select(t.rule_readings).where(late).order_by(t.rule_readings.c.worker)).mappings()
    held = connection.execute(select(t.rule_holds).order_by(t.rule_holds.c.at)).mappings()
    readings, holds = tuple(Reading(**row) for row in rows), tuple(RulesHold(**row) for row in held)
    revision = t.rulesets.c.revision
    newest = select(revision, t.rulesets.c.at).order_by(revision.desc()).limit(NEWEST)
    taken = tuple((number, at) for number, at in connection.execute(newest))
    return RulesState(_active(connection), holds, readings, taken)
