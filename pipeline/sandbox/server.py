"""The sandbox over real HTTP: vendor paths answered by a plain ASGI function, everything under `/_` by Starlette.

`/{vendor}/{account}/…` is a vendor; `/` the page; `/_faults`, `/_counters`, … what a test or a person asks and sets.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.model.wire import Response as Answer
from pipeline.sandbox.feed import feed
from pipeline.sandbox.hosted import Call, Hosted, Verdict
from pipeline.sandbox.page import page
from pipeline.sandbox.settings import Account

ABORT = "calends.abort"
HUGE = 8 << 20
"""Bytes by which a huge answer is too long."""
DRIBBLE = 1.0
"""Seconds between the bytes of a slow answer."""


class Protocol(H11Protocol):
    """uvicorn's, and an application may close its connection without a word (`scope["extensions"]`)."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        app = self.app

        async def with_abort(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {ABORT: self.transport.abort}
            await app(scope, receive, send)

        self.app = with_abort


class Sandbox:
    """The ASGI application."""

    def __init__(self, accounts: Sequence[Account], seed: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._hosted = {account.name: Hosted(account, seed, clock()) for account in accounts}
        self._vendors = {(hosted.account.vendor, name): hosted for name, hosted in self._hosted.items()}
        self._page_text, self._page_until = "", 0.0
        self._starlette = Starlette(routes=self._routes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            vendor, _, rest = scope["path"][1:].partition("/")
            name, slash, rest = rest.partition("/")
            hosted = self._vendors.get((vendor, name))
            if hosted is not None:
                await self._call(hosted, slash + rest, scope, receive, send)
                return
        await self._starlette(scope, receive, send)

    # The vendors

    async def _call(self, hosted: Hosted, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        call = Call(scope["method"], path or "/", _query(scope), _headers(scope), body)
        arrived = self._clock()
        verdict = hosted.arrive(call, arrived)
        status = 0
        try:
            if verdict.latency:
                await asyncio.sleep(verdict.latency)
            answer = self._decide(hosted, call, verdict)
            status = answer.status if answer else 0
        finally:
            hosted.depart(call, verdict, status, arrived)
        await _finish(answer, verdict, scope, receive, send)

    def _decide(self, hosted: Hosted, call: Call, verdict: Verdict) -> Answer | None:
        """The answer to send, None for none; the vendor has acted unless the call was refused."""
        if verdict.closed or verdict.refusal:
            return verdict.refusal
        if verdict.lost and verdict.late:
            asyncio.get_running_loop().call_later(verdict.late, lambda: hosted.act(call, self._clock()))
            return None
        answer = hosted.act(call, self._clock())
        if verdict.lost == "500":
            return hosted.vendor.refusal(500)
        return None if verdict.lost else answer

    # Asked and set by tests and people

    def _routes(self) -> list[Route]:
        return [
            Route("/", self._page),
            Route("/_faults", self._faults, methods=["POST"]),
            Route("/_reset", self._reset, methods=["POST"]),
            Route("/_counters", self._counters),
            Route("/_entries", self._of_account(lambda hosted, now, _: hosted.vendor.entries(now))),
            Route("/_judge", self._of_account(lambda hosted, now, _: hosted.judgement(now))),
            Route("/_writes", self._of_account(_writes)),
            Route("/_homes", self._of_account(_homes)),
            Route("/_arrivals", self._of_account(_arrivals)),
            Route("/_feed/{account}/{calendar:path}.ics", self._feed),
        ]

    async def _page(self, request: Request) -> Response:
        """Kept for ten times as long as it takes to make: onlookers must not slow the vendors down."""
        begun = self._clock()
        if begun >= self._page_until:
            self._page_text = page(self._hosted.values(), begun)
            self._page_until = self._clock() + 10 * (self._clock() - begun)
        return HTMLResponse(self._page_text)

    async def _faults(self, request: Request) -> Response:
        try:
            asked = json.loads(await request.body())
            hosted = self._hosted.get(str(asked.get("account"))) if isinstance(asked, dict) else None
            if hosted is None:
                return self._unknown(400)
            hosted.faults.update(asked, self._clock())
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(hosted.faults.active(self._clock()))

    async def _reset(self, request: Request) -> Response:
        for hosted in self._hosted.values():
            hosted.reset(self._clock())
        self._page_until = 0.0
        return JSONResponse({"reset": sorted(self._hosted)})

    async def _counters(self, request: Request) -> Response:
        return JSONResponse({name: hosted.counters(self._clock()) for name, hosted in self._hosted.items()})

    async def _feed(self, request: Request) -> Response:
        hosted, calendar = self._hosted.get(request.path_params["account"]), request.path_params["calendar"]
        if hosted is None:
            return self._unknown(404)
        now = self._clock()
        entries = [entry for entry in hosted.vendor.entries(now) if entry["calendar"] == calendar]
        return Response(feed(calendar, entries, now), media_type="text/calendar")

    def _of_account(self, read: Callable[[Hosted, float, Request], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            hosted = self._hosted.get(request.query_params.get("account", ""))
            if hosted is None:
                return self._unknown(404)
            return JSONResponse(read(hosted, self._clock(), request))

        return endpoint

    def _unknown(self, status: int) -> Response:
        return JSONResponse({"error": f"account is one of {', '.join(self._hosted)}"}, status)


def _writes(hosted: Hosted, now: float, request: Request) -> Any:
    hosted.vendor.items(now)  # what was due by now has happened
    return hosted.vendor.writes


def _homes(hosted: Hosted, now: float, request: Request) -> Any:
    hosted.vendor.items(now)  # what was due by now has happened
    return {key: sorted(calendars) for key, calendars in hosted.vendor.homes.items()}


def _arrivals(hosted: Hosted, now: float, request: Request) -> Any:
    since = float(request.query_params.get("since", 0))
    return [arrival for arrival in hosted.arrivals if arrival[0] >= since]


# HTTP


async def _body(receive: Receive) -> bytes | None:
    """The request's body, None when the client went away before its end."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


def _query(scope: Scope) -> tuple[tuple[str, str], ...]:
    text = scope["query_string"]
    return tuple(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else ()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _finish(answer: Answer | None, verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
    if answer is None:
        if verdict.lost == "hang":
            await receive()  # until the client goes away
        _abort(scope)
        return
    odd = verdict.odd if answer.status != 204 else None
    body = _oddly(answer.body, odd)
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    if answer.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if odd == "slow":
        await _dribble(body, receive, send)
    else:
        await send({"type": "http.response.body", "body": body})


def _oddly(body: bytes, odd: str | None) -> bytes:
    """A body with status and headers as they should be, but: cut off in the middle, far too long, or as it is."""
    match odd:
        case "malformed":
            return b'{"status": "200", "\xff' + body[: len(body) // 2]
        case "huge":
            return body + b" " * HUGE
        case "slow":
            return body or b" " * 10
        case _:
            return body


async def _dribble(body: bytes, receive: Receive, send: Send) -> None:
    """A byte a second, until the client has all or goes away."""
    gone = asyncio.ensure_future(receive())
    for place in range(len(body)):
        await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": place < len(body) - 1})
        done, _ = await asyncio.wait({gone}, timeout=DRIBBLE)
        if done:
            return
    gone.cancel()


def _abort(scope: Scope) -> None:
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is None:
        raise ConnectionAbortedError("the connection is closed without an answer, as asked")
    abort()


def app(accounts: Sequence[Account], seed: int = 0) -> ASGIApp:
    """The sandbox as an ASGI application, under any server."""
    return Sandbox(accounts, seed)


def _listen(host: str, port: int) -> tuple[socket.socket, str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}"


def _server(accounts: Sequence[Account], seed: int) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app(accounts, seed),
            http=Protocol,
            loop="uvloop",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="critical",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )


def serve(
    accounts: Sequence[Account],
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serves until SIGINT or SIGTERM; calls `ready` with the URL as soon as connections are taken."""
    listener, url = _listen(host, port)
    ready(url)
    _server(accounts, seed).run(sockets=[listener])


@contextmanager
def running(accounts: Sequence[Account], seed: int = 0) -> Iterator[str]:
    """A sandbox in a thread of its own on a free port; yields its URL."""
    listener, url = _listen("127.0.0.1", 0)
    server = _server(accounts, seed)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(10)
