"""Deliveries a second, processor time a delivery and the time until all is current: of Calends, of workers written by
hand and of peers, on the same events. All of them once in each round, one after the other."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from bench.contestants import CONTESTANTS, Contestant, Processes
from bench.report import Progress
from bench.surroundings import ACCOUNT, Conditions, Services, event, services
from tests.flow.assembly import Assembly

LOOK_FIRST = 0.02
"""Seconds between looks for the first call. Later ones are rarer: each costs the vendor some time."""
LOOK = 0.5
AFTERWARDS = 1.0
"""Seconds after the last call in which a worker settles and commits; their processor time counts."""
TAIL = 2_000
"""Characters of its log that are shown of a worker that has ended."""
QUIET = 3.0
"""Seconds between a worker's first delivery, which shows that it has joined, and a contest's events."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen at one moment, in seconds of `time.time()` and of processor time."""

    at: float
    seen: dict[str, Any]
    cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    worker: str
    entries: int
    completed: bool
    """Every entry is current."""
    deliveries: int
    calls: int
    refused: int
    early: int
    """Calls before a Retry-After was over."""
    wall_seconds: float
    """From the start of the process, in a contest for a quota from the publishing, to its last call."""
    first_call_seconds: float
    per_second: float
    """Between the first call and the last."""
    current_seconds: float | None
    """Until every entry was current. None: it never was."""
    cpu_ms: float
    """A delivery's, all workers and their children, from the first call until all was settled."""
    per_cpu_second: float
    """Deliveries, of the same processor time."""
    cpu_start_seconds: float
    """Until the first call."""
    cpu_whole_ms: float
    """A delivery's, the start and what was read before the first call included."""
    database_ms: float | None
    """A delivery's, PostgreSQL's. None: it is not ours, or not used."""
    vendor_ms: float
    """A delivery's, the double's."""
    vendor_share: float
    """Of a core, that the double was busy from the first call to the last: what says that it was not the bottleneck."""
    memory_mb: float
    """Of all workers and their children, at the end."""
    most_in_flight: int


def measure(names: Sequence[str], conditions: Conditions, rounds: int, bound: float) -> list[dict[str, Any]]:
    with services() as both:
        return rounds_of(both, names, conditions, rounds, bound)


def rounds_of(
    both: Services, names: Sequence[str], conditions: Conditions, rounds: int, bound: float
) -> list[dict[str, Any]]:
    """A run ends by itself after `bound` seconds and says that it did not complete."""
    runs = []
    for number in range(rounds):
        for name in names:
            run = _run(CONTESTANTS[name], both, conditions, bound)
            runs.append({"name": name, "round": number + 1, **asdict(run)})
            say = f"round {number + 1} of {rounds}: {run.worker}, {run.cpu_ms} CPU ms a delivery, {run.wall_seconds} s"
            print(say, file=sys.stderr, flush=True)
    return runs


def _run(contestant: Contestant, both: Services, conditions: Conditions, bound: float) -> Run:
    with both.begun(contestant.sqlite, conditions) as assembly:
        if not conditions.enforced:
            assembly.publish(conditions.events())
        database, begun = _database(both, contestant), time.time()
        with _started(contestant, assembly, conditions) as processes:
            watch = _Watch(contestant.title, conditions, assembly, processes, begun + bound)
            start = watch.joined() if conditions.enforced else Reading(begun, assembly.sandbox.counters(ACCOUNT), 0.0)
            first = watch.until(lambda seen: seen["calls"] > start.seen["calls"], LOOK_FIRST)
            watch.until(lambda seen: seen["current"] >= conditions.entries, LOOK)
            time.sleep(AFTERWARDS)
            after = _database(both, contestant)
            used = None if database is None or after is None else after - database
            return _judged(contestant.title, conditions, start, first, watch.look(), used, watch.memory())


@contextmanager
def _started(contestant: Contestant, assembly: Assembly, conditions: Conditions) -> Iterator[Processes]:
    processes = contestant.start(assembly, conditions)
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


