"""How long a start takes: of a command until it has ended, of a worker until it is ready."""

from __future__ import annotations

import functools
import os
import resource
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from bench.report import Progress, markdown
from bench.surroundings import PLACES
from tests.flow.assembly import Assembly, appointment

COMMANDS = (("--help", 0.5), ("check", 0.5))
"""Each with the seconds that it may take."""
READY = 2.0
"""Seconds that a worker may take until it is ready."""
LOOK = 0.005
PATIENCE = 30.0


def measure(starts: int) -> list[dict[str, Any]]:
    """A run for each command, and for a worker in each place, where the first start makes the tables."""
    runs: list[dict[str, Any]] = []
    for where, place in PLACES:
        with place() as assembly:
            assembly.publish([("warm", appointment("warm", "warm"))])  # makes the embedded broker's topic
            if not runs:
                runs = [_run(f"calends {name}", bound, starts, _ended(assembly, name)) for name, bound in COMMANDS]
            runs.append(_run(f"calends run on {where}", READY, starts, functools.partial(_ready, assembly)))
    return runs


def _run(what: str, bound: float, starts: int, start: Callable[[], tuple[float, float]]) -> dict[str, Any]:
    progress, found = Progress(what, starts), []
    for number in range(starts):
        found.append(start())
        progress.at(number + 1)
    progress.end()
    seconds, cpu = zip(*found, strict=True)
    return {
        "what": what,
        "bound_s": bound,
        "median_s": round(statistics.median(seconds), 2),
        "max_s": round(max(seconds), 2),
        "cpu_s": round(statistics.median(cpu), 2),
        "completed": True,
    }


def _ended(assembly: Assembly, command: str) -> Callable[[], tuple[float, float]]:
    """Starts a command and waits for its end: seconds, and seconds of CPU."""

    def start() -> tuple[float, float]:
        before, began = _cpu(), time.monotonic()
        ended = assembly.calends(command) if command == "check" else _calends(command)
        assert ended.returncode == 0, ended.stderr
        return time.monotonic() - began, _cpu() - before

    return start


def _calends(command: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pipeline.cli", command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)


def _ready(assembly: Assembly) -> tuple[float, float]:
    """Starts a worker, and ends it once it is ready. Its CPU is that of its whole life."""
    # A group of its own: librdkafka's broker lets whoever comes after one that has just left wait for seconds.
    os.environ["CALENDS_KAFKA__GROUP_ID"] = f"start-{uuid.uuid4().hex[:8]}"
    before, began = _cpu(), time.monotonic()
    worker = assembly.worker()
    while assembly.status(assembly.ports[-1], "readyz") != 200:
        assert worker.poll() is None, assembly.log()
        assert time.monotonic() - began < PATIENCE, assembly.log()
        time.sleep(LOOK)
    ready = time.monotonic() - began
    worker.terminate()
    worker.wait(PATIENCE)
    return ready, _cpu() - before


def _cpu() -> float:
    """Seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(runs: Sequence[dict[str, Any]]) -> str:
    names = ("median_s", "max_s", "cpu_s", "bound_s")
    rows = [[run["what"], *(f"{run[name]:.2f}" for name in names)] for run in runs]
    return markdown(["start", "median, s", "longest, s", "CPU, s", "wanted, s"], rows)
