"""What happens by itself: due times pass, leases run out, held accounts are probed, the outbox empties, gauges move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

from pipeline.lane import Account, InThreads, probe
from pipeline.ledger import Backlog, Ledger, LedgerUnavailable, Message, Posted
from pipeline.sealing import Seal, SealBroken
from pipeline.stream import Producer, StreamError
from pipeline.telemetry import GaugeRow, Telemetry

SWEEP_EVERY = 0.2
WATCH_EVERY = 0.1
"""Seconds: a pause that another worker stored is obeyed within a quarter of a second."""
GAUGES_EVERY = 1.0


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
    looped_at: float = field(default_factory=time.monotonic)

    async def run(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(SWEEP_EVERY, self._sweep, stopping))
            tasks.create_task(self._every(WATCH_EVERY, self._watch, stopping))
            tasks.create_task(self._every(SWEEP_EVERY, self._probe, stopping))
            tasks.create_task(self._every(SWEEP_EVERY, self.post, stopping))
            tasks.create_task(self._every(GAUGES_EVERY, self._gauges, stopping))
            tasks.create_task(self._every(1.0, self._lag, stopping))

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

    async def _watch(self) -> None:
        obstacles = await self.in_threads(self.ledger.obstacles)
        self.looped_at = time.monotonic()
        for name, account in self.accounts.items():
            reason, seconds = obstacles.get(name, (None, 0.0))
            if reason == account.obstacle:
                continue
            account.obstacle = reason
            mine = [destination for destination, of in self.destinations.items() if of == name]
            for destination in mine:
                self._tell(destination, name, reason, seconds)
            self.wake(mine)

    def _tell(self, destination: str, account: str, reason: str | None, seconds: float) -> None:
        if reason is None:
            self.telemetry.lifted(destination)
        elif reason == "throttled":
            self.telemetry.paused(account, seconds)
        else:
            self.telemetry.held(destination, reason, datetime.fromtimestamp(time.time() - seconds, UTC))

    async def _probe(self) -> None:
        for name, account in self.accounts.items():
            if account.obstacle in (None, "throttled") or not await self.in_threads(self.ledger.probe_due, name):
                continue
            if await self._is_well(account):
                await self.in_threads(self.ledger.lift, name)

    async def _is_well(self, account: Account) -> bool:
        """A probe that cannot even be worded (a secret is missing) is one that failed."""
        try:
            return await probe(account)
        except Exception as error:
            self.telemetry.loop_failed("probe", error)
            return False

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
        away: set[str] = set()
        for message, failure in zip(messages, failures, strict=True):
            # A batch is refused whole, for one of it or for all together; while Kafka is away there is no telling.
            if failure is not None and failure.lasting and not away:
                failure = await self._failure(message)
            if failure is None:
                sent.append(message)
            elif failure.lasting and not away:
                refused[message.id] = failure.code
                self.telemetry.outbox_refused(message.topic, failure.code, len(message.value or b""))
            else:
                away.add(failure.code)
        for reason in sorted(away):
            self.telemetry.waiting_for("kafka", reason)
        for topic in {message.topic for message in sent}:
            self.telemetry.outbox_sent(topic, sum(message.topic == topic for message in sent))
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
        backlog = await self.in_threads(self.ledger.backlog)
        used = await self.in_threads(self.ledger.quota_used)
        if self.ledger.budgets:
            self.telemetry.budget_gauges(await self.in_threads(self.ledger.budget_used))
        rows = [GaugeRow(destination, state, n) for (destination, state), (n, _) in backlog.items()]
        oldest = {destination: age for (destination, state), (_, age) in backlog.items() if state == "ready" and age}
        self.telemetry.ledger_gauges(rows, oldest, used, self._drained_in(backlog))
        self.telemetry.outbox_refusals(await self.in_threads(self.ledger.outbox_refused))

    def _drained_in(self, backlog: Backlog) -> dict[str, float]:
        """Destination → seconds until the ready entries of its account are sent, at the quota's full rate."""
        rates = {
            name: min((calls / seconds for calls, seconds in quota.windows), default=float("inf"))
            for name, quota in self.ledger.quotas.items()
        }
        calls: dict[str, int] = dict.fromkeys(rates, 0)
        for (destination, state), (n, _) in backlog.items():
            if state == "ready" and destination in self.destinations:
                calls[self.destinations[destination]] += ceil(n / self.ledger.policies[destination].batch)
        return {name: calls[account] / rates[account] for name, account in self.destinations.items()}

    async def _lag(self) -> None:
        started = time.monotonic()
        await asyncio.sleep(0)
        self.telemetry.loop_lag(time.monotonic() - started)
