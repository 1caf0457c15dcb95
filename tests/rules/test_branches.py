"""A constant that an expression can come to, and that does not fit its place, is told; what may be right is not."""

from __future__ import annotations

import json

import pytest

from pipeline.rules.branches import failing
from pipeline.rules.reading import load_text

RULE = """rules:
  - name: r
    from: [t]
    when: WHEN
    send: {to: acme-ecal, key: k, subscriber: WHO, entry: {title: TITLE, location: x, start: START, time_zone: ZONE}}
"""
FINE = {"WHEN": "{{ data.w }}", "WHO": "{{ data.p }}", "TITLE": "x", "START": "{{ data.s }}", "ZONE": "UTC"}


def told(place: str, said: str) -> list[tuple[int, str, str, str, str]]:
    text = RULE
    for name, value in {**FINE, place: said}.items():
        text = text.replace(name, json.dumps(value), 1)
    rules = load_text(text, "r.yaml", ())
    assert rules.problems == ()
    return [(one.line, one.message, one.found, one.expected, one.suggestion) for one in failing(rules)]


@pytest.mark.parametrize(
    ("place", "said", "line", "name", "found", "advice"),
    [
        ("WHEN", "{{ data.state == 'open' or 'paid' }}", 4, "when", "'paid'", "write … in ['…', '…']"),
        ("WHEN", "{{ data.a and 1 }}", 4, "when", "1", ""),
        ("ZONE", "{{ data.z | default('CEST') }}", 5, "time_zone", "'CEST'", ""),
        ("ZONE", "{{ 'Europe/Berlin' if data.x else 'Europe/Pariss' }}", 5, "time_zone", "'Europe/Pariss'", ""),
        ("ZONE", "{{ 'Berln' if data.x == 'y' else data.z }}", 5, "time_zone", "'Berln'", ""),
        ("START", "{{ data.s if data.s is defined else 'soon' }}", 5, "start", "'soon'", ""),
        ("TITLE", "{{ data.t | upper | default(0) }}", 5, "title", "0", ""),
    ],
)
def test_a_constant_that_does_not_fit(place: str, said: str, line: int, name: str, found: str, advice: str) -> None:
    ((at, message, shown, expected, suggestion),) = told(place, said)

    assert (at, message, shown) == (line, f"{name} is not right for some events", found)
    assert expected
    assert advice in suggestion


def test_a_person_is_not_quoted() -> None:
    ((_, message, found, _, _),) = told("WHO", "{{ data.p | default('') }}")

    assert (message, found) == ("subscriber is not right for some events", "")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("WHEN", "{{ data.state == 'open' or data.state == 'paid' }}"),
        ("WHEN", "{{ data.state == 'open' or false }}"),
        ("WHEN", "{{ data.state in ['open', 'paid'] }}"),
        ("WHEN", "{{ 'paid' == data.state }}"),
        ("WHEN", "{{ data.state == data.other | default('x') }}"),
        ("WHEN", "{{ data.a or data.state == data.other | default('x') }}"),
        ("WHEN", "{{ (data.state or 'x') == 'x' }}"),
        ("ZONE", "{{ data.z | default('Europe/Berlin') }}"),
        ("ZONE", "{{ data.z | default(omit) }}"),
        ("ZONE", "{{ data.z | default(none) }}"),
        ("ZONE", "{{ 'UTC' if data.x == 'Pariss' or 'Rom' else data.z }}"),
        ("ZONE", "{{ data.z if data.x | default('CEST') else data.y }}"),
        ("TITLE", "a {{ data.t | default(0) }}"),
        ("TITLE", "{{ data.t | default('') }}"),
    ],
)
def test_what_is_right_or_no_value_of_the_whole_is_not_told(place: str, said: str) -> None:
    assert told(place, said) == []
