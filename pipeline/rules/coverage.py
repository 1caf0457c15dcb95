"""Which rules, and which sides of their `when`, a set of events reaches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.model.event import DomainEvent
from pipeline.rules.compiled import CompiledRule, compile_rule
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.render import RenderError, Scope, Template


@dataclass(slots=True)
class RuleCoverage:
    """How often a rule's topic and type fitted an event, and what its `when` then was."""

    rule: str
    file: str
    line: int
    conditional: bool
    """Its `when` is an expression: both of its sides can be reached."""
    true: int = 0
    false: int = 0
    failed: int = 0

    @property
    def branches(self) -> int:
        return 2 if self.conditional else 1

    @property
    def covered(self) -> int:
        return bool(self.true) + bool(self.conditional and self.false)

    def missing(self) -> str:
        """What no event reached, in words; empty: nothing."""
        if not self.true and not self.false:
            return "never matched"
        if not self.true:
            return "when was never true"
        return "when was never false" if self.conditional and not self.false else ""


@dataclass(frozen=True, slots=True)
class Coverage:
    rules: tuple[RuleCoverage, ...] = ()

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(self.rules + other.rules)

    @property
    def matched(self) -> int:
        return sum(bool(rule.true) for rule in self.rules)

    @property
    def percent(self) -> float:
        """Of the branches: each rule has one, and one more where it has a `when`."""
        branches = sum(rule.branches for rule in self.rules)
        return 100.0 * sum(rule.covered for rule in self.rules) / branches if branches else 100.0


def coverage_of(rules: RuleSet, events: Iterable[DomainEvent]) -> Coverage:
    """Of the rules that stand in files; those that Calends brings along are its own matter."""
    counted = list(_counters(rules))
    for event in events:
        for rule, count in counted:
            _count(rule, event, count)
    return Coverage(tuple(count for _, count in counted))


def _counters(rules: RuleSet) -> Iterator[tuple[CompiledRule, RuleCoverage]]:
    for sourced in rules.rules.rules:
        rule = compile_rule(sourced, lambda at, fault: None)
        conditional = isinstance(rule.when, Template)
        yield rule, RuleCoverage(rule.name, sourced.file, sourced.line("name"), conditional)


def _count(rule: CompiledRule, event: DomainEvent, count: RuleCoverage) -> None:
    candidate = rule.candidate(event.record.at.topic, event.type)
    if candidate is None:
        return
    try:
        matched = candidate.match(Scope.over(event)) is not None
    except RenderError:
        count.failed += 1
        return
    count.true += matched
    count.false += not matched
