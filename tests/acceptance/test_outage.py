"""A vendor that nobody can reach, or may, for minutes, while 100,000 entries wait for it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.acceptance.one_vendor import arrivals, attempts, begin, held, worst_window
from tests.acceptance.test_acceptance import say
from tests.flow.assembly import PRO, Assembly, appointment, until

WAITING = 100_000
AWAY = 120.0
"""Seconds. Nothing here depends on its being ten minutes: probes come every four seconds after the first few."""


@pytest.mark.parametrize(
    ("fault", "reason"), [({"outage": True}, "failing"), ({"revoked": True}, "unauthorized")], ids=["down", "revoked"]
)
def test_an_outage_costs_nothing_but_time(assembly: Assembly, fault: Mapping[str, Any], reason: str) -> None:
    begin(assembly, "ecal", [(100, 1.0)])
    assembly.worker()
    assembly.worker()
    assembly.ready(0)
    assembly.publish((f"first{n}", appointment(f"first{n}", "t")) for n in range(50))
    until(lambda: assembly.sandbox.counters("ecal")["items"] == 50, 60, "the first entries")
    assembly.sandbox.fault("ecal", **fault)
    assembly.publish((f"k{n}", appointment(f"k{n}", "t")) for n in range(WAITING))
    away = time.time()
    until(lambda: _waiting(assembly) >= WAITING - 500, 300, "100,000 entries wait")
    time.sleep(max(0.0, away + AWAY - time.time()))
    assert held(assembly.metrics(0)) == {"ecal": reason}
    assembly.sandbox.fault("ecal", **dict.fromkeys(fault))
    back = time.time()
    until(lambda: _called_since(assembly, back), 30, "the first call")
    first = min(at for at in arrivals(assembly, "ecal", back))
    until(lambda: assembly.sandbox.counters("ecal")["items"] >= 50 + 2000, 120, "2,000 more entries")
    times = arrivals(assembly, "ecal")
    during = sum(away < at < back for at in times)
    say(fault=fault, first_call_after=f"{first - back:.1f} s", calls_meanwhile=during, attempts=attempts(assembly),
        worst_window=worst_window(times, 1.0), hold=reason)  # fmt: skip
    assert first - back <= 5.0
    assert attempts(assembly) == 0
    assert worst_window(times, 1.0) <= 100
    assert assembly.dead_letters(0, seconds=3) == []


def test_an_exhausted_budget_waits_for_its_next_period(assembly: Assembly) -> None:
    begin(assembly, PRO, [(100, 1.0)], budget={"credits": 50, "per": "30s"})
    assembly.worker()
    assembly.ready(0)
    assembly.publish((f"k{n}", appointment(f"k{n}", "t")) for n in range(120))
    until(lambda: held(assembly.metrics(0)).get(PRO) == "budget", 60, "the hold says which")
    until(lambda: assembly.sandbox.counters(PRO)["items"] == 120, 120, "all, in three periods")
    periods = Counter(int(at / 30) for at in arrivals(assembly, PRO))
    say(calls_in_each_period=dict(periods), attempts=attempts(assembly))
    assert attempts(assembly) == 0
    assert max(periods.values()) <= 50
    assert assembly.dead_letters(0, seconds=3) == []


def _waiting(assembly: Assembly) -> int:
    import psycopg

    with psycopg.connect(assembly.ledger) as connection:
        (count,) = connection.execute("select count(*) from entries where state in ('ready', 'held')").fetchone() or (
            0,
        )
    return int(count)


def _called_since(assembly: Assembly, moment: float) -> bool:
    return bool(arrivals(assembly, "ecal", moment))
