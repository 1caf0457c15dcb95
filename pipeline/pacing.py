"""When calls leave that the ledger has granted: not before their moment, and spread a little.

It grants nothing itself.
"""

from __future__ import annotations

import asyncio
import time

from aiolimiter import AsyncLimiter

from pipeline.vendors.contract import Window

FINEST = 0.001
"""Seconds: no timer is finer, and nothing needs spreading that leaves in such numbers."""
WIDEST = 0.5
"""Seconds: a claim is not good for much longer, and who comes too late has taken his turn for nothing."""
CATCHING_UP = 0.5
"""Of the even distance: who is never faster than the quota's mean never makes up for a moment of being late."""


class Pace:
    """Departures of one account in this process: by its tightest window, at most half a second apart."""

    def __init__(self, windows: tuple[Window, ...]) -> None:
        # One call each `interval` seconds. `AsyncLimiter(calls, seconds)` lets nearly twice `calls` into one window.
        even = max((window.seconds / window.calls for window in windows), default=0.0)
        interval = min(CATCHING_UP * even, WIDEST)
        self._limiter = AsyncLimiter(1, interval) if interval >= FINEST else None

    async def turn(self) -> None:
        if self._limiter is not None:
            await self._limiter.acquire()


async def until(moment: float) -> None:
    """Never early: a loop's timer may be, by a millisecond."""
    rest = moment - time.monotonic()
    if rest > 0:
        await asyncio.sleep(rest + 0.001)
        await until(moment)
