"""Rules that write one layer of one entry, ordered by a number in one and by the time in the other, are warned of."""

from __future__ import annotations

import pytest

from pipeline.rules.ordering import mixed
from pipeline.rules.reading import load_text
from pipeline.vendors import vendors

ROSTERED = """
rules:
  - name: rostered
    from: [rosters]
    sequence: "{{ data.revision }}"
    send: {to: d, key: "SH-{{ data.shift }}", group: "W-{{ data.week }}", entry: {title: T}}
  - name: other
    from: [swaps]
"""


def warned(other: str) -> list[tuple[int, str]]:
    rules = load_text(ROSTERED + "".join(f"    {line}\n" for line in other.splitlines()), "rules.yaml", vendors())
    assert rules.problems == ()
    return [(problem.line, problem.found) for problem in mixed(rules.rules)]


@pytest.mark.parametrize(
    "send",
    [
        'send: {to: d, key: "SH-{{ data.a.shift }}", entry: {title: S}}',
        'send: {to: [e, d], key: "SH-{{ event.subject }}", delete: true}',
        'send: {to: d, group: "W-{{ data.number }}", cancel: true}',
    ],
)
def test_a_time_beside_a_number_is_warned_of(send: str) -> None:
    assert warned(send) == [(9, "no sequence:, and rule rostered has one")]


@pytest.mark.parametrize("by_time", ['"{{ event.time }}"', "'{{event.time}}'"])
def test_a_sequence_that_is_the_event_s_time_is_the_order_of_a_rule_without_one(by_time: str) -> None:
    text = ROSTERED.replace('"{{ data.revision }}"', by_time)
    text += '    on: calends.tombstone\n    send: {to: d, key: "SH-{{ event.subject }}", cancel: true}\n'
    rules = load_text(text, "rules.yaml", vendors())

    assert (list(rules.problems), list(mixed(rules.rules))) == ([], [])


def test_the_advice_is_right_for_events_without_a_time_too() -> None:
    rest = '    send: {to: d, key: "SH-{{ data.shift }}", cancel: true}\n'
    (problem,) = mixed(load_text(ROSTERED + rest, "rules.yaml", vendors()).rules)

    assert problem.expected == "a sequence: of one kind in both rules, or in neither: the time then orders both"


@pytest.mark.parametrize(
    "rest",
    [
        'send: {to: d, key: "SH-{{ data.shift }}", layer: sick, entry: {title: S}}',
        'send: {to: e, key: "SH-{{ data.shift }}", entry: {title: S}}',
        'send: {to: d, key: "TASK-{{ data.shift }}", entry: {title: S}}',
        'sequence: "{{ event.time }}"\nsend: {to: d, key: "SH-{{ data.shift }}", cancel: true}',
    ],
)
def test_what_is_written_apart_or_has_a_sequence_too_is_not_warned_of(rest: str) -> None:
    assert warned(rest) == []
