"""Domain event → changes, rosters and links. A rule that fails is a failure of its own; all others apply.

Pure: no clock; all that is kept is which rules read which types. No explanation quotes a value of the event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from pipeline.model.change import BASE, Change, Link, Roster, Version
from pipeline.model.entry import canonical
from pipeline.model.event import DomainEvent, event_order
from pipeline.rules import slots
from pipeline.rules.adapt import DestinationView
from pipeline.rules.changes import FAILURES, Failed, Naming, Sender, at_slot, failed_at, link_of, not_too_many
from pipeline.rules.compiled import Candidate, CompiledRule, Match, compile_rule
from pipeline.rules.language import Fault, suggest
from pipeline.rules.problem import Problem, Spot, Where
from pipeline.rules.render import Scope
from pipeline.rules.schema import Rules, Sourced

MAX_REMEMBERED = 4_096
"""Pairs of topic and type for which it is known which rules read them: producers choose the types."""


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """A rule that could not be applied. `code`: missing, type, format, schema, key, duplicate, limit, template."""

    rule: str
    slot: str
    code: str
    explanation: str


class Evaluation(msgspec.Struct, frozen=True):
    """What the rules make of one event."""

    changes: tuple[Change, ...] = ()
    links: tuple[Link, ...] = ()
    matched: tuple[Match, ...] = ()
    failures: tuple[RuleFailure, ...] = ()
    rosters: tuple[Roster, ...] = ()


class RulesInvalid(ValueError):
    """Rules that cannot be compiled; `problems` say where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def digest_of(rules: Rules) -> str:
    """SHA-256 over the canonical rules, in hex: names the rule set whatever its files look like."""
    dumped = [sourced.rule.model_dump(by_alias=True, exclude_unset=True) for sourced in rules.rules]
    return hashlib.sha256(canonical(dumped).encode()).hexdigest()


def compile_rules(
    rules: Rules,
    destinations: Mapping[str, DestinationView],
    layers: Sequence[str],
    doubtful: Collection[str] = (),
) -> tuple[tuple[CompiledRule, ...], list[Problem]]:
    """The rules made ready, and why they could not be. `doubtful`: destinations that there are, but not to be seen."""
    found: list[Problem] = list(rules.problems)
    compiled = tuple(compile_rule(sourced, _reporter(sourced, found)) for sourced in rules.rules)
    for sourced in rules.rules:
        found += _unknown_names(sourced, sorted({*destinations, *doubtful}), layers)
    return compiled, found


