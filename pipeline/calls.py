"""HTTP, and nothing of what is said over it: one `Caller` for each account's base URL.

The only module with httpx (its requests and responses, over httpx-aiohttp's transport). A call ends as a `Response`
or as a `CallFailed` that says whether the vendor can have seen it. No URL, header or body leaves by a log, an error
or a `repr`.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport

from pipeline import __version__
from pipeline.concurrency import Concurrency
from pipeline.model.outcome import Throttled
from pipeline.model.pause import asked_for
from pipeline.model.wire import Request, Response, Sent

BODY_LIMIT = 1024 * 1024
CONNECT_TIMEOUT = 5.0
# Below the 5 s after which common servers (uvicorn, Node) close an idle connection: a call into a closing one is lost.
KEEPALIVE = 4.0
LATE, READ = 0.05, 0.25
"""Seconds: a time-out that fires later than this finds that this process stood still; it then has so long to read."""


@dataclass(frozen=True, slots=True)
class CallFailed:
    """No whole answer. `not_sent` and `too_late`: certainly without effect. `unknown`: perhaps with one."""

    kind: Literal["not_sent", "unknown", "too_late"]
    code: str


TOO_LATE = CallFailed("too_late", "too_late")


def sent(came: Response | CallFailed) -> Sent:
    if isinstance(came, Response):
        return "answered"
    return "lost" if came.kind == "unknown" else "never"


def told(came: Response | CallFailed) -> str:
    """The status, or the code of why there is none: a connection that was refused, an answer that did not come."""
    return str(came.status) if isinstance(came, Response) else came.code


def pause_asked(answered: Response | CallFailed) -> Throttled | None:
    """The pause that the vendor asks for, of an answer that came just now. A fact of the account, whoever called."""
    return asked_for(answered, datetime.now(UTC)) if isinstance(answered, Response) else None


class Caller:
    """Calls below one base URL, as many at once as `concurrency` finds, each within `timeout` seconds of its turn."""

    def __init__(self, base_url: str, concurrency: Concurrency, timeout: float) -> None:
        self._base = base_url.rstrip("/")
        self.timeout = timeout
        connect = min(CONNECT_TIMEOUT, timeout / 2)
        self._extensions = {"timeout": {"connect": connect, "pool": connect, "read": None, "write": None}}
        self.concurrency = concurrency
        self._transport: AiohttpTransport | None = None

    async def send(self, request: Request, deadline_check: Callable[[], bool] | None = None) -> Response | CallFailed:
        """One attempt. `deadline_check` is asked with the connection in hand; False: nothing is sent."""
        try:
            prepared = self._prepare(request)
        except (httpx.InvalidURL, UnicodeError, ValueError, TypeError):
            return CallFailed("not_sent", "invalid_request")
        async with self.concurrency:
            begun = time.monotonic()
            answered = await self._attempt(prepared, _Departure(deadline_check, bool(request.body)))
            if answered != TOO_LATE:
                self.concurrency.ended(begun, _well(answered))
            return answered

    async def _attempt(self, prepared: httpx.Request, departure: _Departure) -> Response | CallFailed:
        token = _departure.set(departure)
        try:
            async with _Within(self.timeout):
                return await self._exchange(prepared)
        except _TooLarge:
            return CallFailed("unknown", "too_large")
        except Exception as error:  # the kind rests on `departure` alone, whatever the transport raised
            if departure.too_late:
                return TOO_LATE
            return CallFailed("unknown" if departure.left else "not_sent", _code(error))
        finally:
            _departure.reset(token)

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def __repr__(self) -> str:
        return f"Caller(concurrency={self.concurrency.limit:g}, timeout={self.timeout})"

    def _prepare(self, request: Request) -> httpx.Request:
        query = "?" + urlencode(request.query, quote_via=quote, safe="") if request.query else ""
        headers = {name.lower(): value for name, value in request.headers}
        headers.setdefault("accept", "application/json")
        headers.setdefault("accept-encoding", "identity")
        headers.setdefault("user-agent", f"calends/{__version__}")
        if request.body:
            headers.setdefault("content-type", "application/json")
            headers["content-length"] = str(len(request.body))
        if any(character in value for value in headers.values() for character in "\r\n\0"):
            raise ValueError("a header with a line break")
        url = f"{self._base}{request.path}{query}"
        body = _Body(request.body) if request.body else None
        return httpx.Request(request.method, url, headers=headers, content=body, extensions=self._extensions)

    async def _exchange(self, prepared: httpx.Request) -> Response:
        if self._transport is None:
            self._transport = _transport(self.concurrency.most)
        answer = await self._transport.handle_async_request(prepared)
        try:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, headers, await _body(answer, headers.get("content-encoding", "")))
        finally:
            await answer.aclose()


def _well(answered: Response | CallFailed) -> bool:
    """Whether the vendor may be given as many calls and more."""
    return isinstance(answered, Response) and answered.status != 429 and answered.status < 500


async def _body(answer: httpx.Response, encoding: str) -> bytes:
    """The body, unpacked no further than BODY_LIMIT: httpx would unpack a chunk whole, a thousand times its size."""
    inflate = _inflater(encoding)
    body, came = bytearray(), 0
    async for chunk in answer.aiter_raw():
        came += len(chunk)
        body += inflate.decompress(chunk, BODY_LIMIT + 1 - len(body)) if inflate else chunk
        if max(came, len(body)) > BODY_LIMIT:
            raise _TooLarge
    if inflate and came and not inflate.eof:
        raise httpx.DecodingError("cut off")
    return bytes(body)


def _inflater(encoding: str) -> Any:
    """`identity` is asked for; gzip and deflate are read all the same, once."""
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        case _:
            raise httpx.DecodingError("an unknown content-encoding")


class _Within:
    """As `asyncio.timeout`. But where this process stood still meanwhile (frozen, or without a CPU), what has come is
    read first: else its own slowness would be taken for the vendor's."""

    __slots__ = ("_limit", "_seconds", "_timer", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.monotonic() + seconds
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end)
        await self._limit.__aenter__()

    async def __aexit__(self, *raised: Any) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(*raised)  # raises TimeoutError where it has ended

    def _end(self) -> None:
        late = time.monotonic() - self._until > LATE
        self._limit.reschedule(asyncio.get_running_loop().time() + (READ if late else 0.0))