class _Watch:
    """Looks at one contestant's processes and at what the vendor has seen of them."""

    def __init__(
        self, title: str, conditions: Conditions, assembly: Assembly, processes: Processes, deadline: float
    ) -> None:
        self._title, self._conditions, self._assembly, self._deadline = title, conditions, assembly, deadline
        self._workers = [psutil.Process(process.pid) for process in processes]
        self._progress = Progress(title, conditions.entries)

    def joined(self) -> Reading:
        """Publishes the events once the workers read the topic and are idle again; what was before that moment."""
        self._assembly.publish([("joined", event("joined", "joined"))])
        self.until(lambda seen: seen["items"] > 0, LOOK_FIRST)
        time.sleep(QUIET)
        idle = self.look()
        self._assembly.publish(self._conditions.events())
        return idle

    def until(self, enough: Callable[[dict[str, Any]], bool], every: float) -> Reading:
        """Looks until there is enough, the time is up or a worker has ended, and then shows why."""
        reading = self.look()
        while not enough(reading.seen) and reading.at < self._deadline:
            if not all(map(_runs, self._workers)):
                log = max(self._assembly.folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
                print(f"{self._title} has ended:\n{log.read_text()[-TAIL:]}", file=sys.stderr)
                break
            self._progress.at(reading.seen["current"])
            time.sleep(every)
            reading = self.look()
        self._progress.end()
        return reading

    def look(self) -> Reading:
        return Reading(time.time(), self._assembly.sandbox.counters(ACCOUNT), sum(map(_cpu, self._workers)))

    def memory(self) -> int:
        """Bytes."""
        return sum(map(_memory, self._workers))


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)] if _runs(process) else []


def _cpu(process: psutil.Process) -> float:
    """Of the process, its children that run and those that have ended."""
    total = 0.0
    for one in _family(process):
        with contextlib.suppress(psutil.NoSuchProcess):  # PostgreSQL's come and go
            times = one.cpu_times()
            total += times.user + times.system
            if one is process:
                total += times.children_user + times.children_system
    return total


def _memory(worker: psutil.Process) -> int:
    """Bytes."""
    total = 0
    for one in _family(worker):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total


def _database(both: Services, contestant: Contestant) -> float | None:
    pid = None if contestant.sqlite else both.database_pid()
    return None if pid is None else _cpu(psutil.Process(pid))


def _runs(worker: psutil.Process) -> bool:
    return bool(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE)


def _judged(
    title: str,
    conditions: Conditions,
    start: Reading,
    first: Reading,
    last: Reading,
    database: float | None,
    memory: int,
) -> Run:
    def since(name: str, reading: Reading = start) -> Any:
        return last.seen[name] - reading.seen[name]

    began = start.at if conditions.enforced else last.seen["first_arrival"] or start.at
    ended = last.seen["last_arrival"] or start.at
    deliveries, spent = max(1, since("deliveries")), last.cpu - first.cpu
    settled = max(1, since("deliveries", first))
    completed = last.seen["current"] == conditions.entries
    seconds = max(ended - began, 0.001)
    return Run(
        worker=title,
        entries=conditions.entries,
        completed=completed,
        deliveries=since("deliveries"),
        calls=since("calls"),
        refused=since("refused"),
        early=since("early"),
        wall_seconds=round(ended - start.at, 2),
        first_call_seconds=round(began - start.at, 2),
        per_second=round(since("deliveries") / seconds, 1),
        current_seconds=round(last.seen["current_at"] - start.at, 2) if completed else None,
        cpu_ms=round(1000 * spent / settled, 3),
        per_cpu_second=round(settled / max(spent, 0.001), 1),
        cpu_start_seconds=round(first.cpu - start.cpu, 2),
        cpu_whole_ms=round(1000 * (last.cpu - start.cpu) / deliveries, 3),
        database_ms=None if database is None else round(1000 * database / deliveries, 3),
        vendor_ms=round(1000 * since("cpu") / deliveries, 3),
        vendor_share=round(since("cpu", first) / max(ended - first.at, 0.001), 3),
        memory_mb=round(memory / 1e6, 1),
        most_in_flight=last.seen["most_in_flight"],
    )
