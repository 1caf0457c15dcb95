"""How each kind of fault is done, and how it ends. What is hurt is real: processes, connections, answers."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from confluent_kafka import Consumer

from tests.chaos.links import Link, Trouble, Weather
from tests.chaos.observation import Stop, Struck
from tests.chaos.plan import Fault
from tests.chaos.stage import Stage


@dataclass
class Striker:
    """Carries out a plan's faults. Two that hurt the same part wait for each other."""

    stage: Stage
    settled: Callable[[], Awaitable[None]]
    """Waits until all events are published and nothing is left to do."""
    struck: list[Struck] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def run(self, base: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            for fault in self.stage.plan.faults:
                tasks.create_task(self._at_its_time(fault, base))

    async def _at_its_time(self, fault: Fault, base: float) -> None:
        await asyncio.sleep(max(0.0, base + fault.at - time.time()))
        async with self._locks.setdefault(_part(fault), asyncio.Lock()):
            began = time.time()
            await HOW[fault.kind](self, fault)
            self.struck.append(Struck(fault, began, time.time()))

    # workers

    async def worker_kill(self, fault: Fault) -> None:
        number = int(fault.target)
        await self.stage.kill(self.stage.workers[number].child)
        await asyncio.sleep(fault.seconds)
        await self.stage.start_worker(number)

    async def worker_term(self, fault: Fault) -> None:
        number = int(fault.target)
        self.stops.append(await self.stage.stop_worker(self.stage.workers[number]))
        await asyncio.sleep(fault.seconds)
        await self.stage.start_worker(number)

    async def worker_freeze(self, fault: Fault) -> None:
        child = self.stage.workers[int(fault.target)].child
        child.signal(signal.SIGSTOP)
        await asyncio.sleep(fault.seconds)
        child.signal(signal.SIGCONT)

    # services

    async def broker_kill(self, fault: Fault) -> None:
        node = self._broker()
        await asyncio.to_thread(self.stage.kafka.kill, node)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(self.stage.kafka.restart, node)

    async def broker_freeze(self, fault: Fault) -> None:
        node = self._broker()
        await asyncio.to_thread(self.stage.kafka.freeze, node)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            await asyncio.to_thread(self.stage.kafka.thaw, node)

    def _broker(self) -> int:
        """Of several, one by the seed."""
        return 1 + self.stage.plan.seed % len(self.stage.links)

    async def rebalance_storm(self, fault: Fault) -> None:
        """A stranger joins the group and leaves it, again and again."""
        await asyncio.to_thread(self._storm, fault.seconds)

    def _storm(self, seconds: float) -> None:
        stage, until = self.stage, time.monotonic() + seconds
        while time.monotonic() < until:
            stranger = Consumer(
                {
                    "bootstrap.servers": stage.kafka.bootstrap,
                    "group.id": f"calends.{stage.suffix}",
                    "partition.assignment.strategy": "range",
                    "enable.auto.commit": False,
                    "log_level": 0,
                }
            )
            stranger.subscribe([stage.topic("meetings"), stage.topic("people")])
            stranger.poll(0.7)
            stranger.close()

    async def ledger_kill(self, fault: Fault) -> None:
        postgres = self.stage.ground.postgres
        await asyncio.to_thread(self._kill_within_a_transaction)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(postgres.restart)

    def _kill_within_a_transaction(self) -> None:
        """At an instant at which somebody has written and not yet committed; after two seconds at any."""
        until = time.monotonic() + 2.0
        with contextlib.suppress(psycopg.OperationalError), self.stage.reading() as read:
            while time.monotonic() < until:
                if read("select 1 from pg_stat_activity where backend_xid is not null") != []:
                    break
        self.stage.ground.postgres.kill()

    async def disk_full(self, fault: Fault) -> None:
        """The worker can write into no file, its log neither; then there is room again."""
        process = psutil.Process(self.stage.workers[0].child.pid)
        _, most = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (0, most))
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            process.rlimit(psutil.RLIMIT_FSIZE, (most, most))

    async def ledger_failover(self, fault: Fault) -> None:
        """An older copy takes the place of the ledger under running workers: what was confirmed last is gone."""
        copy = await self._copied()
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(self._put_back, copy)

    async def ledger_restore(self, fault: Fault) -> None:
        """Somebody stops all workers, puts back a copy from before most of the events, and starts them again."""
        copy = await self._copied()
        await self.settled()
        self.stops += await asyncio.gather(*map(self.stage.stop_worker, self.stage.workers.values()))
        await asyncio.to_thread(self._put_back, copy)
        for number in list(self.stage.workers):
            await self.stage.start_worker(number)

    async def _copied(self) -> Path:
        """The database's files at one instant: it stands still while they are copied."""
        postgres, copy = self.stage.ground.postgres, self.stage.folder / "ledger-copy"
        assert postgres.folder is not None
        await asyncio.to_thread(postgres.freeze)
        try:
            await asyncio.to_thread(_copy, postgres.folder / "data", copy)
        finally:
            await asyncio.to_thread(postgres.thaw)
        return copy

    def _put_back(self, copy: Path) -> None:
        postgres = self.stage.ground.postgres
        assert postgres.folder is not None
        data = postgres.folder / "data"
        postgres.kill()
        shutil.rmtree(data)
        _copy(copy, data)
        (data / "postmaster.pid").unlink(missing_ok=True)
        postgres.start()

    async def ledger_freeze(self, fault: Fault) -> None:
        postgres = self.stage.ground.postgres
        await asyncio.to_thread(postgres.freeze)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            await asyncio.to_thread(postgres.thaw)

    # the network

    async def network(self, fault: Fault, weather: Weather) -> None:
        part, _, who = fault.target.partition("/")
        trouble = Trouble(weather, fault.amount, self.stage.pids(who))
        with contextlib.ExitStack() as all_links:
            for link in self._links(part):
                all_links.enter_context(link.suffering(trouble))
            await asyncio.sleep(fault.seconds)

    def _links(self, part: str) -> list[Link]:
        ground = self.stage.ground
        return {"kafka": list(self.stage.links), "ledger": [ground.ledger], "vendor": [ground.vendor]}[part]

    # vendors

    async def vendor(self, fault: Fault, **faults: Any) -> None:
        async with self._bad(fault.target, faults):
            await asyncio.sleep(fault.seconds)

    @contextlib.asynccontextmanager
    async def _bad(self, account: str, faults: dict[str, Any]) -> AsyncIterator[None]:
        await asyncio.to_thread(self.stage.fault, account, **faults)
        try:
            yield
        finally:
            await asyncio.to_thread(self.stage.fault, account, **dict.fromkeys(faults))


