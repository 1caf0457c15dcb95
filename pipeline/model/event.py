"""Kafka record → domain event: CloudEvents 1.0 in structured and binary mode, plain JSON with a `type`, tombstones;
and what a schema registry's framing holds, once the shell has had it read.

What a database would refuse is refused here (`\\u0000`, lone surrogates), and so is a future time: it would
freeze its entry.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import unquote

import msgspec

from pipeline.model.debezium import unwrapped
from pipeline.model.framed import Parsed, Unreadable, is_framed
from pipeline.model.when import BadTime, microseconds, parse_instant
from pipeline.model.wire import MAX_DEPTH, Record, TooDeep, levels

MAX_BYTES = 1 << 20
"""Of a record's value, and of its headers together."""
MAX_KEY = 64 * 1024
MAX_HEADERS = 1000
MAX_ATTRIBUTE = 64 * 1024
"""Characters of a CloudEvents attribute, also of those that rules do not name."""
MAX_INTEGER = 1 << 64
FUTURE = timedelta(minutes=5)
TOMBSTONE = "calends.tombstone"
REQUIRED = ("id", "source", "type", "specversion")
# fmt: off
REASONS = frozenset({
    "attribute_too_long", "attribute_type", "base64", "characters", "content_type", "encoding", "future_time",
    "headers_too_large", "json", "key_too_large", "missing_attribute", "no_type", "not_an_object", "number",
    "specversion", "time", "too_deep", "too_large", "two_data",
})
# fmt: on
"""Codes with which a record is refused here; those of a schema registry are not among them."""
_read_json = msgspec.json.Decoder().decode
_SHAPE = bytes.maketrans(b"0123456789[", b"9999999999{")
_escaped_nul = re.compile(rb"\\u0000").search  # takes half the time of `in`
_TWENTY_DIGITS = b"9" * 20
"""What an integer has that is too large to be exact."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Undecodable(Exception):
    """A record that is no domain event. The explanation never quotes the record."""

    def __init__(self, reason_code: str, explanation: str) -> None:
        super().__init__(f"{reason_code}: {explanation}")
        self.reason_code = reason_code
        self.explanation = explanation


class DomainEvent(msgspec.Struct, frozen=True):
    """What an upstream system published. `id` and `source` are None only where plain JSON does not give them."""

    id: str | None
    source: str | None
    type: str
    time: datetime | None
    subject: str | None
    attributes: Mapping[str, Any]
    """All CloudEvents attributes as they came, extensions included."""
    data: Any
    record: Record

    def __repr__(self) -> str:
        """Names nobody and quotes nothing: only which event it is."""
        return f"DomainEvent({self.id!r}, {self.source!r}, {self.type!r}, record={self.record!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """A struct would show all its fields there."""
        return []


def decode(record: Record) -> DomainEvent:
    """The event of a record; raises `Undecodable`."""
    _within_limits(record)
    if record.value is None:
        return _tombstone(record)
    headers = _headers(record)
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/cloudevents+json":
        return _structured(_content(record), record)
    if "ce_specversion" in headers:
        return _binary(headers, content_type, record)
    parsed = _content(record)
    if isinstance(parsed, dict) and "specversion" in parsed:
        return _structured(parsed, record)
    return _plain(parsed, record)


def _content(record: Record) -> Any:
    """The JSON value of a record, whoever wrote it down."""
    if not is_framed(record.value):
        return json_value(record.value or b"")
    match record.content:
        case None:
            raise Undecodable(
                "set_kafka.schema_registry",
                "the value is framed by a schema registry: set kafka.schema_registry.url",
            )
        case Unreadable(code, explanation):
            raise Undecodable(code, explanation)
        case Parsed(value):
            _inspect(value)
            return value


def event_order(event: DomainEvent) -> int:
    """What orders the event: its own time, else the record's timestamp, as microseconds since 1970."""
    return microseconds(event.time or event.record.timestamp)


def _within_limits(record: Record) -> None:
    if len(record.value or b"") > MAX_BYTES:
        raise Undecodable("too_large", "the value is larger than 1 MiB")
    if len(record.key or b"") > MAX_KEY:
        raise Undecodable("key_too_large", "the record's key is larger than 64 KiB")
    if record.headers and (
        len(record.headers) > MAX_HEADERS
        or sum(len(name) + len(value or b"") for name, value in record.headers) > MAX_BYTES
    ):
        raise Undecodable("headers_too_large", "the headers are more than 1,000, or larger than 1 MiB")


def _tombstone(record: Record) -> DomainEvent:
    subject = None if record.key is None else _text(record.key, "key")
    attributes = {"type": TOMBSTONE} if subject is None else {"type": TOMBSTONE, "subject": subject}
    return DomainEvent(None, None, TOMBSTONE, None, subject, attributes, None, record)


def _structured(parsed: Any, record: Record) -> DomainEvent:
    if not isinstance(parsed, dict):
        raise Undecodable("not_an_object", "a structured CloudEvent must be a JSON object")
    if "data" in parsed and "data_base64" in parsed:
        raise Undecodable("two_data", "an event has either data or data_base64")
    attributes = dict(parsed)
    data = attributes.pop("data", None)
    if "data_base64" in attributes:
        data = _base64(attributes.pop("data_base64"), attributes.get("datacontenttype"))
    return _event(attributes, data, record)


