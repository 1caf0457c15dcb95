"""The tests that rule files carry: given events, in both orders, the desired state must be as expected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from pipeline.model.change import BASE, Change
from pipeline.model.entry import Content
from pipeline.model.event import DomainEvent, Undecodable, decode
from pipeline.model.when import BadTime, parse_instant
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.adapt import desired, problems_of
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.problem import Problem
from pipeline.rules.schema import Expect, SourcedTest

START = datetime(2026, 1, 1, tzinfo=UTC)
Name = tuple[str, str]
"""(destination, key)"""
State = tuple[str, Content]
"""present | cancelled | deleted | waiting, and what should be there."""


def run_tests(rules: RuleSet) -> list[Problem]:
    """What the files' own tests find."""
    return [problem for test in rules.rules.tests for problem in _run(test, rules)]


def states_of(changes: Iterable[Change], rules: RuleSet) -> dict[Name, State]:
    """The desired state after these changes, whatever their order; each layer keeps its newest."""
    newest: dict[Name, dict[str, Change]] = {}
    for change in changes:
        slots = newest.setdefault((change.destination, change.key), {})
        slot = change.layer if change.kind == "upsert" else "end"
        if slot not in slots or slots[slot].version < change.version:
            slots[slot] = change
    return {name: _state(name, slots, rules) for name, slots in newest.items()}


def _state(name: Name, slots: Mapping[str, Change], rules: RuleSet) -> State:
    end, base = slots.get("end"), slots.get(BASE)
    if end and (base is None or base.version < end.version):
        return ("cancelled" if end.kind == "cancel" else "deleted"), {}
    if base is None:
        return "waiting", {}
    contents = [slots[layer].content for layer in rules.layers if layer in slots]
    return "present", desired(contents, rules.destinations[name[0]])


def _run(test: SourcedTest, rules: RuleSet) -> Iterator[Problem]:
    try:
        events = [_event(given, index, test, rules) for index, given in enumerate(test.test.given)]
    except Undecodable as error:
        yield _problem(test, "a given event cannot be read", error.reason_code, error.explanation)
        return
    evaluations = [rules.evaluate(event) for event in events]
    for failure in (failure for evaluation in evaluations for failure in evaluation.failures):
        yield _problem(test, f"rule {failure.rule} fails at {failure.slot}", failure.code, failure.explanation)
    changes = [change for evaluation in evaluations for change in evaluation.changes]
    for order in (changes, changes[::-1]):
        yield from _compare(test, states_of(order, rules), rules)


def _compare(test: SourcedTest, states: Mapping[Name, State], rules: RuleSet) -> Iterator[Problem]:
    if not test.test.expect and states:
        yield _problem(test, "an entry that no test expects", _names(states), "none")
    for expect in test.test.expect:
        if (expect.to, expect.key) not in states:
            yield _problem(test, "no such entry", _names(states) or "none", f"{expect.to}/{expect.key}")
            continue
        state, content = states[expect.to, expect.key]
        if state != expect.state:
            yield _problem(test, f"the state of {expect.key}", state, expect.state)
        yield from _fields(test, expect, content)
        if state == "present":
            view = rules.destinations[expect.to]
            refused = f"{view.name} refuses {expect.key}"
            yield from (_problem(test, refused, words) for words in problems_of(content, view))


def _fields(test: SourcedTest, expect: Expect, content: Content) -> Iterator[Problem]:
    for name, wanted in expect.entry.items():
        found = content.get(name)
        if found != wanted:
            yield _problem(test, f"{name} of {expect.key} at {expect.to}", _json(found), _json(wanted))


def _event(given: Mapping[str, Any], index: int, test: SourcedTest, rules: RuleSet) -> DomainEvent:
    """A given event as a record: `topic` names where it lies, else the first rule of the file that takes its type."""
    body = {name: value for name, value in given.items() if name != "topic"}
    if body.get("specversion") is None and "id" in body and "source" in body:
        body["specversion"] = "1.0"
    topic = given.get("topic") or _topic(str(given.get("type")), test, rules)
    at = Coordinates(str(topic), 0, index)
    value = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return decode(Record(at, None, value, (), _timestamp(body.get("time"), index)))


def _timestamp(time: Any, index: int) -> datetime:
    try:
        return parse_instant(str(time))
    except BadTime:
        return START + timedelta(seconds=index)


def _topic(kind: str, test: SourcedTest, rules: RuleSet) -> str:
    for sourced in rules.rules.rules:
        globs: Sequence[str] = sourced.rule.on or ("*",)
        if sourced.file == test.file and any(fnmatchcase(kind, glob) for glob in globs):
            return sourced.rule.from_[0]
    return "-"


def _names(states: Mapping[Name, State]) -> str:
    return ", ".join(f"{to}/{key}" for to, key in sorted(states))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _problem(test: SourcedTest, message: str, found: str = "", expected: str = "") -> Problem:
    name = f"test {test.test.name}: " if test.test.name else "test: "
    return Problem(test.file, test.line, name + message, found, expected)