def _copy(source: Path, target: Path) -> None:
    """Whole, with its owners."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def _part(fault: Fault) -> str:
    """What the fault takes for itself."""
    family = fault.kind.partition("-")[0]
    if family == "disk":
        return "worker 0"
    if family in ("worker", "net"):
        return f"{family} {fault.target.partition('/')[0]}"
    return family if family in ("broker", "ledger", "rebalance") else f"vendor {fault.target}"


How = Callable[[Striker, Fault], Awaitable[None]]


def _vendor(**faults: Any) -> How:
    return lambda striker, fault: striker.vendor(fault, **faults)


def _with_amount(name: str, **faults: Any) -> How:
    return lambda striker, fault: striker.vendor(fault, **faults, **{name: fault.amount})


def _throttled(how: str) -> How:
    return lambda striker, fault: striker.vendor(fault, quota=[[int(fault.amount), 2.0]], retry_after=how)


def _late(striker: Striker, fault: Fault) -> Awaitable[None]:
    return striker.vendor(fault, lost_answer_rate=0.3, lost_answer="close", late_act_ms=1000 * fault.amount)


HOW: dict[str, How] = {
    "worker-kill": Striker.worker_kill,
    "worker-term": Striker.worker_term,
    "worker-freeze": Striker.worker_freeze,
    "broker-kill": Striker.broker_kill,
    "broker-freeze": Striker.broker_freeze,
    "rebalance-storm": Striker.rebalance_storm,
    "ledger-kill": Striker.ledger_kill,
    "disk-full": Striker.disk_full,
    "ledger-failover": Striker.ledger_failover,
    "ledger-restore": Striker.ledger_restore,
    "ledger-freeze": Striker.ledger_freeze,
    "net-cut": lambda striker, fault: striker.network(fault, "cut"),
    "net-silent": lambda striker, fault: striker.network(fault, "silent"),
    "net-slow": lambda striker, fault: striker.network(fault, "slow"),
    "outage-503": _vendor(outage="503"),
    "outage-closed": _vendor(outage="closed"),
    "errors": _with_amount("error_rate", error_status=500),
    "throttled-seconds": _throttled("seconds"),
    "throttled-date": _throttled("date"),
    "lost-close": _with_amount("lost_answer_rate", lost_answer="close"),
    "lost-500": _with_amount("lost_answer_rate", lost_answer="500"),
    "lost-hang": _with_amount("lost_answer_rate", lost_answer="hang"),
    "late-acts": _late,
    "slow-bodies": _with_amount("odd_answer_rate", odd_answer="slow"),
    "malformed": _with_amount("odd_answer_rate", odd_answer="malformed"),
    "huge": _with_amount("odd_answer_rate", odd_answer="huge"),
    "redirects": _with_amount("odd_answer_rate", odd_answer="redirect"),
    "credential-revoked": _vendor(revoked=True),
    "token-outage": _vendor(token_outage=True, tokens_revoked=True),
    "tokens-revoked": _vendor(tokens_revoked=True),
}
"""Kind of fault → what does it. The same names as in `tests.chaos.plan.CATALOGUE`."""
