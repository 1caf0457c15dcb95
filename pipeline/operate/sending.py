"""One call that a command makes, in the next place of the account's quota: its tokens come from the ledger, like a
worker's, and a 429 pauses the account for the workers too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from pipeline.account import FRESH, Account
from pipeline.calls import CallFailed, pause_asked, sent
from pipeline.ledger import Grant, Ledger, LedgerUnavailable, Stopped
from pipeline.model.wire import Request, Response


@dataclass(frozen=True, slots=True)
class NoPlace:
    """The quota had none in time."""


@dataclass(frozen=True, slots=True)
class InQuota:
    """Sends for a command, which waits up to `patience` seconds for the quota and may `force` a stopped account."""

    account: Account
    ledger: Ledger
    patience: float = 30.0
    force: bool = False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def send(self, signed: Request) -> Response | CallFailed | Stopped | NoPlace:
        """In the quota's next place. A place that grows old while the connection is made goes back for another."""
        deadline = time.monotonic() + self.patience
        while True:
            asked = time.monotonic()
            granted = await asyncio.to_thread(self.ledger.grant, self.account.name, self.account.lease, self.force)
            if isinstance(granted, Stopped):
                return granted
            if isinstance(granted, Grant):
                came = await self._attempt(signed, granted, asked)
                if came is not None:
                    return came
                granted = 0.0
            if time.monotonic() + granted > deadline:
                return NoPlace()
            await self.sleep(granted)

    async def _attempt(self, signed: Request, granted: Grant, asked: float) -> Response | CallFailed | None:
        """What came of it; None: too much time had passed before it could leave."""
        came: Response | CallFailed = CallFailed("unknown", "interrupted")
        try:
            came = await self.account.caller.send(signed, lambda: time.monotonic() - asked < FRESH)
        finally:
            asked_for = pause_asked(came)
            with suppress(LedgerUnavailable):  # then the tokens come back by themselves, with their lease
                await asyncio.to_thread(self.ledger.hand_back, self.account.name, granted, sent(came), asked_for)
        return None if isinstance(came, CallFailed) and came.kind == "too_late" else came
