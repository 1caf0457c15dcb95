"""The ledger's transactions. Synchronous on purpose: one code path for SQLite and PostgreSQL, run in threads.

Lock order: offsets, directory, groups, entries, tokens, accounts; a claim only ever skips what is locked.
Every transaction may be run again whole: each of its steps is idempotent.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection

from pipeline.ledger import (
    accounts,
    ageing,
    audit,
    backlogs,
    budget,
    claims,
    declaring,
    doubting,
    entries,
    holds,
    offsets,
    outbox,
    quota,
    settling,
    taking,
    versions,
)
from pipeline.ledger.database import Database, clock
from pipeline.ledger.drift import DriftBook
from pipeline.ledger.exporting import Exporting
from pipeline.ledger.forgetting import ForgetBook
from pipeline.ledger.letters import LetterBook
from pipeline.ledger.revisions import RuleBook
from pipeline.ledger.taking import Asked
from pipeline.ledger.values import (
    Applied,
    Backlog,
    Budget,
    Claim,
    Counted,
    Grant,
    Hold,
    LedgerWentBack,
    Message,
    Partition,
    Posted,
    Quota,
    Raw,
    Result,
    Settled,
    Stopped,
    Taken,
)
from pipeline.ledger.writing import Words
from pipeline.model.blame import Answer
from pipeline.model.change import Change, Link, Roster
from pipeline.model.facts import Facts, Policy
from pipeline.model.outcome import Throttled
from pipeline.model.wire import Sent

T = TypeVar("T")


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
        dead_letters: Callable[[Facts], Sequence[Message]],
        outcomes: Callable[[Facts, Answer | None], Message] | None = None,
        budgets: Mapping[str, Budget] | None = None,
        hash_keys: Sequence[bytes] = (),
    ) -> None:
        self.policies = policies
        self.quotas = quotas
        self.budgets = budgets or {}
        self._words = Words(dead_letters, outcomes)
        self._database = Database(url)
        self._read: dict[Partition, int] = {}
        """What this process has written of what was read."""
        self._mending = threading.Lock()
        self.listener = doubting.Listener()
        self.rules = RuleBook(self._transaction, self._database.look)
        self.forgetting = ForgetBook(self._transaction, self._database.look, policies, tuple(hash_keys))
        self.letters = LetterBook(self._transaction, self.forgetting, policies, self._words)
        self.export = Exporting(self._database.look)
        self.drift = DriftBook(self._transaction, self._database.look, policies)

    def _transaction(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._database.transaction(work)
        except LedgerWentBack:
            if not self._database.replaced:
                raise
        with self._mending:
            if self._database.replaced:
                knowing = functools.partial(self._database.transaction, knowing=True)
                doubting.doubt(knowing, self.policies, dict(self._read), self.listener)
                self._database.replaced = False
        return self._database.transaction(work)

    # set-up --------------------------------------------------------------------------------------------------------

    @property
    def automatic(self) -> bool:
        """Whether migrations run by themselves: SQLite's do."""
        return self._database.is_sqlite

    @property
    def address(self) -> str:
        """Where it is, without user and password: `host:port/database`, or a file."""
        return self._database.address

    def behind(self) -> bool:
        """Whether the tables are not those of this version."""
        return self._transaction(versions.behind)

    def migrate(self) -> None:
        """Brings the tables to this version."""
        self._transaction(versions.upgrade)

    def declare(self) -> None:
        """Makes the rows of every account and its tokens, where its quota is new. Who waits for credits looks again:
        there may be more of them now."""

        def work(connection: Connection) -> None:
            self._keep_quotas(connection)
            if self.budgets:
                budget.filled(connection)
                entries.wake(connection, sorted(self.policies), claims.BUDGET)

        self._transaction(work)

    def keep_quotas(self) -> list[str]:
        """Says that a worker with these quotas runs; the accounts of which another one is in force, and that it must
        not call."""
        return self._transaction(self._keep_quotas)

    def _keep_quotas(self, connection: Connection) -> list[str]:
        now = clock(connection)
        return [name for name, mine in sorted(self.quotas.items()) if not declaring.keep(connection, mine, now)]

    def close(self) -> None:
        self._database.engine.dispose()

    # intake --------------------------------------------------------------------------------------------------------

    def every_offset(self) -> dict[Partition, int]:
        """The next offset of all partitions that have ever been read."""
        return self._database.look(offsets.every)

    def catching_up(self) -> dict[Partition, int]:
        """Partition → the offset up to which entries are unsure, as a ledger that knew more has read that far."""
        return self._database.look(offsets.catching_up)

    def unmarked(self) -> dict[Partition, int]:
        """Partition → the offset up to which entries are unsure, where not all of them are marked yet."""
        return self._database.look(offsets.unmarked)

    def went_back(self, untils: Mapping[Partition, int]) -> None:
        """This ledger is older than what was read and sent: whatever is not in step, or changes up to these offsets, is
        looked for at the vendor before anything is made; until then nothing is claimed. Again, and by several, if need
        be."""
        doubting.doubt(self._transaction, self.policies, untils, self.listener)

    def start_at(self, next_offsets: Mapping[Partition, int], unsure: Mapping[Partition, int] | None = None) -> None:
        """These next offsets, whatever there was: somebody decided so. Entries up to `unsure` become `unmarked`."""
        self._transaction(lambda connection: offsets.start_at(connection, next_offsets, unsure or {}))
        self._read.update(next_offsets)

    def take(
        self,
        changes: Sequence[tuple[Change, Raw]],
        links: Sequence[Link],
        dead: Sequence[Message],
        next_offsets: Mapping[Partition, int],
        rosters: Sequence[tuple[Roster, Raw]] = (),
        seen: Mapping[Partition, int] | None = None,
    ) -> Applied:
        """One batch of intake: all changes, rosters, links and dead letters with the next offsets, or nothing. A record
        below the next offset has its dead letter already; of changes the versions tell.

        `seen`: what this worker knows to have been written of these partitions. Raises DataRefused where the database
        will never take it, and LedgerWentBack where it has less than that.
        """

        def work(connection: Connection) -> Applied:
            read = offsets.check(connection, next_offsets, seen or {}) if next_offsets else offsets.Read()
            offsets.write(connection, next_offsets)
            asked = self.forgetting.without(connection, Asked(changes, links, rosters))
            now = clock(connection)
            batch, changed = taking.take(connection, self.policies, self._words, asked, now, unsure=read.again)
            outbox.post(connection, [letter for letter in dead if not read.has(letter.about)])
            ready = frozenset(row.destination for row in changed if row.state == "ready")
            return Applied(batch.applied, batch.stale, batch.saved, ready)

        applied = self._transaction(work)
        self._read.update(next_offsets)
        return applied

    # lane ----------------------------------------------------------------------------------------------------------

    def claim(self, destination: str, owner: str, limit: int, lease: float) -> Claim:
        """The most urgent ready entries of a destination, in at most `limit` calls and no more than there are tokens,
        leased for `lease` seconds."""
        policy = self.policies[destination]
        mine = self.quotas[policy.account]
        rivals = tuple(p.destination for p in self.policies.values() if p.account == policy.account and p is not policy)
        terms = claims.Terms(owner, limit, lease, rivals)

        def work(connection: Connection) -> Claim:
            credit = self.budgets.get(policy.account)
            now, at = clock(connection, brief=True), time.monotonic()
            return replace(claims.claim(connection, policy, mine, credit, terms, now), at=at)

        return self._transaction(work)

    def settle(self, results: Sequence[Result], monotonic: Callable[[], float] = time.monotonic) -> list[Settled]:
        """Many results in one transaction. An answer's `at`, the worker's monotonic time, becomes the database's."""

        terms = settling.Terms(self.policies, self.quotas, self.budgets, self._words)

        def work(connection: Connection) -> list[Settled]:
            before = monotonic()
            now = clock(connection, brief=True)
            late = monotonic()
            dated = [settling.dated(result, now - late, now - before) for result in results]
            return settling.settle(connection, terms, dated, now)

        return self._transaction(work) if results else []

    # holds and pauses ----------------------------------------------------------------------------------------------

    def obstacles(self) -> dict[str, tuple[str, float]]:
        """Accounts that must not be called now: why, and the seconds a pause still lasts or a hold has lasted."""
        return self._transaction(lambda connection: accounts.obstacles(connection, clock(connection)))

    def holds(self) -> list[Hold]:
        """All that is not called now, with its reason: accounts, destinations and rules. Waits for no writer.

        Asked several times a second, it also remembers how much of its log the database has written.
        """

        def work(connection: Connection) -> list[Hold]:
            self._database.keep_up(connection)
            return [*accounts.holds(connection, clock(connection)), *holds.known(connection)]

        return self._database.look(work)

    def pause(self, destination: str, detail: str) -> bool:
        """Nobody sends to this destination until it is resumed. False where it was paused already."""
        return self._transaction(lambda connection: holds.pause(connection, destination, detail, clock(connection)))

    def resume(self, destination: str, rule: str | None = None) -> bool:
        """Lifts a person's pause of a destination, or the hold of a rule there. False where there was none."""
        return self._transaction(lambda connection: holds.resume(connection, destination, rule))

    def wake_rule(self, destination: str, limit: int = 500) -> int:
        """Entries of rules that were held look again whether they are; how many, `limit` at most."""
        policy = self.policies[destination]
        return self._transaction(
            lambda connection: holds.wake(connection, destination, limit, clock(connection), policy)
        )

    def hold(self, account: str, reason: str) -> None:
        """Nobody calls this account until a probe succeeds."""
        self._transaction(lambda connection: accounts.hold(connection, account, reason, clock(connection)))

    def probe_due(self, account: str, lease: float) -> Grant | None:
        """The tokens for `lease` seconds, where this worker is the one to probe a held account now; never in a pause.
        The next turn comes later each time."""
        mine = self.quotas[account]
        return self._transaction(lambda connection: accounts.probe_due(connection, mine, lease, clock(connection)))

    def lift(self, account: str, asked: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """A probe succeeded that left after `asked`, the worker's monotonic time: from then on the account is known
        good. A hold that came since stays."""

        def work(connection: Connection) -> None:
            now = clock(connection)
            accounts.lift(connection, account, now - (monotonic() - asked))

        self._transaction(work)

    # by hand -------------------------------------------------------------------------------------------------------

    def begin(self, act: audit.Act) -> int:
        """Writes that somebody is about to do this; the id to end it by."""
        return self._transaction(lambda connection: audit.begin(connection, act, clock(connection)))

    def end(self, act: int, outcome: str) -> None:
        self._transaction(lambda connection: audit.end(connection, act, outcome))

    def acts(self, limit: int = 100) -> list[audit.Act]:
        """What people did, the newest first."""
        return self._transaction(lambda connection: audit.newest(connection, limit))

    def grant(self, account: str, lease: float, force: bool = False) -> Grant | Stopped | float:
        """One call's tokens for `lease` seconds; or why there are none; or the seconds until it is worth asking again.
        `force` looks past a hold and a pause, never past the quota."""
        mine = self.quotas[account]
        return self._transaction(lambda connection: accounts.grant(connection, mine, lease, clock(connection), force))

    def hand_back(
        self, account: str, granted: Grant, sent: Sent, throttled: Throttled | None = None, jitter: float = 0.0
    ) -> None:
        """The call has ended: its tokens are free a window after it has arrived, or at once where it was never `sent`.
        `throttled`: the vendor asked to be left alone; `jitter` as in `Pause.after`."""

        def work(connection: Connection) -> None:
            now = clock(connection)
            quota.give_back(connection, account, [(granted, accounts.arrived_at(now, sent))], now)
            if throttled is not None:
                accounts.throttled(connection, account, throttled, jitter, now)

        self._transaction(work)

    # housekeeping --------------------------------------------------------------------------------------------------

    def sweep(self, limit: int = 500) -> tuple[int, Mapping[str, int]]:
        """Wakes rows whose time has come: how many, and destination → leases that had run out."""
        return self._transaction(
            lambda connection: ageing.sweep(connection, self.policies, self._words, clock(connection), limit)
        )

    def prune(self, limit: int = 500) -> Mapping[str, int]:
        """Deletes rows of entries that ended long enough ago, of groups that have none any more, and as old a history
        of what people did; at most so many of each. Table → rows."""
        return self._transaction(lambda connection: ageing.prune(connection, self.policies, clock(connection), limit))

    def outbox(self, send: Callable[[Sequence[Message]], Posted], limit: int = 200) -> int:
        """Hands the oldest messages to `send`, and forgets those that Kafka has. What Kafka refuses stands aside for
        a while. How many were either.

        One worker at a time; a crash between Kafka and here sends some again.
        """
        if not self._database.is_sqlite:
            return self._transaction(lambda connection: outbox.post_alone(connection, send, limit, clock(connection)))
        # One process only: no reason to keep its one writer waiting for Kafka.
        messages = self._transaction(lambda connection: outbox.oldest(connection, limit, clock(connection)))
        posted = send(messages) if messages else Posted()
        if messages:
            self._transaction(lambda connection: outbox.close(connection, posted, clock(connection)))
        return len(posted.sent) + len(posted.refused)

    def outbox_refused(self) -> dict[str, int]:
        """Topic → messages that Kafka would not take for what they are; they are kept and tried again."""
        return self._database.look(outbox.refused)

    def outbox_waiting(self) -> int:
        """Messages that Kafka does not have yet, or will not take."""
        return self._database.look(outbox.waiting)

    # seen ----------------------------------------------------------------------------------------------------------

    def counted(self, horizons: Sequence[float], bound: int = backlogs.BOUND) -> Counted:
        """The backlog, and what of it matters by each of so many seconds from now; more than `bound` is an estimate."""
        names = sorted(self.policies)
        return self._database.look(lambda c: backlogs.counted(c, clock(c), horizons, names, bound))

    def idle(self, backlog: Backlog) -> dict[str, int]:
        """Destination → entries that are in step, as far as this backlog knows; of many an estimate."""
        return self._database.look(lambda c: backlogs.idle(c, sorted(self.policies), backlog, backlogs.BOUND))

    def quota_taken(self) -> dict[str, list[Taken]]:
        """Account → what of each of its windows is taken now."""
        return self._database.look(lambda connection: quota.taken(connection, clock(connection)))

    def quota_used(self) -> dict[str, float]:
        """Account → share of its scarcest window that is taken now, 0 to 1."""
        return {account: max(one.share for one in taken) for account, taken in self.quota_taken().items()}

    def budget_used(self) -> dict[str, float]:
        """Account → share of its credits that this period has used up."""
        return self._database.look(lambda connection: budget.used(connection, self.budgets, clock(connection)))

    def entry(self, key: str) -> list[Facts]:
        """Every destination's row of a key."""
        return self._database.look(lambda connection: entries.of_key(connection, key))

    def now(self) -> float:
        """The database's clock, in seconds since 1970."""
        return self._database.look(clock)
