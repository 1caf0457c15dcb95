"""The ledger's transactions. Synchronous on purpose: one code path for SQLite and PostgreSQL, run in threads.

Lock order: offsets, directory, entries, tokens, accounts; a claim only ever skips what is locked.
Every transaction may be run again whole: each of its steps is idempotent.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from pipeline.ledger import tables as t
from pipeline.model import facts as f
from pipeline.model.change import Change, Link
from pipeline.model.entry import canonical
from pipeline.model.facts import Answer, Facts, Policy
from pipeline.model.outcome import (
    Accepted,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
)

T = TypeVar("T")
Raw = Mapping[str, Any]
Partition = tuple[str, int]
Backlog = dict[tuple[str, str], tuple[int, float | None]]

SLACK = 2.0
"""Seconds for which a claim's token and lease are good to start a call."""
MARGIN = 8.0
"""Seconds beyond the call's time-out for which the lease still holds: settling and reserve."""
HOLD_AFTER = 5
"""Failures in a row, with nothing accepted between, that hold an account."""
PROBE_EVERY = 15.0


class LedgerUnavailable(Exception):
    """The database cannot be reached, or refuses for now; the transaction left nothing behind."""


class DataRefused(Exception):
    """The database will not take this data, however often it is tried; the transaction left nothing behind."""


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be written to Kafka, kept until it is."""

    topic: str
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(repr=False)
    id: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """An account's windows: (calls, seconds)."""

    account: str
    windows: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry to be brought nearer to what is wanted, with its lease and the tokens of its call."""

    facts: Facts
    tokens: tuple[tuple[str, int, float], ...]
    """(window, slot, the value that the claim wrote)."""


@dataclass(frozen=True, slots=True)
class Claim:
    grants: tuple[Grant, ...]
    wait: float | None = None
    """Seconds until a token is free or a pause ends, where that is what is missing."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one grant. No answer: it was released. `sent` says whether bytes may have reached the vendor."""

    grant: Grant
    answer: Answer | None
    account: str
    sent: bool = True
    retry_after: float | None = None
    renewable: bool = False
    """Unauthorized, but a fresh token may do; where it does not, there is no token and the lane holds the account."""


@dataclass(frozen=True, slots=True)
class Settled:
    before: Facts
    after: Facts
    answer: Answer | None
    good: float | None
    """The event's time where the entry is now at the vendor as wanted."""


@dataclass(frozen=True, slots=True)
class Applied:
    applied: int
    stale: int
    saved: Mapping[str, int]
    """Destination → changes that made an unsent state obsolete: calls that will never be made."""
    dead: int
    ready: frozenset[str]
    """Destinations with new ready work."""


DeadLetters = Callable[[Facts], Sequence[Message]]


