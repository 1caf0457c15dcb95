"""Texts that do not say what was meant, and those that are right."""

from __future__ import annotations

import pytest

from pipeline.rules.misread import foreign, misspelt
from pipeline.rules.reading import load_text

RULE = """rules:
  - name: r
    from: [t]
    send:
      to: [d]
      key: {key}
      entry: {{title: x, description: {text}, alerts: [1d]}}
      ecal: {{objective: {text}}}
"""


def told(text: str, key: str = "k") -> list[tuple[int, str]]:
    rules = load_text(RULE.format(text=text, key=key), "r.yaml", ("ecal",))
    assert [problem.message for problem in rules.problems] == []
    return [(problem.line, problem.suggestion) for problem in foreign(rules)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("'${data.n} due'", "data.n"),
        ("'{{ data.a }} ${ data.n }'", "data.n"),
        ("$data.n", "data.n"),
        ("'{ data.n }'", "data.n"),
        ("'{event.time}'", "event.time"),
        ("'{data[0].n | upper}'", "data[0].n"),
        ("data.n", "data.n"),
        ("'data.n.m[0]'", "data.n.m[0]"),
    ],
)
def test_braces_of_another_language_are_told_wherever_they_stand(text: str, meant: str) -> None:
    assert told(text) == [(7, f"write {{{{ {meant} }}}}"), (8, f"write {{{{ {meant} }}}}")]


def test_braces_of_another_language_in_a_key_are_told() -> None:
    assert told("x", "A-${data.n}") == [(6, "write {{ data.n }}")]


@pytest.mark.parametrize(
    "text",
    [
        "'{{ data.n }}'",
        "'{{data.n}}'",
        "'{% if data.n %}{{ data.n }}{% endif %}'",
        "'costs $5 {or so}'",
        "'${HOME}'",
        "'{data}'",
        "'our data.base'",
        "data.",
        "'see data.n'",
        "\"{{ '{data.n}' }}\"",
        "'$database.x'",
    ],
)
def test_texts_that_only_look_like_other_braces_are_left_alone(text: str) -> None:
    assert told(text) == []


def test_an_attribute_that_events_do_not_have_is_told_wherever_it_stands() -> None:
    rules = load_text(RULE.format(text="'{{ event.tme }}'", key="k"), "r.yaml", ("ecal",))

    assert [(problem.line, problem.found) for problem in misspelt(rules)] == [(7, "event.tme"), (8, "event.tme")]


@pytest.mark.parametrize(
    "line",
    [
        'title: "Invoice #{{ data.n }}"  # the number',
        "title: Invoice  # was {{ data.n }}",
        "title: Invoice  # {{ data.n }} later",
        "title: Invoice",
        "title: 'a' # \"{{ data.n }}\"",
        "# title: Invoice #{{ data.n }}",
        "title: |\n            Invoice #{{ data.n }}",
        "title: >-\n            a\n            b #{{ data.n }}",
        'links: [{name: "{{ data.room }}", url: "https://a.example/{{ data.room }} #{{ data.id }}"}]',
        "links: [{name: here, url: 'https://a.example/here #{{ data.id }}'}]",
        "links: [{url: 'here #{{ data.id }}', name: here}]",
    ],
)
def test_comments_and_whole_texts_are_right(line: str) -> None:
    above = "rules:\n  - name: r\n    from: [t]\n    send:\n      to: d\n      entry:\n"
    text = f"{above}          busy: true\n          {line}\n"

    assert load_text(text, "r.yaml", ()).problems == ()


@pytest.mark.parametrize(
    "line",
    [
        "title: Invoice #{{ data.n }}",
        "'title' : Invoice #{{ data.n }}",
        "title: &one Invoice #{{ data.n }}",
        "title: #{{ data.n }}",
        "{busy: true, title: Invoice #{{ data.n }}\n          }",
        "- Invoice #{{ data.n }}",
    ],
)
def test_a_template_that_yaml_takes_for_a_comment_is_told(line: str) -> None:
    text = f"rules:\n  - name: r\n    from: [t]\n    send:\n      to: d\n      entry:\n          {line}\n"

    messages = [problem.message for problem in load_text(text, "r.yaml", ()).problems]
    assert messages.count("YAML takes this template for a comment") == 1
