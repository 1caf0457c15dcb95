"""For how long an answer asks to be left alone, whatever else it says. A fact of the account, never of an entry.

The one place that reads this; no vendor documents anything of its own.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.model.outcome import Throttled
from pipeline.model.wire import Response

FIRST = 1.0
"""Seconds, where a vendor does not say for how long it wants to be left alone."""
_SAYS_WHEN = (429, 503)
"""RFC 9110, 10.2.3, and RFC 6585, 4: the statuses with which `Retry-After` says when to come again."""


def asked_for(response: Response, now: datetime) -> Throttled | None:
    """None: it asks for nothing. A 429 asks for a pause even where it does not say for how long."""
    after = response.retry_after(now) if response.status in _SAYS_WHEN else None
    return Throttled(after) if after or response.status == 429 else None
