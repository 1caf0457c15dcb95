"""How a dead letter is worded, and read again: the record as it came, the reason beside it in headers.

What is beside it holds no secret and no personal datum.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.ledger import Message
from pipeline.model.facts import Facts, unsettled
from pipeline.model.when import microseconds
from pipeline.model.wire import TOPIC, Coordinates, KafkaHeaders, Record

HEADERS = "calends-headers"
"""How many headers the original had: always the last, so that what is ours can be taken off again."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = 1_000
"""Bytes of a text that a letter says of itself."""
WORDS = re.compile(r".+")
NUMBER = re.compile(rb"-?[0-9]{1,19}")
TIMES = tuple(microseconds(one.replace(tzinfo=UTC)) for one in (datetime.min, datetime.max))
"""The first and the last that there is, in microseconds."""


def keep(record: Record) -> dict[str, Any]:
    """The record as JSON, byte for byte."""

    def text(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    return {
        "topic": record.at.topic,
        "partition": record.at.partition,
        "offset": record.at.offset,
        "timestamp": record.timestamp.timestamp(),
        "key": text(record.key),
        "value": text(record.value),
        "headers": [[name, text(value)] for name, value in record.headers],
    }


def restore(raw: Mapping[str, Any]) -> Record:
    def data(value: str | None) -> bytes | None:
        return None if value is None else base64.b64decode(value)

    return Record(
        Coordinates(raw["topic"], raw["partition"], raw["offset"]),
        data(raw["key"]),
        data(raw["value"]),
        tuple((name, data(value)) for name, value in raw["headers"]),
        datetime.fromtimestamp(raw["timestamp"], UTC),
    )


def of_record(topic: str, record: Record, stage: str, reason: str, rule: str | None = None) -> Message:
    """A record that cannot be decoded, or that makes a rule fail."""
    return _message(topic, record, {"reason": reason, "stage": stage, "rule": rule})


def of_entry(topic: str, facts: Facts, now: float) -> Sequence[Message]:
    """One dead letter for each layer of a dead entry that has not reached the vendor."""
    return [
        _message(
            topic,
            restore(raw),
            {
                "reason": (facts.error or "invalid").split()[0],
                "stage": "send",
                "status": " ".join((facts.error or "").split()[1:]) or None,
                "rule": facts.layers[layer]["rule"],
                "layer": layer,
                "destination": facts.destination,
                "attempts": str(facts.attempts),
                "first-failure": _time(facts.first_failed_at),
                "last-failure": _time(facts.failed_at),
            },
        )
        for layer, raw in unsettled(facts)
    ]


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _message(topic: str, record: Record, facts: Mapping[str, str | None]) -> Message:
    own = [(f"calends-{name}", value) for name, value in facts.items() if value is not None]
    own += [
        ("calends-topic", record.at.topic),
        ("calends-partition", str(record.at.partition)),
        ("calends-offset", str(record.at.offset)),
        ("calends-timestamp", str(microseconds(record.timestamp))),
        ("__connect.errors.topic", record.at.topic),
        ("__connect.errors.partition", str(record.at.partition)),
        ("__connect.errors.offset", str(record.at.offset)),
        ("__connect.errors.connector.name", "calends"),
        ("__connect.errors.stage", str(facts["stage"]).upper()),
        ("__connect.errors.exception.message", str(facts["reason"])),
    ]
    added = tuple((name, value.encode()) for name, value in own)
    count = (HEADERS, str(len(record.headers)).encode())
    return Message(topic, record.key, record.value, (*record.headers, *added, count), about=record.at)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies in its topic."""

    at: Coordinates
    """Of the letter."""
    posted: datetime
    record: Record = field(repr=False)
    """The original: its coordinates, timestamp, bytes, key and headers."""
    stage: str
    reason: str
    status: str | None
    rule: str | None
    layer: str | None
    destination: str | None
    attempts: int | None
    first_failure: str | None
    last_failure: str | None

    @property
    def name(self) -> str:
        return name_at(self.at)


def name_at(at: Coordinates) -> str:
    """What a person calls a record of the topic of dead letters by: partition:offset."""
    return f"{at.partition}:{at.offset}"


class NoLetter(ValueError):
    """A record of the topic that Calends did not write; the message says what is missing, and quotes nothing."""


def read(record: Record) -> Letter:
    """Raises NoLetter. Whoever may write to the topic chooses what is in it: every header has its bound."""
    own = len(record.headers) - _originals(record)
    said = _with_value(record.headers[len(record.headers) - own :])
    at = Coordinates(
        _text(said, "calends-topic", TOPIC),
        _number(said, "calends-partition", 0, 2**31 - 1),
        _number(said, "calends-offset", 0, 2**63 - 1),
    )
    timestamp = EPOCH + timedelta(microseconds=_number(said, "calends-timestamp", *TIMES))
    return Letter(
        at=record.at,
        posted=record.timestamp,
        record=Record(at, record.key, record.value, record.headers[:-own], timestamp),
        stage=_text(said, "calends-stage"),
        reason=_text(said, "calends-reason"),
        status=_text_or_none(said, "calends-status"),
        rule=_text_or_none(said, "calends-rule"),
        layer=_text_or_none(said, "calends-layer"),
        destination=_text_or_none(said, "calends-destination"),
        attempts=_number(said, "calends-attempts", 0, 2**31 - 1) if "calends-attempts" in said else None,
        first_failure=_text_or_none(said, "calends-first-failure"),
        last_failure=_text_or_none(said, "calends-last-failure"),
    )


def _said(said: Mapping[str, bytes], name: str) -> bytes:
    if name not in said:
        raise NoLetter(f"the header {name} is missing")
    return said[name]


def _text(said: Mapping[str, bytes], name: str, pattern: re.Pattern[str] = WORDS) -> str:
    """One line that a terminal may be given."""
    value = _said(said, name)
    text = value.decode("utf-8", "replace") if len(value) <= LONGEST else ""
    if not pattern.fullmatch(text) or not text.isprintable():
        raise NoLetter(f"the header {name} is no text of 1 to {LONGEST} bytes as Calends writes it")
    return text


def _text_or_none(said: Mapping[str, bytes], name: str) -> str | None:
    return _text(said, name) if name in said else None


def _number(said: Mapping[str, bytes], name: str, low: int, high: int) -> int:
    """Its digits are counted first: to read very many takes long."""
    value = _said(said, name)
    number = int(value) if NUMBER.fullmatch(value) else None
    if number is None or not low <= number <= high:
        raise NoLetter(f"the header {name} is no number from {low} to {high}")
    return number


def _originals(record: Record) -> int:
    """How many of its headers the original had."""
    name, _ = record.headers[-1] if record.headers else ("", b"")
    if name != HEADERS:
        raise NoLetter(f"the last header is not {HEADERS}")
    return _number(_with_value(record.headers[-1:]), HEADERS, 0, len(record.headers) - 1)


def _with_value(headers: KafkaHeaders) -> dict[str, bytes]:
    """Those that have a value: ours all do."""
    return {name: value for name, value in headers if value is not None}
