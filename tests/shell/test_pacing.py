"""Departures are spread by the tightest window."""

from __future__ import annotations

import asyncio
from itertools import pairwise

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
