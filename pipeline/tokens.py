"""Access tokens of one account: got once for all who wait, renewed before they expire, never two requests at once.

No lock is held while a caller makes its own request, and no caller's cancellation ends a renewal.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from pipeline.calls import CallFailed, pause_asked, told
from pipeline.model.outcome import Rejected
from pipeline.model.wire import Credential, Request, Response, SecretMissing, Token
from pipeline.vendors.contract import TokenFlow

MARGIN_SHARE = 0.075
"""Of a token's life, left when it is renewed. Two-second tokens are so renewed every 1.85 s: 33 requests a minute."""
MARGIN_MOST = 30.0
UNREACHABLE_WAIT = (1.0, 60.0)
REFUSED_WAIT = (15.0, 300.0)


@dataclass(frozen=True, slots=True)
class TokenUnavailable:
    """No token for `retry_in` seconds. `unreachable` is a pause; `refused` is a matter of the credential."""

    reason: Literal["unreachable", "refused"]
    retry_in: float
    answer: str = ""
    """What the token server said: its status, or the code of why there is none."""


class TokenEvents(Protocol):
    """What happens to tokens, for whoever watches."""

    def token_renewed(self, account: str, how: str, seconds: float) -> None: ...

    def token_failed(self, account: str, reason: str, answer: str) -> None: ...

    def secret_missing(self, account: str, name: str, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Held:
    token: Token
    sent: float

    def left(self, now: float) -> float:
        return self.sent + self.token.lives - now

    def margin(self) -> float:
        return min(MARGIN_MOST, MARGIN_SHARE * self.token.lives)


class Tokens:
    """The current token of an account. `send` goes to the token server; `credential` is read anew at each use."""

    def __init__(
        self,
        flow: TokenFlow,
        credential: Callable[[], Credential],
        options: Mapping[str, Any],
        send: Callable[[Request], Awaitable[Response | CallFailed]],
        monotonic: Callable[[], float],
        telemetry: TokenEvents,
        account: str,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._flow = flow
        self._credential = credential
        self._options = options
        self._send = send
        self._monotonic = monotonic
        self._telemetry = telemetry
        self._account = account
        self._jitter = jitter
        self._held: _Held | None = None
        self._refresh: str | None = None
        self._rejected = False  # a 401 answered the held token
        self._forced = 0  # renewals in a row that a 401 forced
        self._failures = 0
        self._failed: TokenUnavailable | None = None
        self._not_before = 0.0
        self._said = ""  # by the token server, the last time
        self._left_alone = 0.0  # until then, as the token server asked
        self._renewing: asyncio.Task[None] | None = None

    async def token(self, due: bool = False) -> str | TokenUnavailable:
        """A token with some life left; waits for the one renewal under way where there is none.

        After a failure nobody asks for one for a while, but for a probe whose turn it is (`due`): else a vendor that
        is back would be found only once that while has passed. What the token server asks for binds a probe as well.
        """
        if not self._good() and self._monotonic() >= max(self._left_alone, 0.0 if due else self._not_before):
            if self._renewing is None:
                self._renewing = asyncio.create_task(self._renew())
            await asyncio.shield(self._renewing)
        return self._answer()

    def invalidate(self, access: str) -> None:
        """A 401 answered this token: renew once, unless it has been replaced since."""
        if self._held is None or self._held.token.access != access or self._rejected:
            return
        self._rejected = True
        self._forced += 1
        if self._forced > 1:  # a token fresh from a forced renewal is refused too: renewing faster does not help
            self._said = "401"
            self._fail("refused")

    def ask_again(self) -> None:
        """A probe, of whichever worker, has found the account well: what failed before says nothing any more."""
        self._failures, self._not_before = 0, 0.0

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})

    def _good(self) -> bool:
        held = self._held
        return held is not None and not self._rejected and held.left(self._monotonic()) > held.margin()

    def _answer(self) -> str | TokenUnavailable:
        now, held = self._monotonic(), self._held
        # While the token server is away, the second half of the margin is still lived through.
        if held is not None and not self._rejected and held.left(now) > held.margin() / 2:
            return held.token.access
        failed = self._failed or TokenUnavailable("unreachable", 0.0)
        return replace(failed, retry_in=max(self._not_before - now, self._left_alone - now, 0.0))

    async def _renew(self) -> None:
        self._said = ""
        try:
            await self._refresh_or_obtain()
        except SecretMissing as missing:
            self._telemetry.secret_missing(self._account, missing.name, missing.why)
            self._said = "secret_missing"
            self._fail("refused")
        except Exception:  # a vendor's flow that trips over an answer: never the caller's end
            self._fail("unreachable")
        finally:
            self._renewing = None

    async def _refresh_or_obtain(self) -> None:
        if self._refresh is not None:
            refresh, self._refresh = self._refresh, None
            sent = self._monotonic()
            answer = await self._asked(self._flow.renew(self._credential(), self._options, refresh))
            if isinstance(answer, CallFailed) and answer.kind != "unknown":
                self._refresh = refresh  # never left: still good
                return self._fail("unreachable")
            if self._adopt(answer, sent, "refresh") == "adopted":
                return None
            if self._left_alone > self._monotonic():
                return self._fail("unreachable")
        sent = self._monotonic()
        answer = await self._asked(self._flow.obtain(self._credential(), self._options))
        verdict = self._adopt(answer, sent, "obtain")
        return None if verdict == "adopted" else self._fail(verdict)

    async def _asked(self, request: Request) -> Response | CallFailed:
        answer = await self._send(request)
        self._said = told(answer)
        throttled = pause_asked(answer)
        if throttled is not None:
            self._left_alone = self._monotonic() + (throttled.after or 0.0)
        return answer

    def _adopt(
        self, answer: Response | CallFailed, sent: float, how: str
    ) -> Literal["adopted", "refused", "unreachable"]:
        read = None if isinstance(answer, CallFailed) else self._flow.read(answer)
        if isinstance(read, Rejected):
            return "refused"
        if read is None or read.lives <= 0:
            return "unreachable"
        if not self._rejected:
            self._forced = 0
        self._held, self._refresh, self._rejected = _Held(read, sent), read.refresh, False
        self._failures, self._failed, self._not_before = 0, None, 0.0
        self._telemetry.token_renewed(self._account, how, self._monotonic() - sent)
        return "adopted"

    def _fail(self, reason: Literal["unreachable", "refused"]) -> None:
        first, most = REFUSED_WAIT if reason == "refused" else UNREACHABLE_WAIT
        wait = min(most, first * 2.0 ** min(self._failures, 16)) * (0.5 + self._jitter() / 2)
        self._failures += 1
        self._failed = TokenUnavailable(reason, wait, self._said)
        self._not_before = self._monotonic() + wait
        self._telemetry.token_failed(self._account, reason, self._said)
