"""Deliveries a second and processor time a delivery, of Calends and of workers written by hand, on the same events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import psutil

from bench.contestants import CONTESTANTS, Contestant, Processes
from bench.report import Progress, markdown
from bench.surroundings import ACCOUNT, IN_FLIGHT, Services, services
from tests.flow.assembly import Assembly, appointment

LOOK_FIRST = 0.02
"""Seconds between looks for the first call. Later ones are rarer: each costs the vendor some time."""
LOOK = 0.5
AFTERWARDS = 1.0
"""Seconds after the last call in which a worker settles and commits; their processor time counts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen at one moment, in seconds of `time.time()` and of processor time."""

    at: float
    calls: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    worker: str
    events: int
    completed: bool
    accepted: int
    calls: int
    wall_seconds: float
    """From the start of the process to its last call."""
    first_call_seconds: float
    """From the start of the process to its first call."""
    per_second: float
    """Between the first call and the last."""
    cpu_ms: float
    """A delivery's, all workers and their children, from the first call until all was settled."""
    cpu_start_seconds: float
    """Until the first call."""
    cpu_whole_ms: float
    """A delivery's, the start and what was read before the first call included."""
    database_ms: float | None
    """A delivery's, PostgreSQL's. None: it is not ours, or not used."""
    vendor_ms: float
    """A delivery's, the double's."""
    memory_mb: float
    """Of all workers."""
    most_in_flight: int


def measure(names: Sequence[str], events: int, rounds: int, latency: float, bound: float) -> list[dict[str, Any]]:
    """Every contestant once in each round, one after the other. A run ends by itself after `bound` seconds and says
    that it did not complete; `latency` is the vendor's, in seconds."""
    with services() as both:
        runs = [_run(CONTESTANTS[name], both, events, latency, bound) for _ in range(rounds) for name in names]
    return [asdict(run) for run in runs]


def _run(contestant: Contestant, both: Services, events: int, latency: float, bound: float) -> Run:
    with both.begun(contestant.sqlite, latency) as assembly:
        assembly.publish((f"k{n}", appointment(f"k{n}", f"t{n}")) for n in range(events))
        before, started = _database(both, contestant), time.time()
        with _started(contestant, assembly) as processes:
            workers = [psutil.Process(process.pid) for process in processes]
            first = _until(assembly, workers, 1, LOOK_FIRST, started + bound, Progress(contestant.title, events))
            _until(assembly, workers, events, LOOK, started + bound, Progress(contestant.title, events))
            time.sleep(AFTERWARDS)
            after = _database(both, contestant)
            used = None if before is None or after is None else after - before
            return _judged(contestant.title, assembly, workers, events, started, first, used)


@contextmanager
def _started(contestant: Contestant, assembly: Assembly) -> Iterator[Processes]:
    processes = contestant.start(assembly)
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _until(
    assembly: Assembly, workers: Sequence[psutil.Process], calls: int, every: float, deadline: float, progress: Progress
) -> Reading:
    """Looks until there are so many calls, the time is up or a worker has ended."""
    while True:
        reading = Reading(time.time(), assembly.sandbox.counters(ACCOUNT)["calls"], sum(map(_cpu, workers)))
        progress.at(reading.calls)
        if reading.calls >= calls or reading.at > deadline or not all(map(_runs, workers)):
            progress.end()
            return reading
        time.sleep(every)


def _cpu(process: psutil.Process) -> float:
    """Of the process, its children that run and those that have ended."""
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return float(total)


def _database(both: Services, contestant: Contestant) -> float | None:
    pid = None if contestant.sqlite else both.database_pid()
    return None if pid is None else _cpu(psutil.Process(pid))


def _runs(worker: psutil.Process) -> bool:
    return bool(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE)


def _judged(
    title: str,
    assembly: Assembly,
    workers: Sequence[psutil.Process],
    events: int,
    started: float,
    first: Reading,
    database: float | None,
) -> Run:
    counters = assembly.sandbox.counters(ACCOUNT)
    began, ended = counters["first_arrival"] or started, counters["last_arrival"] or started
    accepted = counters["by_status"].get("200", 0)
    counted, cpu = max(1, counters["calls"] - first.calls), sum(map(_cpu, workers))
    return Run(
        worker=title,
        events=events,
        completed=counters["items"] == events,
        accepted=accepted,
        calls=counters["calls"],
        wall_seconds=round(ended - started, 2),
        first_call_seconds=round(began - started, 2),
        per_second=round(accepted / (ended - began), 1) if ended > began else 0.0,
        cpu_ms=round(1000 * (cpu - first.cpu) / counted, 3),
        cpu_start_seconds=round(first.cpu, 2),
        cpu_whole_ms=round(1000 * cpu / max(1, accepted), 3),
        database_ms=None if database is None else round(1000 * database / max(1, accepted), 3),
        vendor_ms=round(1000 * counters["cpu"] / max(1, accepted), 3),
        memory_mb=round(sum(worker.memory_info().rss for worker in workers if _runs(worker)) / 1e6, 1),
        most_in_flight=counters["most_in_flight"],
    )


def table(runs: list[dict[str, Any]], latency: float) -> str:
    """The median of each contestant's runs."""
    names = {
        "per_second": "deliveries a second",
        "cpu_ms": "CPU ms a delivery",
        "cpu_whole_ms": "the same, start and all",
        "database_ms": "PostgreSQL's CPU ms a delivery",
        "vendor_ms": "the vendor's",
        "wall_seconds": "wall, s",
        "first_call_seconds": "of it until the first call, s",
        "cpu_start_seconds": "CPU until the first call, s",
        "memory_mb": "memory, MB",
        "most_in_flight": "calls at once",
        "calls": "calls",
    }
    titles = list(dict.fromkeys(run["worker"] for run in runs))
    events = runs[0]["events"]
    rows = [[title, *(_middle(runs, worker, name) for worker in titles)] for name, title in names.items()]
    if latency:
        bound = IN_FLIGHT / latency
        share = [f"{(_figure(runs, worker, 'per_second') or 0.0) / bound:.0%}" for worker in titles]
        rows.insert(1, [f"of the bound of {bound:,.0f}", *share])
    lines = [markdown([f"{events:,} events, {1000 * latency:g} ms", *titles], rows)]
    lines += [
        f"{run['worker']} did not complete: {run['accepted']:,} of {events:,} accepted"
        for run in runs
        if not run["completed"]
    ]
    return "\n".join(lines)


def _figure(runs: list[dict[str, Any]], worker: str, name: str) -> float | None:
    seen = [run[name] for run in runs if run["worker"] == worker and run[name] is not None]
    return median(seen) if seen else None


def _middle(runs: list[dict[str, Any]], worker: str, name: str) -> str:
    figure = _figure(runs, worker, name)
    return "–" if figure is None else f"{figure:,}"
