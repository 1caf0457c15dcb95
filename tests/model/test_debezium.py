"""Debezium's envelope, as its connectors write it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.model.event import DomainEvent, Undecodable, decode
from pipeline.model.wire import Coordinates, Record

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOURCE = {"version": "3.3.1.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1763640000000,
          "db": "orders", "schema": "public", "table": "bookings", "lsn": 1}  # fmt: skip
AFTER = {"id": 7, "starts": "2026-12-24T09:00:00"}


def read(value: Any) -> DomainEvent:
    return decode(Record(Coordinates("shop.public.bookings", 0, 5), b"k", json.dumps(value).encode(), (), NOW))


@pytest.mark.parametrize("with_schema", [False, True])
@pytest.mark.parametrize(
    ("op", "before", "after", "kind", "data"),
    [
        ("c", None, AFTER, "create", AFTER),
        ("r", None, AFTER, "read", AFTER),
        ("u", {"id": 7}, AFTER, "update", AFTER),
        ("d", AFTER, None, "delete", AFTER),
    ],
)
def test_the_row_is_the_data(with_schema: bool, op: str, before: Any, after: Any, kind: str, data: Any) -> None:
    payload = {"before": before, "after": after, "source": SOURCE, "op": op, "ts_ms": 1763640000123}
    event = read({"schema": {"type": "struct"}, "payload": payload} if with_schema else payload)
    assert (event.type, event.data) == (f"debezium.public.bookings.{kind}", data)
    assert (event.id, event.source, event.attributes["before"]) == (None, "/postgresql/shop", before)
    assert event.time == datetime(2025, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "change", [{"op": "x"}, {"op": ["c"]}, {"source": None}, {"source": {"table": 1}}, {"source": {}}, {"op": None}]
)
def test_what_is_no_envelope_is_refused_as_before(change: Any) -> None:
    with pytest.raises(Undecodable, match="no_type"):
        read({"before": None, "after": AFTER, "source": SOURCE, "op": "c"} | change)


def test_a_plain_event_with_a_type_stays_what_it_is() -> None:
    assert read({"type": "t", "op": "c", "after": 1, "source": "s"}).type == "t"
