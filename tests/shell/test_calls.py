"""What a `Caller` says of a call, against a real server on loopback."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop

from pipeline.calls import BODY_LIMIT, Caller, CallFailed
from pipeline.concurrency import Concurrency
from pipeline.model.wire import Request, Response

Answer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """The base URL, and the requests as they came, head and body."""
    seen: list[bytes] = []
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [
                    line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                ]
                body = await reader.readexactly(int(length[0])) if length else b""
                seen.append(head + body)
                await answer(head, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", seen
    finally:
        listening.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def says(text: bytes) -> Answer:
    async def answer(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)

    return answer


OK = says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Quota-Left: 7\r\n\r\n{}")


async def one(base: str, request: Request, timeout: float = 2.0, check: Callable[[], bool] | None = None) -> object:
    caller = Caller(base, concurrency=Concurrency(2, 2), timeout=timeout)
    try:
        return await caller.send(request, check)
    finally:
        await caller.close()


async def test_an_answer_comes_whole_with_lower_case_headers() -> None:
    async with server(OK) as (base, _):
        answer = await one(base, Request("GET", "/events"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body, answer.headers["x-quota-left"]) == (200, b"{}", "7")


async def test_query_and_body_arrive_as_given() -> None:
    async with server(OK) as (base, seen):
        query = (("b", "x y+z&=%41/é"), ("a", ""))
        await one(base + "/v1/", Request("POST", "/events", query, (("X-Key", "k"),), b'{"a" :1}'))
    head, body = seen[0].split(b"\r\n\r\n")
    assert body == b'{"a" :1}'
    assert head.split(b"\r\n")[0] == b"POST /v1/events?b=x%20y%2Bz%26%3D%2541/%C3%A9&a= HTTP/1.1"
    assert b"content-type: application/json" in head.lower()
    assert b"x-key: k" in head.lower()


async def test_a_content_type_given_is_kept() -> None:
    async with server(OK) as (base, seen):
        await one(base, Request("PATCH", "/", headers=(("Content-Type", "text/plain"),), body=b"x"))
    assert seen[0].lower().count(b"content-type") == 1
    assert b"text/plain" in seen[0]


async def test_a_refused_connection_was_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert await one(f"http://127.0.0.1:{port}", Request("GET", "/")) == CallFailed("not_sent", "refused")


async def test_an_unknown_host_was_not_sent() -> None:
    answer = await one("http://no-such-host.invalid", Request("GET", "/"))
    assert isinstance(answer, CallFailed)
    assert answer.kind == "not_sent"


async def test_a_handshake_that_never_ends_was_not_sent() -> None:
    async with server(OK) as (base, _):  # it waits for a line of HTTP that does not come
        answer = await one(base.replace("http:", "https:"), Request("POST", "/", body=b"x"), timeout=4)
    assert answer == CallFailed("not_sent", "connect_timeout")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_a_connection_that_closes_unanswered_is_unknown_and_never_repeated(method: str) -> None:
    calls = 0

    async def first_then_close(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.close()

    async with server(first_then_close) as (base, seen):
        caller = Caller(base, concurrency=Concurrency(1, 1), timeout=2)
        await caller.send(Request("GET", "/"))
        answer = await caller.send(Request(method, "/"))
        await caller.close()
    assert answer == CallFailed("unknown", "reset")
    assert len(seen) == 2


async def test_an_answer_cut_off_is_unknown() -> None:
    async def cut(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()

    async with server(cut) as (base, _):
        assert await one(base, Request("POST", "/", body=b"x")) == CallFailed("unknown", "reset")


async def test_a_slow_answer_is_unknown_after_the_time_out_of_the_whole_call() -> None:
    async def drip(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(drip) as (base, _):
        assert await one(base, Request("POST", "/", body=b"x"), timeout=3) == CallFailed("unknown", "timeout")


async def test_a_huge_body_is_unknown() -> None:
    huge = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1) + b"x" * (BODY_LIMIT + 1)
    async with server(says(huge)) as (base, _):
        assert await one(base, Request("GET", "/")) == CallFailed("unknown", "too_large")


async def test_what_is_not_http_is_unknown() -> None:
    async with server(says(b"SSH-2.0-x\r\n\r\n")) as (base, _):
        answer = await one(base, Request("GET", "/"))
    assert isinstance(answer, CallFailed)
    assert answer.kind == "unknown"


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with server(says(redirect)) as (base, seen):
        answer = await one(base, Request("GET", "/"))
    assert isinstance(answer, Response)
    assert (answer.status, len(seen)) == (302, 1)


async def test_cookies_are_not_kept() -> None:
    async with server(says(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")) as (base, seen):
        caller = Caller(base, concurrency=Concurrency(1, 1), timeout=2)
        await caller.send(Request("GET", "/"))
        await caller.send(Request("GET", "/"))
        await caller.close()
    assert b"cookie" not in seen[1].lower()


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with server(OK) as (base, _):
        assert isinstance(await one(base, Request("GET", "/")), Response)


async def test_a_call_whose_time_has_passed_sends_nothing_and_keeps_the_connection() -> None:
    async with server(OK) as (base, seen):
        caller = Caller(base, concurrency=Concurrency(1, 1), timeout=2)
        late = await caller.send(Request("POST", "/", body=b"x"), lambda: False)
        again = await caller.send(Request("GET", "/"), lambda: True)
        await caller.close()
    assert late == CallFailed("too_late", "too_late")
    assert isinstance(again, Response)
    assert len(seen) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_call_whose_time_passes_between_the_connection_and_its_first_byte_sends_nothing(method: str) -> None:
    """As where the process is frozen just there: for longer than a lease, somebody else has made the call by then."""
    looks = iter([True])
    async with server(OK) as (base, seen):
        caller = Caller(base, concurrency=Concurrency(1, 1), timeout=2)
        late = await caller.send(Request(method, "/", body=b"x"), lambda: next(looks, False))
        again = await caller.send(Request("POST", "/", body=b"{}"), lambda: True)
        await caller.close()
    assert late == CallFailed("too_late", "too_late")
    assert isinstance(again, Response)
    assert [one.splitlines()[0] for one in seen] == [b"POST / HTTP/1.1"]


async def test_the_clock_is_looked_at_after_the_wait_for_a_turn() -> None:
    release = asyncio.Event()
    order: list[str] = []

    async def slow(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        order.append("answered")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def look() -> bool:
        order.append("looked")
        return True

    async with server(slow) as (base, _):
        caller = Caller(base, concurrency=Concurrency(1, 1), timeout=2)
        first = asyncio.create_task(caller.send(Request("GET", "/")))
        second = asyncio.create_task(caller.send(Request("GET", "/"), look))
        await asyncio.sleep(0.05)
        release.set()
        await asyncio.gather(first, second)
        await caller.close()
    assert order[:2] == ["answered", "looked"]


async def test_a_header_with_a_line_break_is_not_sent() -> None:
    answer = await one("http://127.0.0.1:9", Request("GET", "/", headers=(("X", "a\r\nY: b"),)))
    assert answer == CallFailed("not_sent", "invalid_request")


async def test_no_query_string_reaches_a_log_or_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    request = Request("GET", "/", (("apiSign", "s3cret"),), (("authorization", "s3cret"),))
    answers: list[Answer] = [
        OK,
        says(b"garbage\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nSet-Cookie: =;=\r\nContent-Length: 0\r\n\r\n"),
    ]
    for answer in answers:
        async with server(answer) as (base, _):
            said.append(repr(await one(base, request)))
    said.append(repr(await one("http://127.0.0.1:9", request)))
    said.append(repr(Caller("http://s3cret@h", Concurrency(1, 1), 1)) + repr(request))
    assert "s3cret" not in "".join(said) + caplog.text


async def test_a_cancelled_call_gives_its_turn_back() -> None:
    arrived = asyncio.Event()

    async def never(_head: bytes, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with server(never) as (base, _):
        caller = Caller(base, concurrency=Concurrency(1, 1), timeout=0.3)
        call = asyncio.create_task(caller.send(Request("GET", "/")))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await caller.send(Request("GET", "/")) == CallFailed("unknown", "timeout")
        await caller.close()


def answers_while(listener: socket.socket, meanwhile: Callable[[threading.Event], object]) -> None:
    """Serves one call from a thread: the answer leaves once `meanwhile`, told of what is set then, has begun."""
    answered = threading.Event()
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        meanwhile(answered)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        answered.set()
        connection.recv(1)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_came_while_this_process_stood_still_is_read(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    timeout = 1.0

    async def send(listener: socket.socket) -> object:
        loop = asyncio.get_running_loop()

        def stand_still(answered: threading.Event) -> None:
            began.set()
            assert answered.wait(30)
            time.sleep(timeout * 1.5)

        def meanwhile(answered: threading.Event) -> None:
            loop.call_soon_threadsafe(stand_still, answered)
            assert began.wait(30)

        began = threading.Event()
        serving = loop.run_in_executor(None, answers_while, listener, meanwhile)
        answer = await one(f"http://127.0.0.1:{listener.getsockname()[1]}", Request("GET", "/"), timeout)
        await serving
        return answer

    with socket.create_server(("127.0.0.1", 0)) as listener, asyncio.Runner(loop_factory=new_loop) as runner:
        answer = runner.run(send(listener))
    assert isinstance(answer, Response)
