"""For how long an answer asks to be left alone, whatever else it says. A fact of the account, never of an entry.

The one place that reads it, for all vendors: none of them documents anything of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pipeline.model.outcome import Throttled
from pipeline.model.wire import MAX_WAIT, Response

FIRST = 1.0
"""Seconds, where a vendor does not say for how long it wants to be left alone."""
MOST = 60.0
_SAYS_WHEN = (429, 503)
"""RFC 9110, 10.2.3, and RFC 6585, 4: the statuses with which `Retry-After` says when to come again."""
# draft-ietf-httpapi-ratelimit-headers: `limit=9, remaining=0, reset=5`, from 08 on `"day";r=0;t=5, "week";r=7;t=9`.
_NONE_LEFT = re.compile(r"(?:^|[;,\s])(?:r|remaining)=0+(?![\d.])")
_RESET = re.compile(r"(?:^|[;,\s])(?:t|reset)=([0-9]{1,9})(?![\d.])")


def asked_for(response: Response, now: datetime) -> Throttled | None:
    """None: it asks for nothing. A 429 asks for a pause even where it does not say for how long."""
    after = response.retry_after(now) if response.status in _SAYS_WHEN else None
    if after is None:
        after = max(_used_up(response), default=None)
    return Throttled(after) if after or response.status == 429 else None


def _used_up(response: Response) -> Iterator[float]:
    """The seconds until each quota begins anew of which the answer says that nothing is left."""
    said = response.headers.get("ratelimit", "")
    for policy in said.split(",") if ";" in said else [said]:
        reset = _RESET.search(policy)
        if reset and _NONE_LEFT.search(policy):
            yield min(float(reset[1]), MAX_WAIT)
    left, seconds = (response.headers.get(f"ratelimit-{name}", "").strip() for name in ("remaining", "reset"))
    if re.fullmatch("0+", left) and re.fullmatch("[0-9]{1,9}", seconds):
        yield min(float(seconds), MAX_WAIT)


def longest(*asked: Throttled | None) -> Throttled | None:
    """What is asked for in several ways: the longest that is said."""
    said = [one for one in asked if one is not None]
    return max(said, key=lambda one: one.after or 0.0, default=None)


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when an account is left alone, by whichever clock, and how often in a row it refused without a time."""

    until: float = 0.0
    refusals: int = 0

    def after(self, throttled: Throttled, asked: float, at: float, jitter: float) -> Pause:
        """Once it has asked for another, at `at`, of a call that had left after `asked`. `jitter`: random, in [0, 1).

        Who does not say for how long is left alone twice as long each time. Calls that had left before the last pause
        ended are of the same time.
        """
        if throttled.after:
            return Pause(max(self.until, at + throttled.after), self.refusals)
        refusals = self.refusals + (asked >= self.until)
        wait = min(MOST, FIRST * 2.0 ** min(max(refusals - 1, 0), 16) * (1.0 + jitter / 2))
        return Pause(max(self.until, at + wait), refusals)
