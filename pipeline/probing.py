"""Probes of held accounts: a cheap GET in a place of the quota, never in a pause, never long after it was granted.

Each account has a task of its own, so that one that hangs keeps no other waiting. Whose turn it is says the ledger.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from pipeline.account import FRESH, Account
from pipeline.calls import CallFailed, pause_asked, sent, told
from pipeline.ledger import SLACK, Ledger, LedgerUnavailable
from pipeline.model.wire import Request, Response, SecretMissing
from pipeline.telemetry import Telemetry
from pipeline.threads import InThreads
from pipeline.tokens import TokenUnavailable

AFTER_TROUBLE = 0.5
"""Seconds before a ledger that is away is asked again."""


@dataclass(slots=True)
class Probing:
    ledger: Ledger
    in_threads: InThreads
    telemetry: Telemetry
    watch: Callable[[], Awaitable[None]]
    """Reads anew what must not be called."""
    random: Callable[[], float] = random.random
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def begin(self, accounts: Iterable[Account]) -> None:
        """Looks at each held account whether it is to be probed now, unless it is being probed already."""
        for account in accounts:
            if account.held() and account.unpaused() and account.name not in self._running:
                task = asyncio.create_task(self._guarded(account), name=f"probe {account.name}")
                self._running[account.name] = task
                task.add_done_callback(functools.partial(self._ended, account.name))

    def _ended(self, name: str, _task: asyncio.Task[None]) -> None:
        del self._running[name]

    async def close(self) -> None:
        """Ends what is under way; its places of the quota come back by themselves."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _guarded(self, account: Account) -> None:
        try:
            await self.probe(account)
        except LedgerUnavailable as error:
            self.telemetry.waiting_for("ledger", str(error))
            await asyncio.sleep(AFTER_TROUBLE)
        except Exception as error:  # what fails for one account must not end the worker
            self.telemetry.loop_failed("probe", error)
            await asyncio.sleep(AFTER_TROUBLE)

    async def probe(self, account: Account) -> None:
        """Where it is this worker's turn: asks the vendor, and tells the ledger what came of it."""
        since = time.monotonic()
        granted = await self.in_threads(self.ledger.probe_due, account.name, account.lease)
        if granted is None:
            return
        came = await self._ask(account, since)
        jitter = self.random()
        throttled = pause_asked(came)
        if throttled is not None:
            account.throttle(throttled, since, time.monotonic(), jitter)
        await self.in_threads(self.ledger.hand_back, account.name, granted, sent(came), throttled, jitter)
        self.telemetry.account_probed(account.name, _outcome(came), told(came))
        if _is_well(came):
            await self.in_threads(self.ledger.lift, account.name, since, time.monotonic)

    async def _ask(self, account: Account, since: float) -> Response | CallFailed:
        try:
            access = await account.access(due=True)
            if isinstance(access, TokenUnavailable):
                return CallFailed("not_sent", f"token_{access.reason}")
            request = account.signed(account.vendor.probe(account.options), access)
        except SecretMissing as missing:
            self.telemetry.secret_missing(account.name, missing.name, missing.why)
            return CallFailed("not_sent", "secret_missing")
        except Exception as error:  # a probe that cannot even be worded is one that failed
            self.telemetry.loop_failed("probe", error)
            return CallFailed("not_sent", "wording")
        return await self._send(account, request, access, since)

    async def _send(
        self, account: Account, request: Request, access: str | None, since: float
    ) -> Response | CallFailed:
        if time.monotonic() - max(since, account.seen) > FRESH / 2:
            await self.watch()
        answered = await account.caller.send(request, lambda: _may_go(account, since))
        refused = isinstance(answered, Response) and answered.status == 401
        if refused and access is not None and account.tokens is not None:
            account.tokens.invalidate(access)
        return answered


def _may_go(account: Account, since: float) -> bool:
    """As of any call: its place of the quota is good for a while, what was read of pauses for a shorter one."""
    now = time.monotonic()
    return account.unpaused() and now - max(since, account.seen) < FRESH and now - since < SLACK


def _outcome(came: Response | CallFailed) -> str:
    """As of any call, by what a probe can tell."""
    match came:
        case CallFailed(kind="unknown"):
            return "unknown"
        case CallFailed(code="token_refused" | "secret_missing"):
            return "unauthorized"
        case CallFailed():
            return "not_sent"
        case Response(status=401 | 403):
            return "unauthorized"
        case Response(status=429):
            return "throttled"
        case Response():
            return "accepted" if _is_well(came) else "unknown"


def _is_well(came: Response | CallFailed) -> bool:
    """The vendor answers, and takes the credential."""
    return isinstance(came, Response) and came.status not in (401, 403, 429) and came.status < 500
