"""The network between the parts does what it is told, and to whom."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator

import pytest

from tests.chaos.links import Departure, Link, Trouble
from tests.services.processes import free_ports


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(100):
            writer.write(data)
    await ended(writer)


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    (port,) = free_ports(1)
    made = Link("echo", port, server.sockets[0].getsockname()[1])
    await made.open()
    yield made
    made.close()
    server.close()
    await asyncio.sleep(0.05)  # the echoes hear of it


async def said(link: Link, seconds: float = 0.3) -> bytes:
    """What comes back of a word, on a new connection; nothing where it is cut or takes too long."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        writer.write(b"word")
        return await asyncio.wait_for(reader.read(100), seconds)
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        await ended(writer)


async def test_a_line_carries_what_is_said(link: Link) -> None:
    assert await said(link, 10) == b"word"


async def test_a_cut_line_ends_at_once_and_a_silent_one_says_nothing_until_it_heals(link: Link) -> None:
    with link.suffering(Trouble("cut")):
        assert await said(link, 10) == b""
    with link.suffering(Trouble("silent")):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"word")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(100), 0.2)
    assert await asyncio.wait_for(reader.read(100), 10) == b"word"
    await ended(writer)


async def test_a_slow_line_takes_its_time_in_both_directions(link: Link) -> None:
    with link.suffering(Trouble("slow", 0.1)):
        began = time.monotonic()
        assert await said(link, 10) == b"word"
    assert time.monotonic() - began >= 0.2


async def test_what_is_said_after_a_slow_word_stays_behind_it(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"word")
    assert await asyncio.wait_for(reader.readexactly(4), 10) == b"word"
    with link.suffering(Trouble("slow", 0.1)):
        writer.write(b"one ")
        await asyncio.sleep(0.05)
    writer.write(b"two ")
    asyncio.get_running_loop().call_soon(time.sleep, 0.2)  # whoever carries them is busy: both are due
    assert await asyncio.wait_for(reader.readexactly(8), 10) == b"one two "
    await ended(writer)


async def test_trouble_of_one_process_is_not_that_of_another(link: Link) -> None:
    with link.suffering(Trouble("cut", pids=frozenset({os.getppid()}))):
        assert await said(link, 10) == b"word"
    with link.suffering(Trouble("cut", pids=frozenset({os.getpid()}))):
        assert await said(link, 10) == b""


async def test_requests_are_heard_as_they_leave(link: Link) -> None:
    heard: list[Departure] = []
    link.heard = heard.append
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"PUT /ecal/event/1 HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(reader.read(100), 10)
    await ended(writer)
    assert [(one.method, one.path) for one in heard] == [("PUT", "/ecal/event/1")]
