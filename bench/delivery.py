"""What a relay in Python does with one event: reads it, makes the call, waits for its turn, sends it, tries again.

The workers written by hand and the Python peers share it: what differs between them is who hands out the events.
It is imported in a peer's own environment too: nothing but the standard library, pydantic, aiolimiter and a client.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from aiolimiter import AsyncLimiter
from pydantic import BaseModel

VARIABLE = "RELAY"
"""The environment's variable that holds a relay's settings, as JSON."""
TIRED = 60
"""Tries after which an event is given up with an error; so many refusals in a row do not happen in a contest."""


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
    client: str
    """`httpx` or `aiohttp`: a worker by hand has the choice, a peer gets the faster one."""
    in_flight: int
    partitions: int
    calls: int
    seconds: float

    @classmethod
    def told(cls) -> Settings:
        return cls.model_validate_json(os.environ[VARIABLE])


Answer = tuple[int, Mapping[str, str]]
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]
"""Path, query and body; the status and the headers of the answer, once it was read."""
JSON = {"content-type": "application/json"}


class Delivery:
    """One POST an event, inside the quota; a 429 is tried again once its Retry-After is over."""

    def __init__(self, settings: Settings, post: Post) -> None:
        self._settings, self._post = settings, post
        self._turns = asyncio.Semaphore(settings.in_flight)
        self._limiter = AsyncLimiter(settings.calls, settings.seconds)

    async def __call__(self, value: bytes) -> None:
        event = Event.model_validate_json(value)
        body = json.dumps(entry(event.data)).encode()
        query = self._signed({"ecal_id": event.data.person}, body)
        for _ in range(TIRED):
            async with self._turns, self._limiter:
                status, headers = await self._post("/apiv2/event", query, body)
            if status < 300:
                return
            if status != 429:
                raise RuntimeError(f"the vendor answered {status}")
            await asyncio.sleep(float(headers.get("retry-after", "1")))
        raise RuntimeError(f"the vendor answered 429, {TIRED} times")

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
    import httpx  # a peer's environment has none

    async with httpx.AsyncClient(base_url=base_url) as client:

        async def post(path: str, query: Mapping[str, str], body: bytes) -> Answer:
            answer = await client.post(path, params=query, content=body, headers=JSON)
            return answer.status_code, answer.headers

        yield post


@asynccontextmanager
async def by_aiohttp(base_url: str) -> AsyncIterator[Post]:
    import aiohttp  # who measures httpx does not carry it

    async with aiohttp.ClientSession() as session:

        async def post(path: str, query: Mapping[str, str], body: bytes) -> Answer:
            async with session.post(base_url + path, params=query, data=body, headers=JSON) as answer:
                await answer.read()
                return answer.status, answer.headers

        yield post


@asynccontextmanager
async def delivery(settings: Settings) -> AsyncIterator[Delivery]:
    client = by_httpx if settings.client == "httpx" else by_aiohttp
    async with client(settings.base_url) as post:
        yield Delivery(settings, post)
