"""What vendors post to us, made durable in Kafka: each notice in a notification becomes a CloudEvent.

A post is answered with 200 only once Kafka holds all of it. Nobody is linked here: the worker does that, by rules, from
the topic. Neither a body nor a secret gets into a log line, a metric or an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.model.event import Undecodable, decode
from pipeline.model.wire import MAX_IDENTITY, Coordinates, Record
from pipeline.rules.linking import LINKED, SEEN, UNLINKED
from pipeline.stream import StreamError
from pipeline.telemetry import Telemetry
from pipeline.vendors.contract import Notice

SECRET_HEADER = "x-calends-secret"
MAX_BODY = 1 << 20
MAX_NOTICES = 1000
"""In one post: each becomes a record."""
MAX_ID = 200
"""Characters of the vendor's id of a notice; a longer one is none."""
AT_ONCE = 100
"""Posts: all that they hold is in memory."""
READ_WITHIN = 10.0
DURABLE_WITHIN = 5.0
"""Seconds; then the vendor had better try again than wait."""
RETRY_AFTER = 30
REMEMBERED = 10_000
REMEMBERED_FOR = 3600.0
"""Seconds: CalReply repeats for 30 minutes (Responding to a Webhook)."""

TYPES = {
    "linked": LINKED,
    "unlinked": UNLINKED,
    "seen": SEEN,
    "accepted": "calends.entry.accepted",
    "changed": "calends.entry.changed",
    "deleted": "calends.entry.deleted",
    "answered": "calends.entry.answered",
    "test": "calends.webhook.test",
}
STATUS = {"unknown": 404, "cut_off": 400, "unreadable": 400, "slow": 408, "too_large": 413, "busy": 503, "kafka": 503}
_HEADERS = (("content-type", b"application/cloudevents+json"),)


class Sender(Protocol):
    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Returns once the record is durable, raises StreamError where that is not sure."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A destination whose vendor posts to us."""

    destination: str
    read: Callable[[bytes], Sequence[Notice] | None]
    secret: Callable[[], str | None]
    """As it is now; None: it is not there, and nothing is taken."""


@dataclass(frozen=True, slots=True)
class Told:
    """One notice on its way to Kafka."""

    kind: str
    id: str = field(repr=False)
    key: bytes = field(repr=False)
    value: bytes = field(repr=False)


