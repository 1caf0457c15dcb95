"""The quota, to the call: three workers, one killed and one frozen in the middle, counted where they arrive."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

import pytest

from tests.acceptance.one_vendor import Window, arrivals, begin, used, worst_window
from tests.acceptance.test_acceptance import say
from tests.flow.assembly import Assembly, appointment, until

RECOVERY = 30.0
"""Seconds after a kill, or a freeze, in which what that worker held still counts as called."""


@pytest.mark.parametrize(
    ("vendor", "window", "batch", "minutes"),
    [("ecal", (100, 1.0), 1, 5.0), ("apptoto", (20, 60.0), 25, 20.0)],
    ids=["100 a second for 5 minutes", "20 a minute for 20 minutes, 25 entries a call"],
)
def test_the_quota_is_used_and_never_exceeded(
    assembly: Assembly, vendor: str, window: Window, batch: int, minutes: float
) -> None:
    begin(assembly, vendor, [window], **({"batch": batch} if batch > 1 else {}))
    for _ in range(3):
        assembly.worker()
    for number in range(3):
        assembly.ready(number)
    lasting = minutes * 60
    entries = int(lasting * window[0] / window[1] * batch * 1.2)
    assembly.publish((f"k{number}", appointment(f"k{number}", "t")) for number in range(entries))
    until(lambda: len(arrivals(assembly, vendor)) > 0, 60, "the first call")
    started = arrivals(assembly, vendor)[0]
    # The first window may be used all at once: what is looked at begins after it.
    begun, ended = started + window[1], started + lasting
    killed, frozen = _disturb(assembly, started, lasting)
    time.sleep(max(0.0, ended - time.time()))
    times = arrivals(assembly, vendor)
    healthy = _without(begun, ended, [(killed, killed + RECOVERY), (frozen, frozen + 20 + RECOVERY)], window)
    counters = assembly.sandbox.counters(vendor)
    say(
        calls=len(times),
        worst_window=worst_window(times, window[1]),
        refused_429=counters["refused_429"],
        used_while_healthy=f"{used(times, window, healthy):.1%}",
        used_over_all=f"{used(times, window, [(begun, ended)]):.1%}",
        delivered=counters["items"],
    )
    assert worst_window(times, window[1]) <= window[0]
    assert counters["refused_429"] == 0
    assert used(times, window, healthy) >= 0.97
    assert used(times, window, [(begun, ended)]) >= 0.90
    assert assembly.sandbox.judge(vendor)["double_count"] == 0


def _disturb(assembly: Assembly, started: float, lasting: float) -> tuple[float, float]:
    """Kills the first worker at a third of the time, freezes the second for 20 s at half of it; when."""
    time.sleep(max(0.0, started + lasting / 3 - time.time()))
    killed = time.time()
    assembly.workers[0].kill()
    assembly.workers[0].wait()
    assembly.worker()
    time.sleep(max(0.0, started + lasting / 2 - time.time()))
    frozen = time.time()
    assembly.workers[1].send_signal(signal.SIGSTOP)
    time.sleep(20)
    assembly.workers[1].send_signal(signal.SIGCONT)
    return killed, frozen


def _without(
    begun: float, ended: float, bad: Sequence[tuple[float, float]], window: Window
) -> list[tuple[float, float]]:
    """What is left of a time when the bad is cut out, in whole windows: calls may stand at one end of each."""
    edges = [begun, *(edge for span in sorted(bad) for edge in span), ended]
    spans = [(edges[place], edges[place + 1]) for place in range(0, len(edges), 2)]
    return [
        (start, start + window[1] * int((end - start) / window[1])) for start, end in spans if end - start >= window[1]
    ]
