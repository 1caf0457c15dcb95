"""The ledger's transactions. Synchronous on purpose: one code path for SQLite and PostgreSQL, run in threads.

Lock order: offsets, directory, entries, tokens, accounts; a claim only ever skips what is locked.
Every transaction may be run again whole: each of its steps is idempotent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, compress, zip_longest
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from pipeline.ledger import accounts, audit, budget, directory, entries, outbox, quota
from pipeline.ledger import tables as t
from pipeline.ledger.database import Database, clock, insert_into
from pipeline.ledger.entries import Key
from pipeline.ledger.values import (
    Applied,
    Backlog,
    Budget,
    Claim,
    Grant,
    Message,
    Partition,
    Posted,
    Quota,
    Raw,
    Result,
    Settled,
)
from pipeline.model import facts as f
from pipeline.model.blame import Answer, settle
from pipeline.model.change import Change, Link, Version
from pipeline.model.facts import NOTHING, UNSURE, Facts, Policy

DeadLetters = Callable[[Facts], Sequence[Message]]
Outcomes = Callable[[Facts, Answer | None], Message]
"""Words what has become of an entry, and of the events that it answers for."""
ENDED = ("idle", "dead", "expired")
BUDGET = "budget"
"""The error of an entry that waits for credits."""

REFUSED_WAIT = 300.0
"""Seconds after which a message that Kafka would not take is tried again."""


class Ledger:
    """One ledger, on SQLite or PostgreSQL, by a SQLAlchemy URL.

    `dead_letters` words the messages of an entry that died; they are written in the transaction that let it die, and
    so is what `outcomes` words.
    Every method raises LedgerUnavailable where the database is away, and then has changed nothing.
    """

    def __init__(
        self,
        url: str,
        policies: Mapping[str, Policy],
        quotas: Mapping[str, Quota],
        dead_letters: DeadLetters,
        outcomes: Outcomes | None = None,
        budgets: Mapping[str, Budget] | None = None,
    ) -> None:
        self.policies = policies
        self.quotas = quotas
        self.budgets = budgets or {}
        self._dead_letters = dead_letters
        self._outcomes = outcomes
        self._database = Database(url)
        self._transaction = self._database.transaction

    # set-up --------------------------------------------------------------------------------------------------------

    @property
    def automatic(self) -> bool:
        """Whether migrations run by themselves: SQLite's do."""
        return self._database.is_sqlite

    def behind(self) -> bool:
        """Whether the tables are not those of this version."""

        def work(connection: Connection) -> bool:
            known = MigrationContext.configure(connection).get_current_heads()
            return set(known) != set(ScriptDirectory.from_config(_migrations()).get_heads())

        return self._transaction(work)

    def migrate(self) -> None:
        """Brings the tables to this version."""
        config = _migrations()

        def work(connection: Connection) -> None:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        self._transaction(work)

    def declare(self) -> None:
        """Makes the rows of every account and its tokens; a window that has shrunk loses its surplus tokens. Who waits
        for credits looks again: there may be more of them now."""

        def work(connection: Connection) -> None:
            for declared in self.quotas.values():
                quota.declare(connection, declared)
            if self.budgets:
                entries.wake(connection, BUDGET)

        self._transaction(work)

    def revision(self, digest: str) -> int:
        """The number of this rule set: the next one where it was never seen."""

        def work(connection: Connection) -> int:
            known = select(t.rulesets.c.revision).where(t.rulesets.c.digest == digest)
            found = connection.execute(known).scalar()
            if found is None:
                connection.execute(insert_into(connection, t.rulesets).on_conflict_do_nothing(), [{"digest": digest}])
                found = connection.execute(known).scalar_one()
            return int(found)

        return self._transaction(work)

    def close(self) -> None:
        self._database.engine.dispose()

    # intake --------------------------------------------------------------------------------------------------------

    def offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The next offset of each partition that has been read before."""
        wanted = set(partitions)

        def work(connection: Connection) -> dict[Partition, int]:
            rows = connection.execute(select(t.offsets))
            return {(topic, partition): n for topic, partition, n in rows if (topic, partition) in wanted}

        return self._transaction(work)

    def start_at(self, offsets: Mapping[Partition, int]) -> None:
        """Puts these next offsets in the place of whatever there was: somebody decided where to begin."""
        self._transaction(lambda connection: _write_offsets(connection, offsets, onward=False))

    def take(
        self,
        changes: Sequence[tuple[Change, Raw]],
        links: Sequence[Link],
        dead: Sequence[Message],
        next_offsets: Mapping[Partition, int],
    ) -> Applied:
        """One batch of intake: all changes, links and dead letters with the next offsets, or nothing.

        Raises DataRefused where the database will never take it.
        """

        def work(connection: Connection) -> Applied:
            _write_offsets(connection, next_offsets)
            now = clock(connection)
            identities, relinked = directory.link(connection, links, changes)
            keys = sorted({(change.destination, change.key) for change, _ in changes})
            entries.make(connection, keys)
            rows = entries.locked(connection, keys, sorted(relinked))
            batch = _Batch(dict(rows))
            self._relink(batch, identities, relinked, now)
            for change, raw in changes:
                self._apply(batch, change, raw, identities, now)
            outbox.post(connection, dead)
            changed = self._keep(connection, rows, batch, {}, entries.ALL)
            ready = frozenset(row.destination for row in changed if row.state == "ready")
            return Applied(batch.applied, batch.stale, batch.saved, ready)

        return self._transaction(work)

    def _relink(self, batch: _Batch, identities: Mapping[Key, str | None], relinked: set[Key], now: float) -> None:
        """Tells the entries of subscribers of whom the directory has just learnt."""
        for key, row in batch.rows.items():
            if row.subscriber is not None and (row.destination, row.subscriber) in relinked:
                identity = identities[row.destination, row.subscriber]
                batch.rows[key] = f.link(row, identity, now, self.policies[row.destination])

    def _apply(self, batch: _Batch, change: Change, raw: Raw, identities: Mapping[Key, str | None], now: float) -> None:
        key, policy = (change.destination, change.key), self.policies[change.destination]
        before = batch.rows[key]
        after = f.apply(before, change, raw, now, policy)
        if after is None:
            batch.stale += 1
            return
        if after.subscriber is not None and after.identity is None:
            identity = identities.get((after.destination, after.subscriber))
            after = f.identified(after, identity, now, policy) if identity else after
        batch.applied += 1
        if before.state in ("ready", "held") and before.desired_hash != after.desired_hash:
            batch.saved[change.destination] += 1
        batch.rows[key] = after

    # lane ----------------------------------------------------------------------------------------------------------

    def claim(self, destination: str, owner: str, limit: int, lease: float) -> Claim:
        """The most urgent ready entries of a destination, in at most `limit` calls and no more than there are tokens,
        leased for `lease` seconds."""
        policy = self.policies[destination]
        mine = self.quotas[policy.account]

        def work(connection: Connection) -> Claim:
            now = clock(connection)
            wait = accounts.wait(connection, policy.account, now)
            if wait is not None:
                return Claim((), wait)
            rows = entries.ready(connection, destination, limit * policy.batch)
            if not rows:
                return Claim(())
            tokens, wait = quota.free_tokens(connection, mine, min(limit, len(rows)), now, lease)
            if not tokens:
                return Claim((), wait)
            placed = [f.place(row, now, policy) for row in rows]
            ended = [row for row in placed if row.state != "ready"]
            leased = (f.claim(row, owner, now + lease, now, policy) for row in placed if row.state == "ready")
            calls = _calls(leased, len(tokens), policy)
            calls, costs, unpaid = self._afforded(connection, policy, calls, now)
            entries.write(connection, [*ended, *unpaid, *chain(*calls)], entries.CLAIM)
            period = budget.began(self.budgets[policy.account], now) if policy.account in self.budgets else None
            grants = tuple(
                Grant(tuple(call), held, cost, period) for call, held, cost in zip(calls, tokens, costs, strict=False)
            )
            quota.take_tokens(connection, policy.account, grants)
            # Only expired ones were found: there is more to look at, at once.
            return Claim(grants, None if grants else wait or 0.0)

        return self._transaction(work)

    def _afforded(
        self, connection: Connection, policy: Policy, calls: list[list[Facts]], now: float
    ) -> tuple[list[list[Facts]], list[float], list[Facts]]:
        """The calls that the budget pays for, what each costs, and the entries that wait for its next period."""
        mine = self.budgets.get(policy.account)
        costs = [sum(policy.cost(row) for row in call) for call in calls] if mine else [0.0] * len(calls)
        if mine is None or not any(costs):
            return calls, costs, []
        paid = budget.spend(connection, mine, costs, now)
        until = budget.ends(mine, now)
        unpaid = [
            f.postpone(row, until, BUDGET, now, policy) for call, pays in zip(calls, paid, strict=True) for row in call
            if not pays
        ]  # fmt: skip
        return list(compress(calls, paid)), list(compress(costs, paid)), unpaid

    def settle(self, results: Sequence[Result], monotonic: Callable[[], float] = time.monotonic) -> list[Settled]:
        """Many results in one transaction. An answer's `at`, the worker's monotonic time, becomes the database's."""

        def work(connection: Connection) -> list[Settled]:
            now = clock(connection)
            skew = now - monotonic()
            people = {person for result in results for person in _learners(result)}
            known = directory.lock(connection, people)
            keys = sorted({(row.destination, row.key) for result in results for row in result.grant.entries})
            rows = entries.locked(connection, keys, sorted(people))
            first = {id(result) for result in results if _is_first(result, rows)}
            batch = _Batch(dict(rows))
            settled = self._settle_rows(batch, results, accounts.good_since(connection), now, skew)
            written = directory.write(connection, [link for one in settled for link in _learnt(one, now)], known)
            self._relink(batch, {name: identity for name, (identity, _) in written.items()}, set(written), now)
            columns = entries.ALL if written else entries.SETTLE
            self._keep(connection, rows, batch, {one.name: one.answer for one in settled}, columns)
            for account in sorted({result.account for result in results}):
                mine = [result for result in results if result.account == account]
                answered = [(result.grant, accounts.answered(result, skew)) for result in mine]
                quota.give_back(connection, account, answered, now)
                if account in self.budgets:
                    budget.refund(connection, self.budgets[account], [r for r in mine if id(r) in first], now)
                accounts.judge(connection, account, mine, first, now, skew)
            return settled

        return self._transaction(work) if results else []

    def _settle_rows(
        self, batch: _Batch, results: Sequence[Result], goods: Mapping[str, float | None], now: float, skew: float
    ) -> list[Settled]:
        settled = []
        for result in results:
            for claimed, answer in zip_longest(result.grant.entries, result.answers):
                name = (claimed.destination, claimed.key)
                if name in batch.rows:
                    good_since = goods.get(result.account)
                    one = self._settled(batch.rows[name], claimed.epoch, answer, good_since, now, skew)
                    batch.rows[name] = one.after
                    settled.append(one)
        return settled

    def _keep(
        self,
        connection: Connection,
        before: Mapping[Key, Facts],
        batch: _Batch,
        answers: Mapping[Key, Answer | None],
        columns: tuple[str, ...],
    ) -> list[Facts]:
        """Writes what has changed, and posts what it has to say to others."""
        messages: list[Message] = []
        changed = [
            self._published(before[key], row, answers.get(key), messages)
            for key, row in batch.rows.items()
            if row is not before[key]
        ]
        outbox.post(connection, messages)
        entries.write(connection, changed, columns)
        return changed

    def _settled(
        self, before: Facts, epoch: int, answer: Answer | None, good_since: float | None, now: float, skew: float
    ) -> Settled:
        policy = self.policies[before.destination]
        if answer is None:
            after = f.release(before, epoch, now, policy)
        else:
            timed = replace(answer, asked=answer.asked + skew, at=answer.at + skew)
            after = settle(before, timed, good_since, now, policy)
        if after.state == "idle":
            after = replace(after, raws={})
        good = after.event_time if after.state == "idle" and after.observed_hash != before.observed_hash else None
        return Settled(before, after, answer, good)

    def _published(self, before: Facts, after: Facts, answer: Answer | None, messages: list[Message]) -> Facts:
        """Adds what an entry's end has to say to others: its dead letters, and the outcome of its events."""
        if entries.died(before, after):
            messages += self._dead_letters(after)
        if self._outcomes is None or not after.events or after.state not in ENDED:
            return after
        messages.append(self._outcomes(after, answer))
        return replace(after, events=None)

    # holds and pauses ----------------------------------------------------------------------------------------------

    def obstacles(self) -> dict[str, tuple[str, float]]:
        """Accounts that must not be called now: why, and the seconds a pause still lasts or a hold has lasted."""
        return self._transaction(lambda connection: accounts.obstacles(connection, clock(connection)))

    def hold(self, account: str, reason: str) -> None:
        """Nobody calls this account until a probe succeeds."""
        self._transaction(lambda connection: accounts.hold(connection, account, reason, clock(connection)))

    def probe_due(self, account: str) -> bool:
        """Whether this worker is the one to probe a held account now; the next turn comes later each time."""
        mine = self.quotas[account]
        return self._transaction(lambda connection: accounts.probe_due(connection, mine, clock(connection)))

    def lift(self, account: str) -> None:
        """A probe succeeded: the account is known good from now on."""
        self._transaction(lambda connection: accounts.lift(connection, account, clock(connection)))

    # by hand -------------------------------------------------------------------------------------------------------

    def begin(self, act: audit.Act) -> int:
        """Writes that somebody is about to do this; the id to end it by."""
        return self._transaction(lambda connection: audit.begin(connection, act, clock(connection)))

    def end(self, act: int, outcome: str) -> None:
        self._transaction(lambda connection: audit.end(connection, act, outcome))

    def acts(self, limit: int = 100) -> list[audit.Act]:
        """What people did, the newest first."""
        return self._transaction(lambda connection: audit.newest(connection, limit))

    def grant(self, account: str, lease: float, force: bool = False) -> Grant | audit.Stopped | float:
        """One call's tokens for `lease` seconds; or why there are none; or the seconds until it is worth asking again.
        `force` looks past a hold and a pause, never past the quota."""
        mine = self.quotas[account]
        return self._transaction(lambda connection: audit.grant(connection, mine, lease, clock(connection), force))

    def hand_back(self, account: str, granted: Grant, sent: bool, pause: float | None = None) -> None:
        """The call has ended: its tokens are free a window after its answer, or at once where nothing was `sent`.
        `pause`: the seconds for which the vendor asked to be left alone."""

        def work(connection: Connection) -> None:
            now = clock(connection)
            quota.give_back(connection, account, [(granted, now if sent else 0.0)], now)
            if pause is not None:
                audit.pause(connection, account, now + pause)

        self._transaction(work)

    # housekeeping --------------------------------------------------------------------------------------------------

    def sweep(self, limit: int = 500) -> tuple[int, Mapping[str, int]]:
        """Wakes rows whose time has come: how many, and destination → leases that had run out."""

        def work(connection: Connection) -> tuple[int, Mapping[str, int]]:
            now = clock(connection)
            rows = entries.due(connection, sorted(self.policies), now, limit)
            messages: list[Message] = []
            woken = [
                self._published(row, f.expire(row, now, self.policies[row.destination]), None, messages) for row in rows
            ]
            outbox.post(connection, messages)
            entries.write(connection, woken, entries.SETTLE)
            return len(rows), Counter(row.destination for row in rows if row.lease_until is not None)

        return self._transaction(work)

    def outbox(self, send: Callable[[Sequence[Message]], Posted], limit: int = 200) -> int:
        """Hands the oldest messages to `send`, and forgets those that Kafka has. What Kafka refuses stands aside for
        a while. How many were either.

        One worker at a time; a crash between Kafka and here sends some again.
        """
        if self._database.is_sqlite:  # one process only: no reason to keep its one writer waiting for Kafka
            messages = self._transaction(lambda connection: outbox.oldest(connection, limit, clock(connection)))
            posted = send(messages) if messages else Posted()
            if messages:
                self._transaction(lambda connection: _close(connection, posted))
            return len(posted.sent) + len(posted.refused)

        def work(connection: Connection) -> int:
            if not connection.execute(outbox.POSTING).scalar():
                return 0
            messages = outbox.oldest(connection, limit, clock(connection))
            posted = send(messages) if messages else Posted()
            _close(connection, posted)
            return len(posted.sent) + len(posted.refused)

        return self._transaction(work)

    def outbox_refused(self) -> dict[str, int]:
        """Topic → messages that Kafka would not take for what they are; they are kept and tried again."""
        return self._transaction(outbox.refused)

    # seen ----------------------------------------------------------------------------------------------------------

    def backlog(self) -> Backlog:
        def work(connection: Connection) -> Backlog:
            now = clock(connection)
            c = t.entries.c
            query = select(c.destination, c.state, func.count(), func.min(c.event_time))
            rows = connection.execute(query.group_by(c.destination, c.state))
            return {(d, s): (n, None if oldest is None else max(0.0, now - oldest)) for d, s, n, oldest in rows}

        return self._transaction(work)

    def quota_used(self) -> dict[str, float]:
        """Account → share of its scarcest window that is taken now, 0 to 1."""
        return self._transaction(lambda connection: quota.used(connection, clock(connection)))

    def budget_used(self) -> dict[str, float]:
        """Account → share of its credits that this period has used up."""
        return self._transaction(lambda connection: budget.used(connection, self.budgets, clock(connection)))

    def entry(self, key: str) -> list[Facts]:
        """Every destination's row of a key."""
        return self._transaction(lambda connection: entries.of_key(connection, key))