class _Found(msgspec.Struct):
    """An evaluation under way."""

    version: Version
    """Of rules that name no sequence."""
    changes: dict[tuple[str, str, str], Change] = msgspec.field(default_factory=dict)
    """By destination, key and layer."""
    links: list[Link] = msgspec.field(default_factory=list)
    matched: list[Match] = msgspec.field(default_factory=list)
    failures: list[RuleFailure] = msgspec.field(default_factory=list)
    namings: list[Naming] = msgspec.field(default_factory=list)
    groups_known: bool = True
    """False: a rule that names entries of a group failed, so nobody can say which there are."""

    def add(self, changes: Sequence[Change]) -> None:
        """All of them, or none: raises Failed where one layer of an entry would be changed twice."""
        not_too_many(len(self.changes) + len(changes))
        more = {(change.destination, change.key, change.layer): change for change in changes}
        if len(more) < len(changes) or not self.changes.keys().isdisjoint(more):
            raise Failed("send", "duplicate", "the event changes one layer of an entry twice")
        self.changes.update(more)

    def evaluation(self, event: DomainEvent) -> Evaluation:
        rosters = tuple(_rosters(self.namings, event)) if self.namings and self.groups_known else ()
        changes = tuple(self.changes.values())
        return Evaluation(changes, tuple(self.links), tuple(self.matched), tuple(self.failures), rosters)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Compiled rules. Raises `RulesInvalid` when they cannot be compiled."""

    rules: Rules
    destinations: Mapping[str, DestinationView]
    layers: tuple[str, ...] = (BASE,)
    """Declared order, base first."""
    revision: int = 0
    digest: str = field(init=False)
    _compiled: tuple[CompiledRule, ...] = field(init=False, repr=False)
    _candidates: dict[tuple[str, str], list[Candidate]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        compiled, problems = compile_rules(self.rules, self.destinations, self.layers)
        if problems:
            raise RulesInvalid(problems)
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "digest", digest_of(self.rules))

    def with_revision(self, revision: int) -> RuleSet:
        return replace(self, revision=revision)

    @property
    def topics(self) -> tuple[str, ...]:
        """All `from:` as written; /…/ is a pattern."""
        return tuple(sorted({name for sourced in self.rules.rules for name in sourced.rule.from_}))

    def evaluate(self, event: DomainEvent) -> Evaluation:
        candidates = self._rules_for(event.record.at.topic, event.type)
        if not candidates:
            return Evaluation()
        version = Version.of(event_order(event), event.record.at, self.revision)
        scope, found = Scope.over(event), _Found(version)
        for candidate in candidates:
            rule = candidate.rule
            try:
                self._apply(candidate, event, scope, found)
            except Failed as failed:
                found.failures.append(RuleFailure(rule.name, failed.slot, failed.code, failed.explanation))
                found.groups_known &= not rule.names_groups
        return found.evaluation(event)

    def _rules_for(self, topic: str, kind: str) -> list[Candidate]:
        known = self._candidates.get((topic, kind))
        if known is None:
            known = [found for rule in self._compiled if (found := rule.candidate(topic, kind)) is not None]
            if len(self._candidates) >= MAX_REMEMBERED:
                self._candidates.clear()
            self._candidates[topic, kind] = known
        return known

    def _apply(self, candidate: Candidate, event: DomainEvent, scope: Scope, found: _Found) -> None:
        rule = candidate.rule
        if candidate.data_schema is not None:
            at_slot(("on",), candidate.fits, event)
        try:
            match = candidate.match(scope)
        except FAILURES as error:
            raise failed_at(("when",), error) from None
        if match is None:
            return
        found.matched.append(match)
        version = found.version if rule.sequence is None else self._version(rule, event, scope)
        sender = Sender(rule.name, event, version, self.destinations)
        links = [link_of(link, scope, version, n) for n, link in enumerate(rule.links)] if rule.links else ()
        changes: list[Change] = []
        namings: list[Naming] = []
        for send in rule.sends:
            sender.add(send, scope, changes, namings)
        found.add(changes)
        found.links += links
        found.namings += namings

    def _version(self, rule: CompiledRule, event: DomainEvent, scope: Scope) -> Version:
        order = at_slot(("sequence",), slots.order, at_slot(("sequence",), slots.rendered, rule.sequence, scope))
        return Version.of(order, event.record.at, self.revision)


def _rosters(namings: Sequence[Naming], event: DomainEvent) -> Iterator[Roster]:
    """One for each group of which some rule says that it names them all; every rule's entries of it are in it."""
    complete = {(one.destination, one.group): one for one in namings if one.complete}
    for (destination, group), one in complete.items():
        those = [other for other in namings if (other.destination, other.group) == (destination, group)]
        keys = frozenset[str]().union(*(other.keys for other in those))
        version = max(other.version for other in those)
        at = event.time or event.record.timestamp
        yield Roster(destination, group, version, keys, one.rule, (event.source, event.id), at)


def _reporter(sourced: Sourced, found: list[Problem]) -> Callable[[Where, Fault], None]:
    def report(at: Where, fault: Fault) -> None:
        spot = sourced.spot(*at)
        if fault.line or spot.text != spot.line:
            spot = Spot((spot.text or spot.line) + fault.line)
        found.append(Problem.at(sourced.file, spot, fault.message, fault.found, fault.expected, fault.suggestion))

    return report


def _unknown_names(sourced: Sourced, destinations: Sequence[str], layers: Sequence[str]) -> list[Problem]:
    found: list[Problem] = []

    def judge(at: Where, what: str, name: str, known: Sequence[str]) -> None:
        if name in known or sourced.took(*at):
            return
        expected = "one of " + ", ".join(known) if known else "none is declared"
        several = [one.strip() for one in name.split(",")]
        advice = (
            f"write [{', '.join(several)}]" if len(several) > 1 and {*several} <= {*known} else suggest(name, known)
        )
        if "{{" in name:
            advice = "no template may stand here: make a rule for each, with its condition in when:"
        found.append(sourced.problem(at, f"an unknown {what}", name, expected, advice))

    for index, send in enumerate(sourced.rule.send):
        for place, name in enumerate(send.to):
            judge(("send", index, "to", place), "destination", name, destinations)
        judge(("send", index, "layer"), "layer", send.layer, tuple(layers))
    for index, link in enumerate(sourced.rule.link):
        judge(("link", index, "destination"), "destination", link.destination, destinations)
    return found
