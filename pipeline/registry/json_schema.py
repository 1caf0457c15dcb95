"""Data of a registered JSON Schema: JSON that must fit it. What it refers to was registered with it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs

from pipeline.model.event import Undecodable, json_value
from pipeline.model.framed import Parsed
from pipeline.model.wire import levels

NOWHERE = "json-schema:///"
"""What the library takes for the address of a schema that says none."""


def reader(text: str, references: Sequence[tuple[str, str]]) -> functools.partial[Parsed]:
    """Raises Undecodable."""
    schema, named = _parsed(text), {name: _parsed(other) for name, other in references}
    address = schema.get("$id") if isinstance(schema, dict) else None
    base = address if isinstance(address, str) else NOWHERE
    known = {uri: other for name, other in named.items() for uri in (name, urljoin(base, name), NOWHERE + name)}
    try:
        validator = jsonschema_rs.validator_for(schema, retriever=functools.partial(_registered, known))
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError):
        raise Undecodable("schema_invalid", "the registry's schema is no JSON Schema, or refers to nowhere") from None
    title = schema.get("title") if isinstance(schema, dict) else None
    return functools.partial(_read, validator, title if isinstance(title, str) else None)


def _read(validator: Any, title: str | None, data: bytes) -> Parsed:
    value = json_value(data)
    if not validator.is_valid(value):
        raise Undecodable("schema_data", "the data does not fit the JSON Schema that it names")
    return Parsed(value, title)


def _registered(known: Mapping[str, Any], uri: str) -> Any:
    if uri not in known:
        raise ValueError("a schema refers to what is not registered with it")
    return known[uri]


def _parsed(text: str) -> Any:
    try:
        schema = json.loads(text)
        for _ in levels(schema):
            pass
    except (ValueError, RecursionError):
        raise Undecodable("schema_invalid", "the registry's schema is not JSON, or is nested too deep") from None
    return schema
