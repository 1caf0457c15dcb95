"""Whether a burst is being read. Then lanes of a quota rest, as what is wanted may be superseded by what comes, and
batches are large, so that an entry which changes several times is written once. Pure; the clock is told.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 1.0
"""Seconds after a quiet time for which lanes rest: they come at the cost of what the quota allows in that time."""
MANY = 50
"""Records that came at once: where there were more, more is to be expected."""
BATCH = 500
"""Records in one poll, at most: others wait for the rows that their transaction has locked."""
LARGE_BATCH = 5000
"""The same while lanes rest."""
QUIET_MS = 200
"""Without a record: a quiet time."""
OVER_MS = 50
"""Without a record while lanes rest: the burst is over."""


@dataclass(slots=True)
class Burst:
    """Times in seconds, monotonic."""

    since: float | None = None
    """When the first records came after a quiet time; None: it is quiet."""
    many: bool = False
    """Whether many came last."""

    def resting(self, now: float) -> bool:
        return self.many and self.since is not None and now - self.since < LONGEST

    def asks_for(self, now: float) -> tuple[int, int]:
        """Records of the next poll, and milliseconds that it may wait for the first."""
        return (LARGE_BATCH, OVER_MS) if self.resting(now) else (BATCH, QUIET_MS)

    def came(self, records: int, now: float) -> None:
        """What a poll that was asked at `now` or before has brought; without a record a burst is over, and it is quiet
        if there was none."""
        if records:
            self.since = now if self.since is None else self.since
        elif not self.resting(now):
            self.since = None
        self.many = records > MANY
