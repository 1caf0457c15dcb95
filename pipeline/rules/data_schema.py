"""The JSON Schema of an event's data: whether data fits it, and which paths it knows. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

import jsonschema_rs

from pipeline.rules.render import RenderError


class SchemaInvalid(ValueError):
    """No JSON Schema; the words may quote the schema. `at`: where in it; `no_type`: what stands for a type there."""

    def __init__(self, words: str, at: tuple[str | int, ...] = (), no_type: Any = None) -> None:
        super().__init__(words)
        self.at, self.no_type = at, no_type


@dataclass(frozen=True, slots=True)
class DataSchema:
    """One schema. Raises SchemaInvalid."""

    schema: dict[str, Any] = field(repr=False)
    _validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            validator = jsonschema_rs.validator_for(self.schema, retriever=_fetch_nothing)
        except jsonschema_rs.ValidationError as error:
            of_type = error.schema_path[-3:] == ["properties", "type", "anyOf"]
            no_type = error.instance if of_type else None
            raise SchemaInvalid(error.message.splitlines()[0], tuple(error.instance_path), no_type) from None
        except (jsonschema_rs.ReferencingError, ValueError, TypeError) as error:
            raise SchemaInvalid(str(error).splitlines()[0]) from None
        object.__setattr__(self, "_validator", validator)

    def check(self, data: Any) -> None:
        """Raises RenderError, in the words of the schema alone: the data is nobody's to quote."""
        if self._validator.is_valid(data):
            return
        error = next(iter(self._validator.iter_errors(data)))
        at = "/".join(map(str, error.schema_path))
        raise RenderError("schema", f"the data does not fit the schema at {at}")

    def lookup(self, parts: tuple[str | int, ...]) -> Lookup:
        return lookup(self.schema, parts)


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"a schema stands in one file; it cannot refer to {uri}")


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a schema says of a path. `unknown`: the index of the first part that it does not have; None: it has all."""

    types: frozenset[str] = frozenset()
    """JSON's names; empty: any."""
    unknown: int | None = None
    known: frozenset[str] = frozenset()
    """The names that it has there instead."""


def lookup(root: dict[str, Any], parts: tuple[str | int, ...]) -> Lookup:
    """A schema that names no properties, or says `additionalProperties`, allows any name."""
    nodes = _alternatives(root, root)
    for index, part in enumerate(parts):
        deeper, is_open, known = list[Any](), False, set[str]()
        for node in nodes:
            found, open_here = _into(node, part)
            deeper += found
            is_open |= open_here
            known |= set(_object(node.get("properties")))
        if not deeper:
            return Lookup() if is_open else Lookup(unknown=index, known=frozenset(known))
        nodes = [one for node in deeper for one in _alternatives(node, root)]
    said = [node["type"] for node in nodes if "type" in node]
    types = {name for one in said for name in (one if isinstance(one, list) else [one])}
    return Lookup(frozenset(map(str, types)))


def _into(node: dict[str, Any], part: str | int) -> tuple[list[Any], bool]:
    if isinstance(part, int):
        items = node.get("prefixItems", [])[part : part + 1] or [node.get("items", True)]
        return [items[0]] if isinstance(items[0], dict) else [], items[0] is True and "properties" not in node
    properties = _object(node.get("properties"))
    if part in properties:
        value = properties[part]
        return [value if isinstance(value, dict) else {}], False
    more = node.get("additionalProperties")
    if isinstance(more, dict):
        return [more], False
    named = bool(properties) or node.get("type") not in (None, "object") or "$ref" in node
    whole = any(name in node for name in ("allOf", "anyOf", "oneOf", "if"))
    return [], more is True or "patternProperties" in node or not (named or whole)


def _alternatives(node: Any, root: dict[str, Any], depth: int = 0) -> list[dict[str, Any]]:
    """A schema, and all that it refers to or is put together from."""
    if not isinstance(node, dict) or depth > 20:
        return []
    found = [node]
    if isinstance(reference := node.get("$ref"), str):
        found += _alternatives(_referred(reference, root), root, depth + 1)
    for name in ("allOf", "anyOf", "oneOf"):
        for one in node.get(name) or ():
            found += _alternatives(one, root, depth + 1)
    for name in ("then", "else"):
        found += _alternatives(node.get(name), root, depth + 1)
    return found


def _referred(reference: str, root: dict[str, Any]) -> Any:
    node: Any = root if reference.startswith("#") else None
    for part in reference.removeprefix("#").strip("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        node = node.get(name) if isinstance(node, dict) and name else node
    return node


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
