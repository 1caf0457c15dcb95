"""Debezium's change events, as its JSON converter writes them: the row is the data, what happened to it is the type.

https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events (read 2026-11)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

OPERATIONS = {"c": "create", "u": "update", "d": "delete", "r": "read", "t": "truncate"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def unwrapped(parsed: Any) -> tuple[dict[str, Any], Any] | None:
    """Attributes and data of a change event, with or without its schema beside it; None: it is none.

    `type` is `debezium.<schema or database>.<table>.<operation>`; `before` is an attribute, as the row was.
    """
    envelope = _envelope(parsed)
    if envelope is None:
        return None
    origin, operation = envelope["source"], OPERATIONS[envelope["op"]]
    place = str(origin.get("schema") or origin.get("db") or "")
    kind = ".".join(part for part in ("debezium", place, origin["table"], operation) if part)
    attributes = {
        "type": kind,
        "source": f"/{origin.get('connector', 'debezium')}/{origin.get('name', '')}",
        "operation": operation,
        "before": envelope.get("before"),
    }
    at = origin.get("ts_ms") or envelope.get("ts_ms")
    if isinstance(at, int) and 0 < at < 1 << 47:
        attributes["time"] = (EPOCH + timedelta(milliseconds=at)).isoformat()
    row = envelope.get("before") if operation == "delete" else envelope.get("after")
    return attributes, row


def _envelope(parsed: Any) -> Mapping[str, Any] | None:
    if not isinstance(parsed, Mapping):
        return None
    payload = parsed["payload"] if "schema" in parsed and isinstance(parsed.get("payload"), Mapping) else parsed
    origin = payload.get("source")
    known = isinstance(payload.get("op"), str) and payload["op"] in OPERATIONS
    if not known or not isinstance(origin, Mapping) or not isinstance(origin.get("table"), str):
        return None
    return payload if "after" in payload or "before" in payload else None
