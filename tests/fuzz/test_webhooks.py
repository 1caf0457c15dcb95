"""Whatever is posted: an answer of a few words, nothing told of it, and in Kafka only what the worker can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.inbound import MAX_BODY, MAX_ID, STATUS, Hook, Inbound
from pipeline.model.event import decode
from pipeline.model.wire import MAX_IDENTITY, Coordinates, Record
from pipeline.vendors import vendors
from pipeline.vendors.contract import Notice
from tests.fuzz.planted import JSON, PERSON, SECRET, TEXTS, assert_shows_nothing, tries, watched

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
READERS = {vendor.name: vendor.inbound for vendor in vendors().values() if vendor.inbound}
NAMES = st.sampled_from(
    ("eventId", "eventType", "eventDetails", "EVENTTYPE", "subscription", "subscriptionEvent", "calendarSubscriptionId",
     "subscriberExternalId", "message", "date", "ecalId", "ecal_id", "email", "trigger", "event", "appointment", "id",
     "external_id", "is_deleted", "participant", "state", "prokey", "name", "timestamp", "rsvp", "type", "data",
     "start_time")
)  # fmt: skip
WORDS = st.sampled_from(
    ("Subscribe", "unsubscribe", "Test", "SubscriptionDetailsUpdated", "subscriptionEventDeleted", "event created",
     "appointment cancelled", "x" * 5000, "s-1", PERSON)
)  # fmt: skip
SHAPED = st.recursive(
    JSON | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=6),
    max_leaves=15,
)
BODIES = st.one_of(
    SHAPED.map(lambda value: json.dumps(value).encode()),
    SHAPED.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.fixed_dictionaries({"eventType": WORDS, "eventId": TEXTS | WORDS, "eventDetails": SHAPED}).map(
        lambda value: json.dumps(value).encode()
    ),
    st.binary(max_size=60),
    st.sampled_from(
        (b"", b"null", b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900, b'{"ecalId": "' + b"x" * MAX_BODY + b'"}',
         b'{"ecalId": "' + b"x" * (MAX_BODY - 100) + b'"}', b'{"ecalId": "' + b"x" * 300_000 + b'"}',
         b'{"ecalId": "\\ud800"}', b'{"ecalId": "\\u0000"}',
         b'{"ecalId": "a", "n": 1e999}', b'{"ecalId": "a", "n": NaN}', "{}".encode("utf-16"))
    ),
)  # fmt: skip
PATHS = st.sampled_from(
    ("/ecal/" + SECRET, "/calreply/" + SECRET, "/apptoto/" + SECRET, "/add_to_calendar_pro/" + SECRET, "/ecal", "/", "",
     "//", "/ecal//", "/../etc/passwd", f"/ecal/{SECRET}x", f"/ecal/{SECRET}/", "/ecal/\ud800", "/\0/\0", "/ecal/é",
     "/x" * 5000)
) | st.text(max_size=20).map("/".__add__)  # fmt: skip
HEADERS = st.lists(
    st.tuples(
        st.sampled_from((b"x-calends-secret", b"content-length", b"content-type", b"host", b"expect", b"\xff", b"")),
        st.sampled_from((SECRET.encode(), b"", b"\xff\xfe", b"-1", b"9" * 5000, b"application/xml", b"x" * 70_000)),
    ),
    max_size=4,
)
METHODS = st.sampled_from(("POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD", "X" * 100, ""))


@dataclass
class Kafka:
    """Keeps what is sent, as its topic would."""

    sent: list[tuple[bytes | None, bytes]] = field(default_factory=list)

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        record = Record(Coordinates(topic, 0, 0), key, value, tuple(headers), NOW)
        assert decode(record).type.startswith("calends.")
        self.sent.append((key, value or b""))


async def posted(inbound: Inbound, scope: dict[str, Any], body: bytes) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    parts = [body[:1000], body[1000:]]
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        part = parts.pop(0) if parts else b""
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        told.append(message)

    await inbound.page()(scope, receive, send)
    content = b"".join(part.get("body", b"") for part in told[1:])
    return told[0]["status"], content, told[0].get("headers", [])


@given(METHODS, PATHS, HEADERS, BODIES, st.binary(max_size=20))
@example("POST", "/ecal/\ud800", [], b"", b"")
@example("POST", f"/ecal/{SECRET}", [], b'{"ecalId": "' + b"x" * 300_000 + b'"}', b"")
@tries(120)
def test_a_post_is_answered_and_nothing_of_it_is_told(
    method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes, query: bytes
) -> None:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode("utf-8", "replace"), "root_path": "", "query_string": query,
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    kafka = Kafka()
    with watched() as watch:
        hooks = {name: Hook(name, read, lambda: SECRET) for name, read in READERS.items() if read}
        inbound = Inbound(hooks, "inbound", kafka, watch.telemetry, lambda: NOW)
        status, content, answered = asyncio.run(posted(inbound, scope, body))
        told = watch.told()
    assert status in {200, *STATUS.values()}
    assert (content, len(answered) < 5) == (b"", True)
    assert_shows_nothing(told, answered, inbound)
    assert "loop failed" not in told
    assert all(len(key or b"") < 70_000 for key, _ in kafka.sent)


@pytest.mark.parametrize("name", READERS)
@given(body=BODIES)
@example(body=b'{"eventType": "Test", "eventId": "' + PERSON.encode() + b'", "eventDetails": []}')
@tries(40)
def test_a_body_is_notices_or_unreadable(name: str, body: bytes) -> None:
    read = READERS[name]
    assert read is not None
    found = read(body)
    assert found is None or all(isinstance(one, Notice) for one in found)
    assert_shows_nothing(*(found or ()))


def test_of_a_long_id_only_a_short_one_is_remembered() -> None:
    kafka = Kafka()
    with watched() as watch:
        hook = Hook("acme", lambda body: [Notice("seen", identity="1", id="i" * (MAX_ID + 1))], lambda: SECRET)
        inbound = Inbound({"acme": hook}, "inbound", kafka, watch.telemetry, lambda: NOW)
        scope = {"type": "http", "method": "POST", "path": f"/acme/{SECRET}", "query_string": b"", "headers": []}
        assert asyncio.run(posted(inbound, scope, b"{}"))[0] == 200
    [(_, id_)] = inbound._lately
    assert len(id_) <= MAX_ID


@pytest.mark.parametrize(("length", "status"), [(MAX_IDENTITY, 200), (MAX_IDENTITY + 1, 400)])
@pytest.mark.parametrize("name", ["subscriber", "identity", "entry"])
def test_an_id_of_somebody_has_the_bound_that_rules_have(name: str, length: int, status: int) -> None:
    with watched() as watch:
        notice: Any = {name: "i" * length}
        hook = Hook("acme", lambda body: [Notice("changed", **notice)], lambda: SECRET)
        inbound = Inbound({"acme": hook}, "inbound", Kafka(), watch.telemetry, lambda: NOW)
        scope = {"type": "http", "method": "POST", "path": f"/acme/{SECRET}", "query_string": b"", "headers": []}
        assert asyncio.run(posted(inbound, scope, b"{}"))[0] == status
