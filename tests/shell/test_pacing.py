"""Departures are spread by the tightest window."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from pipeline.ledger import SLACK
from pipeline.pacing import CATCHING_UP, Pace
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
