"""Data that a schema registry frames: whatever the bytes, it is JSON or has a reason; no crash, and no flood."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.event import Undecodable
from pipeline.model.wire import levels
from pipeline.registry import avro
from tests.fuzz.planted import tries

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
LOGICAL = (
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 3},
)
REASONS = {"schema_data", "schema_unbounded", "schema_invalid", "schema_too_deep", "number"}


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda one: {"type": "array", "items": one}),
        inner.map(lambda one: {"type": "map", "values": one}),
        st.lists(inner, max_size=3).map(lambda many: {"type": "record", "name": "?", "fields": many}),
        inner.map(lambda one: one if isinstance(one, list) else ["null", one]),
    )


def named(schema: Any, count: list[int]) -> Any:
    """Each record with a name of its own."""
    match schema:
        case {"type": "record", "fields": many}:
            count[0] += 1
            name = f"R{count[0]}"
            fields = [{"name": f"f{n}", "type": named(one, count)} for n, one in enumerate(many)]
            return {"type": "record", "name": name, "fields": fields}
        case {"type": "array", "items": inner}:
            return {"type": "array", "items": named(inner, count)}
        case {"type": "map", "values": inner}:
            return {"type": "map", "values": named(inner, count)}
        case list():
            return [named(one, count) for one in schema]
        case _:
            return schema


SCHEMAS = st.recursive(st.sampled_from((*PRIMITIVES, *LOGICAL)), grown, max_leaves=8).map(lambda one: named(one, [0]))


@given(SCHEMAS, st.binary(max_size=300))
@tries(300)
def test_data_is_json_or_has_a_reason_and_is_no_flood(schema: Any, data: bytes) -> None:
    try:
        value = avro.reader(json.dumps(schema), ())(data).value
    except Undecodable as error:
        value, reason = None, error.reason_code
    else:
        reason = None
    assert reason in {None, *REASONS}
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert sum(map(len, levels(value))) <= avro.MAX_FREE + 2 * avro.PER_BYTE * len(data)
