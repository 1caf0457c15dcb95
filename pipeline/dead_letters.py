"""How a dead letter is worded, and read again: the record as it came, the reason beside it in headers.

What is beside it holds no secret and no personal datum.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.ledger import Message
from pipeline.model.facts import Facts, unsettled
from pipeline.model.when import microseconds
from pipeline.model.wire import Coordinates, Record

HEADERS = "calends-headers"
"""How many headers the original had: always the last, so that what is ours can be taken off again."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        tuple((name, data(value) or b"") for name, value in raw["headers"]),
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
    return Message(topic, record.key, record.value, (*record.headers, *added, count))


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
        """What a person calls it by: partition:offset."""
        return f"{self.at.partition}:{self.at.offset}"


class NoLetter(ValueError):
    """A record of the topic that Calends did not write; the message says what is missing."""


def read(record: Record) -> Letter:
    """Raises NoLetter."""
    own = len(record.headers) - _originals(record)
    said = dict(record.headers[len(record.headers) - own :])

    def text(name: str) -> str | None:
        return _decoded(said[name]) if name in said else None

    try:
        at = Coordinates(_decoded(said["calends-topic"]), int(said["calends-partition"]), int(said["calends-offset"]))
        timestamp = EPOCH + timedelta(microseconds=int(said["calends-timestamp"]))
        original = Record(at, record.key, record.value, record.headers[:-own], timestamp)
        return Letter(
            at=record.at,
            posted=record.timestamp,
            record=original,
            stage=_decoded(said["calends-stage"]),
            reason=_decoded(said["calends-reason"]),
            status=text("calends-status"),
            rule=text("calends-rule"),
            layer=text("calends-layer"),
            destination=text("calends-destination"),
            attempts=int(said["calends-attempts"]) if "calends-attempts" in said else None,
            first_failure=text("calends-first-failure"),
            last_failure=text("calends-last-failure"),
        )
    except KeyError as missing:
        raise NoLetter(f"the header {missing} is missing") from None
    except (ValueError, OverflowError):
        raise NoLetter("a header's number is none") from None


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _originals(record: Record) -> int:
    """How many of its headers the original had."""
    name, value = record.headers[-1] if record.headers else ("", b"")
    if name != HEADERS or not value.isdigit() or int(value) >= len(record.headers):
        raise NoLetter(f"the last header is not {HEADERS}")
    return int(value)
