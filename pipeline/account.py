"""An account as one process calls it: its client, credential and tokens, and why it must not be called now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.calls import Caller
from pipeline.model.wire import Credential, Request, Response
from pipeline.pacing import Pace
from pipeline.tokens import Tokens, TokenUnavailable
from pipeline.vendors.contract import Vendor


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
    seen: float = 0.0
    """When the ledger was last asked for obstacles, in monotonic time."""
    paused_until: float = 0.0
    """As this process was told, in monotonic time: it need not wait for the ledger to learn of it."""
    failures: int = 0
    """Answers in a row, seen by this process, that were none, since something was accepted or a hold lifted."""

    def open(self) -> bool:
        return self.obstacle is None and time.monotonic() >= self.paused_until

    def stop(self, until: float) -> None:
        """For this process, in monotonic time."""
        self.paused_until = max(self.paused_until, until)

    async def access(self) -> str | TokenUnavailable | None:
        return None if self.tokens is None else await self.tokens.token()

    def signed(self, request: Request, access: str | None) -> Request:
        return self.vendor.sign(request, self.credential(), access)


async def probe(account: Account) -> bool:
    """Whether the vendor answers and takes the credential. The caller has the token of the quota for it."""
    access = await account.access()
    if isinstance(access, TokenUnavailable):
        return False
    request = account.signed(account.vendor.probe(account.options), access)
    answered = await account.caller.send(request)
    if not isinstance(answered, Response):
        return False
    if answered.status == 401 and account.tokens is not None and access is not None:
        account.tokens.invalidate(access)
    return answered.status not in (401, 403, 429) and answered.status < 500
