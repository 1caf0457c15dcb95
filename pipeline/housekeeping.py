"""What happens by itself: due times pass, leases run out, held accounts are probed, the outbox empties, gauges move."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pipeline.account import Account
from pipeline.advice import NO_ANSWER
from pipeline.ledger import Hold, Ledger, LedgerUnavailable, Message, Posted
from pipeline.ledger.draining import HORIZONS, drained_in, late_when_drained
from pipeline.probing import Probing
from pipeline.sealing import Seal, SealBroken
from pipeline.stream import Producer, StreamError
from pipeline.stream.connection import NO_TOPIC
from pipeline.telemetry import GaugeRow, Telemetry
from pipeline.threads import InThreads

T = TypeVar("T")

SWEEP_EVERY = 0.2
WATCH_EVERY = 0.1
"""Seconds: a pause that another worker stored is obeyed within a quarter of a second."""
SILENT = 2.0
"""Seconds for which the ledger may owe an answer before it is said."""
GAUGES_EVERY = 1.0
LAG_EVERY = 1.0
BEHIND_EVERY = 5.0
"""Seconds: two requests to Kafka each time."""
COUNTING_SHARE = 0.02
"""Of the time may go into counting what the ledger holds: the more it holds, the less often it is counted."""
UNCOUNTED = 60.0
"""Seconds, and no longer, whatever share counting then takes: who looks wants to see it."""
QUOTA_EVERY = 2.0
PRUNE_EVERY = 30.0
PRUNINGS = 20
"""Small transactions in a row, so that pruning neither blocks a stop nor keeps the database from its work."""


@dataclass(slots=True)
class Housekeeping:
    ledger: Ledger
    in_threads: InThreads
    telemetry: Telemetry
    accounts: Mapping[str, Account]
    destinations: Mapping[str, str]
    """Destination → account."""
    producer: Producer
    wake: Callable[[Iterable[str]], None]
    seal: Seal | None = None
    looking: InThreads | None = None
    """Runs what only looks, so that it does not queue behind what writes; none: as the others."""
    pause: Callable[[Collection[str]], None] = lambda destinations: None
    """Tells the lanes which destinations a person has paused, all of them each time."""
    behind: Callable[[], Awaitable[Mapping[str, int]]] | None = None
    """Tells topic → records that are read too late; none: nobody reads here. It raises StreamError."""
    asked_at: float = field(default_factory=time.monotonic)
    """When what must not be called was last asked for, in monotonic time."""
    answered_at: float = field(default_factory=time.monotonic)
    """When the ledger last told it."""
    _holds: Mapping[tuple[str, str, str, str], Hold] = field(default_factory=dict)
    _count_at: float = 0.0
    _watching: asyncio.Lock = field(default_factory=asyncio.Lock)
    _owing: bool = False
    """Whether it has been asked and has not answered yet."""
    _probing: Probing = field(init=False)

    def __post_init__(self) -> None:
        self._probing = Probing(self.ledger, self.in_threads, self.telemetry, self.watch)

    async def run(self, stopping: asyncio.Event) -> None:
        try:
            await self._loops(stopping)
        finally:
            await self._probing.close()

    async def _loops(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(SWEEP_EVERY, self._sweep, stopping))
            tasks.create_task(self._every(WATCH_EVERY, self.watch, stopping))
            tasks.create_task(self._every(GAUGES_EVERY, self._listen, stopping))
            tasks.create_task(self._every(SWEEP_EVERY, self._probe, stopping))
            tasks.create_task(self._every(SWEEP_EVERY, self.post, stopping))
            tasks.create_task(self._every(GAUGES_EVERY, self._gauges, stopping))
            tasks.create_task(self._every(GAUGES_EVERY, self._count, stopping))
            tasks.create_task(self._every(LAG_EVERY, self._lag, stopping))
            tasks.create_task(self._every(BEHIND_EVERY, self._behind, stopping))
            tasks.create_task(self._every(QUOTA_EVERY, self._quotas, stopping))
            tasks.create_task(self._every(PRUNE_EVERY, self._prune, stopping))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]], stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await work()
            except LedgerUnavailable as error:
                self.telemetry.waiting_for("ledger", str(error))
                await asyncio.sleep(0.5)
            except Exception as error:  # what fails for one account or message must not end the worker
                self.telemetry.loop_failed("housekeeping", error)
                await asyncio.sleep(0.5)
            try:
                async with asyncio.timeout(seconds):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        looked, expired = await self.in_threads(self.ledger.sweep)
        for destination, n in expired.items():
            self.telemetry.lease_expired(destination, n)
        if looked:
            self.wake(self.destinations)

    async def _quotas(self) -> None:
        for account in await self.in_threads(self.ledger.keep_quotas):
            self.telemetry.quota_replaced(account)

    async def _prune(self) -> None:
        for _ in range(PRUNINGS):
            pruned = await self.in_threads(self.ledger.prune)
            for table, n in pruned.items():
                self.telemetry.pruned(table, n)
            if not any(pruned.values()):
                return

    async def _look(self, method: Callable[[], T]) -> T:
        return await (self.looking or self.in_threads)(method)

    async def watch(self) -> None:
        """Reads anew what must not be called: once for all who ask meanwhile."""
        asked = time.monotonic()
        async with self._watching:
            if self.asked_at < asked:
                self.asked_at = time.monotonic()
                await self._watch()
                for account in self.accounts.values():
                    account.seen = self.asked_at

    def late(self) -> float:
        """Seconds for which it has not come round to ask the ledger; 0.0 while it waits for the answer."""
        return 0.0 if self._owing else time.monotonic() - self.asked_at

    def silence(self) -> float:
        """Seconds since the ledger last answered."""
        return time.monotonic() - self.answered_at

    async def _listen(self) -> None:
        """To ask waits for no writer: an answer that does not come is a ledger that hangs."""
        if self._owing and time.monotonic() - self.asked_at > SILENT:
            self.telemetry.waiting_for("ledger", NO_ANSWER)

    async def _holds_now(self) -> list[Hold]:
        self._owing = True
        try:
            holds = await self._look(self.ledger.holds)
        finally:
            self._owing = False
        self.answered_at = time.monotonic()
        return [hold for hold in holds if self._concerns(hold)]

    async def _watch(self) -> None:
        holds = await self._holds_now()
        self.pause({hold.destination for hold in holds if hold.reason == "paused" and hold.destination is not None})
        for name, account in self.accounts.items():
            stopped = [hold.reason for hold in holds if hold.account == name and hold.reason != "budget"]
            held_before, account.obstacle = account.held(), stopped[0] if stopped else None
            account.throttled = "throttled" in stopped
            if held_before and not account.held() and account.tokens is not None:
                account.tokens.ask_again()
        now = {_place(hold): hold for hold in holds}
        for place in now.keys() - self._holds.keys():
            self._tell(now[place])
        ended = [hold for place, hold in self._holds.items() if place not in now]
        self._holds = now
        for hold in ended:
            await self._lifted(hold)

    def _concerns(self, hold: Hold) -> bool:
        return hold.account in self.accounts or hold.destination in self.destinations

    def _whom(self, hold: Hold) -> list[str]:
        """The destinations that a hold stops."""
        if hold.destination is not None:
            return [hold.destination]
        return [destination for destination, account in self.destinations.items() if account == hold.account]

    def _tell(self, hold: Hold) -> None:
        since = datetime.fromtimestamp(hold.since or time.time(), UTC)
        if hold.rule is not None:
            self.telemetry.rule_held(hold.destination or "", hold.rule, hold.detail, since, hold.lifted_by)
        elif hold.reason == "throttled":
            self.telemetry.paused(hold.account or "", max(0.0, (hold.until or 0.0) - time.time()))
        else:
            answer = hold.detail if hold.account is not None else ""  # of a destination it is what a person wrote
            for destination in self._whom(hold):
                self.telemetry.held(destination, hold.reason, since, hold.lifted_by, answer)

    async def _lifted(self, hold: Hold) -> None:
        if hold.rule is not None and hold.destination is not None:
            self.telemetry.rule_lifted(hold.destination, hold.rule)
            while await self.in_threads(self.ledger.wake_rule, hold.destination):
                pass
        elif hold.reason != "throttled":
            if hold.account is not None and hold.account in self.accounts:
                self.accounts[hold.account].failures = 0
            for destination in self._whom(hold):
                self.telemetry.lifted(destination, hold.reason)
        self.wake(self._whom(hold))

    async def _probe(self) -> None:
        self._probing.begin(self.accounts.values())

    async def post(self) -> None:
        """Hands what the outbox holds to Kafka, in order, until it is empty or Kafka is away."""
        loop = asyncio.get_running_loop()

        def send(messages: Sequence[Message]) -> Posted:
            return asyncio.run_coroutine_threadsafe(self._send(messages), loop).result()

        while await self.in_threads(self.ledger.outbox, send):
            pass

    async def _send(self, messages: Sequence[Message]) -> Posted:
        failures = await asyncio.gather(*(self._failure(message) for message in messages))
        sent: list[Message] = []
        refused: dict[int, str] = {}
        sizes = defaultdict[tuple[str, str], list[int]](list)
        away: set[str] = set()
        for message, failure in zip(messages, failures, strict=True):
            # A batch is refused whole, for one of it or for all together; while Kafka is away there is no telling.
            if failure is not None and failure.lasting and not away:
                failure = await self._failure(message)
            if failure is None:
                sent.append(message)
            elif failure.code == NO_TOPIC or (failure.lasting and not away):
                refused[message.id] = failure.code
                sizes[message.topic, failure.code].append(len(message.value or b""))
            else:
                away.add(failure.code)
        for (topic, reason), found in sizes.items():
            self.telemetry.outbox.refused(topic, reason, found)
        for reason in sorted(away):
            self.telemetry.waiting_for("kafka", reason)
        for topic in {message.topic for message in sent}:
            self.telemetry.outbox.sent(topic, sum(message.topic == topic for message in sent))
        return Posted([message.id for message in sent], refused)

    async def _failure(self, message: Message) -> StreamError | None:
        try:
            value = self._opened(message)
            await self.producer.send(message.topic, message.key, value, message.headers)
        except StreamError as error:
            return error
        return None

    def _opened(self, message: Message) -> bytes | None:
        if not message.sealed or message.value is None:
            return message.value
        try:
            if self.seal is not None:
                return self.seal.open(message.value)
        except SealBroken:
            pass
        raise StreamError("no_key", lasting=True)

    async def _gauges(self) -> None:
        limits = {name: account.caller.concurrency.limit for name, account in self.accounts.items()}
        self.telemetry.concurrency_gauges(limits)
        self.telemetry.quota_gauges(await self._look(self.ledger.quota_used))
        if self.ledger.budgets:
            self.telemetry.budget_gauges(await self._look(self.ledger.budget_used))
        self.telemetry.outbox.kept(await self._look(self.ledger.outbox_refused))

    async def _count(self) -> None:
        """What the ledger holds. What counting costs is paid where it fails, too: it is not asked again at once."""
        started = time.monotonic()
        if started < self._count_at:
            return
        try:
            counted = await self._look(lambda: self.ledger.counted(HORIZONS))
            backlog = counted.backlog
            idle = await self._look(lambda: self.ledger.idle(backlog))
        finally:
            now = time.monotonic()
            self._count_at = now + min((now - started) / COUNTING_SHARE, UNCOUNTED)
        rows = [GaugeRow(destination, state, n) for (destination, state), (n, _) in backlog.items()]
        rows += [GaugeRow(destination, "idle", n) for destination, n in idle.items()]
        oldest = {destination: age for (destination, state), (_, age) in backlog.items() if state == "ready" and age}
        self.telemetry.ledger_gauges(
            rows,
            oldest,
            drained_in(self.ledger, self.destinations, counted.urgent),
            late_when_drained(self.ledger, self.destinations, counted.urgent),
        )

    async def _behind(self) -> None:
        if self.behind is None:
            return
        with contextlib.suppress(StreamError):  # a Kafka that is away: intake says so, and what was known stands
            self.telemetry.consumer_lag(await self.behind())

    async def _lag(self) -> None:
        started = time.monotonic()
        await asyncio.sleep(0)
        self.telemetry.loop_lag(time.monotonic() - started)


def _place(hold: Hold) -> tuple[str, str, str, str]:
    return hold.reason, hold.account or "", hold.destination or "", hold.rule or ""
