"""How many calls of one account are under way at once in this process: found from what comes of them.

More while calls wait for their turn and are answered; half as many once the vendor throttles, fails or is silent.
It knows nothing of the quota, which others keep.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from math import inf

MOST = 32
"""Calls at once that no vendor is given more of, unless an account allows them."""
SHORTEST = 0.01
"""Seconds that a call is taken to last at least: where many are under way, this process itself needs as much."""
OF_LATE = 0.2
"""What one call weighs in the time that calls take of late."""


@dataclass(slots=True)
class Concurrency:
    """`first` calls at once, and as many as `most` where they are needed; never fewer than one."""

    first: int
    most: int
    took: float = SHORTEST
    """Seconds from a call's start to its answer, of late."""
    limit: float = field(init=False)
    _permits: int = field(init=False)
    _turns: asyncio.Semaphore = field(init=False)
    _halved: float = -inf

    def __post_init__(self) -> None:
        self.limit = self._permits = min(self.first, self.most)
        self._turns = asyncio.Semaphore(self._permits)

    async def __aenter__(self) -> None:
        """Waits for a call's turn."""
        await self._turns.acquire()

    async def __aexit__(self, *_raised: object) -> None:
        if self._permits > int(self.limit):
            self._permits -= 1
        else:
            self._turns.release()

    def ended(self, begun: float, well: bool) -> None:
        """A call that began at `begun`, in monotonic time, has ended within its turn."""
        now = time.monotonic()
        self.took += OF_LATE * (now - begun - self.took)
        if not well:
            self._halve(begun, now)
        elif self._turns.locked():
            # Twice as many in each round, until it was too much once; then one more in each round.
            self.limit = min(self.most, self.limit + (1 if self._halved == -inf else 1 / self.limit))
            self._permit()

    def _halve(self, begun: float, now: float) -> None:
        """Once for all calls that were under way together."""
        if begun > self._halved:
            self.limit = max(1.0, self.limit / 2)
            self._halved = now

    def _permit(self) -> None:
        while self._permits < int(self.limit):
            self._permits += 1
            self._turns.release()

    def rate(self) -> float:
        """Calls a second that can be answered at this limit, as far as calls have told."""
        return self.limit / max(self.took, SHORTEST)
