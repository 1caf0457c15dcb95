"""A vendor that is never the bottleneck: it answers each write as ECAL does, and counts. Nothing is checked or kept.

A process of its own, on uvloop's bare protocol. `latency` is what it waits before it answers, in seconds; of more calls
than `at_once` the later ones wait for their turn.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_REFERENCE = re.compile(rb'"reference": *"([^"]*)"')
_HEAD_END = b"\r\n\r\n"


class Double:
    """The process, in the place of a test's sandbox: `url`, `counters`, `close`."""

    def __init__(self, latency: float = 0.0, at_once: int = 1024) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.double", str(latency), str(at_once)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def counters(self, _account: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + "/_counters", timeout=30) as answer:
            return dict(json.load(answer))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(slots=True)
class Seen:
    calls: int = 0
    keys: set[bytes] = field(default_factory=set)
    first: float | None = None
    last: float | None = None
    under_way: int = 0
    most: int = 0

    def came(self, body: bytes) -> None:
        self.calls += 1
        found = _REFERENCE.search(body)
        self.keys.add(found.group(1) if found else b"")
        self.last = time.time()
        self.first = self.first or self.last
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    def counters(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "items": len(self.keys),
            "by_status": {"200": self.calls},
            "first_arrival": self.first,
            "last_arrival": self.last,
            "most_in_flight": self.most,
            "cpu": time.process_time(),
        }


@dataclass(slots=True)
class Desk:
    """Where answers take their time: `at_once` together, the others in their order."""

    latency: float
    at_once: int
    taken: int = 0
    waiting: deque[Callable[[], None]] = field(default_factory=deque)

    def take(self, answer: Callable[[], None]) -> None:
        if not self.latency:
            answer()
        elif self.taken < self.at_once:
            self.taken += 1
            asyncio.get_running_loop().call_later(self.latency, self._end, answer)
        else:
            self.waiting.append(answer)

    def _end(self, answer: Callable[[], None]) -> None:
        answer()
        self.taken -= 1
        if self.waiting:
            self.take(self.waiting.popleft())


class Connection(asyncio.Protocol):
    def __init__(self, seen: Seen, desk: Desk) -> None:
        self._seen, self._desk = seen, desk
        self._came = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        while (head := self._came.find(_HEAD_END)) >= 0:
            length = _LENGTH.search(self._came, 0, head)
            end = head + len(_HEAD_END) + (int(length.group(1)) if length else 0)
            if len(self._came) < end:
                return
            request, self._came = self._came[:end], self._came[end:]
            self._answer(request, head)

    def _answer(self, request: bytes, head: int) -> None:
        if request.startswith(b"GET /_counters"):
            return self._say(json.dumps(self._seen.counters()).encode())
        if request.startswith(b"GET"):  # a probe
            return self._say(b'{"status": 200, "data": []}')
        self._seen.came(request[head:])
        answer = b'{"status": 200, "eventId": "e%d"}' % self._seen.calls
        self._desk.take(partial(self._end, answer))
        return None

    def _end(self, answer: bytes) -> None:
        self._seen.under_way -= 1
        self._say(answer)

    def _say(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


async def _serve(latency: float, at_once: int) -> None:
    seen, desk = Seen(), Desk(latency, at_once)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(seen, desk), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1]), int(sys.argv[2])))
