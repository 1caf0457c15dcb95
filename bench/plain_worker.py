"""The worker that most would write: each event one call, the offset committed after the batch. No ledger.

It is what Calends is measured against, so it is written with care and with what the libraries offer as they come. It
has no retry, no order by key, no dead letters, and after a crash it repeats what it had not committed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import aiohttp
import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiolimiter import AsyncLimiter
from pydantic import BaseModel


class Appointment(BaseModel):
    key: str
    title: str
    person: str
    start: datetime
    end: datetime


class Event(BaseModel):
    id: str
    type: str
    time: datetime
    data: Appointment


class Settings(BaseModel):
    bootstrap: str
    topic: str
    group: str
    base_url: str
    api_key: str
    api_secret: str
    client: Literal["httpx", "aiohttp"]
    in_flight: int
    calls: int
    seconds: float


Post = Callable[[str, Mapping[str, str], bytes], Awaitable[None]]
"""Path, query and body; raises unless the answer is good."""
JSON = {"content-type": "application/json"}


class Worker:
    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings, self._post = settings, post
        self._turns = asyncio.Semaphore(settings.in_flight)
        self._limiter = AsyncLimiter(settings.calls, settings.seconds)

    async def run(self) -> None:
        consumer = AIOKafkaConsumer(
            self._settings.topic,
            bootstrap_servers=self._settings.bootstrap,
            group_id=self._settings.group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            while True:
                batches = await consumer.getmany(timeout_ms=200, max_records=500)
                records = [record for batch in batches.values() for record in batch]
                if records:
                    await asyncio.gather(*map(self._deliver, records))
                    await consumer.commit()
        finally:
            await consumer.stop()

    async def _deliver(self, record: ConsumerRecord) -> None:
        event = Event.model_validate_json(record.value)
        async with self._turns, self._limiter:
            body = json.dumps(entry(event.data)).encode()
            await self._post("/apiv2/event", self._signed({"ecal_id": event.data.person}, body), body)

    def _signed(self, query: dict[str, str], body: bytes) -> dict[str, str]:
        query = {**query, "apiKey": self._settings.api_key}
        text = self._settings.api_secret + "".join(name + query[name] for name in sorted(query))
        return {**query, "apiSign": hashlib.md5(text.encode() + body).hexdigest()}


def entry(appointment: Appointment) -> dict[str, object]:
    """The same POST that Calends makes of this event."""
    return {
        "type": "private",
        "name": appointment.title,
        "location": "Online",
        "startDate": f"{appointment.start:%Y-%m-%d}",
        "startTime": f"{appointment.start:%H:%M}",
        "endDate": f"{appointment.end:%Y-%m-%d}",
        "endTime": f"{appointment.end:%H:%M}",
        "allDay": "no",
        "timezone": "Europe/Paris",
        "draft": 0,
        "reference": appointment.key,
    }


@asynccontextmanager
async def by_httpx(base_url: str) -> AsyncIterator[Post]:
    async with httpx.AsyncClient(base_url=base_url) as client:

        async def post(path: str, query: Mapping[str, str], body: bytes) -> None:
            answer = await client.post(path, params=query, content=body, headers=JSON)
            answer.raise_for_status()

        yield post


@asynccontextmanager
async def by_aiohttp(base_url: str) -> AsyncIterator[Post]:
    async with aiohttp.ClientSession() as session:

        async def post(path: str, query: Mapping[str, str], body: bytes) -> None:
            async with session.post(base_url + path, params=query, data=body, headers=JSON) as answer:
                answer.raise_for_status()
                await answer.read()

        yield post


async def main() -> None:
    settings = Settings.model_validate_json(os.environ["PLAIN_WORKER"])
    client = by_httpx if settings.client == "httpx" else by_aiohttp
    async with client(settings.base_url) as post:
        await Worker(settings, post).run()


if __name__ == "__main__":
    asyncio.run(main())
