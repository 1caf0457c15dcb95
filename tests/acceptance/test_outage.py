"""A vendor that nobody can reach, or may, for minutes, while 100,000 entries wait for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.acceptance.one_vendor import arrivals, attempts, begin, count_attempts, held, waiting, worst_window
from tests.acceptance.test_acceptance import say
from tests.flow.assembly import PRO, Assembly, appointment, until

WAITING = 100_000
AWAY = 120.0
"""Seconds. Nothing here depends on its being ten minutes: probes come every four seconds after the first few."""
BACK_WITHIN = 5.0
"""Seconds from the return of a vendor, or of its credits, to the first call."""
CALLS = 100
CREDITS, PERIOD, RATE = 300, 60.0, 20
"""Credits of each period, its seconds, and calls in a second: spending them all takes a quarter of a period."""
CASES = {
    "down": ("ecal", {"outage": True}, "failing"),
    "revoked": ("ecal", {"revoked": True}, "unauthorized"),
    "down, with tokens": ("calreply", {"outage": True}, "failing"),
    "revoked, with tokens": ("calreply", {"revoked": True}, "unauthorized"),
}


@pytest.mark.parametrize(("vendor", "fault", "reason"), CASES.values(), ids=CASES.keys())
def test_an_outage_costs_nothing_but_time(
    assembly: Assembly, vendor: str, fault: Mapping[str, Any], reason: str
) -> None:
    begin(assembly, vendor, [(CALLS, 1.0)])
    count_attempts(assembly)
    assembly.worker()
    assembly.worker()
    assembly.ready(0)
    assembly.ready(1)
    assembly.publish((f"first{n}", appointment(f"first{n}", "t")) for n in range(50))
    until(lambda: assembly.sandbox.counters(vendor)["items"] == 50, 60, "the first entries")
    assembly.sandbox.fault(vendor, **fault)
    away = time.time()
    assembly.publish((f"k{n}", appointment(f"k{n}", "t")) for n in range(WAITING))
    until(lambda: waiting(assembly) >= WAITING, 300, f"{WAITING:,} entries wait")
    time.sleep(max(0.0, away + AWAY - time.time()))
    assert held(assembly.metrics(0)) == {vendor: reason}
    assembly.sandbox.fault(vendor, **dict.fromkeys(fault))
    back = time.time()
    until(lambda: bool(arrivals(assembly, vendor, back)), 90, "the first call")
    first = min(arrivals(assembly, vendor, back))
    until(lambda: assembly.sandbox.counters(vendor)["items"] >= 50 + WAITING // 50, 120, "more entries")
    times = arrivals(assembly, vendor)
    during = sum(away < at < back for at in times)
    spent = attempts(assembly)
    say(vendor=vendor, fault=fault, waiting=WAITING, first_call_after=f"{first - back:.1f} s", calls_meanwhile=during,
        attempts=len(spent), worst_window=worst_window(times, 1.0), hold=reason)  # fmt: skip
    assert spent == []
    assert first - back <= BACK_WITHIN
    assert worst_window(times, 1.0) <= CALLS
    assert assembly.dead_letters(0, seconds=3) == []


def test_an_exhausted_budget_waits_for_its_next_period(assembly: Assembly) -> None:
    begin(assembly, PRO, [(RATE, 1.0)], budget={"credits": CREDITS, "per": f"{PERIOD:g}s"})
    count_attempts(assembly)
    assembly.worker()
    assembly.worker()
    assembly.ready(0)
    assembly.ready(1)
    assembly.publish((f"k{n}", appointment(f"k{n}", "t")) for n in range(WAITING))
    until(lambda: waiting(assembly) >= WAITING - 5 * CREDITS, 300, f"{WAITING:,} entries wait")
    begun = _next_period()
    for ended in (begun + PERIOD, begun + 2 * PERIOD):
        time.sleep(max(0.0, ended - 2.0 - time.time()))
        assert held(assembly.metrics(0)) == {PRO: "budget"}
    time.sleep(max(0.0, begun + 2 * PERIOD + BACK_WITHIN - time.time()))
    times, spent = arrivals(assembly, PRO), attempts(assembly)
    starts = [begun + number * PERIOD for number in range(3)]
    firsts = [min((at - start for at in times if at >= start), default=PERIOD) for start in starts]
    calls = [sum(start <= at < start + PERIOD for at in times) for start in starts[:2]]
    say(waiting=waiting(assembly), calls_in_each_period=calls, first_call_after=[f"{first:.1f} s" for first in firsts],
        worst_window=worst_window(times, 1.0), attempts=len(spent), hold="budget")  # fmt: skip
    assert spent == []
    assert calls == [CREDITS, CREDITS]
    assert max(firsts) <= BACK_WITHIN
    assert worst_window(times, 1.0) <= RATE
    assert assembly.dead_letters(0, seconds=3) == []


def _next_period() -> float:
    """When the next one begins: periods are multiples of their length since 1970."""
    return (time.time() // PERIOD + 1) * PERIOD