@dataclass(slots=True)
class _Batch:
    rows: dict[Key, Facts]
    applied: int = 0
    stale: int = 0
    saved: Counter[str] = field(default_factory=Counter)


def _is_first(result: Result, rows: Mapping[Key, Facts]) -> bool:
    """Whether the call still held a lease: settled again, or too late, it has been counted already."""
    held = ((rows.get((row.destination, row.key)), row.epoch) for row in result.grant.entries)
    return any(row is not None and row.epoch == epoch and row.lease_until is not None for row, epoch in held)


def _learners(result: Result) -> Iterator[Key]:
    """Those of whom the directory may learn: subscribers whose subscription this is."""
    for row in result.grant.entries:
        if row.subscriber is not None and _is_subscription(row):
            yield row.destination, row.subscriber


def _is_subscription(row: Facts) -> bool:
    return any((content or {}).get("kind") == "subscription" for content in (row.desired, row.observed))


def _learnt(one: Settled, now: float) -> Iterator[Link]:
    """Who a subscriber is, where a subscription of theirs has just been made, or is gone for good: the vendor's id."""
    before, after = one.before, one.after
    if after.subscriber is None or not (_is_subscription(before) or _is_subscription(after)):
        return
    version = Version(int(now * 1e6), "", 0, 0, 0)
    if before.observed_hash != NOTHING and after.observed_hash == NOTHING and after.wanted_hash == NOTHING:
        yield Link(after.destination, after.subscriber, None, version, ended=before.vendor_id)
    is_there = after.observed_hash not in (NOTHING, UNSURE) and after.vendor_id is not None
    if is_there and (before.observed_hash in (NOTHING, UNSURE) or before.vendor_id != after.vendor_id):
        yield Link(after.destination, after.subscriber, after.vendor_id, version)


