"""What crosses a wire, as plain values: Kafka records, HTTP requests and responses, JSON, credentials.

Nothing here opens a connection. A `repr` never shows a secret, a query string or a body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from pipeline.model.framed import Parsed, Unreadable

Headers = tuple[tuple[str, str], ...]
KafkaHeaders = tuple[tuple[str, bytes | None], ...]
"""A name may come more than once; Kafka knows values that are null."""

MAX_DEPTH = 64
"""Of the JSON that strangers send, whether by Kafka, by webhook or as an answer."""
MAX_WAIT = 86_400.0
"""Seconds that a `Retry-After` can make us wait."""
MAX_IDENTITY = 500
"""Characters of a subscriber, and of who that is at a vendor, whether a rule says it or a webhook."""
Sent = Literal["never", "lost", "answered"]
"""Whether a call has reached its vendor. `lost`: bytes have left, no answer came, and it may still be on its way."""
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""The name of a topic, as Kafka has them."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True, order=True)
class Coordinates:
    """Where a record lies in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came: bytes untouched, `timestamp` with a zone."""

    at: Coordinates
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: KafkaHeaders = field(repr=False)
    timestamp: datetime
    content: Parsed | Unreadable | None = field(default=None, repr=False, compare=False)
    """What a schema registry made of a framed value; None: nobody asked it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a vendor. `path` is relative to the account's base URL; `body` is sent byte for byte."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def with_headers(self, *headers: tuple[str, str]) -> Request:
        return Request(self.method, self.path, self.query, (*self.headers, *headers), self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def retry_after(self, now: datetime) -> float | None:
        """Seconds that `Retry-After` asks for (RFC 9110: seconds or an HTTP date), None without a readable one.

        A date is the server's, and so is that of the answer, from which it counts: our clock may be wrong. `now` is for
        an answer without one.
        """
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), MAX_WAIT)
        try:
            return min(max((parsedate_to_datetime(text) - self._answered(now)).total_seconds(), 0.0), MAX_WAIT)
        except (ValueError, TypeError, OverflowError):
            return None

    def _answered(self, now: datetime) -> datetime:
        """When, by the server's own clock; `now` where it does not say."""
        try:
            date = parsedate_to_datetime(self.headers.get("date", ""))
        except (ValueError, TypeError, OverflowError):
            return now
        return now if date.tzinfo is None else date


class TooDeep(ValueError):
    """JSON that is nested more than MAX_DEPTH deep."""


def levels(value: Any) -> Iterator[list[Any]]:
    """The names and scalars of each level of a JSON value, outermost first; raises TooDeep.

    Iterative, for the depth is the sender's choice.
    """
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        scalars: list[Any] = []
        deeper: list[Any] = []
        for member in level:
            if isinstance(member, dict):
                scalars += member.keys()
                deeper += member.values()
            elif isinstance(member, list):
                deeper += member
            else:
                scalars.append(member)
        yield scalars
        if not deeper:
            return
        level = deeper
    raise TooDeep


def json_of(body: bytes | str) -> Any:
    """The JSON value that a stranger sent, None where it is none, or too deep."""
    try:
        value = json.loads(body)
        for _ in levels(value):
            pass
    except (ValueError, RecursionError):
        return None
    return value


def json_or_text(text: str, constant: Callable[[str], Any] | None = None) -> Any:
    """The JSON value of a text; the text itself where it is none, or too deep, or `constant` raises ValueError at the
    names of numbers that JSON does not have."""
    try:
        value = json.loads(text, parse_constant=constant)
        for _ in levels(value):
            pass
    except (ValueError, RecursionError):
        return text
    return value


def object_of(body: bytes | str) -> dict[str, Any]:
    """The JSON object that a stranger sent, an empty one where it is none."""
    value = json_of(body)
    return value if isinstance(value, dict) else {}


def id_of(value: Any) -> str | None:
    """An id that a vendor gives out: a text of 1 to 200 letters, digits, `_` and `-`, or a whole number from 1 to
    2^63-1. None for anything else: it is kept, printed and put into addresses."""
    if type(value) is int:
        return str(value) if 0 < value < 1 << 63 else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def json_request(method: str, path: str, body: Mapping[str, Any], query: tuple[tuple[str, str], ...] = ()) -> Request:
    """A request that carries JSON: without spaces, and in UTF-8 as it is."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Request(method, path, query, (("content-type", "application/json"),), text.encode())


class SecretMissing(KeyError):
    """A part of a credential cannot be read now. `why`: where it is looked for and what to do, never what is there."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name)
        self.name = name
        self.why = why


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves who we are: names as the vendor's folder declares them, values secret."""

    values: Mapping[str, str] = field(repr=False)
    missing: Mapping[str, str] = field(default_factory=dict)
    """Of those that are not there: in which file or variable they are looked for, and what to do."""

    def __getitem__(self, name: str) -> str:
        """Raises SecretMissing."""
        if name not in self.values:
            raise SecretMissing(name, self.missing.get(name, "it is not in the settings: add it"))
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and, where the vendor gives one, the refresh token that renews it once."""

    access: str = field(repr=False)
    lives: float
    """Seconds it lives from the moment the request for it was sent."""
    refresh: str | None = field(default=None, repr=False)
