"""A rule made ready: its patterns, its templates, and the places of those that no event could render."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from pipeline.model.change import Kind
from pipeline.model.event import DomainEvent
from pipeline.model.wire import TOPIC
from pipeline.rules.data_schema import DataSchema, SchemaInvalid
from pipeline.rules.language import Fault
from pipeline.rules.patterns import UNREADABLE, is_topic, topic_meant, topic_named, unreadable
from pipeline.rules.problem import Where
from pipeline.rules.render import RenderError, Scope, Template, TemplateFault, compile_template
from pipeline.rules.schema import On, Rule, Send, Sourced
from pipeline.rules.schema_words import TYPES, type_meant
from pipeline.rules.slots import FIELD_SLOTS, Node, rendered, seconds_unlinked, text

Report = Callable[[Where, Fault], None]


@dataclass(frozen=True, slots=True)
class CompiledSend:
    send: Send
    each: Node
    group: Node
    key: Node
    subscriber: Node
    identity: Node
    entry: Mapping[str, Node]
    own: Mapping[str, Mapping[str, Node]]
    deliver_at: Node
    expires_at: Node
    if_unlinked: float | None
    at: str
    """Its place, as explanations name it."""
    constant: Mapping[str, Any] = field(init=False)
    """The fields of the entry that are the same for every event, as the ledger has them."""
    varying: tuple[tuple[str, Callable[[Scope], Any], Callable[[Any], Any] | None], ...] = field(init=False)
    """Its other fields: what renders each, and what makes the ledger's value of that; None: it is that."""
    kind: Kind = field(init=False)
    ends_group: bool = field(init=False)
    """Whether it cancels whatever the group has."""
    to: tuple[str, ...] = field(init=False)
    layer: str = field(init=False)
    if_unsent: Literal["create", "skip"] = field(init=False)
    """These stand in `send` too, where each look costs thrice as much."""

    def __post_init__(self) -> None:
        constant = dict(_constants(self.entry))
        varying = tuple(_varying(name, node) for name, node in self.entry.items() if name not in constant)
        object.__setattr__(self, "constant", constant)
        object.__setattr__(self, "varying", varying)
        object.__setattr__(self, "kind", "cancel" if self.send.cancel else "delete" if self.send.delete else "upsert")
        object.__setattr__(self, "ends_group", self.send.cancel and self.group is not None and self.key is None)
        object.__setattr__(self, "to", tuple(self.send.to))
        object.__setattr__(self, "layer", self.send.layer)
        object.__setattr__(self, "if_unsent", self.send.if_unsent)


@dataclass(frozen=True, slots=True)
class CompiledLink:
    destination: str
    subscriber: Node
    identity: Node
    ended: Node = None


class Match(msgspec.Struct, frozen=True):
    """A rule that applies, and why: in the rule's own words."""

    rule: str
    why: str


class Candidate(NamedTuple):
    """A rule that reads events of a topic and type, and what is told of it where it applies."""

    rule: CompiledRule
    told: Match
    told_true: Match
    data_schema: DataSchema | None

    def fits(self, event: DomainEvent) -> None:
        """Raises RenderError where the event's data is not what its schema says."""
        if self.data_schema is not None:
            self.data_schema.check(event.data)

    def match(self, scope: Scope) -> Match | None:
        """Why the rule applies; None: it does not. Raises RenderError."""
        when = self.rule.when
        if when is None:
            return self.told
        verdict = when.render(scope) if isinstance(when, Template) else when
        if not isinstance(verdict, bool):
            raise RenderError("type", "when must yield a bool")
        return self.told_true if verdict else None


@dataclass(frozen=True, slots=True)
class CompiledRule:
    name: str
    topics: tuple[str | re.Pattern[str], ...]
    types: tuple[str, ...]
    schemas: tuple[DataSchema | None, ...]
    """One for each type."""
    when: Node
    sequence: Node
    sends: tuple[CompiledSend, ...]
    links: tuple[CompiledLink, ...]

    @property
    def names_groups(self) -> bool:
        return any(send.group is not None for send in self.sends)

    def candidate(self, topic: str, kind: str) -> Candidate | None:
        """The rule where it reads such events."""
        named = next((pattern for pattern in self.topics if is_topic(pattern, topic)), None)
        at = next((at for at, glob in enumerate(self.types) if fnmatchcase(kind, glob)), None)
        if named is None or at is None:
            return None
        told = f"from {named if isinstance(named, str) else f'/{named.pattern}/'}, on {self.types[at]}"
        return Candidate(self, Match(self.name, told), Match(self.name, f"{told}, when true"), self.schemas[at])


