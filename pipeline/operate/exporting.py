"""One entry as a line of JSON: what is wanted and what the vendor holds, side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.model.facts import NOTHING, UNSURE, Facts


def told(row: Facts) -> dict[str, Any]:
    """Times as instants in UTC. `unsure`: an answer was lost, and `observed` may be so. Holds personal data."""
    return {
        "destination": row.destination,
        "key": row.key,
        "state": row.state,
        "subscriber": row.subscriber,
        "identity": row.identity,
        "desired": None if row.wanted_hash == NOTHING else row.desired,
        "observed": None if row.observed_hash == NOTHING else row.observed,
        "unsure": row.observed_hash == UNSURE,
        "observed_identity": row.observed_identity,
        "vendor_id": row.vendor_id,
        "layers": {name: _layer(layer) for name, layer in row.layers.items()},
        "event_time": _instant(row.event_time),
        "deliver_at": _instant(row.deliver_at),
        "expires_at": _instant(row.expires_at),
        "attempts": row.attempts,
        "error": row.error,
    }


def _layer(layer: Any) -> dict[str, Any]:
    order, topic, partition, offset, revision = layer["version"]
    record = {"topic": topic, "partition": partition, "offset": offset}
    return {"kind": layer["kind"], "rule": layer["rule"], "order": order, "record": record, "rules": revision}


def _instant(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
