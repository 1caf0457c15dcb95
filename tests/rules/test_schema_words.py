"""Slips in the schema of an event's data are told where they stand, with what was meant; what only describes is not."""

from __future__ import annotations

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text
from pipeline.rules.schema import Rules
from pipeline.rules.schema_words import misspelt_keywords

RULE = """rules:
  - name: r
    from: [t]
    on:
      type: a
      schema:
        SCHEMA
    send: {to: acme-ecal, key: k, subscriber: s, entry: {title: x, location: x, start: "2026-12-24", all_day: true}}
"""


def read(schema: str) -> Rules:
    return load_text(RULE.replace("SCHEMA", schema), "r.yaml", ())


@pytest.mark.parametrize(
    ("schema", "found", "advice"),
    [
        ("properties: {n: {type: int}}", "type: int", "write integer"),
        ("properties: {n: {type: [strng, 'null']}}", "type: strng", "did you mean string?"),
        ("items: {type: datetime}", "type: datetime", "write string"),
    ],
)
def test_a_type_that_there_is_not(
    schema: str, found: str, advice: str, destinations: dict[str, DestinationView]
) -> None:
    (problem,) = check_rules(read(schema), destinations)

    expected = "one of array, boolean, integer, null, number, object, string"
    assert (problem.line, problem.message, problem.found) == (7, "no JSON Schema", found)
    assert (problem.expected, problem.suggestion) == (expected, advice)


def test_what_else_is_no_schema_is_told_in_the_validator_s_words(destinations: dict[str, DestinationView]) -> None:
    (problem,) = check_rules(read("properties: {type: {minimum: x}}"), destinations)

    assert (problem.message, problem.expected) == ("no JSON Schema", "a JSON Schema")


@pytest.mark.parametrize(
    ("schema", "found", "advice"),
    [
        ("propertys: {n: {type: integer}}", "propertys", "did you mean properties?"),
        ("properties: {n: {anyOf: [{types: integer}]}}", "types", "did you mean type?"),
        ("items: {require: [a]}", "require", "did you mean required?"),
    ],
)
def test_a_misspelt_keyword(schema: str, found: str, advice: str) -> None:
    (problem,) = misspelt_keywords(read(schema))

    assert (problem.line, problem.found, problem.suggestion) == (7, found, advice)


@pytest.mark.parametrize(
    "schema",
    [
        "properties: {propertys: {}, types: {}, item: {type: string}}",
        "{title: x, description: x, example: 1, examples: [1], default: 1, $id: 'https://a.example', $comment: x}",
        "{nullable: true, x-order: 1, deprecated: true, readOnly: true, definitions: {types: {}}, enum: [{types: 1}]}",
    ],
)
def test_names_and_what_only_describes_are_not_told(schema: str) -> None:
    assert list(misspelt_keywords(read(schema))) == []
