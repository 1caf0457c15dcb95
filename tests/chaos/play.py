"""Plays a round: sets the stage, publishes, strikes, waits until all is quiet, and looks at what has come of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from tests.chaos import spent
from tests.chaos.expected import expected
from tests.chaos.ground import Ground
from tests.chaos.observation import AtVendor, InLedger, Letter, Observation, Replayed, Row, Spent, Stored
from tests.chaos.plan import Plan
from tests.chaos.stage import LEDGER_AWAY, Publisher, Read, Stage, read_all, until
from tests.chaos.strikes import Striker

CONVERGED_WITHIN = 120.0
BEAT = 0.05
REPLAYED_WITHIN = 30.0
LATEST_ACT = 1.5
"""Seconds after which nothing that a vendor was told may still happen."""


async def play(ground: Ground, plan: Plan, folder: Path) -> Observation:
    kafka, links = await ground.cluster(plan.brokers)
    database = await asyncio.to_thread(ground.database)
    stage = Stage(ground, plan, folder, kafka, links, database, uuid4().hex[:8])
    try:
        return await _played(stage)
    finally:
        await stage.strike()


async def _played(stage: Stage) -> Observation:
    await stage.set()
    await until(stage.begun, 90, "all workers are ready", every=0.2)
    await asyncio.to_thread(stage.count_attempts)
    watch = Watch(stage)
    with watch.watching():
        beating = asyncio.create_task(watch.beat())
        base = time.time()
        publisher = Publisher(stage, base)
        striker = Striker(stage, lambda: _settled(stage, publisher))
        threading.Thread(target=publisher.run, daemon=True).start()
        await _flowing(stage)
        await striker.run(time.time())
        await asyncio.wrap_future(publisher.done)
        ends = _ends(publisher)
        converged = await _converged(stage, ends)
        letters, ledger, vendors = await asyncio.to_thread(_looked, stage)
        replayed = None if converged is None else await _replayed(stage)
        beating.cancel()
    told = {f"metrics of {worker.child.log.stem}": stage.metrics(worker) for worker in stage.workers.values()}
    running = [worker for worker in stage.workers.values() if not worker.child.ended.done()]
    stops = await asyncio.gather(*(stage.stop_worker(worker) for worker in running))
    told |= {worker.child.log.name: worker.child.log.read_text(errors="replace") for worker in stage.born}
    told |= {path.name: path.read_text(errors="replace") for path in stage.folder.glob("commands.log")}
    return Observation(
        plan=stage.plan,
        base=base,
        converged=converged,
        struck=striker.struck,
        vendors=vendors,
        letters=letters,
        published=frozenset((record.key, record.value) for record in publisher.produced),
        ends=ends,
        ledger=ledger,
        departures=stage.departures,
        stored=watch.stored,
        looks=watch.looks,
        beats=watch.beats,
        starved=watch.starved,
        stops=[*striker.stops, *stops],
        ended=watch.ended,
        spent=sorted(watch.spent, key=lambda one: one.ended),
        memory=[(worker.rss_least, worker.rss_most) for worker in stage.born if worker.rss_most],
        replayed=replayed,
        told=told,
    )


async def _replayed(stage: Stage) -> Replayed:
    """One destination refuses nothing any more, and somebody replays its letters: their entries must arrive there."""
    destinations = stage.plan.destinations
    name = destinations[stage.plan.seed % len(destinations)]
    wanted = expected(stage.plan.events, name, refused=True)
    stage.fault(name, refuse_titles=None)
    code = await stage.command("dlq", "replay", "--stage", "send", "-d", name)

    def arrived() -> bool:
        return wanted.keys() <= {entry["key"] for entry in stage.ask(f"/_entries?account={name}")}

    with contextlib.suppress(TimeoutError):
        await until(arrived, REPLAYED_WITHIN, "what was replayed is there", every=0.2)
    return Replayed(name, code, stage.ask(f"/_entries?account={name}"))


async def _flowing(stage: Stage) -> None:
    """Faults are to hit what works: they begin once every vendor is called, however slow this machine is."""
    with contextlib.suppress(TimeoutError):
        await until(lambda: all(told["calls"] > 2 for told in stage.ask("/_counters").values()), 30, "calls", 0.1)


async def _settled(stage: Stage, publisher: Publisher) -> None:
    await asyncio.wrap_future(publisher.done)
    await _converged(stage, _ends(publisher))


def _ends(publisher: Publisher) -> dict[tuple[str, int], int]:
    ends: dict[tuple[str, int], int] = {}
    for record in publisher.produced:
        place = (record.topic, record.partition)
        ends[place] = max(ends.get(place, 0), record.offset + 1)
    return ends


async def _converged(stage: Stage, ends: dict[tuple[str, int], int]) -> float | None:
    """Seconds until the ledger has read all, has nothing left to do, and its outbox is empty; and it stays so: what a
    worker that stood still has yet to settle may bring doubts, and a vendor may yet act."""
    begun, stays = time.monotonic(), False
    while not stays and time.monotonic() - begun < CONVERGED_WITHIN:
        try:
            await until(lambda: quiet(stage, ends), CONVERGED_WITHIN, "all is quiet", every=0.4)
        except TimeoutError:
            return None
        await asyncio.sleep(LATEST_ACT)
        stays = await asyncio.to_thread(quiet, stage, ends)
    return time.monotonic() - begun if stays else None


def quiet(stage: Stage, ends: dict[tuple[str, int], int]) -> bool:
    busy = "select count(*) from entries where state in ('ready', 'sending', 'held')"
    with contextlib.suppress(*LEDGER_AWAY), stage.reading() as read:
        offsets = _offsets(read)
        if all(offsets.get(place, 0) >= end for place, end in ends.items()):
            return all(read(query) == [(0,)] for query in (busy, "select count(*) from outbox"))
    return False


def _offsets(read: Read) -> dict[tuple[str, int], int]:
    return {(topic, number): at for topic, number, at in read("select topic, partition, next_offset from offsets")}


def _looked(stage: Stage) -> tuple[list[Letter], InLedger, dict[str, AtVendor]]:
    letters = [
        Letter(each.key(), each.value(), _pairs(each))
        for each in read_all(stage.kafka.bootstrap, stage.topic("dead-letters"))
    ]
    with stage.reading() as read:
        columns = "destination, key, state, expiries, raws not in ('', '{}')"
        rows = [Row(*row) for row in read(f"select {columns} from entries")]
        ((outbox,),) = read("select count(*) from outbox")
        ledger = InLedger(rows, _offsets(read), outbox)
    return letters, ledger, {name: _vendor(stage, name) for name in stage.plan.destinations}


def _pairs(message: Any) -> list[tuple[str, bytes]]:
    return list(message.headers() or ())


def _vendor(stage: Stage, name: str) -> AtVendor:
    judged = stage.ask(f"/_judge?account={name}")
    return AtVendor(
        entries=stage.ask(f"/_entries?account={name}"),
        doubles=judged["doubles"],
        writes={key: [tuple(one) for one in writes] for key, writes in stage.ask(f"/_writes?account={name}").items()},
        arrivals=[tuple(one) for one in stage.ask(f"/_arrivals?account={name}")],
        refused_429=stage.ask("/_counters")[name]["refused_429"],
        homes=stage.ask(f"/_homes?account={name}"),
    )


def _starved(pid: int) -> float:
    """Seconds for which the threads of a process were ready to run and got no CPU; 0 where the system does not say."""
    waited = 0
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            waited += int((thread / "schedstat").read_text().split()[1])
    return waited / 1e9


@dataclass
class Watch:
    """What is seen of the processes and of this machine while the round lasts."""

    stage: Stage
    stored: list[Stored] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    starved: list[tuple[float, float]] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    spent: set[Spent] = field(default_factory=set)
    _accounts: dict[str, Stored] = field(default_factory=dict)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        over = threading.Event()
        threads = [threading.Thread(target=watch, args=(over,)) for watch in (self._read, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    async def beat(self) -> None:
        """In the loop that carries the network: where it is late, so are its departures."""
        while True:
            self.beats.append(time.time())
            await asyncio.sleep(BEAT)

    def _read(self, over: threading.Event) -> None:
        while not over.wait(BEAT):
            with contextlib.suppress(*LEDGER_AWAY), self.stage.reading() as read:
                while not over.wait(BEAT):
                    self._read_accounts(read)
                    if len(self.looks) % 5 == 0:
                        self.spent |= {Spent(*row) for row in read(spent.LOOK)}

    def _read_accounts(self, read: Read) -> None:
        workers = list(self.stage.workers.values())
        for row in read(f"select {self.stage.clock}, name, paused_until, held from accounts"):
            one = Stored(*row)
            before = self._accounts.get(one.account)
            if before is None or (one.paused_until, one.held) != (before.paused_until, before.held):
                self._accounts[one.account] = one
                self.stored.append(one)
        self.looks.append(time.time())
        if len(self.looks) % 2:
            self.starved.append((time.time(), sum(map(_starved, [worker.child.pid for worker in workers]))))

    def _look(self, over: threading.Event) -> None:
        while not over.wait(0.5):
            for worker in list(self.stage.workers.values()):
                self._look_at(worker)

    def _look_at(self, worker: Any) -> None:
        if worker.child.ended.done():
            code = worker.child.ended.result()
            if code > 0:
                self.ended[worker.child.log.name] = code
            return
        with contextlib.suppress(psutil.Error):
            rss = psutil.Process(worker.child.pid).memory_info().rss
            if rss == 0:  # it is just being killed
                return
            worker.rss_least = min(worker.rss_least or rss, rss)
            worker.rss_most = max(worker.rss_most, rss)
