"""Data of a registered Avro schema, as JSON would have said it: what rules read knows no other types.

fastavro reads it, the only module with it. It recurses in C, and believes the data of how many items there are: so a
schema is refused whose data could make it overflow the stack, or make much out of nothing.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
from fastavro.schema import SchemaParseException

from pipeline.model.event import MAX_INTEGER, Undecodable
from pipeline.model.framed import Parsed
from pipeline.model.wire import MAX_DEPTH, levels

PER_BYTE = 4
"""Values that a byte of data may come to."""
MAX_FREE = 10_000
"""Values that may come of no data at all."""
_SCALARS = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1, "enum": 1}
"""The least bytes of each."""


def reader(text: str, references: Sequence[tuple[str, str]]) -> Callable[[bytes], Parsed]:
    """Raises Undecodable."""
    named: dict[str, Any] = {}
    try:
        for _, other in references:
            fastavro.parse_schema(_loaded(other), named_schemas=named)
        schema = fastavro.parse_schema(_loaded(text), named_schemas=named)
        shape = _Shapes(named, {}, set()).of(schema)
        if shape.depth > MAX_DEPTH:
            raise Undecodable("schema_too_deep", f"the Avro schema is nested more than {MAX_DEPTH} deep")
        if shape.free > MAX_FREE:
            raise _unbounded()
        if isinstance(schema, list):
            return functools.partial(_read_union, [_branch(branch, named) for branch in schema])
        alone, name = _branch(schema, named)
        return functools.partial(_read, alone, name)
    except (SchemaParseException, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Undecodable("schema_invalid", "the registry's schema is no Avro schema, or refers to nowhere") from None


def _loaded(text: str) -> Any:
    schema = json.loads(text)
    for _ in levels(schema):
        pass
    return schema


def _branch(schema: Any, named: Mapping[str, Any]) -> tuple[Any, str | None]:
    """A schema that can be read by itself, and its name. A record of one field takes no bytes of its own."""
    name = schema.get("name") if isinstance(schema, dict) else schema if schema in named else None
    alone = {"type": "record", "name": "Alone", "namespace": "calends", "fields": [{"name": "value", "type": schema}]}
    return fastavro.parse_schema(alone, named_schemas=dict(named)), name


def _read_union(branches: Sequence[tuple[Any, str | None]], data: bytes) -> Parsed:
    """A topic of several types: what it is, is said by the branch."""
    stream = io.BytesIO(data)
    index = _taken(stream, "long")
    if not 0 <= index < len(branches):
        raise _misfit()
    schema, name = branches[index]
    return _read(schema, name, data[stream.tell() :])


def _read(schema: Any, name: str | None, data: bytes) -> Parsed:
    stream = io.BytesIO(data)
    value = _taken(stream, schema)["value"]
    if stream.read(1):
        raise _misfit()
    return Parsed(_plain(value), name)


def _taken(stream: io.BytesIO, schema: Any) -> Any:
    try:
        return fastavro.schemaless_reader(stream, schema, None)
    except Exception:  # it has no one error for data that is not what its schema says
        raise _misfit() from None


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(member) for member in value]
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return _number(value)
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            raise Undecodable("number", "NaN and Infinity are not JSON")
        case _:
            return value


def _number(value: Decimal) -> float:
    """A number, like one of JSON: rules compare it, and `money` prints it with its cents."""
    if value == value.to_integral_value() and abs(value) < MAX_INTEGER:
        return int(value)
    near = float(value)
    if Decimal(repr(near)) != value:
        raise Undecodable("number", "a decimal has more digits than a number keeps")
    return near


@dataclass(frozen=True, slots=True)
class _Shape:
    depth: int
    free: int
    """Values that it may come to, less PER_BYTE for each byte that they take; below 0: the data pays for all."""


@dataclass(frozen=True, slots=True)
class _Shapes:
    """What the data of a schema can come to, at worst. Each named schema is looked into once."""

    named: Mapping[str, Any]
    done: dict[str, _Shape]
    inside: set[str]

    def of(self, schema: Any) -> _Shape:
        match schema:
            case str():
                return _Shape(1, 1 - PER_BYTE * _SCALARS[schema]) if schema in _SCALARS else self._of_name(schema)
            case list():
                shapes = [self.of(branch) for branch in schema]  # max() raises ValueError where there is none
                return _Shape(max(one.depth for one in shapes), max(one.free for one in shapes) - PER_BYTE)
            case {"type": "record" | "error", "name": str(name)}:
                return self._of_name(name, schema)
            case {"type": "fixed", "size": int(size)}:
                return _Shape(1, 1 - PER_BYTE * size)
            case {"type": "array", "items": items} | {"type": "map", "values": items}:
                return self._of_items(items)
            case {"type": kind}:
                return self.of(kind)
            case _:
                raise Undecodable("schema_invalid", "the registry's schema is no Avro schema")

    def _of_items(self, items: Any) -> _Shape:
        shape = self.of(items)
        if shape.free > 0:
            raise _unbounded()
        return _Shape(shape.depth + 1, 1 - PER_BYTE)

    def _of_name(self, name: str, schema: Any = None) -> _Shape:
        if name in self.inside:
            raise Undecodable("schema_recursive", "an Avro schema that holds itself is not read")
        if name not in self.done:
            found = self.named[name] if schema is None else schema
            if found.get("type") not in ("record", "error"):
                return self.of(found)
            self.inside.add(name)
            fields = [self.of(field["type"]) for field in found["fields"]]
            self.inside.remove(name)
            depth = 1 + max((one.depth for one in fields), default=0)
            self.done[name] = _Shape(depth, 1 + sum(one.free for one in fields))
        return self.done[name]


def _misfit() -> Undecodable:
    return Undecodable("schema_data", "the data does not fit the Avro schema that it names")


def _unbounded() -> Undecodable:
    return Undecodable("schema_unbounded", "the Avro schema makes many values out of few bytes")
