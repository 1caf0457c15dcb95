"""How many calls the double takes when nothing but it is measured: far more than any contestant makes.

The load is made by bare sockets that send a request that is already made, so that the double is what limits it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvloop

from bench.double import Behaviour
from bench.surroundings import ACCOUNT, IN_FLIGHT, Double

CALLS = 60_000
BODY = b'{"name": "v1", "reference": "k%05d", "location": "Online", "notes": "' + b"." * 300 + b'"}'
HEAD = b"POST /apiv2/event?ecal_id=e HTTP/1.1\r\nhost: double\r\ncontent-length: %d\r\n\r\n"


def measure() -> dict[str, float]:
    double = Double(Behaviour())
    try:
        begun = time.monotonic()
        uvloop.run(_load(int(double.url.rsplit(":", 1)[-1])))
        seconds, seen = time.monotonic() - begun, double.counters(ACCOUNT)
    finally:
        double.close()
    assert seen["calls"] == CALLS
    return {"per_second": round(CALLS / seconds), "cpu_us": round(1e6 * seen["cpu"] / CALLS, 1)}


async def _load(port: int) -> None:
    await asyncio.gather(*(_one(port, first) for first in range(IN_FLIGHT)))


async def _one(port: int, first: int) -> None:
    """Every so-many-th call over one connection, each after the answer to the one before."""
    client = _Client()
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    for number in range(first, CALLS, IN_FLIGHT):
        body = BODY % (number % 100_000)
        await client.call(HEAD % len(body) + body)
    client.transport.close()


class _Client(asyncio.Protocol):
    """An answer of the double is one segment: whatever comes is an answer."""

    transport: Any
    _answered: asyncio.Future[None]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._answered.set_result(None)

    def call(self, request: bytes) -> asyncio.Future[None]:
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered


def table(found: dict[str, float]) -> str:
    second, each = f"{found['per_second']:,.0f}", f"{found['cpu_us']:g}"
    return f"The vendor's double alone takes {second} calls a second, at {each} µs of CPU each."
