"""The receiver of webhooks in process, with a vendor that is believed and a Kafka that does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from pipeline.inbound import Hook, Inbound
from pipeline.model.event import DomainEvent, decode
from pipeline.model.wire import Coordinates, Record
from pipeline.stream import StreamError
from pipeline.telemetry import Telemetry
from pipeline.vendors.contract import Notice

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = "a-secret-of-acme-only"
GOOD = f"/acme/{SECRET}"
LINKED = b'{"id": "n1", "kind": "linked", "subscriber": "C-7", "identity": "sub-1"}'


def read(body: bytes) -> Sequence[Notice] | None:
    """A vendor's reader that trusts what it is told: one notice, or a list of them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = value if isinstance(value, list) else [value]
    return [_notice(one) for one in found] if all(isinstance(one, dict) for one in found) else None


def _notice(one: dict[str, Any]) -> Notice:
    names = {name: one.get(name) for name in ("subscriber", "identity", "entry", "id")}
    return Notice(one.get("kind", "changed"), **names, data=one)


@dataclass
class Sender:
    """Kafka: keeps what is sent, once it may; `fails` with this code."""

    sent: list[tuple[str, bytes | None, dict[str, Any]]] = field(default_factory=list, repr=False)
    fails: str | None = None
    may: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may.set()

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        await self.may.wait()
        if self.fails:
            raise StreamError(self.fails)
        assert dict(headers) == {"content-type": b"application/cloudevents+json"}
        self.sent.append((topic, key, json.loads(value or b"")))


@dataclass
class Desk:
    inbound: Inbound
    sender: Sender
    clock: list[float]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.inbound.page())
        async with httpx.AsyncClient(transport=transport, base_url="http://webhooks") as client:
            yield client

    async def post(self, path: str, body: Any = LINKED, **options: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.post(path, content=body, **options)

    def figures(self) -> dict[str, float]:
        lines = self.inbound.telemetry.exposition()[0].decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("calends_w")}


def desk_of(secret: str | None = SECRET) -> Desk:
    clock, sender = [0.0], Sender()
    hooks = {name: Hook(name, read, lambda: secret) for name in ("acme", "other")}
    telemetry = Telemetry(b"k" * 32)
    telemetry.webhooks.declare(hooks)
    return Desk(Inbound(hooks, "inbound", sender, telemetry, lambda: NOW, lambda: clock[0]), sender, clock)


def decoded(value: bytes | None) -> DomainEvent:
    headers = (("content-type", b"application/cloudevents+json"),)
    return decode(Record(Coordinates("t", 0, 0), None, value, headers, NOW))
