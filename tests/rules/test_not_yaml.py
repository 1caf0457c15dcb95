"""A file that is no YAML: told at the line and column of the mistake, in words of ours, with what to do."""

from __future__ import annotations

import pytest

from pipeline.rules.reading import load_text


@pytest.mark.parametrize(
    ("text", "where", "found", "advice"),
    [
        ("rules:\n  - on: x\n      send:\n", "3:11", "a key that is indented too far", "let it begin in the column"),
        ("rules:\n  - on: x\n   from: y\n", "3:4", "another column than", "let what belongs together begin in one"),
        ('rules:\n  - on: "x\n    from: y\n', "2:9", "a quote that does not close", "put the same quote at the end"),
        ('rules:\n  - on: "x\n    from: "y"\n', "3:12", "a text where a key should", "close each quote where"),
        ("rules:\n  - {title: Due: today}\n", "2:16", "a colon where , or } should", "put quotes around a text that"),
        ("rules:\n  - title: Due: today\n", "2:15", "a colon inside a text", "put quotes around a text that"),
        ("rules: [\n  a\n", "1:8", "a bracket that does not close", "put ] or } at its end"),
        ("rules: [a\n  b: c]\nx: y", "2:4", "a colon", "close the [ before it"),
        ("x-a: &who {a: 1}\nrules: [*whom]\n", "2:9", "an undefined alias", "did you mean *who?"),
        ("rules: [*.made]\n", "1:9", "an undefined alias", "put quotes around a text that begins with *"),
        ("a: 1\na: 2\n", "2:1", 'duplicate key "a"', "say it once"),
        ("a: 1\n---\nb: 1\n", "2:1", "a second document", "take out the ---"),
        ("a: 1\nb: \x01\n", "2:4", "a control character", ""),
    ],
)
def test_what_is_no_yaml_is_told_where_the_mistake_is(text: str, where: str, found: str, advice: str) -> None:
    (problem,) = load_text(text, "r.yaml", ()).problems

    assert (problem.where, problem.message) == (f"r.yaml:{where}", "not YAML")
    assert problem.found.startswith(found)
    assert problem.suggestion.startswith(advice)
    assert bool(problem.suggestion) == bool(advice)