class Ledger:
    """One ledger, on SQLite or PostgreSQL, by a SQLAlchemy URL.

    `dead_letters` words the messages of an entry that died; they are written in the transaction that let it die.
    """

    def __init__(
        self, url: str, policies: Mapping[str, Policy], quotas: Mapping[str, Quota], dead_letters: DeadLetters
    ) -> None:
        self.policies = policies
        self.quotas = quotas
        self._dead_letters = dead_letters
        self._engine = _engine(url)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._insert: Any = sqlite.insert if self._sqlite else postgresql.insert
        self._writing = threading.Lock()

    # set-up --------------------------------------------------------------------------------------------------------

    @property
    def automatic(self) -> bool:
        """Whether migrations run by themselves: SQLite's do."""
        return self._sqlite

    def behind(self) -> bool:
        """Whether the tables are not those of this version. Raises LedgerUnavailable."""

        def work(connection: Connection) -> bool:
            known = MigrationContext.configure(connection).get_current_heads()
            return set(known) != set(ScriptDirectory.from_config(_migrations()).get_heads())

        return self._transaction(work)

    def migrate(self) -> None:
        """Brings the tables to this version. Raises LedgerUnavailable."""
        config = _migrations()

        def work(connection: Connection) -> None:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        self._transaction(work)

    def declare(self) -> None:
        """Makes the rows of every account and its tokens; a window that has shrunk loses its surplus tokens."""

        def work(connection: Connection) -> None:
            for quota in self.quotas.values():
                self._declare(connection, quota)

        self._transaction(work)

    def _declare(self, connection: Connection, quota: Quota) -> None:
        insert = self._insert(t.accounts).on_conflict_do_nothing()
        connection.execute(insert, [{"name": quota.account, "probes": 0, "failures": 0}])
        kept = [_window_name(calls_seconds) for calls_seconds in quota.windows]
        connection.execute(
            delete(t.tokens).where(t.tokens.c.account == quota.account, t.tokens.c.quota_window.not_in(kept))
        )
        known: dict[str, int] = dict(
            connection.execute(
                select(t.tokens.c.quota_window, func.count())
                .where(t.tokens.c.account == quota.account)
                .group_by(t.tokens.c.quota_window)
            ).all()
        )
        for (calls, _seconds), name in zip(quota.windows, kept, strict=True):
            rows = [
                {"account": quota.account, "quota_window": name, "slot": slot, "free_at": 0.0}
                for slot in range(known.get(name, 0), calls)
            ]
            if rows:
                connection.execute(self._insert(t.tokens).on_conflict_do_nothing(), rows)
            connection.execute(
                delete(t.tokens).where(
                    t.tokens.c.account == quota.account, t.tokens.c.quota_window == name, t.tokens.c.slot >= calls
                )
            )

    def revision(self, digest: str) -> int:
        """The number of this rule set: the next one where it was never seen."""

        def work(connection: Connection) -> int:
            connection.execute(self._insert(t.rulesets).on_conflict_do_nothing(), [{"digest": digest}])
            query = select(t.rulesets.c.revision).where(t.rulesets.c.digest == digest)
            return int(connection.execute(query).scalar_one())

        return self._transaction(work)

    def ping(self) -> None:
        """Raises LedgerUnavailable where the database does not answer or lacks the tables."""
        self._transaction(lambda connection: connection.execute(select(func.count()).select_from(t.accounts)))

    def close(self) -> None:
        self._engine.dispose()

    # intake --------------------------------------------------------------------------------------------------------

    def offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        wanted = set(partitions)

        def work(connection: Connection) -> dict[Partition, int]:
            rows = connection.execute(select(t.offsets))
            return {(topic, partition): n for topic, partition, n in rows if (topic, partition) in wanted}

        return self._transaction(work)

    def take(
        self,
        changes: Sequence[tuple[Change, Raw]],
        links: Sequence[Link],
        dead: Sequence[Message],
        next_offsets: Mapping[Partition, int],
    ) -> Applied:
        """One batch of intake: all changes, links and dead letters with the next offsets, or nothing."""

        def work(connection: Connection) -> Applied:
            self._write_offsets(connection, next_offsets)
            now = self._now(connection)
            identities, relinked = self._link(connection, links, changes)
            rows = self._rows_of(connection, changes, relinked)
            applied = self._apply(rows, changes, identities, relinked, now)
            dead_entries = [row for key, row in applied.rows.items() if _died(rows[key], row)]
            self._post(connection, [*dead, *(m for row in dead_entries for m in self._dead_letters(row))])
            changed = [row for key, row in applied.rows.items() if row is not rows[key]]
            self._write(connection, changed, _ALL)
            ready = frozenset(row.destination for row in changed if row.state == "ready")
            return Applied(applied.applied, applied.stale, applied.saved, len(dead_entries), ready)

        return self._transaction(work)

    def _write_offsets(self, connection: Connection, next_offsets: Mapping[Partition, int]) -> None:
        if not next_offsets:
            return
        statement = self._insert(t.offsets)
        statement = statement.on_conflict_do_update(
            index_elements=["topic", "partition"],
            set_={"next_offset": statement.excluded.next_offset},
            where=t.offsets.c.next_offset < statement.excluded.next_offset,
        )
        rows = [{"topic": k[0], "partition": k[1], "next_offset": n} for k, n in sorted(next_offsets.items())]
        connection.execute(statement, rows)

    def _link(
        self, connection: Connection, links: Sequence[Link], changes: Sequence[tuple[Change, Raw]]
    ) -> tuple[dict[tuple[str, str], str | None], set[tuple[str, str]]]:
        """Locks the directory rows of all subscribers at hand, writes the links, and says who is who now."""
        people = {(change.destination, change.subscriber) for change, _ in changes if change.subscriber is not None}
        people |= {(link.destination, link.subscriber) for link in links}
        if not people:
            return {}, set()
        names = [{"destination": d, "subscriber": s} for d, s in sorted(people)]
        connection.execute(self._insert(t.directory).on_conflict_do_nothing(), names)
        key = tuple_(t.directory.c.destination, t.directory.c.subscriber)
        query = select(t.directory).where(key.in_(sorted(people))).order_by(*key.clauses)
        rows = connection.execute(query.with_for_update(read=not links)).all()
        known = {(d, s): (identity, json.loads(version) if version else []) for d, s, identity, version in rows}
        written = _newest_links(links, known)
        if written:
            statement = (
                update(t.directory)
                .where(t.directory.c.destination == bindparam("d"), t.directory.c.subscriber == bindparam("s"))
                .values(identity=bindparam("i"), version=bindparam("v"))
            )
            connection.execute(
                statement,
                [{"d": d, "s": s, "i": i, "v": canonical(v)} for (d, s), (i, v) in sorted(written.items())],
            )
        identities = {name: identity for name, (identity, _) in {**known, **written}.items()}
        return identities, set(written)

    def _rows_of(
        self, connection: Connection, changes: Sequence[tuple[Change, Raw]], relinked: set[tuple[str, str]]
    ) -> dict[tuple[str, str], Facts]:
        """The rows at hand, made where they are missing, locked in the order of their keys."""
        keys = sorted({(change.destination, change.key) for change, _ in changes})
        if keys:
            blank = [_columns(Facts(destination, key), _ALL) for destination, key in keys]
            connection.execute(self._insert(t.entries).on_conflict_do_nothing(), blank)
        key = tuple_(t.entries.c.destination, t.entries.c.key)
        subscriber = tuple_(t.entries.c.destination, t.entries.c.subscriber)
        condition = or_(key.in_(keys), subscriber.in_(sorted(relinked))) if relinked else key.in_(keys)
        query = select(t.entries).where(condition).order_by(*key.clauses).with_for_update()
        rows = [_facts(row) for row in connection.execute(query).mappings()] if keys or relinked else []
        return {(row.destination, row.key): row for row in rows}

    def _apply(
        self,
        rows: Mapping[tuple[str, str], Facts],
        changes: Sequence[tuple[Change, Raw]],
        identities: Mapping[tuple[str, str], str | None],
        relinked: set[tuple[str, str]],
        now: float,
    ) -> _Batch:
        batch = _Batch(dict(rows))
        for key, row in rows.items():
            if row.subscriber is not None and (row.destination, row.subscriber) in relinked:
                identity = identities[row.destination, row.subscriber]
                batch.rows[key] = f.link(row, identity, now, self.policies[row.destination])
        for change, raw in changes:
            key = (change.destination, change.key)
            policy = self.policies[change.destination]
            before = batch.rows[key]
            after = f.apply(before, change, raw, now, policy)
            if after is None:
                batch.stale += 1
                continue
            if after.subscriber is not None and after.identity is None:
                identity = identities.get((after.destination, after.subscriber)) or before.identity
                after = f.link(after, identity, now, policy) if identity else after
            batch.applied += 1
            if before.state in ("ready", "held") and before.desired_hash != after.desired_hash:
                batch.saved[change.destination] += 1
            batch.rows[key] = after
        return batch

    # lane ----------------------------------------------------------------------------------------------------------

    def claim(self, destination: str, owner: str, limit: int, lease: float) -> Claim:
        """The most urgent ready entries of a destination, as many as there are tokens, leased. One token a call."""
        policy = self.policies[destination]
        quota = self.quotas[policy.account]

        def work(connection: Connection) -> Claim:
            now = self._now(connection)
            account = connection.execute(select(t.accounts).where(t.accounts.c.name == policy.account)).mappings().one()
            if account["held"] is not None:
                return Claim((), PROBE_EVERY)
            if account["paused_until"] is not None and account["paused_until"] > now:
                return Claim((), account["paused_until"] - now)
            rows = self._ready(connection, destination, limit)
            if not rows:
                return Claim(())
            tokens, wait = self._free_tokens(connection, quota, len(rows), now, lease)
            placed = [f.place(row, now, policy) for row in rows[: len(tokens)]]
            grants = []
            for row, held in zip(placed, tokens, strict=True):
                leased = f.claim(row, owner, now + lease, now, policy) if row.state == "ready" else row
                grants.append(Grant(leased, held))
            self._write(connection, [grant.facts for grant in grants], _CLAIM)
            sending = tuple(grant for grant in grants if grant.facts.state == "sending")
            self._take_tokens(connection, policy.account, sending)
            return Claim(sending, wait if not sending else None)

        return self._transaction(work)

    def _ready(self, connection: Connection, destination: str, limit: int) -> list[Facts]:
        query = (
            select(t.entries)
            .where(t.entries.c.destination == destination, text("state = 'ready'"))
            .order_by(t.entries.c.rank)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [_facts(row) for row in connection.execute(query).mappings()]

    def _free_tokens(
        self, connection: Connection, quota: Quota, wanted: int, now: float, lease: float
    ) -> tuple[list[tuple[tuple[str, int, float], ...]], float | None]:
        """Up to `wanted` sets of one token of each window, and the seconds until one is free where none is."""
        columns: list[list[tuple[str, int, float]]] = []
        wait = 0.0
        for window in quota.windows:
            name = _window_name(window)
            query = (
                select(t.tokens.c.slot)
                .where(t.tokens.c.account == quota.account, t.tokens.c.quota_window == name, t.tokens.c.free_at <= now)
                .limit(wanted)
                .with_for_update(skip_locked=True)
            )
            until = now + window[1] + lease
            columns.append([(name, slot, until) for slot in connection.execute(query).scalars()])
            if not columns[-1]:
                wait = max(wait, self._until_token(connection, quota.account, name, now))
        available = min((len(column) for column in columns), default=wanted)
        return [tuple(column[i] for column in columns) for i in range(available)], wait or None

    def _until_token(self, connection: Connection, account: str, name: str, now: float) -> float:
        query = select(func.min(t.tokens.c.free_at)).where(
            t.tokens.c.account == account, t.tokens.c.quota_window == name
        )
        return max(0.002, (connection.execute(query).scalar() or now) - now)

    def _take_tokens(self, connection: Connection, account: str, grants: Sequence[Grant]) -> None:
        rows = [
            {"a": account, "w": window, "s": slot, "until": until}
            for grant in grants
            for window, slot, until in grant.tokens
        ]
        if rows:
            connection.execute(_TAKE, rows)

    def _free(self, connection: Connection, account: str, held: Iterable[tuple[Grant, float]], now: float) -> None:
        """Gives tokens back: each free a window after its call was answered (0.0: never sent, free now)."""
        rows = [
            {"a": account, "w": name, "s": slot, "until": until, "free": answered + _seconds(name) if answered else now}
            for grant, answered in held
            for name, slot, until in grant.tokens
        ]
        if rows:
            connection.execute(_FREE, sorted(rows, key=lambda row: (row["w"], row["s"])))

    def settle(self, results: Sequence[Result], now_monotonic: Callable[[], float] = time.monotonic) -> list[Settled]:
        """Many results in one transaction. An answer's `at` is the worker's monotonic time; it becomes the database's."""

        def work(connection: Connection) -> list[Settled]:
            now = self._now(connection)
            skew = now - now_monotonic()
            keys = sorted({(r.grant.facts.destination, r.grant.facts.key) for r in results})
            key = tuple_(t.entries.c.destination, t.entries.c.key)
            query = select(t.entries).where(key.in_(keys)).order_by(*key.clauses).with_for_update()
            rows = {(row["destination"], row["key"]): _facts(row) for row in connection.execute(query).mappings()}
            goods = dict(connection.execute(select(t.accounts.c.name, t.accounts.c.good_since)).all())
            settled = [self._settled(rows, result, goods, now, skew) for result in results]
            self._write(connection, list(rows.values()), _SETTLE)
            died = [s.after for s in settled if _died(s.before, s.after)]
            self._post(connection, [m for row in died for m in self._dead_letters(row)])
            for account in sorted({result.account for result in results}):
                mine = [result for result in results if result.account == account]
                self._free(connection, account, [(r.grant, _answered(r, skew)) for r in mine], now)
                self._judge(connection, account, mine, now, skew)
            return settled

        return self._transaction(work) if results else []

    def _settled(
        self,
        rows: dict[tuple[str, str], Facts],
        result: Result,
        goods: Mapping[str, float | None],
        now: float,
        skew: float,
    ) -> Settled:
        name = (result.grant.facts.destination, result.grant.facts.key)
        before, policy = rows[name], self.policies[name[0]]
        if result.answer is None:
            after = f.release(before, result.grant.facts.epoch, now, policy)
        else:
            answer = replace(result.answer, at=result.answer.at + skew)
            after = f.settle(before, answer, goods.get(result.account), now, policy)
        if after.state == "idle":
            after = replace(after, raws={})
        rows[name] = after
        good = after.event_time if after.state == "idle" and after.observed_hash != before.observed_hash else None
        return Settled(before, after, result.answer, good)

    def _judge(self, connection: Connection, account: str, results: Sequence[Result], now: float, skew: float) -> None:
        """What the answers say of the account: good, failing, throttled, or no longer authorized."""
        answers = sorted((r for r in results if r.answer and not r.answer.certain), key=lambda r: _answered(r, skew))
        if not answers:
            return
        row = connection.execute(select(t.accounts).where(t.accounts.c.name == account).with_for_update())
        held = dict(row.mappings().one())
        before = dict(held)
        for result in answers:
            _judged(held, result, now, skew)
        if held["good_since"] is not None and before["good_since"] is not None:
            held["good_since"] = max(held["good_since"], before["good_since"])
        changed = {name: value for name, value in held.items() if value != before[name]}
        if changed:
            connection.execute(update(t.accounts).where(t.accounts.c.name == account).values(**changed))

    # holds and pauses ----------------------------------------------------------------------------------------------

    def obstacles(self) -> dict[str, tuple[str, float]]:
        """Accounts that must not be called now: the reason, and the seconds for which it holds (probing: unknown)."""

        def work(connection: Connection) -> dict[str, tuple[str, float]]:
            now = self._now(connection)
            found = {}
            for row in connection.execute(select(t.accounts)).mappings():
                if row["held"] is not None:
                    found[row["name"]] = (row["held"], now - (row["held_since"] or now))
                elif row["paused_until"] is not None and row["paused_until"] > now:
                    found[row["name"]] = ("throttled", row["paused_until"] - now)
            return found

        return self._transaction(work)

    def pause(self, account: str, seconds: float) -> None:
        """Nobody calls this account for so long."""

        def work(connection: Connection) -> None:
            until = self._now(connection) + seconds
            connection.execute(update(t.accounts).where(t.accounts.c.name == account).values(paused_until=until))

        self._transaction(work)

    def hold(self, account: str, reason: str) -> None:
        """Nobody calls this account until a probe succeeds."""

        def work(connection: Connection) -> None:
            now = self._now(connection)
            connection.execute(
                update(t.accounts)
                .where(t.accounts.c.name == account, t.accounts.c.held.is_(None))
                .values(held=reason, held_since=now, probe_at=now + 1.0)
            )

        self._transaction(work)

    def probe_due(self, account: str) -> bool:
        """Whether this worker is the one to probe a held account now; the next turn comes later each time."""

        def work(connection: Connection) -> bool:
            now = self._now(connection)
            query = select(t.accounts).where(t.accounts.c.name == account).with_for_update(skip_locked=True)
            row = connection.execute(query).mappings().one_or_none()
            if row is None or row["held"] is None or (row["probe_at"] or 0.0) > now:
                return False
            tokens, _ = self._free_tokens(connection, self.quotas[account], 1, now, SLACK + 10.0)
            if not tokens:
                return False
            self._take_tokens(connection, account, [Grant(Facts("", ""), tokens[0])])
            later = now + min(PROBE_EVERY, 1.0 * 2.0 ** min(row["probes"], 10))
            values = {"probe_at": later, "probes": row["probes"] + 1}
            connection.execute(update(t.accounts).where(t.accounts.c.name == account).values(**values))
            return True

        return self._transaction(work)

    def lift(self, account: str) -> None:
        """A probe succeeded: the account is known good from now on. How often it had to be probed is kept until an
        entry is accepted, so that a key which passes probes and nothing else is not tried ever faster."""

        def work(connection: Connection) -> None:
            values = {"held": None, "held_since": None, "probe_at": None, "failures": 0}
            now = self._now(connection)
            connection.execute(update(t.accounts).where(t.accounts.c.name == account).values(**values, good_since=now))

        self._transaction(work)

    # housekeeping --------------------------------------------------------------------------------------------------

    def sweep(self, limit: int = 500) -> tuple[int, Mapping[str, int]]:
        """Wakes rows whose time has come: how many, and destination → leases that had run out."""

        def work(connection: Connection) -> tuple[int, Mapping[str, int]]:
            now = self._now(connection)
            query = (
                select(t.entries)
                .where(t.entries.c.wake_at.is_not(None), t.entries.c.wake_at <= now)
                .order_by(t.entries.c.wake_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            rows = [_facts(row) for row in connection.execute(query).mappings()]
            woken = [
                f.expire(row, now, self.policies[row.destination]) for row in rows if row.destination in self.policies
            ]
            self._write(connection, woken, _SETTLE)
            return len(rows), Counter(row.destination for row in rows if row.lease_until is not None)

        return self._transaction(work)

    def outbox(self, send: Callable[[Sequence[Message]], Sequence[int]], limit: int = 200) -> int:
        """Hands the oldest messages to `send`, which returns the ids that Kafka has; those are forgotten.

        One worker at a time; a crash between Kafka and here sends some again.
        """
        if self._sqlite:  # one process only: no reason to keep its one writer waiting for Kafka
            messages = self._transaction(lambda connection: self._oldest(connection, limit))
            sent = list(send(messages)) if messages else []
            self._transaction(lambda connection: self._forget(connection, sent))
            return len(sent)

        def work(connection: Connection) -> int:
            if not connection.execute(_POSTING).scalar():
                return 0
            messages = self._oldest(connection, limit)
            sent = list(send(messages)) if messages else []
            self._forget(connection, sent)
            return len(sent)

        return self._transaction(work)

    def _oldest(self, connection: Connection, limit: int) -> list[Message]:
        rows = connection.execute(select(t.outbox).order_by(t.outbox.c.id).limit(limit)).mappings()
        return [
            Message(
                row["topic"],
                row["key"],
                row["value"],
                tuple((name, bytes.fromhex(value)) for name, value in json.loads(row["headers"])),
                row["id"],
            )
            for row in rows
        ]

    def _forget(self, connection: Connection, sent: Sequence[int]) -> None:
        if sent:
            connection.execute(delete(t.outbox).where(t.outbox.c.id.in_(sent)))

    def _post(self, connection: Connection, messages: Sequence[Message]) -> None:
        rows = [
            {
                "topic": m.topic,
                "key": m.key,
                "value": m.value,
                "headers": canonical([[name, value.hex()] for name, value in m.headers]),
            }
            for m in messages
        ]
        if rows:
            connection.execute(self._insert(t.outbox), rows)

    # seen ----------------------------------------------------------------------------------------------------------

    def backlog(self) -> Backlog:
        """(destination, state) → entries, and the age in seconds of the oldest event among them."""

        def work(connection: Connection) -> Backlog:
            now = self._now(connection)
            query = select(
                t.entries.c.destination, t.entries.c.state, func.count(), func.min(t.entries.c.event_time)
            ).group_by(t.entries.c.destination, t.entries.c.state)
            rows = connection.execute(query)
            return {(d, s): (n, None if oldest is None else max(0.0, now - oldest)) for d, s, n, oldest in rows}

        return self._transaction(work)

    def quota_used(self) -> dict[str, float]:
        """Account → share of its scarcest window that is taken now."""

        def work(connection: Connection) -> dict[str, float]:
            now = self._now(connection)
            free = func.sum(text("case when free_at <= :now then 0 else 1 end").bindparams(now=now))
            query = select(t.tokens.c.account, t.tokens.c.quota_window, free, func.count()).group_by(
                t.tokens.c.account, t.tokens.c.quota_window
            )
            used: dict[str, float] = {}
            for account, _, taken, total in connection.execute(query):
                used[account] = max(used.get(account, 0.0), float(taken) / total)
            return used

        return self._transaction(work)

    def outbox_size(self) -> int:
        return self._transaction(
            lambda connection: connection.execute(select(func.count()).select_from(t.outbox)).scalar_one()
        )

    def entry(self, key: str) -> list[Facts]:
        """Every destination's row of a key."""
        query = select(t.entries).where(t.entries.c.key == key).order_by(t.entries.c.destination)
        return self._transaction(lambda connection: [_facts(row) for row in connection.execute(query).mappings()])

    # under all -----------------------------------------------------------------------------------------------------

    def _now(self, connection: Connection) -> float:
        return float(connection.execute(_NOW_SQLITE if self._sqlite else _NOW_POSTGRESQL).scalar_one())

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        for attempt in range(5):
            try:
                if not self._sqlite:
                    with self._engine.begin() as connection:
                        return work(connection)
                with self._writing, self._engine.begin() as connection:
                    return work(connection)
            except (DataError, IntegrityError) as error:
                raise DataRefused(_code(error)) from None
            except DBAPIError as error:
                if not _passing(error) or attempt == 4:
                    raise LedgerUnavailable(_code(error)) from None
                time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def _write(self, connection: Connection, rows: Sequence[Facts], columns: tuple[str, ...]) -> None:
        if rows:
            names = {f"_{name}": name for name in columns}
            statement = (
                update(t.entries)
                .where(t.entries.c.destination == bindparam("_d"), t.entries.c.key == bindparam("_k"))
                .values({name: bindparam(bound) for bound, name in names.items()})
            )
            connection.execute(
                statement,
                [
                    {"_d": row.destination, "_k": row.key}
                    | {f"_{name}": value for name, value in _columns(row, columns).items()}
                    for row in sorted(rows, key=lambda row: (row.destination, row.key))
                ],
            )


@dataclass(slots=True)
class _Batch:
    rows: dict[tuple[str, str], Facts]
    applied: int = 0
    stale: int = 0
    saved: Counter[str] = field(default_factory=Counter)


_ALL = tuple(column.name for column in t.entries.columns)
_CLAIM = ("state", "wake_at", "epoch", "lease_owner", "lease_until", "sent_hash")
_DOCUMENTS = ("layers", "raws", "desired", "observed")
_SETTLE = tuple(
    name
    for name in _ALL
    if name not in ("destination", "key", "layers", "desired", "desired_hash", "subscriber", "identity", "rank")
)
_NOW_SQLITE = text("select (julianday('now') - 2440587.5) * 86400.0")
_NOW_POSTGRESQL = text("select extract(epoch from clock_timestamp())")
_POSTING = text("select pg_try_advisory_xact_lock(7205759403792793)")
_TAKE = (
    update(t.tokens)
    .where(
        t.tokens.c.account == bindparam("a"),
        t.tokens.c.quota_window == bindparam("w"),
        t.tokens.c.slot == bindparam("s"),
    )
    .values(free_at=bindparam("until"))
)
_FREE = (
    update(t.tokens)
    .where(
        t.tokens.c.account == bindparam("a"),
        t.tokens.c.quota_window == bindparam("w"),
        t.tokens.c.slot == bindparam("s"),
        t.tokens.c.free_at == bindparam("until"),
    )
    .values(free_at=bindparam("free"))
)


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _engine(url: str) -> Engine:
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=False, connect_args={"connect_timeout": 5})
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": 30.0})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("begin immediate")

    return engine


def _passing(error: DBAPIError) -> bool:
    """Worth running the transaction again: a deadlock, a serialization failure, a lost connection, a busy file."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40001", "40P01") or error.connection_invalidated or isinstance(error, OperationalError)


def _code(error: DBAPIError) -> str:
    """What may be said of it: never its text, which quotes the data."""
    return f"{type(error.orig).__name__}_{getattr(error.orig, 'sqlstate', None) or ''}".strip("_")


def _answered(result: Result, skew: float) -> float:
    """When the answer came, by the database's clock; 0.0 where nothing was sent."""
    return result.answer.at + skew if result.answer is not None and result.sent else 0.0


def _window_name(window: tuple[int, float]) -> str:
    return f"{window[1]:g}s"


def _seconds(name: str) -> float:
    return float(name.removesuffix("s"))


def _facts(row: Mapping[str, Any] | Any) -> Facts:
    values = dict(row)
    for name in _DOCUMENTS:
        values[name] = None if values[name] is None else json.loads(values[name])
    for name in ("linked", "skip_unsent", "absent"):
        values[name] = bool(values[name])
    return Facts(**values)


def _columns(row: Facts, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    for name in _DOCUMENTS:
        if values.get(name) is not None:
            values[name] = canonical(values[name])
    return values


def _died(before: Facts, after: Facts) -> bool:
    return after.state == "dead" and (before.state != "dead" or before.rejected_hash != after.rejected_hash)


def _newest_links(
    links: Sequence[Link], known: Mapping[tuple[str, str], tuple[str | None, list[Any]]]
) -> dict[tuple[str, str], tuple[str | None, list[Any]]]:
    written: dict[tuple[str, str], tuple[str | None, list[Any]]] = {}
    for link in links:
        name = (link.destination, link.subscriber)
        _, version = written.get(name, known.get(name, (None, [])))
        if not version or tuple(link.version) > tuple(version):
            written[name] = (link.identity, list(link.version))
    return written


def _judged(held: dict[str, Any], result: Result, now: float, skew: float) -> None:
    assert result.answer is not None
    at = result.answer.at + skew
    match result.answer.outcome:
        case Accepted() | Unconfirmed():
            held.update(failures=0, good_since=at, probes=0)
        case Throttled():
            held["paused_until"] = max(held["paused_until"] or 0.0, at + (result.retry_after or 1.0))
        case Unauthorized() if not result.renewable:
            _hold(held, "unauthorized", now)
        case Unknown() | Retry() | Rejected():
            held["failures"] += 1
            if held["failures"] >= HOLD_AFTER:
                _hold(held, "failing", now)
        case _:
            pass


def _hold(held: dict[str, Any], reason: str, now: float) -> None:
    if held["held"] is None:
        wait = min(PROBE_EVERY, 2.0 ** min(held["probes"], 10))
        held.update(held=reason, held_since=now, probe_at=now + wait)
