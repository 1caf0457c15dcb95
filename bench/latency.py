"""One event at a time through an idle worker: from before it is produced to its call's arrival at the vendor."""

from __future__ import annotations

import random
import time
from typing import Any

from confluent_kafka import Producer

from bench.report import Progress, markdown
from bench.surroundings import ACCOUNT, PLACES, TOPIC
from tests.flow.assembly import Assembly, appointment

LOOK = 0.01
PAUSE = (0.05, 0.3)
"""Seconds between two events: idle again, and in step with no loop of the worker."""
PATIENCE = 30.0
"""Seconds after which one event counts as lost."""


def measure(samples: int, bound: float) -> list[dict[str, Any]]:
    """A run for each place. It ends by itself after `bound` seconds and says that it did not complete."""
    runs = []
    for name, place in PLACES:
        with place() as assembly:
            seconds = _run(name, assembly, samples, bound)
        runs.append({"on": name, "events": samples, "completed": len(seconds) == samples, **_summary(seconds)})
    return runs


def _run(name: str, assembly: Assembly, samples: int, bound: float) -> list[float]:
    deadline, progress = time.monotonic() + bound, Progress(f"latency on {name}", samples)
    producer = Producer({"bootstrap.servers": assembly.bootstrap, "acks": "all", "linger.ms": 0})
    assembly.publish([("warm", appointment("warm", "warm"))])  # makes the embedded broker's topic
    assembly.worker()
    assembly.ready()
    _arrival(assembly, 0.0)
    seconds: list[float] = []
    while len(seconds) < samples and time.monotonic() < deadline:
        time.sleep(random.uniform(*PAUSE))
        arrived = _one(assembly, producer, f"k{len(seconds)}")
        if arrived is None:
            break
        seconds.append(arrived)
        progress.at(len(seconds))
    progress.end()
    return seconds


def _one(assembly: Assembly, producer: Producer, key: str) -> float | None:
    """Seconds from the call of `produce` to the arrival, None where there was none."""
    value, headers = appointment(key, key), [("content-type", b"application/cloudevents+json")]
    produced = time.time()
    producer.produce(assembly.topic(TOPIC), value, key, headers=headers)
    producer.flush(10)
    arrived = _arrival(assembly, produced)
    return None if arrived is None else arrived - produced


def _arrival(assembly: Assembly, since: float) -> float | None:
    """When the one event came that is under way."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        newest = assembly.sandbox.counters(ACCOUNT)["last_arrival"]
        if newest is not None and newest >= since:
            return float(newest)
        time.sleep(LOOK)
    return None


def _summary(seconds: list[float]) -> dict[str, Any]:
    """In milliseconds."""
    ranked = [round(1000 * each, 1) for each in sorted(seconds)] or [0.0]

    def at(share: float) -> float:
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

    return {"counted": len(seconds), "median_ms": at(0.5), "p99_ms": at(0.99), "max_ms": ranked[-1]}


def table(runs: list[dict[str, Any]]) -> str:
    rows = [[run["on"], *(f"{run[name]:,}" for name in ("median_ms", "p99_ms", "max_ms", "counted"))] for run in runs]
    lines = [markdown(["produce to the vendor", "median, ms", "p99, ms", "longest, ms", "events"], rows)]
    lines += [
        f"{run['on']} did not complete: {run['counted']} of {run['events']} arrived"
        for run in runs
        if not run["completed"]
    ]
    return "\n".join(lines)
