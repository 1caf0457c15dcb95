"""The tests that rule files carry: given events, in several orders, entries, requests and refusals are as expected.

The entries are those of the ledger: changes go through the same transitions, one event after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice, permutations
from typing import Any

from msgspec import structs

from pipeline.model.change import BASE, Change, Roster
from pipeline.model.entry import FIELDS, Content
from pipeline.model.event import DomainEvent, Undecodable, decode
from pipeline.model.facts import Facts, Policy
from pipeline.model.groups import hold, newest
from pipeline.model.wanted import apply, end_of
from pipeline.model.wire import Coordinates, Record, object_of
from pipeline.rules.adapt import DestinationView, desired, problems_of
from pipeline.rules.evaluate import RuleFailure, RuleSet
from pipeline.rules.expected import misnamed
from pipeline.rules.language import suggest
from pipeline.rules.masking import masked
from pipeline.rules.problem import Problem
from pipeline.rules.requests import first_request
from pipeline.rules.schema import AT_DESTINATION, Expect, ExpectedRequest, SourcedTest

START = datetime(2026, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
"""When a given event is read: its own time is never later."""
MAX_ORDERS = 5040
"""Those of seven events."""
Name = tuple[str, str]
"""(destination, key)"""
State = tuple[str, Content]
"""present | cancelled | deleted | waiting, and what should be there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What came, against what a test expects. `found` and `expected` are JSON, or words; `order`: of its events."""

    message: str
    found: str = ""
    expected: str = ""
    order: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TestResult:
    __test__ = False  # not a test of pytest's
    test: SourcedTest
    differences: tuple[Difference, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.differences

    def problems(self) -> Iterator[Problem]:
        name = f"test {self.test.test.name}: " if self.test.test.name else "test: "
        for one in self.differences:
            yield Problem(self.test.file, self.test.line, name + one.message, one.found, one.expected)


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of the given events, in one order of them."""

    rows: Mapping[Name, Facts]
    refused: Sequence[RuleFailure]
    order: tuple[int, ...] = field(default=())


def run_tests(rules: RuleSet) -> list[Problem]:
    """What the files' own tests find."""
    return [problem for test in rules.rules.tests for problem in run_test(test, rules).problems()]


def run_test(test: SourcedTest, rules: RuleSet) -> TestResult:
    """One test, in its orders. What differs in several orders is told once, with the first of them."""
    events, refused = _events(test, rules)
    evaluations = [rules.evaluate(event) for event in events]
    refused += [failure for evaluation in evaluations for failure in evaluation.failures]
    found: dict[tuple[str, str, str], Difference] = {}
    for order in _orders(len(events), test.test.orders):
        changes = [change for index in order for change in evaluations[index].changes]
        rosters = [roster for index in order for roster in evaluations[index].rosters]
        came = _Came(_rows(changes, rules, rosters), refused, tuple(index + 1 for index in order))
        for one in _differences(test, came, rules):
            found.setdefault((one.message, one.found, one.expected), replace(one, order=came.order))
    return TestResult(test, tuple(found.values()))


def given_events(test: SourcedTest, rules: RuleSet) -> list[DomainEvent]:
    """The events of a test that can be read."""
    return _events(test, rules)[0]


def states_of(changes: Iterable[Change], rules: RuleSet, rosters: Iterable[Roster] = ()) -> dict[Name, State]:
    """The desired state after these changes, which come in this order, and after these rosters."""
    return {name: state_of(row) for name, row in _rows(changes, rules, rosters).items()}


def _rows(changes: Iterable[Change], rules: RuleSet, rosters: Iterable[Roster]) -> dict[Name, Facts]:
    policies = {name: policy_of(view, rules.layers) for name, view in rules.destinations.items()}
    rows: dict[Name, Facts] = {}
    for change in changes:
        name = (change.destination, change.key)
        before = rows.get(name) or Facts(*name)
        rows[name] = apply(before, change, {}, 0.0, policies[change.destination]) or before
    held = newest(rosters)
    for name, row in rows.items():
        roster = None if row.group_name is None else held.get((row.destination, row.group_name))
        rows[name] = hold(row, roster, None, 0.0, policies[row.destination])
    return rows


def policy_of(view: DestinationView, layers: Sequence[str]) -> Policy:
    """What decides of the desired state; nothing of it is sent."""
    return Policy(
        destination=view.name,
        account=view.name,
        layers=tuple(layers),
        desired=partial(desired, view=view),
        says_cancelled="status" in view.expression().fields,
    )


def state_of(row: Facts) -> State:
    end, base = end_of(row.layers), row.layers.get(BASE)
    if end and (base is None or tuple(base["version"]) < tuple(end["version"])):
        return ("cancelled" if end["kind"] == "cancel" else "deleted"), {}
    return ("waiting", {}) if base is None else ("present", row.desired or {})


def _orders(count: int, orders: str) -> Iterable[Sequence[int]]:
    if orders == "all":
        return islice(permutations(range(count)), MAX_ORDERS)
    forth = tuple(range(count))
    return dict.fromkeys((forth, forth[::-1]))


def _events(test: SourcedTest, rules: RuleSet) -> tuple[list[DomainEvent], list[RuleFailure]]:
    """Each as old as its time says, else a second newer than the one that is listed before it."""
    events, refused, next_at = [], [], START
    for index, given in enumerate(test.test.given):
        try:
            event = _event(given, index, test, rules, next_at)
        except Undecodable as error:
            refused.append(RuleFailure("", f"given[{index}]", error.reason_code, error.explanation))
            continue
        events.append(event)
        next_at = event.record.timestamp + timedelta(seconds=1)
    return events, refused


