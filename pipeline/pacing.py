"""Spreads the calls that the ledger granted over the quota's window. It grants nothing itself."""

from __future__ import annotations

from aiolimiter import AsyncLimiter

from pipeline.vendors.contract import Window

FINEST = 0.001
"""Seconds: no timer is finer, and nothing needs spreading that leaves in such numbers."""
WIDEST = 0.5
"""Seconds: a claim is not good for much longer, and who comes too late has taken his turn for nothing."""
CATCHING_UP = 0.75
"""Of the even distance: who is never faster than the quota's mean never makes up for a moment of being late."""


class Pace:
    """Departures of one account in this process, evenly spaced by its tightest window."""

    def __init__(self, windows: tuple[Window, ...]) -> None:
        # One call each `interval` seconds. `AsyncLimiter(calls, seconds)` lets nearly twice `calls` into one window.
        even = max((window.seconds / window.calls for window in windows), default=0.0)
        interval = min(CATCHING_UP * even, WIDEST)
        self._limiter = AsyncLimiter(1, interval) if interval >= FINEST else None

    async def turn(self) -> None:
        if self._limiter is not None:
            await self._limiter.acquire()
