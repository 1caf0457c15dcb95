"""How a dead letter is worded: the record as it came, the reason beside it in headers. No secret, no personal datum."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.ledger import Message
from pipeline.model.facts import Facts, unsettled
from pipeline.model.wire import Coordinates, Record


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
        ("__connect.errors.topic", record.at.topic),
        ("__connect.errors.partition", str(record.at.partition)),
        ("__connect.errors.offset", str(record.at.offset)),
        ("__connect.errors.connector.name", "calends"),
        ("__connect.errors.stage", str(facts["stage"]).upper()),
        ("__connect.errors.exception.message", str(facts["reason"])),
    ]
    taken = {name for name, _ in record.headers}
    added = tuple((name, value.encode()) for name, value in own if name not in taken)
    return Message(topic, record.key, record.value, (*record.headers, *added))
