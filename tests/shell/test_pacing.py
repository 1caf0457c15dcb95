"""Departures are spread by the tightest window."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from pipeline.ledger import SLACK
from pipeline.pacing import CATCHING_UP, OF_LATE, SILENT, Pace, Rate
from pipeline.vendors.contract import Window


async def test_departures_keep_the_interval_of_the_tightest_window() -> None:
    pace = Pace((Window(1000, 1.0), Window(100, 5.0)))
    loop = asyncio.get_running_loop()
    left: list[float] = []
    for _ in range(4):
        await pace.turn()
        left.append(loop.time())
    assert all(after - before > 0.9 * CATCHING_UP * 5.0 / 100 for before, after in pairwise(left))


async def test_without_a_window_nobody_waits() -> None:
    pace = Pace(())
    async with asyncio.timeout(1):
        for _ in range(1000):
            await pace.turn()


async def test_where_calls_are_rare_a_turn_comes_before_its_claim_is_void() -> None:
    """A thousand a day are one in 86 s: who waited for that would leave with a claim of two seconds, and never do."""
    pace = Pace((Window(10, 1.0), Window(1000, 86_400.0)))
    async with asyncio.timeout(3 * SLACK):
        for _ in range(3):
            await pace.turn()


def rate(*ends: float) -> Rate:
    """A vendor known to take 100 calls a second, and calls that ended since."""
    known = Rate(0.0, value=100.0)
    for end in ends:
        known.add(end)
    return known


def test_a_rate_is_what_was_done_of_late() -> None:
    assert rate(0.04, 0.08, 0.12, 0.16, 0.2).at(OF_LATE, busy=True) == 5 / OF_LATE


def test_a_quiet_time_says_nothing_of_the_rate() -> None:
    """Who begins anew must not begin as if the vendor were slow."""
    known = rate(0.01, 0.02, 0.03, 0.04, 0.05)
    assert known.at(0.25, busy=False) == pytest.approx(100.0)
    assert known.at(60.0, busy=False) == pytest.approx(100.0)


def test_what_has_not_ended_says_something_only_after_a_second() -> None:
    assert rate().at(SILENT - 0.1, busy=True) == 100.0
    assert rate().at(SILENT, busy=True) == 0.0
