"""Deliveries a second and processor time a delivery: Calends, then the plain worker, on the same events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from bench.report import Progress, markdown
from bench.surroundings import ACCOUNT, IN_FLIGHT, QUOTA, TOPIC, forget, real
from tests.flow.assembly import ECAL, Assembly, appointment

LOOK_FIRST = 0.02
"""Seconds between looks for the first call. Later ones are rarer: each costs the vendor some time."""
LOOK = 0.5
AFTERWARDS = 1.0
"""Seconds after the last call in which a worker settles and commits; their processor time counts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen at one moment, in seconds of `time.time()` and of processor time."""

    at: float
    arrived: float
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
    """A delivery's, the worker and its children, from the first call until all was settled."""
    cpu_start_seconds: float
    """Until the first call."""
    cpu_whole_ms: float
    """A delivery's, the start and what was read before the first call included."""
    memory_mb: float


def measure(events: int, bound: float) -> list[dict[str, Any]]:
    """The runs, Calends first. A run ends by itself after `bound` seconds and says that it did not complete."""
    with real() as assembly:
        Progress("publishing", events).at(0)
        assembly.publish((f"k{n}", appointment(f"k{n}", f"t{n}")) for n in range(events))
        runs = [_run("Calends", assembly, assembly.worker, events, bound)]
        forget(assembly)
        runs.append(_run("plain worker", assembly, lambda: _plain(assembly), events, bound))
    return [asdict(run) for run in runs]


def _plain(assembly: Assembly) -> subprocess.Popen[bytes]:
    settings = {
        "bootstrap": assembly.bootstrap,
        "topic": assembly.topic(TOPIC),
        "group": f"plain{assembly.suffix}",
        "base_url": f"{assembly.sandbox.url}/ecal/{ACCOUNT}",
        "in_flight": IN_FLIGHT,
        "calls": QUOTA[0],
        "seconds": QUOTA[1],
        **ECAL,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "bench.plain_worker"],
        env=os.environ | {"PLAIN_WORKER": json.dumps(settings)},
        stderr=(assembly.folder / "plain.log").open("wb"),
    )


def _run(name: str, assembly: Assembly, start: Callable[[], subprocess.Popen[bytes]], events: int, bound: float) -> Run:
    started = time.time()
    process = start()
    try:
        worker = psutil.Process(process.pid)
        first = _until(assembly, worker, 1, LOOK_FIRST, started + bound, Progress(name, events))
        _until(assembly, worker, events, LOOK, started + bound, Progress(name, events))
        time.sleep(AFTERWARDS)
        return _judged(name, assembly, worker, events, (started, first))
    finally:
        process.kill()
        process.wait()


def _until(
    assembly: Assembly, worker: psutil.Process, calls: int, every: float, deadline: float, progress: Progress
) -> Reading:
    """Looks until there are so many calls, the time is up or the worker has ended."""
    while True:
        reading = _reading(assembly, worker)
        progress.at(reading.calls)
        if reading.calls >= calls or reading.at > deadline or not _runs(worker):
            progress.end()
            return reading
        time.sleep(every)


def _reading(assembly: Assembly, worker: psutil.Process) -> Reading:
    counters = assembly.sandbox.counters(ACCOUNT)
    return Reading(time.time(), counters["last_arrival"] or time.time(), counters["calls"], _cpu(worker))


def _cpu(worker: psutil.Process) -> float:
    """Of the process, its children that run and those that have ended."""
    own = worker.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in worker.children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return float(total)


def _runs(worker: psutil.Process) -> bool:
    return bool(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE)


def _judged(name: str, assembly: Assembly, worker: psutil.Process, events: int, seen: tuple[float, Reading]) -> Run:
    started, first = seen
    counters = assembly.sandbox.counters(ACCOUNT)
    began, ended = counters["first_arrival"] or started, counters["last_arrival"] or started
    accepted = counters["by_status"].get("200", 0)
    counted = max(1, counters["calls"] - first.calls)
    return Run(
        worker=name,
        events=events,
        completed=counters["items"] == events,
        accepted=accepted,
        calls=counters["calls"],
        wall_seconds=round(ended - started, 2),
        first_call_seconds=round(began - started, 2),
        per_second=round(accepted / (ended - began), 1) if ended > began else 0.0,
        cpu_ms=round(1000 * (_cpu(worker) - first.cpu) / counted, 3),
        cpu_start_seconds=round(first.cpu, 2),
        cpu_whole_ms=round(1000 * _cpu(worker) / max(1, accepted), 3),
        memory_mb=round(worker.memory_info().rss / 1e6, 1) if _runs(worker) else 0.0,
    )


def table(runs: list[dict[str, Any]]) -> str:
    calends, plain = runs
    names = {
        "per_second": "deliveries a second",
        "cpu_ms": "CPU ms a delivery",
        "cpu_whole_ms": "the same, start and all",
        "wall_seconds": "wall, s",
        "first_call_seconds": "of it until the first call, s",
        "cpu_start_seconds": "CPU until the first call, s",
        "memory_mb": "memory, MB",
        "calls": "calls",
    }
    rows = [[title, f"{calends[n]:,}", f"{plain[n]:,}", _ratio(calends[n], plain[n])] for n, title in names.items()]
    lines = [markdown([f"{calends['events']:,} events", "Calends", "plain worker", "ratio"], rows)]
    lines += [
        f"{run['worker']} did not complete: {run['accepted']:,} of {run['events']:,} accepted"
        for run in runs
        if not run["completed"]
    ]
    return "\n".join(lines)


def _ratio(calends: float, plain: float) -> str:
    return f"{calends / plain:.2f}" if plain else "–"
