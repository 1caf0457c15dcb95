"""Records become domain events, or say why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.pretty import pretty_repr

from pipeline.model.event import TOMBSTONE, DomainEvent, Undecodable, decode, event_order
from pipeline.model.wire import Coordinates, Record

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLOUD = {"specversion": "1.0", "id": "1", "source": "/billing", "type": "com.acme.invoice.due"}


def record(value: Any, *headers: tuple[str, bytes], key: bytes | None = None) -> Record:
    raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return Record(Coordinates("billing", 0, 7), key, raw, headers, NOW)


def structured(**changes: Any) -> DomainEvent:
    return decode(record(CLOUD | changes, ("Content-Type", b"application/cloudevents+json; charset=UTF-8")))


def code_of(value: Any, *headers: tuple[str, bytes]) -> str:
    with pytest.raises(Undecodable) as caught:
        decode(record(value, *headers))
    return caught.value.reason_code


def test_structured_mode() -> None:
    event = structured(data={"number": 1}, subject="INV-1", time="2026-11-20T10:00:00Z", tenant="acme")
    assert (event.id, event.source, event.type, event.subject) == ("1", "/billing", "com.acme.invoice.due", "INV-1")
    assert event.time == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert event.data == {"number": 1}
    assert event.attributes["tenant"] == "acme"


def test_binary_mode() -> None:
    headers = [(f"ce_{name}", value.encode()) for name, value in CLOUD.items()]
    event = decode(
        record({"number": 1}, *headers, ("ce_subject", b"Z%C3%BCrich"), ("content-type", b"application/json"))
    )
    assert (event.id, event.subject, event.data) == ("1", "Zürich", {"number": 1})
    assert code_of(b"<a/>", *headers, ("content-type", b"text/xml")) == "content_type"


def test_plain_json_with_a_type() -> None:
    event = decode(record({"type": "due", "number": 1}))
    assert (event.id, event.source, event.data) == (None, None, {"type": "due", "number": 1})
    assert decode(record({"type": "due", "id": "x", "data": None})).data is None


def test_a_null_value_is_a_tombstone() -> None:
    event = decode(record(None, key=b"INV-1"))
    assert (event.type, event.data, event.subject) == (TOMBSTONE, None, "INV-1")


def test_data_in_base64() -> None:
    assert structured(data_base64="eyJhIjoxfQ==").data == {"a": 1}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"data_base64": "eyJhIjoxfQ==", "datacontenttype": "image/png"}, "content_type"),
        ({"data_base64": "?"}, "base64"),
        ({"data_base64": "eyJhIjoxfQ==", "data": 1}, "two_data"),
    ]
    for changes, code in cases:
        assert code_of(CLOUD | changes) == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (CLOUD | {"specversion": "0.3"}, "specversion"),
        (CLOUD | {"source": ""}, "missing_attribute"),
        ({"number": 1}, "no_type"),
        ([1], "no_type"),
        (b"{", "json"),
        (b"\xff", "encoding"),
        (b'{"type": "x", "n": NaN}', "number"),
        (b'{"type": "x", "n": -Infinity}', "number"),
        (b'{"type": "x", "n": 1e999}', "number"),
        (b'{"type": "x", "n": %s}' % (b"9" * 40), "number"),
        (b'{"type": "x", "n": %s}' % (b"9" * 5000), "json"),
        (b'{"type": "x", "n": "\\u0000"}', "characters"),
        (b'{"type": "x", "\\ud800": 1}', "characters"),
        (b'{"type": "x", "n": %s%s}' % (b"[" * 70, b"]" * 70), "too_deep"),
        (b"[" * 200_000, "too_deep"),
        (b" " * (1 << 20) + b"1", "too_large"),
        (CLOUD | {"time": "2026-11-20T10:00:00"}, "time"),
        (CLOUD | {"time": 5}, "time"),
        (CLOUD | {"time": "2026-11-20T12:05:01Z"}, "future_time"),
        (CLOUD | {"subject": 5}, "attribute_type"),
    ],
)
def test_what_is_no_event(value: Any, code: str) -> None:
    assert code_of(value) == code


def test_order_is_the_time_else_the_timestamp() -> None:
    assert event_order(structured(time="2026-11-20T10:00:00.000001Z")) % 1_000_000 == 1
    assert event_order(structured()) == int(NOW.timestamp()) * 1_000_000


def test_nothing_personal_in_a_repr() -> None:
    event = structured(data="secret", subject="secret")
    assert "secret" not in repr(event) + pretty_repr(event)
