"""Domain event → changes and links. A rule that fails is a failure of its own; all others apply.

Pure: no clock, nothing kept between events. No explanation quotes a value of the event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from pipeline.model.change import BASE, Change, Kind, Link, Version
from pipeline.model.entry import canonical
from pipeline.model.event import DomainEvent, event_order
from pipeline.model.when import BadTime, instant_of
from pipeline.rules import slots
from pipeline.rules.adapt import DestinationView
from pipeline.rules.compiled import CompiledLink, CompiledRule, CompiledSend, compile_rule
from pipeline.rules.language import Fault, suggest
from pipeline.rules.problem import Problem, Where
from pipeline.rules.render import OMIT, RenderError, scope_of
from pipeline.rules.schema import Rules, Sourced

MAX_CHANGES = 1000
"""That one event makes, over all rules: they are one transaction."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that applies, and why."""

    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """A rule that could not be applied to an event. `code`: missing, type, format, key, duplicate, limit, template."""

    rule: str
    slot: str
    code: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the rules make of one event."""

    changes: tuple[Change, ...] = ()
    links: tuple[Link, ...] = ()
    matched: tuple[Match, ...] = ()
    failures: tuple[RuleFailure, ...] = ()


class RulesInvalid(ValueError):
    """Rules that cannot be compiled; `problems` say where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class _Failed(Exception):
    def __init__(self, slot: str, code: str, explanation: str) -> None:
        super().__init__(code)
        self.slot, self.code, self.explanation = slot, code, explanation


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
        scope = scope_of(event)
        result = Evaluation()
        for rule in self._compiled:
            try:
                result = self._apply(rule, event, scope, result)
            except _Failed as failed:
                failure = RuleFailure(rule.name, failed.slot, failed.code, failed.explanation)
                result = replace(result, failures=(*result.failures, failure))
        return result

    def _apply(
        self, rule: CompiledRule, event: DomainEvent, scope: Mapping[str, Any], so_far: Evaluation
    ) -> Evaluation:
        why = _slot("when", rule.why, event, scope)
        if why is None:
            return so_far
        so_far = replace(so_far, matched=(*so_far.matched, Match(rule.name, why)))
        try:
            version = self._version(rule, event, scope)
            links = tuple(_link(link, scope, version, n) for n, link in enumerate(rule.links))
            changes = self._changes(rule, event, scope, version)
            _no_duplicates(so_far.changes, changes)
            _not_too_many(len(so_far.changes) + len(changes))
        except _Failed as failed:
            failure = RuleFailure(rule.name, failed.slot, failed.code, failed.explanation)
            return replace(so_far, failures=(*so_far.failures, failure))
        return replace(so_far, changes=so_far.changes + changes, links=so_far.links + links)

    def _version(self, rule: CompiledRule, event: DomainEvent, scope: Mapping[str, Any]) -> Version:
        order = event_order(event)
        if rule.sequence is not None:
            order = _slot("sequence", slots.order, _slot("sequence", slots.rendered, rule.sequence, scope))
        return Version.of(order, event.record.at, self.revision)

    def _changes(
        self, rule: CompiledRule, event: DomainEvent, scope: Mapping[str, Any], version: Version
    ) -> tuple[Change, ...]:
        changes: list[Change] = []
        for index, send in enumerate(rule.sends):
            common = _common(send, event, scope, version, rule.name, f"send[{index}]")
            fields = _fields(send, scope, f"send[{index}]")
            for name in send.send.to:
                view = self.destinations[name]
                changes.append(_change(send, scope, common, fields, view, f"send[{index}]"))
                _not_too_many(len(changes))
        return tuple(changes)


def _common(
    send: CompiledSend, event: DomainEvent, scope: Mapping[str, Any], version: Version, rule: str, at: str
) -> Change:
    """All of a change that is the same at every destination; the destination itself is filled in later."""
    spec = send.send
    kind: Kind = "cancel" if spec.cancel else "delete" if spec.delete else "upsert"
    return Change(
        destination="",
        key=_given(send.key, scope, f"{at}.key", slots.key) or default_key(event),
        kind=kind,
        version=version,
        rule=rule,
        layer=spec.layer,
        subscriber=_given(send.subscriber, scope, f"{at}.subscriber", slots.name),
        identity=_given(send.identity, scope, f"{at}.identity", slots.name),
        if_unsent=spec.if_unsent,
        if_unlinked=send.if_unlinked,
        event=(event.source, event.id),
        event_time=event.time or event.record.timestamp,
    )


def _change(
    send: CompiledSend,
    scope: Mapping[str, Any],
    common: Change,
    fields: Mapping[str, Any],
    view: DestinationView,
    at: str,
) -> Change:
    content = _slot(f"{at}.entry", slots.timed, fields, view.defaults)
    all_day = content.get("all_day", view.defaults.get("all_day"))
    if common.layer == BASE and len(content.get("start") or "") == 10 and not all_day:
        raise _Failed(f"{at}.entry.start", "format", "a date as start needs all_day: true")
    if send.send.kind is not None:
        content["kind"] = send.send.kind
    section = send.own.get(view.vendor.name)
    if section:
        declared = view.expression(send.send.kind).own
        content[view.vendor.name] = _own(section, scope, declared, f"{at}.{view.vendor.name}")
    known = {**view.defaults, **{name: value for name, value in content.items() if value is not None}}
    zone = known.get("time_zone") or "UTC"
    return replace(
        common,
        destination=view.name,
        content=content,
        matters_at=_slot(f"{at}.entry.start", instant_of, known),
        deliver_at=_moment(send.deliver_at, scope, f"{at}.deliver_at", zone),
        expires_at=_moment(send.expires_at, scope, f"{at}.expires_at", zone),
    )