class _TooLarge(Exception):
    """The answer is longer than any documented one."""


class _TooLate(Exception):
    """The call's time to start has passed."""


@dataclass(slots=True)
class _Departure:
    """What a call is asked right before its first byte leaves."""

    check: Callable[[], bool] | None
    has_body: bool
    left: bool = False
    too_late: bool = False

    def ask(self) -> None:
        """Raises _TooLate."""
        self.too_late = self.check is not None and not self.check()
        if self.too_late:
            raise _TooLate


_departure: ContextVar[_Departure | None] = ContextVar("calends_departure", default=None)


class _Gate(aiohttp.TCPConnector):
    """Asks with the connection open: what has no body leaves at once from here."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        connection = await super().connect(req, traces, timeout)
        departure = _departure.get()
        if departure is not None:
            try:
                departure.ask()
            except _TooLate:
                connection.release()
                raise
            departure.left = not departure.has_body
        return connection


class _Body(httpx.AsyncByteStream):
    """Asks once more when it is read. aiohttp does so in a later turn of the loop than the gate's, and a process may be
    frozen between the two; the headers leave with it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        departure = _departure.get()
        if departure is not None:
            departure.ask()
            departure.left = True
        yield self._content


def _transport(concurrency: int) -> AiohttpTransport:
    context = httpx.create_ssl_context()  # certifi's authorities, or those of SSL_CERT_FILE

    def session() -> aiohttp.ClientSession:
        connector = _Gate(limit=concurrency, keepalive_timeout=KEEPALIVE, ssl=context)
        made = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        # aiohttp sends a PUT or DELETE a second time, by itself, when a kept connection closes under it: a call
        # outside the quota and after its deadline. There is no public switch.
        made._retry_connection = False
        return made

    return AiohttpTransport(verify=context, client=session, trust_env=False)


def _code(error: BaseException) -> str:
    if isinstance(error, TimeoutError):  # of the whole call; its cause is the cancellation that ended it
        return "timeout"
    match error.__cause__ or error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError():
            return "tls"
        case aiohttp.ConnectionTimeoutError():
            return "connect_timeout"
        case aiohttp.ClientConnectorError():
            return "refused"
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | OSError():
            return "reset"
        case aiohttp.ClientResponseError() | HttpProcessingError() | httpx.DecodingError() | zlib.error():
            return "unreadable"
        case _:
            return "error"