def _binary(headers: Mapping[str, str], content_type: str, record: Record) -> DomainEvent:
    attributes: dict[str, Any] = {n[3:]: unquote(v) for n, v in headers.items() if n.startswith("ce_")}
    if not (is_framed(record.value) or _is_json(content_type or None)):
        raise Undecodable("content_type", "the data of a CloudEvent in binary mode must be JSON")
    for value in attributes.values():
        _storable(value)
    attributes.setdefault("datacontenttype", content_type or "application/json")
    return _event(attributes, _content(record), record)


def _plain(parsed: Any, record: Record) -> DomainEvent:
    if isinstance(parsed, dict) and "type" not in parsed:
        if (change := unwrapped(parsed)) is not None:
            return _build(*change, record)
        if isinstance(record.content, Parsed) and record.content.name:
            return _build({**_named(parsed), "type": record.content.name}, parsed.get("data", parsed), record)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("type"), str) or not parsed["type"]:
        raise Undecodable("no_type", "expected a CloudEvent or a JSON object with a type")
    return _build(_named(parsed), parsed.get("data", parsed), record)


def _named(parsed: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "source", "type", "time", "subject")
    return {name: parsed[name] for name in names if parsed.get(name) is not None}


def _event(attributes: Mapping[str, Any], data: Any, record: Record) -> DomainEvent:
    for name in REQUIRED:
        value = attributes.get(name)
        if not value or not isinstance(value, str):
            raise Undecodable("missing_attribute", f"the CloudEvents attribute {name} is missing, empty or not a text")
    if attributes["specversion"] != "1.0":
        raise Undecodable("specversion", "only CloudEvents 1.0 is read")
    return _build(attributes, data, record)


def _build(attributes: Mapping[str, Any], data: Any, record: Record) -> DomainEvent:
    for name in ("id", "source", "subject"):
        value = attributes.get(name)
        if value is not None and not isinstance(value, str):
            raise Undecodable("attribute_type", f"the attribute {name} must be a text")
    for value in attributes.values():
        if isinstance(value, str) and len(value) > MAX_ATTRIBUTE:
            raise Undecodable("attribute_too_long", "an attribute is longer than 64 KiB")
    return DomainEvent(
        id=attributes.get("id") or None,
        source=attributes.get("source") or None,
        type=attributes["type"],
        time=_time(attributes.get("time"), record),
        subject=attributes.get("subject"),
        attributes=attributes,
        data=data,
        record=record,
    )


def _time(value: Any, record: Record) -> datetime | None:
    if value is None:
        return None
    try:
        time = parse_instant(value if isinstance(value, str) else "")
        late = time - record.timestamp > FUTURE
    except (BadTime, OverflowError):
        raise Undecodable("time", "time must be an RFC 3339 time with its zone") from None
    if late:
        raise Undecodable("future_time", "time is more than five minutes after the record's own timestamp")
    return time


def _headers(record: Record) -> dict[str, str]:
    if not record.headers:
        return {}
    wanted = ((name.lower(), value) for name, value in record.headers if value is not None)
    return {n: _text(v, "header") for n, v in wanted if n == "content-type" or n.startswith("ce_")}


def _is_json(content_type: Any) -> bool:
    if content_type is None:
        return True
    essence = str(content_type).partition(";")[0].strip().lower()
    return essence.endswith(("/json", "+json"))


def _base64(value: Any, content_type: Any) -> Any:
    if not _is_json(content_type):
        raise Undecodable("content_type", "data_base64 is read only where datacontenttype is JSON")
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise Undecodable("base64", "data_base64 is not base64") from None
    return json_value(raw)


def _text(raw: bytes, what: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Undecodable("encoding", f"the {what} is not UTF-8") from None
    _storable(text)
    return text


def _storable(text: str) -> None:
    if _UNSTORABLE.search(text):
        raise Undecodable("characters", "a text holds U+0000 or a lone surrogate")


def json_value(raw: bytes) -> Any:
    """The JSON value of a text; raises `Undecodable`. The faster of two readers reads what cannot hold anything odd."""
    if _is_ordinary(raw):
        try:
            return _read_json(raw)
        except (ValueError, RecursionError):  # of msgspec, and of what is not UTF-8
            pass  # the other one has the words for it
    try:
        parsed = json.loads(raw.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Undecodable("encoding", "the value is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise Undecodable("json", "the value is not JSON") from None
    _inspect(parsed)
    return parsed


def _is_ordinary(raw: bytes) -> bool:
    """Whether nothing in it, once it is read, could be what `_inspect` refuses: msgspec refuses the rest itself."""
    shape = raw.translate(_SHAPE)
    return shape.count(b"{") <= MAX_DEPTH and not _escaped_nul(raw) and _TWENTY_DIGITS not in shape


def _no_constant(name: str) -> NoReturn:
    raise Undecodable("number", "NaN and Infinity are not JSON")


def _inspect(parsed: Any) -> None:
    """Refuses what cannot be stored, at any depth."""
    try:
        for scalars in levels(parsed):
            for value in scalars:
                _scalar(value)
    except TooDeep:
        raise _too_deep() from None


def _too_deep() -> Undecodable:
    return Undecodable("too_deep", f"the value is nested more than {MAX_DEPTH} deep")


def _scalar(value: Any) -> None:
    if isinstance(value, str):
        _storable(value)
    elif isinstance(value, int) and abs(value) >= MAX_INTEGER:
        raise Undecodable("number", "an integer is too large to be exact")
    elif isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise Undecodable("number", "a number is too large")