def _fields(send: CompiledSend, scope: Mapping[str, Any], at: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, node in send.entry.items():
        slot = f"{at}.entry.{name}"
        value = _slot(slot, slots.rendered, node, scope)
        if value is not OMIT:
            fields[name] = None if value is None else _slot(slot, slots.FIELD_SLOTS[name], value)
    return fields


def _own(section: Mapping[str, Any], scope: Mapping[str, Any], declared: Mapping[str, str], at: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, node in section.items():
        value = _slot(f"{at}.{name}", slots.rendered, node, scope)
        if value is OMIT:
            continue
        wanted = declared.get(name, "")
        found[name] = None if value is None else _slot(f"{at}.{name}", slots.own_value, value, wanted)
    return found


def _link(link: CompiledLink, scope: Mapping[str, Any], version: Version, index: int) -> Link:
    at = f"link[{index}]"
    subscriber = _given(link.subscriber, scope, f"{at}.subscriber", slots.name)
    ended = _given(link.ended, scope, f"{at}.ended", slots.name)
    if subscriber is None and ended is None:
        raise _Failed(f"{at}.subscriber", "missing", "a link needs a subscriber, or the identity that ended")
    identity = None
    if link.identity is not None:
        value = _slot(f"{at}.identity", slots.rendered, link.identity, scope)
        identity = None if value is None else _slot(f"{at}.identity", slots.name, value)
    if identity is not None and (subscriber is None or ended is not None):
        raise _Failed(f"{at}.identity", "format", "a link that ends has no identity; one that is made has a subscriber")
    return Link(link.destination, subscriber, identity, version, ended)


def default_key(event: DomainEvent) -> str:
    """The key of a rule without one: 32 hex of SHA-256 over source and id; without an id, over the coordinates."""
    at = event.record.at
    parts = [event.source or "", event.id] if event.id else [at.topic, at.partition, at.offset]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:32]


def _given(node: Any, scope: Mapping[str, Any], slot: str, convert: Callable[[Any], str]) -> str | None:
    """A slot that the rule may leave out; where it stands, it must have a value, or say omit."""
    if node is None:
        return None
    value = _slot(slot, slots.rendered, node, scope)
    return None if value is OMIT else _slot(slot, convert, value)


def _moment(node: Any, scope: Mapping[str, Any], slot: str, zone: str) -> datetime | None:
    if node is None:
        return None
    value = _slot(slot, slots.rendered, node, scope)
    return None if value is OMIT or value is None else _slot(slot, slots.instant, value, zone)


def _slot(slot: str, value: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Names the slot of whatever fails in it."""
    try:
        return value(*args, **kwargs)
    except RenderError as error:
        raise _Failed(slot, error.code, error.explanation) from None
    except (BadTime, OverflowError) as error:
        words = str(error) if isinstance(error, BadTime) else "a time is out of range"
        raise _Failed(slot, "format", words) from None


def _not_too_many(changes: int) -> None:
    if changes > MAX_CHANGES:
        raise _Failed("send", "limit", f"the event makes more than {MAX_CHANGES:,} changes")


def _no_duplicates(before: Sequence[Change], changes: Sequence[Change]) -> None:
    taken = {(change.destination, change.key, change.layer) for change in before}
    for change in changes:
        name = (change.destination, change.key, change.layer)
        if name in taken:
            raise _Failed("send", "duplicate", "the event already changes this layer of this entry")
        taken.add(name)


def _reporter(sourced: Sourced, found: list[Problem]) -> Callable[[Where, Fault], None]:
    def report(at: Where, fault: Fault) -> None:
        line = sourced.line(*at) + fault.line
        found.append(Problem(sourced.file, line, fault.message, fault.found, fault.expected, fault.suggestion))

    return report


def _unknown_names(sourced: Sourced, destinations: Sequence[str], layers: Sequence[str]) -> list[Problem]:
    found: list[Problem] = []

    def unknown(at: Where, what: str, name: str, known: Sequence[str]) -> None:
        expected = "one of " + ", ".join(known) if known else "none is declared"
        found.append(
            Problem(sourced.file, sourced.line(*at), f"an unknown {what}", name, expected, suggest(name, known))
        )

    for index, send in enumerate(sourced.rule.send):
        for place, name in enumerate(send.to):
            if name not in destinations:
                unknown(("send", index, "to", place), "destination", name, destinations)
        if send.layer not in layers:
            unknown(("send", index, "layer"), "layer", send.layer, tuple(layers))
    for index, link in enumerate(sourced.rule.link):
        if link.destination not in destinations:
            unknown(("link", index, "destination"), "destination", link.destination, destinations)
    return found
