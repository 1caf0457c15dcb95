"""A field that may be null is told where null fails, and nowhere that a condition asks about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text

RULE = """rules:
  - name: r
    from: [t]
    on: {type: a.b, schema: {properties: {note: {type: [string, "null"]}, other: {type: [string, "null"]}}}}
    when: WHEN
    send:
      to: acme-ecal
      key: k
      subscriber: S
      entry: {title: TITLE, location: x, start: 2026-12-24, all_day: true, alerts: [1d]}
"""
Check = Callable[..., list[str]]


@pytest.fixture
def check(destinations: dict[str, DestinationView]) -> Check:
    def problems(title: str, when: str = "true") -> list[str]:
        text = RULE.replace("TITLE", f"'{title}'").replace("WHEN", when)
        return [problem.message for problem in check_rules(load_text(text, "r.yaml", ("ecal",)), destinations)]

    return problems


@pytest.mark.parametrize(
    "title",
    [
        "A{% if data.note is not none %}: {{ data.note }}{% endif %}",
        "A{% if data.note %}: {{ data.note }}{% endif %}",
        "A{% if data.note is string %}: {{ data.note }}{% endif %}",
        "A{% if data.note is defined and data.note is not none %}: {{ data.note | upper }}{% endif %}",
        "A{% if data.note != none %}: {{ data.note }}{% endif %}",
        "A{% if data.note is none %}-{% else %}{{ data.note }}{% endif %}",
        "A{% if data.x %}-{% elif data.note %}{{ data.note }}{% endif %}",
        "A{% if data.note is none %}-{% elif data.x %}{{ data.note }}{% endif %}",
        "A{% if data.note %}{% if data.x %}{{ data.note }}{% endif %}{{ data.note }}{% endif %}",
        'A{{ data.note if data.note else "b" }}',
        'A{{ data.note | upper if data.note is string else "b" }}',
    ],
)
def test_what_a_condition_asks_about_is_not_told(title: str, check: Check) -> None:
    assert check(title.replace("data.x", 'event.subject == "x"')) == []


def test_what_the_rule_itself_asks_about_is_not_told(check: Check) -> None:
    assert check("A{{ data.note }}{{ data.note | upper }}", when='"{{ data.note is not none }}"') == []


@pytest.mark.parametrize(
    "title",
    [
        "A{{ data.note }}",
        "A{% if data.other %}{{ data.note }}{% endif %}",
        "A{% if data.note %}-{% endif %}{{ data.note }}",
        "A{% if data.note %}{% if data.other %}-{% endif %}{% endif %}{{ data.note }}",
    ],
)
def test_null_in_a_text_is_told(title: str, check: Check) -> None:
    assert check(title) == ["data.note may be null, which does not print"]


@pytest.mark.parametrize("title", ["A{{ data.note | upper }}", "{{ data.note | upper }}"])
def test_null_in_a_filter_is_told(title: str, check: Check) -> None:
    assert check(title) == ["data.note may be null, which upper cannot take"]