def compile_rule(sourced: Sourced, report: Report) -> CompiledRule:
    """The rule made ready; what cannot be is reported with its place and left out."""
    rule = sourced.rule
    types = [(kind, schema) for on, schema in _schemas(rule, report) for kind in on.type]
    return CompiledRule(
        name=rule.name,
        topics=tuple(_topics(rule.from_, report)),
        types=tuple(kind for kind, _ in types),
        schemas=tuple(schema for _, schema in types),
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


def _schemas(rule: Rule, report: Report) -> Iterator[tuple[On, DataSchema | None]]:
    for index, on in enumerate(rule.events()):
        try:
            yield on, DataSchema(on.schema_) if isinstance(on.schema_, dict) else None
        except SchemaInvalid as error:
            found, expected, advice = str(error)[:200], "a JSON Schema", ""
            if error.no_type is not None:
                (found, advice), expected = type_meant(error.no_type), "one of " + ", ".join(TYPES)
            report(("on", index, "schema", *error.at), Fault(0, "no JSON Schema", found, expected, advice))
            yield on, None


def _send(send: Send, at: Where, report: Report) -> CompiledSend:
    fields = send.entry.said() if send.entry else {}
    return CompiledSend(
        send=send,
        each=_each(send.each, (*at, "each"), report),
        group=_node(send.group, (*at, "group"), report),
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
        at=f"send[{at[1]}]",
    )


def _constants(entry: Mapping[str, Node]) -> Iterator[tuple[str, Any]]:
    """What is not right is not among them: it fails with each event, as a template would."""
    for name, node in entry.items():
        if node is not None and not has_template(node):
            try:
                yield name, FIELD_SLOTS[name](node)
            except (RenderError, ValueError, OverflowError):
                continue


def _varying(name: str, node: Node) -> tuple[str, Callable[[Scope], Any], Callable[[Any], Any] | None]:
    if not isinstance(node, Template):
        return name, partial(rendered, node), FIELD_SLOTS[name]
    is_text = not node.whole and FIELD_SLOTS[name] is text  # of a bounded length, by its template
    return name, node.render, None if is_text else FIELD_SLOTS[name]


def has_template(node: Node) -> bool:
    if isinstance(node, list | dict):
        return any(map(has_template, node.values() if isinstance(node, dict) else node))
    return isinstance(node, Template)


def has_braces(value: Any) -> bool:
    """Whether a bare value holds what would be a template in a rule."""
    if isinstance(value, list | dict):
        return any(map(has_braces, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _unlinked(send: Send, at: Where, report: Report) -> float | None:
    try:
        return seconds_unlinked(send.if_unlinked)
    except ValueError as error:
        said = send.if_unlinked if isinstance(send.if_unlinked, str) else ""
        advice = f"write wait {said}" if re.fullmatch(r"\d+[wdhm]", said) else ""
        fault = Fault(0, "if_unlinked is not right", str(send.if_unlinked), _wanted(error), advice)
        report((*at, "if_unlinked"), fault)
        return None


def _wanted(error: ValueError) -> str:
    return str(error).removeprefix("expected ")


def _when(value: Any, report: Report) -> Node:
    node = _node(value, ("when",), report)
    if isinstance(node, str) or (isinstance(node, Template) and not node.whole):
        advice = f"write {{{{ {value} }}}}" if isinstance(node, str) and _reads(value) else ""
        report(
            ("when",), Fault(0, "when must yield a bool", str(value), "exactly one {{ … }}, or true or false", advice)
        )
    return node


def _reads(written: str) -> bool:
    """Whether a text would be a template if it stood between braces."""
    try:
        compile_template(f"{{{{ {written} }}}}")
    except TemplateFault:
        return False
    return True


def _each(value: str | None, at: Where, report: Report) -> Node:
    """The expression of a list, also without its braces: no other text makes sense here."""
    if value is None:
        return None
    if (advice := _list_meant(value)) is not None:
        report(
            at, Fault(0, "each names a list, and nothing else", value, "one expression such as data.segments", advice)
        )
        return None
    node = _node(value if "{{" in value else f"{{{{ {value} }}}}", at, report)
    if isinstance(node, Template) and not node.whole:
        report(at, Fault(0, "each must yield a list", value, "one expression such as data.segments"))
    return node


def _list_meant(value: str) -> str | None:
    """The list of a loop, `item in data.items`, or of `data.items[*]`; None: it is neither."""
    loop = re.fullmatch(r"(?:\w+ in )?(data(?:\.\w+)+)(?:\[\*?\])?", value.strip())
    return f"write {loop[1]}" if loop and loop[1] != value.strip() else None


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
        try:
            topic = topic_named(name)
        except UNREADABLE as error:
            report(("from", index), Fault(0, "a topic pattern cannot be read", name[:60], *unreadable(error)))
            continue
        if isinstance(topic, str) and not TOPIC.fullmatch(topic):
            advice = topic_meant(topic)
            expected = "a topic's name, of A-Z a-z 0-9 . _ -, or /a pattern/"
            report(("from", index), Fault(0, "no topic has such a name", topic[:60], expected, advice))
        yield topic
