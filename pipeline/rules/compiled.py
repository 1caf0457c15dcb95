"""A rule made ready: its patterns, its templates, and the places of those that no event could render."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pipeline.model.event import DomainEvent
from pipeline.rules.language import Fault
from pipeline.rules.problem import Where
from pipeline.rules.render import RenderError, Template, TemplateFault, compile_template
from pipeline.rules.schema import Send, Sourced
from pipeline.rules.slots import Node, seconds_unlinked

Report = Callable[[Where, Fault], None]
UNREADABLE = (re.error, OverflowError, RecursionError)
"""What a regular expression may raise: absurd repetitions and brackets without end too."""


@dataclass(frozen=True, slots=True)
class CompiledSend:
    send: Send
    key: Node
    subscriber: Node
    identity: Node
    entry: Mapping[str, Node]
    own: Mapping[str, Mapping[str, Node]]
    deliver_at: Node
    expires_at: Node
    if_unlinked: float | None


@dataclass(frozen=True, slots=True)
class CompiledLink:
    destination: str
    subscriber: Node
    identity: Node
    ended: Node = None


@dataclass(frozen=True, slots=True)
class CompiledRule:
    name: str
    topics: tuple[str | re.Pattern[str], ...]
    types: tuple[str, ...]
    when: Node
    sequence: Node
    sends: tuple[CompiledSend, ...]
    links: tuple[CompiledLink, ...]

    def why(self, event: DomainEvent, scope: Mapping[str, Any]) -> str | None:
        """Why the rule matches, in the rule's own words; None: it does not."""
        topic = next((pattern for pattern in self.topics if is_topic(pattern, event.record.at.topic)), None)
        kind = next((glob for glob in self.types if fnmatchcase(event.type, glob)), None)
        if topic is None or kind is None:
            return None
        told = f"from {topic if isinstance(topic, str) else f'/{topic.pattern}/'}, on {kind}"
        if self.when is None:
            return told
        verdict = self.when.render(scope) if isinstance(self.when, Template) else self.when
        if not isinstance(verdict, bool):
            raise RenderError("type", "when must yield a bool")
        return f"{told}, when true" if verdict else None


def compile_rule(sourced: Sourced, report: Report) -> CompiledRule:
    """The rule made ready; what cannot be is reported with its place and left out."""
    rule = sourced.rule
    return CompiledRule(
        name=rule.name,
        topics=tuple(_topics(rule.from_, report)),
        types=tuple(rule.on or ("*",)),
        when=_when(rule.when, report),
        sequence=_node(rule.sequence, ("sequence",), report),
        sends=tuple(_send(send, ("send", index), report) for index, send in enumerate(rule.send)),
        links=tuple(
            CompiledLink(
                link.destination,
                _node(link.subscriber, ("link", index, "subscriber"), report),
                _node(link.identity, ("link", index, "identity"), report),
                _node(link.ended, ("link", index, "ended"), report),
            )
            for index, link in enumerate(rule.link)
        ),
    )


def _send(send: Send, at: Where, report: Report) -> CompiledSend:
    fields = send.entry.said() if send.entry else {}
    return CompiledSend(
        send=send,
        key=_node(send.key, (*at, "key"), report),
        subscriber=_node(send.subscriber, (*at, "subscriber"), report),
        identity=_node(send.identity, (*at, "identity"), report),
        entry={name: _node(value, (*at, "entry", name), report) for name, value in fields.items()},
        own={
            vendor: {name: _node(value, (*at, vendor, name), report) for name, value in section.items()}
            for vendor, section in send.own.items()
        },
        deliver_at=_node(send.deliver_at, (*at, "deliver_at"), report),
        expires_at=_node(send.expires_at, (*at, "expires_at"), report),
        if_unlinked=_unlinked(send, at, report),
    )


def _unlinked(send: Send, at: Where, report: Report) -> float | None:
    try:
        return seconds_unlinked(send.if_unlinked)
    except ValueError as error:
        report((*at, "if_unlinked"), Fault(0, "if_unlinked is not right", str(send.if_unlinked), str(error)))
        return None


def _when(value: Any, report: Report) -> Node:
    node = _node(value, ("when",), report)
    if isinstance(node, str) or (isinstance(node, Template) and not node.whole):
        report(("when",), Fault(0, "when must yield a bool", str(value), "exactly one {{ … }}, or true or false"))
    return node


def _node(value: Any, at: Where, report: Report) -> Node:
    if isinstance(value, list):
        return [_node(member, (*at, index), report) for index, member in enumerate(value)]
    if isinstance(value, dict):
        return {name: _node(member, (*at, name), report) for name, member in value.items()}
    if not isinstance(value, str):
        return value
    try:
        return compile_template(value)
    except TemplateFault as error:
        report(at, error.fault)
        return None


def _topics(names: list[str], report: Report) -> Iterator[str | re.Pattern[str]]:
    for index, name in enumerate(names):
        if len(name) < 3 or not (name.startswith("/") and name.endswith("/")):
            yield name
            continue
        try:
            yield re.compile(name[1:-1])
        except UNREADABLE as error:
            report(("from", index), Fault(0, "a topic pattern cannot be read", name[:60], str(error)))


def is_topic(pattern: str | re.Pattern[str], topic: str) -> bool:
    return pattern == topic if isinstance(pattern, str) else bool(pattern.fullmatch(topic))
