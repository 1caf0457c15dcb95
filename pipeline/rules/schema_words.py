"""Slips in the JSON Schema of an event's data: types that it does not have, and keywords that nearly are its own.

JSON Schema takes any keyword, so a misspelt one says nothing, and is warned of rather than refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.rules.kinds import OF_SCHEMA
from pipeline.rules.language import did_you_mean, nearest, suggest
from pipeline.rules.problem import Problem, Where
from pipeline.rules.schema import Rules

TYPES = tuple(sorted(OF_SCHEMA))
_OTHERS = {
    "int": "integer", "long": "integer", "bool": "boolean", "str": "string", "text": "string", "date": "string",
    "datetime": "string", "float": "number", "double": "number", "decimal": "number", "list": "array",
    "dict": "object", "map": "object", "none": "null",
}  # fmt: skip
"""What other languages call a type."""
_OF_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords under which names stand, each with a schema."""
_OF_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_OF_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_OF_VALUES = (
    "type", "required", "enum", "const", "format", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties",
    "maxProperties", "minContains", "maxContains", "dependentRequired", "unevaluatedProperties", "unevaluatedItems",
)  # fmt: skip
KEYWORDS = (*_OF_MAPS, *_OF_LISTS, *_OF_ONE, *_OF_VALUES)
"""Those that judge; what only describes may have any name."""
ALIKE = 0.8


def type_meant(found: Any) -> tuple[str, str]:
    """The type that there is not, and what to write."""
    said = found if isinstance(found, list) else [found]
    word = next((one for one in said if one not in TYPES), found)
    ours = _OTHERS.get(str(word).lower())
    return f"type: {word}"[:60], f"write {ours}" if ours else suggest(str(word), TYPES)


def misspelt_keywords(rules: Rules) -> Iterator[Problem]:
    """Keywords of the rules' schemas that are nearly those of JSON Schema."""
    for sourced in rules.rules:
        for index, on in enumerate(sourced.rule.events()):
            for at, meant in _misspelt(on.schema_, ("on", index, "schema")):
                message, expected = "no keyword of JSON Schema: it says nothing", "a keyword, or a name far from one"
                yield sourced.problem(at, message, str(at[-1])[:60], expected, did_you_mean(meant))


def _misspelt(schema: Any, at: Where) -> Iterator[tuple[Where, str]]:
    if not isinstance(schema, Mapping):
        return
    for name, value in schema.items():
        if name in _OF_MAPS and isinstance(value, Mapping):
            for inner, one in value.items():
                yield from _misspelt(one, (*at, name, inner))
        elif name in _OF_LISTS and isinstance(value, list):
            for index, one in enumerate(value):
                yield from _misspelt(one, (*at, name, index))
        elif name in _OF_ONE:
            yield from _misspelt(value, (*at, name))
        elif name not in KEYWORDS and (meant := nearest(str(name), KEYWORDS, ALIKE)) is not None:
            yield (*at, name), meant
