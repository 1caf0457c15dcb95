"""A vendor that is never the bottleneck: it answers each write as ECAL or Apptoto does, and counts. Nothing is checked.

A process of its own, on uvloop's bare protocol. `python -m bench vendor` says how many calls it takes; each run says
what share of a core it was busy.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
ENTRIES = {
    "ecal": re.compile(rb'"(name|reference)": *"([^"]*)"'),
    "apptoto": re.compile(rb'"(title|external_id)": *"([^"]*)"'),
}
"""Of each vendor, where a body has the title and the key of an entry, in whichever order."""
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Behaviour:
    latency: float = 0.0
    """Seconds that it waits before it answers."""
    at_once: int = 1024
    """Calls that it answers together; later ones wait for their turn."""
    calls: int = 0
    """What it takes in any window of `seconds`; the others get 429. 0: no limit."""
    seconds: float = 1.0
    final: str = "v1"
    """The title of an entry that is current."""
    vendor: str = "ecal"


@dataclass(slots=True)
class Seen:
    """What came. A call that is refused changes no entry; a key is current while its newest title is the final one."""

    final: bytes
    entries: re.Pattern[bytes]
    calls: int = 0
    refused: int = 0
    early: int = 0
    """Calls that came before a Retry-After was over."""
    deliveries: int = 0
    titles: dict[bytes, bytes] = field(default_factory=dict)
    current: int = 0
    current_at: float | None = None
    first: float | None = None
    last: float | None = None
    under_way: int = 0
    most: int = 0

    def came(self) -> float:
        self.calls += 1
        self.last = time.time()
        self.first = self.first or self.last
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return self.last

    def took(self, path: bytes, body: bytes, now: float) -> list[bytes]:
        """The keys of the entries in it. ECAL's update has its key in the path: the double's ids are the keys."""
        found = self.entries.findall(body)
        titles = [value for name, value in found if name in (b"name", b"title")]
        keys = [value for name, value in found if name in (b"reference", b"external_id")]
        keys = keys or [path.rpartition(b"/")[2]]
        for key, title in zip(keys, titles, strict=True):
            change = (title == self.final) - (self.titles.get(key) == self.final)
            self.titles[key] = title
            self.current += change
            self.current_at = now if change else self.current_at
        self.deliveries += len(keys)
        return keys

    def counters(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "refused": self.refused,
            "early": self.early,
            "deliveries": self.deliveries,
            "items": len(self.titles),
            "current": self.current,
            "current_at": self.current_at,
            "first_arrival": self.first,
            "last_arrival": self.last,
            "most_in_flight": self.most,
            "cpu": time.process_time(),
        }


@dataclass(slots=True)
class Quota:
    """So many calls in any window; a refused one takes none."""

    calls: int
    seconds: float
    taken: deque[float] = field(default_factory=deque)
    closed_until: float = 0.0

    def wait(self, now: float) -> int:
        """Whole seconds until there is room, as Retry-After says them; 0: the call is taken."""
        if not self.calls:
            return 0
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        if len(self.taken) < self.calls:
            self.taken.append(now)
            return 0
        wait = math.ceil(self.taken[0] + self.seconds - now)
        self.closed_until = max(self.closed_until, now + wait)
        return wait


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
    def __init__(self, seen: Seen, desk: Desk, quota: Quota) -> None:
        self._seen, self._desk, self._quota = seen, desk, quota
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
            self._say(json.dumps(self._seen.counters()).encode())
        elif request.startswith(b"GET"):  # a probe
            self._say(b'{"status": 200, "data": []}')
        else:
            self._desk.take(partial(self._end, self._judge(request, head)))

    def _judge(self, request: bytes, head: int) -> tuple[bytes, bytes]:
        """The status with its headers, and the body, of the answer to a write."""
        seen, now = self._seen, self._seen.came()
        seen.early += now < self._quota.closed_until
        if wait := self._quota.wait(now):
            seen.refused += 1
            return b"429 Too Many Requests\r\nretry-after: %d" % wait, b'{"status": 429}'
        path = request[: request.index(b" HTTP/")].partition(b" ")[2].partition(b"?")[0]
        keys = seen.took(path, request[head:], now)
        if path.endswith(b"/v1/events"):
            stored = (b'{"id": %d, "external_id": "%s"}' % (n, key) for n, key in enumerate(keys, seen.deliveries))
            return b"200 OK", b'{"events": [%s]}' % b", ".join(stored)
        return b"200 OK", b'{"status": 200, "eventId": "%s"}' % keys[0]

    def _end(self, answer: tuple[bytes, bytes]) -> None:
        self._seen.under_way -= 1
        status, body = answer
        self._say(body, status)

    def _say(self, body: bytes, status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


async def _serve(told: Behaviour) -> None:
    seen, desk = Seen(told.final.encode(), ENTRIES[told.vendor]), Desk(told.latency, told.at_once)
    quota = Quota(told.calls, told.seconds)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(seen, desk, quota), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(Behaviour(**json.loads(sys.argv[1]))))
