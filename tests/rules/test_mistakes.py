"""Forty mistakes that people make: each is named at its line, with what to do. Nothing is a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.misread import bare_names, decimals
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_text, twice_named
from pipeline.rules.secrets import secret_problems

MISTAKES: list[dict[str, Any]] = YAML(typ="safe").load((Path(__file__).parent / "mistakes.yaml").read_text())
GOOD = """\
rules:
  - name: made
    from: [bookings]
    on: {type: booking.made, schema: {type: object, properties: {
      number: {type: integer}, amount: {type: number}, start: {type: string}, title: {type: string},
      note: {type: [string, "null"]}, items: {type: array, items: {properties: {id: {}, name: {}}}}}}}
    when: "{{ data.amount > 0 }}"
    send:
      - to: [acme-ecal]
        each: data.items
        group: BK
        complete: true
        key: "BK-{{ data.number }}-{{ item.id }}"
        subscriber: "{{ item.name }}"
        entry:
          title: "{{ data.title }}"
          location: Online
          start: "{{ data.start }}"
          time_zone: Europe/Berlin
          all_day: false
          alerts: [1h]
        ecal: {objective: x}
tests:
  - given:
      - type: booking.made
        data: {number: 7, amount: 2.5, start: "2026-12-24T09:00", title: Yoga, items: [{id: a, name: C}]}
    expect: [{to: acme-ecal, key: BK-7-a, entry: {title: Yoga}}]
"""


def check(text: str, destinations: dict[str, DestinationView]) -> list[Problem]:
    rules = load_text(text, "r.yaml", ("ecal", "calreply"))
    problems = check_rules(rules, destinations, ("base", "payment"))
    warnings = [*bare_names(rules), *decimals(rules)]
    return [*problems, *twice_named(rules.rules), *secret_problems(rules, {}), *warnings]


def test_what_is_right_has_no_problem(destinations: dict[str, DestinationView]) -> None:
    assert check(GOOD, destinations) == []


def test_there_are_forty() -> None:
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize("said", MISTAKES, ids=lambda said: str(said["mistake"]))
def test_a_mistake_is_named_at_its_line_with_what_to_do(
    said: dict[str, Any], destinations: dict[str, DestinationView]
) -> None:
    assert said["right"] in GOOD
    text = GOOD.replace(said["right"], said["wrong"], 1)
    at = text.index(said.get("at") or said["wrong"])
    line = text.count("\n", 0, at) + 1 + said.get("line", 0)
    told = [str(problem) for problem in check(text, destinations) if problem.line == line]
    assert any(said["says"] in one and said["do"] in one for one in told), [str(p) for p in check(text, destinations)]


def test_of_an_item_that_says_nothing_no_more_is_said(destinations: dict[str, DestinationView]) -> None:
    lone = "  - {name: off, from: [bookings], on: off, send: {to: acme-ecal, key: A, subscriber: B}}\ntests:"
    assert [one.message for one in check(GOOD.replace("tests:", lone), destinations)] == [
        "a send item that says nothing"
    ]


def test_no_secret_is_quoted(destinations: dict[str, DestinationView]) -> None:
    for place in ("{objective: x}", "title: Yoga}", "to: [acme-ecal]", "[1h]", "alerts: [1h]", '"{{ item.name }}"'):
        text = GOOD.replace(place, "sk_live_0123456789abcdef", 1)
        assert all("0123456789abcdef" not in str(problem) for problem in check(text, destinations))


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'KEY' | int }}",
        "{{ 'KEY' | in_zone('KEY') }}",
        "{{ 5 | date('KEY') }}",
        "{{ ['KEY'] | join | date }}",
        "{{ data.title if data.amount == 'KEY' else 'KEY' | date }}",
        "{{ 'KEY' == 'KEYS' }}",
        "{{ ['KEY'] }}",
        "a {{ ['KEY'] }}",
        "a {{ 'KEY' > 1 }}",
        "{{ KEY }}",
        "KEY {{ data.start }}",
        "{{ data.start | replace('KEY') }}",
    ],
)
@pytest.mark.parametrize("place", ['"{{ data.title }}"', '"{{ data.start }}"', '"{{ item.name }}"', "Europe/Berlin"])
def test_no_secret_in_a_template_is_quoted(template: str, place: str, destinations: dict[str, DestinationView]) -> None:
    text = GOOD.replace(place, '"' + template.replace("KEY", "sk_live_0123456789abcdef") + '"', 1)
    assert all("0123456789abcdef" not in str(problem) for problem in check(text, destinations))


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'jane@example.com' | date }}",
        "{{ data.start | plus('jane@example.com') }}",
        "{{ data.start | plus('1d', 'jane@example.com') }}",
        "{{ 'jane@example.com' == 'joe@example.com' }}",
        "{{ ['jane@example.com'] }}",
        "a {{ ['jane@example.com'] }}",
    ],
)
def test_no_person_is_quoted(template: str, destinations: dict[str, DestinationView]) -> None:
    problems = check(GOOD.replace('"{{ item.name }}"', f'"{template}"', 1), destinations)
    assert problems != []
    assert all("example.com" not in str(problem) for problem in problems)


def test_an_unknown_key_hides_nothing(destinations: dict[str, DestinationView]) -> None:
    wrong = """\
rules:
  - name: made
    from: [bookings]
    wobble: 1
    send:
      - to: acme-ecal
        key: "B-{{ data.number }}"
        wobble: 2
        entry: {wobble: 3, title: Yoga, start: 2026-02-20, end: 2026-02-10, all_day: true}
      - {to: acme-ecal, key: "B-{{ data.number }}", cancel: true}
  - {name: idle, from: [bookings], wobble: 4}
"""
    messages = [one.message for one in check(wrong, destinations)]

    assert messages.count("an unknown key") == 4
    assert {*messages} == {
        "an unknown key", "acme-ecal needs a subscriber", "acme-ecal needs location", "end is not right",
        "a rule that does nothing", "two changes to one layer of one entry",
    }  # fmt: skip


def test_what_stands_in_a_wrong_place_is_not_missing_too(destinations: dict[str, DestinationView]) -> None:
    wrong = GOOD.replace("          location: Online\n", "").replace(
        "        group:", "        location: Here\n        group:"
    )

    assert [one.message for one in check(wrong, destinations)] == ["an unknown key"]