class _Refused(Exception):
    """The post is not taken; `reason` is one of STATUS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Inbound:
    """Takes the posts. `failed_at` is when Kafka last refused, by `monotonic`."""

    hooks: Mapping[str, Hook]
    topic: str
    sender: Sender
    telemetry: Telemetry
    wall: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    failed_at: float | None = None
    _under_way: int = 0
    _lately: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict, repr=False)
    _nobodys: str = field(default_factory=secrets.token_hex, repr=False)

    def page(self) -> Starlette:
        """`POST /{destination}/{secret}`, or `POST /{destination}` with the secret in a header; all else is a 404."""
        routes = [
            Route("/{destination}/{secret}", self.take, methods=["POST"]),
            Route("/{destination}", self.take, methods=["POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={404: _silent, 405: _silent})
        app.router.redirect_slashes = False  # a redirect would repeat the secret
        return app

    async def take(self, request: Request) -> Response:
        hook = self._hook(request)
        if hook is None:
            return self._refuse("", "unknown")
        if self._under_way >= AT_ONCE:
            return self._refuse(hook.destination, "busy")
        self._under_way += 1
        try:
            await self._publish(hook.destination, self._read(hook, await _body(request)))
        except _Refused as refused:
            return self._refuse(hook.destination, refused.reason)
        finally:
            self._under_way -= 1
        # 200, not 204: CalReply's pages ask for 2xx in one place and for 200 in another (Configuring Webhook Settings).
        return Response(status_code=200)

    def _hook(self, request: Request) -> Hook | None:
        """The destination that the address names, if the secret is its; in a time that tells neither."""
        hook = self.hooks.get(request.path_params["destination"])
        given = request.path_params.get("secret") or request.headers.get(SECRET_HEADER, "")
        wanted = (hook and hook.secret()) or self._nobodys
        return hook if hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()) else None

    def _read(self, hook: Hook, body: bytes) -> list[Told]:
        try:
            notices = hook.read(body)
            found = None if notices is None else told(hook.destination, notices, body, self.wall())
        except Undecodable as error:
            raise _Refused("too_large" if error.reason_code == "too_large" else "unreadable") from None
        except Exception as error:  # whatever is posted is at worst unreadable
            self.telemetry.loop_failed("webhooks", error)
            found = None
        if found is None:
            raise _Refused("unreadable")
        return found

    async def _publish(self, destination: str, notices: Sequence[Told]) -> None:
        """One after the other, so that a person's notices stay in order."""
        try:
            async with asyncio.timeout(DURABLE_WITHIN):
                for notice in notices:
                    await self._send(destination, notice)
        except (StreamError, TimeoutError) as error:
            code = error.code if isinstance(error, StreamError) else "timeout"
            if code == "MessageSizeTooLargeError":  # by the topic's own limit: again would be refused again
                raise _Refused("too_large") from None
            self.failed_at = self.monotonic()
            self.telemetry.waiting_for("kafka", code)
            raise _Refused("kafka") from None
        self.failed_at = None

    async def _send(self, destination: str, notice: Told) -> None:
        if self._repeated(destination, notice.id):
            self.telemetry.webhooks.repeated(destination)
            return
        await self.sender.send(self.topic, notice.key, notice.value, _HEADERS)
        self._lately[destination, notice.id] = self.monotonic()
        self.telemetry.webhooks.taken(destination, notice.kind)

    def _repeated(self, destination: str, id_: str) -> bool:
        """Whether this process published it of late. A courtesy: another process, or a new one, publishes it again."""
        forgotten = self.monotonic() - REMEMBERED_FOR
        while self._lately and (len(self._lately) > REMEMBERED or next(iter(self._lately.values())) < forgotten):
            self._lately.popitem(last=False)
        return (destination, id_) in self._lately

    def _refuse(self, destination: str, reason: str) -> Response:
        self.telemetry.webhooks.refused(destination, reason)
        later = {"retry-after": str(RETRY_AFTER)} if STATUS[reason] == 503 else {}
        return Response(status_code=STATUS[reason], headers=later)


def told(destination: str, notices: Sequence[Notice], body: bytes, now: datetime) -> list[Told]:
    """Each notice as a CloudEvent. Raises Undecodable where the worker could not read it."""
    # Without an id of the vendor's the body is one: a repeat has the same.
    own = hashlib.sha256(destination.encode() + b"\0" + body).hexdigest()
    if len(notices) > MAX_NOTICES:
        raise Undecodable("too_large", f"more than {MAX_NOTICES:,} notices")
    return [
        _told(destination, notice, f"{_id(notice, own)}-{number}" if number else _id(notice, own), now)
        for number, notice in enumerate(notices)
    ]


def _id(notice: Notice, own: str) -> str:
    """10,000 of them are remembered, so that one must not be as long as a body may be."""
    return notice.id if notice.id and len(notice.id) <= MAX_ID else own


def _told(destination: str, notice: Notice, id_: str, now: datetime) -> Told:
    if any(len(one or "") > MAX_IDENTITY for one in (notice.subscriber, notice.identity, notice.entry)):
        raise Undecodable("id_too_long", f"an id of more than {MAX_IDENTITY} characters")
    event = {
        "specversion": "1.0",
        "id": id_,
        "source": f"/calends/webhooks/{destination}",
        "type": TYPES[notice.kind],
        # When it was received: no vendor's page names a time that orders what happened to one person.
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "data": {
            "destination": destination,
            "subscriber": notice.subscriber,
            "identity": notice.identity,
            "entry": notice.entry,
            "notification": dict(notice.data),
        },
    }
    value = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    whose = notice.subscriber or notice.identity or notice.entry or ""
    key = f"{destination}/{whose}".encode("utf-8", "surrogatepass")
    decode(Record(Coordinates("", 0, 0), key, value, _HEADERS, now))
    return Told(notice.kind, id_, key, value)


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY:
                    raise _Refused("too_large")
    except TimeoutError:
        raise _Refused("slow") from None
    except ClientDisconnect:
        raise _Refused("cut_off") from None
    return bytes(body)


def _silent(_request: Request, _error: Exception) -> Response:
    return Response(status_code=404)
