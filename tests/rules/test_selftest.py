"""The tests that rule files carry find what is wrong, say how, and say what they never reached."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.model import event
from pipeline.model.event import REASONS
from pipeline.rules.adapt import DestinationView
from pipeline.rules.coverage import coverage_of
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.reading import load_text
from pipeline.rules.selftest import Difference, given_events, run_test
from pipeline.vendors import vendors

RULES = """
rules:
  - name: due
    from: [t]
    on: due
    when: "{{ data.amount > 0 }}"
    send:
      to: real
      key: "{{ data.n }}"
      identity: A1
      entry: {title: "Due {{ data.amount }}", location: x, start: "{{ data.on }}", all_day: true}
  - {name: paid, from: [t], on: paid, send: {to: real, key: "{{ data.n }}", layer: payment, entry: {title: Paid}}}
  - {name: gone, from: [t], on: gone, send: {to: real, key: "{{ data.n }}", cancel: true}}
tests:
"""
DUE = '{type: due, time: "2026-01-0%sT00:00:00Z", data: {n: K, amount: %s, on: "2026-02-01"}}'


@pytest.fixture
def real() -> Mapping[str, DestinationView]:
    return {"real": DestinationView("real", vendors()["ecal"], {"api": "private"}, prefix="real.")}


def differences(test: str, views: Mapping[str, DestinationView]) -> list[Difference]:
    loaded = load_text(RULES + "".join(f"  {line}\n" for line in test.splitlines()), "rules.yaml", vendors())
    rules = RuleSet(loaded, views, ("base", "payment"))
    return list(run_test(loaded.tests[0], rules).differences)


def test_a_wrong_field_is_told_with_what_was_found(real: Mapping[str, DestinationView]) -> None:
    found = differences(f"- given: [{DUE % (1, 5)}]\n  expect: [{{to: real, key: K, entry: {{title: Due 6}}}}]", real)

    assert found == [Difference("title of K at real", '"Due 5"', '"Due 6"', (1,))]


def test_whose_calendar_is_compared(real: Mapping[str, DestinationView]) -> None:
    both = f"given: [{DUE % (1, 5)}]\n  expect: [{{to: real, key: K, %s}}]"

    assert differences("- " + both % "identity: A1", real) == []
    found = differences("- " + both % "identity: A2, subscriber: 7", real)
    assert found == [
        Difference("the subscriber of K at real", "null", '"7"', (1,)),
        Difference("the identity of K at real", '"A1"', '"A2"', (1,)),
    ]


def test_every_order_is_tried_and_what_differs_in_all_is_told_once(real: Mapping[str, DestinationView]) -> None:
    events = ", ".join([DUE % (1, 5), DUE % (3, 7), "{type: paid, data: {n: K}}", "{type: gone, data: {n: L}}"])
    good = "[{to: real, key: K, entry: {title: Paid}}, {to: real, key: L, state: cancelled}]"
    bad = "[{to: real, key: K, state: cancelled}]"

    assert differences(f"- given: [{events}]\n  orders: all\n  expect: {good}", real) == []
    assert differences(f"- given: [{events}]\n  orders: all\n  expect: {bad}", real) == [
        Difference("the state of K at real", "present", "cancelled", (1, 2, 3, 4))
    ]


def test_an_event_without_a_time_is_newer_than_the_one_listed_before_it(real: Mapping[str, DestinationView]) -> None:
    later = DUE.replace('time: "2026-01-0%sT00:00:00Z", ', "") % 7
    good = "[{to: real, key: K, entry: {title: Due 7}}]"

    assert differences(f"- given: [{DUE % (5, 5)}, {later}]\n  expect: {good}", real) == []
    assert differences(f"- given: [{DUE % (5, 5)}, {later}, {{type: gone, data: {{n: K}}}}]\n  expect: {good}", real)


def test_a_request_is_compared_field_by_field(real: Mapping[str, DestinationView]) -> None:
    expected = "{method: POST, path: /apiv2/event, body: {name: Due 5, reference: other}}"
    found = differences(f"- given: [{DUE % (1, 5)}]\n  expect: [{{to: real, key: K, request: {expected}}}]", real)

    assert found == [Difference("reference in the request for K at real", '"real.K"', '"other"', (1,))]


@pytest.mark.parametrize(
    ("given", "expect", "found"),
    [
        ("{type: due, data: {n: K, amount: 1}}", "{refused: missing, rule: due, at: entry.start}", []),
        (
            "{type: due, data: {n: K, amount: 1}}",
            "{refused: type, at: entry.start}",
            ["rule due fails at send[0].entry.start", "no such refusal"],
        ),
        ("{type: due, time: tomorrow}", "{refused: time}", []),
        (DUE % (1, 5), "{refused: missing}", ["no such refusal"]),
        ("{type: due, data: {n: K, amount: 1, on: '2026-02-30'}}", "{refused: format}", []),
        (DUE % (1, 5), "{to: real, key: K, refused: destination}", ["no refusal of K at real"]),
        (DUE % (1, 5), "{to: elsewhere, key: K}", ["no such destination"]),
    ],
)  # fmt: skip
def test_a_refusal_may_be_what_is_expected(
    real: Mapping[str, DestinationView], given: str, expect: str, found: list[str]
) -> None:
    assert [one.message for one in differences(f"- given: [{given}]\n  expect: [{expect}]", real)] == found


@pytest.mark.parametrize(
    ("expect", "message", "near"),
    [
        ("{refused: formt}", "no refusal has this code", "did you mean format?"),
        ("{refused: tme}", "no refusal has this code", "did you mean time?"),
        ("{refused: missing, rule: deu}", "no rule has this name", "did you mean due?"),
        ("{refused: missing, at: entry.strt}", "no rule has this place", "did you mean start?"),
        ("{refused: missing, at: 'send[0].entyr.start'}", "no rule has this place", "did you mean entry?"),
    ],
)
def test_a_refusal_that_cannot_come_is_told_with_the_nearest_name(
    real: Mapping[str, DestinationView], expect: str, message: str, near: str
) -> None:
    found = differences(f"- given: [{{type: due, data: {{n: K, amount: 1}}}}]\n  expect: [{expect}]", real)[-1]

    assert (found.message, found.expected.endswith(near)) == (message, True)


def test_every_code_of_an_event_is_known() -> None:
    raised = re.findall(r'Undecodable\(\s*"(\w+)"', Path(event.__file__).read_text("utf-8"))

    assert {*raised} == REASONS


def test_a_refusal_that_no_test_expects_says_once_what_was_expected(real: Mapping[str, DestinationView]) -> None:
    given = "{type: due, data: {n: K, amount: 1, on: '2026-02-30'}}"
    found = differences(f"- given: [{given}]\n  expect: [{{refused: format, at: key}}]", real)[0]

    assert (found.found, found.expected) == ("format: expected a date such as 2026-12-24", "no refusal")


def test_an_expectation_of_nothing_and_too_many_orders_are_told(real: Mapping[str, DestinationView]) -> None:
    refused = "  - {given: [{type: due}], expect: [{to: real, key: K, refused: missing}]}\n"
    text = RULES + "  - {given: [{type: due}], expect: [{entry: {}}]}\n" + refused + "  - {given: [" + "{type: a}, " * 8
    problems = load_text(text + "], orders: all, expect: []}\n", "rules.yaml", vendors()).of_tests

    assert [problem.expected for problem in problems] == [
        "an entry has to: and key:, a refusal has refused:",
        "refused: destination of an entry with to: and key:, any other code without them",
        "orders: all takes seven events at most",
    ]


def test_coverage_tells_the_sides_of_a_when_and_rules_that_never_matched(real: Mapping[str, DestinationView]) -> None:
    loaded = load_text(RULES + f"  - {{given: [{DUE % (1, 0)}, {{type: gone}}], expect: []}}\n", "r.yaml", vendors())
    rules = RuleSet(loaded, real, ("base", "payment"))

    covered = coverage_of(rules, given_events(loaded.tests[0], rules))

    assert [rule.missing() for rule in covered.rules] == ["when was never true", "never matched", ""]
    assert (covered.matched, covered.percent) == (1, 50.0)
