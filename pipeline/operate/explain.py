"""What the rules make of one event, and the exact request each vendor would get. Nothing is sent, no secret is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from typing import Any

from pipeline.model.change import BASE, Change, Roster, merge
from pipeline.model.event import DomainEvent, decode
from pipeline.model.outcome import Rejected
from pipeline.model.wire import Record
from pipeline.operate.shown import Shown, base_url_of, placeholders, shown, unsent
from pipeline.rules.adapt import DestinationView, desired, problems_of
from pipeline.rules.compiled import CompiledRule, compile_rule
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.patterns import is_topic
from pipeline.rules.requests import IDENTITY, VENDOR_ID, request_for
from pipeline.rules.schema import Rules, Sourced
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Explained:
    """One change: what it asks for, and the request it would become."""

    destination: str
    vendor: str
    key: str
    kind: str
    layer: str
    content: Mapping[str, Any]
    """What the vendor would be asked to hold, of this event alone."""
    request: Shown | None
    cannot_say: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleStory:
    """What became of one rule."""

    rule: str
    topic: str
    matched: bool
    why: str
    changes: tuple[Explained, ...] = ()
    links: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """What it ends of its groups."""
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explainer:
    settings: Settings
    rules: RuleSet
    identity: str | None = None

    def stories(self, record: Record, topic: str | None = None) -> list[RuleStory]:
        """One for each rule; without a topic, each rule sees the event on its own first one. Raises Undecodable."""
        return [self._story(sourced, record, topic) for sourced in self.rules.rules.rules]

    def unread(self, topic: str) -> str | None:
        """That no rule reads this topic, and which they read, the nearest name first; None: one does."""
        if any(is_topic(pattern, topic) for rule in self._compiled() for pattern in rule.topics):
            return None
        near = sorted(self.rules.topics, key=lambda name: -SequenceMatcher(None, topic, name).ratio())
        return f"no rule reads the topic {topic}; the rules read {', '.join(near)}"

    def _compiled(self) -> Iterator[CompiledRule]:
        return (compile_rule(sourced, lambda at, fault: None) for sourced in self.rules.rules.rules)

    def _story(self, sourced: Sourced, record: Record, topic: str | None) -> RuleStory:
        rule = compile_rule(sourced, lambda at, fault: None)
        first = rule.topics[0]
        here = topic or (first if isinstance(first, str) else first.pattern)
        event = decode(replace(record, at=replace(record.at, topic=here)))
        result = self.rules.evaluate(event)
        why = next((match.why for match in result.matched if match.rule == rule.name), None)
        failures = tuple(f"{f.slot}: {f.explanation} ({f.code})" for f in result.failures if f.rule == rule.name)
        if why is None:
            reason = "it failed" if failures else _why_not(rule, event, topic)
            return RuleStory(rule.name, here, False, reason, failures=failures)
        changes = tuple(self._explained(change) for change in result.changes if change.rule == rule.name)
        groups = tuple(_ends(roster) for roster in result.rosters if roster.rule == rule.name)
        return RuleStory(rule.name, here, True, why, changes, tuple(self._links(sourced, event)), groups, failures)

    def _links(self, sourced: Sourced, event: DomainEvent) -> Iterator[str]:
        alone = RuleSet(Rules((sourced,)), self.rules.destinations, self.rules.layers)
        for link in alone.evaluate(event).links:
            who = "whoever that was" if link.subscriber is None else f"subscriber {link.subscriber}"
            ended = "is unlinked" if link.ended is None else f"is unlinked from {link.ended}"
            yield f"{link.destination}: {who} {ended if link.identity is None else f'is {link.identity}'}"

    def _explained(self, change: Change) -> Explained:
        view = self.rules.destinations[change.destination]
        ends = change.kind != "upsert"
        partial = change.layer != BASE
        content = merge([change.content]) if partial else desired([change.content], view)
        cannot = () if ends or partial else tuple(problems_of(content, view))
        request, refused = (None, "") if cannot or partial else self._request(change, view, content)
        return Explained(
            destination=change.destination,
            vendor=view.vendor.name,
            key=change.key,
            kind=change.kind,
            layer=change.layer,
            content={} if ends else content,
            request=request,
            cannot_say=(*cannot, refused) if refused else cannot,
            notes=tuple(self._notes(change, view, request)),
        )

    def _request(self, change: Change, view: DestinationView, content: Mapping[str, Any]) -> tuple[Shown | None, str]:
        """The request, or why there is none."""
        ends = change.kind != "upsert"
        identity = self._identity(change)
        unsigned = request_for(view, change.key, None if ends else content, {} if ends else None, identity)
        if isinstance(unsigned, Rejected):
            return None, f"{view.vendor.title} cannot {'delete' if ends else 'do'} this"
        return unsent(unsigned, view, self.settings), ""

    def _identity(self, change: Change) -> str:
        return self.identity or change.identity or IDENTITY

    def _notes(self, change: Change, view: DestinationView, request: Shown | None) -> Iterator[str]:
        left_out = sorted(view.omit & change.content.keys())
        if left_out:
            yield f"left out, as the destination says: {', '.join(left_out)}"
        if "links" in view.in_description and change.content.get("links"):
            yield "links are lines of the description, as the destination says"
        if change.deliver_at is not None:
            yield f"not created before {change.deliver_at:%Y-%m-%dT%H:%M:%SZ} (deliver_at)"
        if change.expires_at is not None:
            yield f"not created after {change.expires_at:%Y-%m-%dT%H:%M:%SZ} (expires_at)"
        if change.kind == "upsert" and change.layer != BASE:
            skip = "; an entry that was never sent is not created any more" if change.if_unsent == "skip" else ""
            yield f"writes the layer {change.layer} only: sent as an update once the entry has a base{skip}"
        if (
            view.expression(change.content.get("kind")).needs_identity
            and self._identity(change) == IDENTITY
            and change.kind == "upsert"
        ):
            who = "the subscriber" if change.subscriber else "nobody that the event names"
            yield f"{IDENTITY} stands for {who}, as the directory knows them; give --identity to see a real one"
        if request and VENDOR_ID in request.text():
            yield f"{VENDOR_ID} stands for what the vendor answered when the entry was made"
        if request and change.kind != "upsert":
            yield "sent only if the entry is at the vendor"
        if view.vendor.tokens is not None and request:
            asked = view.vendor.tokens.obtain(placeholders(view), view.options)
            at = shown(replace(asked, query=()), asked, base_url_of(view, self.settings))
            yield f"the bearer token is asked for by {at.method} {at.url}, and kept until it ends"


def _ends(roster: Roster) -> str:
    what = "what else it has" if roster.keys else "all of it"
    return f"{roster.group} at {roster.destination}: {what} is cancelled, unless something newer wrote it"


def _why_not(rule: CompiledRule, event: DomainEvent, asked: str | None) -> str:
    topic = event.record.at.topic
    on_topic = any(is_topic(pattern, topic) for pattern in rule.topics)
    if not on_topic and asked is None:
        return "its topic is a pattern: give --topic"
    if not on_topic:
        names = [p if isinstance(p, str) else f"/{p.pattern}/" for p in rule.topics]
        return f"topic: {topic} is not {' or '.join(names)}"
    if not any(fnmatchcase(event.type, glob) for glob in rule.types):
        cased = any(fnmatchcase(event.type.lower(), glob.lower()) for glob in rule.types)
        return f"type: {event.type} is not {' or '.join(rule.types)}" + ("; capital letters count" if cased else "")
    return "when: false"
