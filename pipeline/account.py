"""An account as one process calls it: its client, credential and tokens, and why it must not be called now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.calls import Caller
from pipeline.ledger import MARGIN, SLACK
from pipeline.model.outcome import Throttled
from pipeline.model.pause import Pause
from pipeline.model.wire import Credential, Request
from pipeline.pacing import Pace
from pipeline.tokens import Tokens, TokenUnavailable
from pipeline.vendors.contract import Vendor

FRESH = 0.25
"""Seconds for which it is good enough to have read that nothing is paused."""


@dataclass(slots=True)
class Account:
    """What the lanes of one account share in this process."""

    name: str
    vendor: Vendor
    options: Mapping[str, Any]
    caller: Caller
    pace: Pace
    credential: Callable[[], Credential] = field(repr=False)
    tokens: Tokens | None = None
    obstacle: str | None = None
    """Why nobody may call it now, as last read from the ledger."""
    throttled: bool = False
    """The vendor asked to be left alone, as last read; it may be held besides."""
    seen: float = 0.0
    """When the ledger was last asked for obstacles, in monotonic time."""
    paused_until: float = 0.0
    """As this process was told, in monotonic time: it need not wait for the ledger to learn of it."""
    refusals: int = 0
    """In a row that did not say for how long, seen by this process, since something was accepted."""
    failures: int = 0
    """Answers in a row, seen by this process, that were none, since something was accepted or a hold lifted."""

    @property
    def lease(self) -> float:
        """Seconds for which a call has its place of the quota: it leaves within SLACK, and ends within its time-out."""
        return SLACK + self.caller.timeout + MARGIN

    def open(self) -> bool:
        return self.obstacle is None and time.monotonic() >= self.paused_until

    def held(self) -> bool:
        """Until a probe succeeds."""
        return self.obstacle not in (None, "throttled")

    def unpaused(self) -> bool:
        """Whether the vendor may be asked how it is, though nobody else may call it."""
        return not self.throttled and time.monotonic() >= self.paused_until

    def throttle(self, throttled: Throttled, asked: float, at: float, jitter: float) -> None:
        """The vendor asked for a pause (see `Pause.after`), in monotonic time; the others read it in the ledger."""
        pause = Pause(self.paused_until, self.refusals).after(throttled, asked, at, jitter)
        self.paused_until, self.refusals = pause.until, pause.refusals

    def stop(self, until: float) -> None:
        """For this process, in monotonic time."""
        self.paused_until = max(self.paused_until, until)

    async def access(self, due: bool = False) -> str | TokenUnavailable | None:
        """An access token where the vendor takes one. `due`: for a probe whose turn it is."""
        return None if self.tokens is None else await self.tokens.token(due)

    def signed(self, request: Request, access: str | None) -> Request:
        return self.vendor.sign(request, self.credential(), access)