def _differences(test: SourcedTest, came: _Came, rules: RuleSet) -> Iterator[Difference]:
    yield from _refusals(test.test.expect, came.refused, rules)
    if not test.test.expect and came.rows:
        yield Difference("an entry that no test expects", _names(came.rows), "none")
    for expect in test.test.expect:
        if expect.to is not None and expect.key is not None:
            yield from _entry(expect, (expect.to, expect.key), came.rows, rules)


def _refusals(expected: Sequence[Expect], came: Sequence[RuleFailure], rules: RuleSet) -> Iterator[Difference]:
    wanted = [expect for expect in expected if expect.refused is not None and expect.to is None]
    for failure in came:
        if not any(_is(expect, failure) for expect in wanted):
            message = f"rule {failure.rule} fails at {failure.slot}" if failure.rule else "a given event is refused"
            yield Difference(message, f"{failure.code}: {failure.explanation}", "no refusal")
    for expect in wanted:
        wrong = [Difference(*words) for words in misnamed(expect, rules.rules)]
        yield from wrong
        if not wrong and not any(_is(expect, failure) for failure in came):
            found = ", ".join(_told(failure.code, failure.rule, failure.slot) for failure in came)
            told = _told(expect.refused or "", expect.rule, expect.at)
            yield Difference("no such refusal", found or "nothing is refused", told)


def _is(expect: Expect, failure: RuleFailure) -> bool:
    return (
        expect.refused == failure.code
        and expect.rule in (None, failure.rule)
        and (expect.at is None or failure.slot == expect.at or failure.slot.endswith(f".{expect.at}"))
    )


def _told(code: str, rule: str | None, slot: str | None) -> str:
    return " ".join(part for part in (code, rule and f"by {rule}", slot and f"at {slot}") if part)


def _entry(expect: Expect, name: Name, rows: Mapping[Name, Facts], rules: RuleSet) -> Iterator[Difference]:
    told = f"{name[1]} at {name[0]}"
    if name[0] not in rules.destinations:
        yield Difference("no such destination", name[0], "one of " + ", ".join(sorted(rules.destinations)))
        return
    if name not in rows:
        yield Difference("no such entry", _names(rows) or "none", "/".join(name))
        return
    (state, content), view = state_of(rows[name]), rules.destinations[name[0]]
    if state != expect.state:
        yield Difference(f"the state of {told}", state, expect.state)
    for field_name, wanted in expect.entry.items():
        if field_name not in (*FIELDS, "kind", view.vendor.name, *content):
            advice = suggest(field_name, FIELDS)
            yield Difference(
                "no entry has such a field", field_name, " ".join(("one of", ", ".join(FIELDS), advice)).strip()
            )
        elif content.get(field_name) != wanted:
            yield Difference(f"{field_name} of {told}", _json(content.get(field_name)), _json(wanted))
    yield from _whose(expect, rows[name], told)
    problems = problems_of(content, view) if state == "present" else []
    if problems and expect.refused != AT_DESTINATION:
        yield from (Difference(f"{view.name} refuses {name[1]}", words) for words in problems)
    elif expect.refused is not None and not problems:
        yield Difference(f"no refusal of {told}", "it is taken", f"refused: {AT_DESTINATION}")
    elif expect.request is not None and not problems:
        yield from _request(expect.request, told, first_request(view, name[1], state, content))


def _whose(expect: Expect, row: Facts, told: str) -> Iterator[Difference]:
    for name in ("subscriber", "identity"):
        wanted, found = getattr(expect, name), getattr(row, name)
        if wanted is not None and str(wanted) != found:
            yield Difference(f"the {name} of {told}", _json(found), _json(str(wanted)))


def _request(expected: ExpectedRequest, told: str, request: Any) -> Iterator[Difference]:
    """The request of a first delivery; of its body the fields that are named."""
    if request is None:
        yield Difference(f"no request for {told}", "nothing is sent", _json(expected.model_dump(exclude_none=True)))
        return
    found = {"method": request.method, "path": request.path}
    for name in ("method", "path"):
        wanted = getattr(expected, name)
        if wanted is not None and found[name] != wanted:
            yield Difference(f"{name} of the request for {told}", _json(found[name]), _json(wanted))
    body = object_of(request.body)
    for name, wanted in expected.body.items():
        if body.get(name) != wanted:
            yield Difference(f"{name} in the request for {told}", _json(body.get(name)), _json(wanted))


def _event(given: Mapping[str, Any], index: int, test: SourcedTest, rules: RuleSet, otherwise: datetime) -> DomainEvent:
    """A given event as a record: `topic` names where it lies, else the first rule of the file that takes its type."""
    body = {name: value for name, value in given.items() if name != "topic"}
    if body.get("specversion") is None and "id" in body and "source" in body:
        body["specversion"] = "1.0"
    value = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    event = decode(Record(Coordinates("-", 0, index), None, value, (), LATEST))
    topic = given.get("topic") or _topic(event.type, test, rules)
    written = replace(event.record, at=Coordinates(str(topic), 0, index), timestamp=event.time or otherwise)
    return structs.replace(event, record=written)


def _topic(kind: str, test: SourcedTest, rules: RuleSet) -> str:
    for sourced in rules.rules.rules:
        globs = [glob for on in sourced.rule.events() for glob in on.type]
        if sourced.file == test.file and any(fnmatchcase(kind, glob) for glob in globs):
            return sourced.rule.from_[0]
    return "-"


def _names(rows: Iterable[Name]) -> str:
    return ", ".join(f"{to}/{key}" for to, key in sorted(rows))


def _json(value: Any) -> str:
    return json.dumps(masked(value), ensure_ascii=False)
