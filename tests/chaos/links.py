"""The network between two parts, as a TCP proxy in this process: cut, silent or slow, for one worker or for all.

A part may be reached by its own port, unharmed. What a client gave up while the line was silent is never delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

import psutil

Weather = Literal["cut", "silent", "slow"]
METHODS = (b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"GET ")


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a line. `pids` are those it concerns; None: everybody."""

    weather: Weather
    seconds: float = 0.0
    """Of delay in each direction, where it is slow."""
    pids: frozenset[int] | None = None


@dataclass(frozen=True)
class Departure:
    """A request's first bytes, as they left a client."""

    at: float
    port: int
    method: str
    path: str


@dataclass
class Link:
    """One listening port that leads to another."""

    name: str
    port: int
    target: int = 0
    heard: Callable[[Departure], None] | None = None
    """Is told of HTTP requests."""
    trouble: Trouble | None = None
    _pairs: set[_Client] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", self.port, backlog=512)

    def close(self) -> None:
        self.reset()
        if self._server is not None:
            self._server.close()

    def reset(self) -> None:
        """Every connection ends at once."""
        for pair in list(self._pairs):
            pair.abort()

    @contextlib.contextmanager
    def suffering(self, trouble: Trouble) -> Iterator[None]:
        self.trouble = trouble
        mine = _ports(trouble.pids)
        for pair in list(self._pairs):
            pair.strike(mine)
        try:
            yield
        finally:
            self.trouble = None
            for pair in list(self._pairs):
                pair.heal()

    def trouble_of(self, port: int) -> Trouble | None:
        """What is wrong for a client that connects now from this port."""
        mine = _ports(self.trouble.pids) if self.trouble else None
        return self.trouble if mine is None or port in mine else None


def _ports(pids: Collection[int] | None) -> set[int] | None:
    """The local ports of these processes; None: all there are."""
    if pids is None:
        return None
    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found |= {each.laddr.port for each in psutil.Process(pid).net_connections("tcp4")}
    return found


class _Client(asyncio.Protocol):
    """The client's side of a connection, and what it has in common with the other side."""

    def __init__(self, link: Link) -> None:
        self.link, self.trouble, self.port = link, link.trouble, 0
        self.far: asyncio.WriteTransport | None = None
        self.near: asyncio.WriteTransport | None = None
        self.waiting: list[tuple[bytes, bool]] = []
        """What could not be passed on yet, and whether it goes to the far side."""
        self._slow: dict[bool, deque[tuple[float, bytes]]] = {True: deque(), False: deque()}
        """What is on its slow way, and when it arrives: to the far side, and to this one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.near, self.port = transport, transport.get_extra_info("peername")[1]
        self.trouble = self.link.trouble_of(self.port)
        if self.trouble and self.trouble.weather == "cut":
            transport.abort()
            return
        self.link._pairs.add(self)
        if not (self.trouble and self.trouble.weather == "silent"):
            self._connect()

    def _connect(self) -> None:
        task = asyncio.ensure_future(self._reach())
        task.add_done_callback(lambda ended: ended.exception())

    async def _reach(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Server(self), "127.0.0.1", self.link.target)
        except OSError:
            self.abort()

    def reached(self, transport: asyncio.WriteTransport) -> None:
        self.far = transport
        if self.near is None or self.near.is_closing():
            transport.abort()
        else:
            self._flush()

    def data_received(self, data: bytes) -> None:
        if self.link.heard is not None and data.startswith(METHODS):
            method, path = data.split(b" ", 2)[:2]
            self.link.heard(Departure(time.time(), self.port, method.decode(), path.decode("latin-1")))
        self.carry(data, True)

    def carry(self, data: bytes, outward: bool) -> None:
        trouble = self.trouble
        delay = trouble.seconds if trouble is not None and trouble.weather == "slow" else 0.0
        if (trouble is not None and trouble.weather == "silent") or (self.far is None and not delay):
            self.waiting.append((data, outward))
        elif delay or self._slow[outward]:  # what is first stays first, also once the line is quick again
            self._delay(data, outward, delay)
        else:
            self._write(data, outward)

    def _delay(self, data: bytes, outward: bool, seconds: float) -> None:
        loop, slow = asyncio.get_running_loop(), self._slow[outward]
        due = max(loop.time() + seconds, slow[-1][0] if slow else 0.0)
        slow.append((due, data))
        loop.call_at(due, self._arrive, outward)

    def _arrive(self, outward: bool) -> None:
        _, data = self._slow[outward].popleft()
        self._write(data, outward)

    def _write(self, data: bytes, outward: bool) -> None:
        side = self.far if outward else self.near
        if side is not None and not side.is_closing():
            side.write(data)

    def _flush(self) -> None:
        kept, self.waiting = self.waiting, []
        for data, outward in kept:
            self.carry(data, outward)

    def strike(self, ports: set[int] | None) -> None:
        if ports is None or self.port in ports:
            self.trouble = self.link.trouble
            if self.trouble and self.trouble.weather == "cut":
                self.abort()

    def heal(self) -> None:
        self.trouble = None
        if self.near is None or self.near.is_closing():
            return
        if self.far is None:
            self._connect()
        else:
            self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.waiting.clear()  # given up: nobody delivers it later
        self._end(self.far)

    def far_lost(self) -> None:
        self._end(self.near)

    def _end(self, other: asyncio.WriteTransport | None) -> None:
        self.link._pairs.discard(self)
        if other is not None and not other.is_closing():
            other.close()

    def abort(self) -> None:
        self.link._pairs.discard(self)
        for side in (self.near, self.far):
            if side is not None:
                side.abort()


class _Server(asyncio.Protocol):
    """The far side of a connection."""

    def __init__(self, client: _Client) -> None:
        self.client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.client.reached(transport)

    def data_received(self, data: bytes) -> None:
        self.client.carry(data, False)

    def connection_lost(self, error: Exception | None) -> None:
        self.client.far_lost()