def _calls(leased: Iterable[Facts], most: int, policy: Policy) -> list[list[Facts]]:
    """Entries in the order of their urgency → calls, at most so many; who finds no place is not claimed."""
    calls: list[list[Facts]] = []
    filling: dict[Hashable, list[Facts]] = {}
    for row in leased:
        size = min(policy.batch, row.batch_limit or policy.batch)
        shared = policy.together(row) if size > 1 else None
        call = filling.get((shared, size)) if shared is not None else None
        if call is None or len(call) >= size:
            if len(calls) == most:
                continue
            call = filling[shared, size] = []
            calls.append(call)
        call.append(row)
    return calls


def _write_offsets(connection: Connection, next_offsets: Mapping[Partition, int], onward: bool = True) -> None:
    """`onward`: never back, so that a late batch of a partition that moved to another worker undoes nothing."""
    if not next_offsets:
        return
    statement = insert_into(connection, t.offsets)
    statement = statement.on_conflict_do_update(
        index_elements=["topic", "partition"],
        set_={"next_offset": statement.excluded.next_offset},
        where=t.offsets.c.next_offset < statement.excluded.next_offset if onward else None,
    )
    rows = [{"topic": k[0], "partition": k[1], "next_offset": n} for k, n in sorted(next_offsets.items())]
    connection.execute(statement, rows)


def _close(connection: Connection, posted: Posted) -> None:
    outbox.close(connection, posted, clock(connection) + REFUSED_WAIT)


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
