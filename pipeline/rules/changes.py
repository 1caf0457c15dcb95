"""One send item over one event → changes at its destinations, and what it says of its group."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar, TypeVarTuple

import msgspec

from pipeline.model.change import BASE, Change, Link, Version
from pipeline.model.entry import canonical
from pipeline.model.event import DomainEvent
from pipeline.model.when import BadTime, start_instant
from pipeline.rules import slots
from pipeline.rules.adapt import DestinationView
from pipeline.rules.compiled import CompiledLink, CompiledSend
from pipeline.rules.filters import kind as kind_of
from pipeline.rules.missing import lacking
from pipeline.rules.render import OMIT, Missing, RenderError, Scope, Template

Ts = TypeVarTuple("Ts")
T = TypeVar("T")
FAILURES = (RenderError, BadTime, OverflowError)
MAX_CHANGES = 1000
"""That one event makes, over all rules: they are one transaction."""


class Failed(Exception):
    """A rule cannot be applied to this event: at which slot, and why, without a value of the event."""

    def __init__(self, slot: str, code: str, explanation: str) -> None:
        super().__init__(code)
        self.slot, self.code, self.explanation = slot, code, explanation


class Naming(msgspec.Struct, frozen=True):
    """What one send item says of a group: that these are entries of it, and whether they are all."""

    destination: str
    group: str
    keys: frozenset[str]
    complete: bool
    version: Version
    rule: str


class Sender(msgspec.Struct, frozen=True):
    """What is the same for all send items of a rule over an event."""

    rule: str
    event: DomainEvent
    version: Version
    destinations: Mapping[str, DestinationView]

    def add(self, send: CompiledSend, scope: Scope, found: list[Change], namings: list[Naming]) -> None:
        """Adds the changes of every item, and what they say of their group. Raises Failed."""
        begun, at = len(found), send.at
        group = None if send.group is None else at_slot((at, "group"), given, send.group, scope, slots.key)
        if send.ends_group:
            pass  # whatever it has: its members need no name
        elif send.each is None:
            self._change(send, scope, group, at, found)
        else:
            for inner, where in self._scopes(send, scope, at):
                self._change(send, inner, group, where, found)
                not_too_many(len(found))
        if group is not None:
            namings += [self._naming(send, name, group, found[begun:]) for name in send.to]

    def _scopes(self, send: CompiledSend, scope: Scope, at: str) -> Iterator[tuple[Scope, str]]:
        items = at_slot((at, "each"), slots.rendered, send.each, scope)
        if not isinstance(items, list):
            raise Failed(f"{at}.each", "type", f"expected a list, not {kind_of(items)}")
        for index, item in enumerate(items):
            yield scope.within(item), f"{at}[each {index}]"

    def _naming(self, send: CompiledSend, destination: str, group: str, changes: list[Change]) -> Naming:
        keys = frozenset(change.key for change in changes if change.destination == destination)
        return Naming(destination, group, keys, send.send.complete or send.ends_group, self.version, self.rule)

    def _change(self, send: CompiledSend, scope: Scope, group: str | None, at: str, found: list[Change]) -> None:
        """Adds what is asked of one entry at each destination."""
        event = self.event
        key, subscriber, identity = _names(send, scope, at)
        if not key:
            key = default_key(event)
        fields = _fields(send, scope, at)
        deliver, expires = send.deliver_at, send.expires_at
        for name in send.to:
            view = self.destinations[name]
            content, start, zone = _content(send, scope, fields, view, at)
            found.append(
                Change(
                    name,
                    key,
                    send.kind,
                    self.version,
                    self.rule,
                    layer=send.layer,
                    group=group,
                    content=content,
                    subscriber=subscriber,
                    identity=identity,
                    if_unsent=send.if_unsent,
                    if_unlinked=send.if_unlinked,
                    event=(event.source, event.id),
                    event_time=event.time or event.record.timestamp,
                    matters_at=_matters_at(start, zone, at),
                    deliver_at=None if deliver is None else _moment(deliver, scope, at, "deliver_at", zone),
                    expires_at=None if expires is None else _moment(expires, scope, at, "expires_at", zone),
                )
            )


def _names(send: CompiledSend, scope: Scope, at: str) -> tuple[str | None, str | None, str | None]:
    """The key, the subscriber and the identity. Raises Failed."""
    slot = "key"
    try:  # as at_slot, once for all three: this is done for every change
        key = given(send.key, scope, slots.key)
        slot = "subscriber"
        subscriber = None if send.subscriber is None else given(send.subscriber, scope, slots.name)
        slot = "identity"
        identity = None if send.identity is None else given(send.identity, scope, slots.name)
    except FAILURES as error:
        raise failed_at((at, slot), error) from None
    return key, subscriber, identity


def _content(
    send: CompiledSend, scope: Scope, fields: Mapping[str, Any], view: DestinationView, at: str
) -> tuple[dict[str, Any], str | None, str]:
    """What this layer says at a destination; when the entry starts there, and in which zone."""
    defaults, item = view.defaults, send.send.kind
    try:
        content = slots.timed(fields, defaults, send.layer != BASE)
    except FAILURES as error:
        raise failed_at((at, "entry"), error) from None
    start = content.get("start")
    is_date = start is not None and len(start) == 10
    if is_date and send.layer == BASE and not content.get("all_day", defaults.get("all_day")):
        raise Failed(f"{at}.entry.start", "format", "a date as start needs all_day: true")
    if item is not None:
        content["kind"] = item
    if send.own and (section := send.own.get(view.vendor.name)):
        declared = view.expression(item).own
        content[view.vendor.name] = _own(section, scope, declared, f"{at}.{view.vendor.name}")
    zone = content.get("time_zone") or defaults.get("time_zone") or "UTC"
    return content, start if start is not None else defaults.get("start"), zone


def _matters_at(start: str | None, zone: str, at: str) -> datetime | None:
    if start is None:
        return None
    try:
        return start_instant(start, zone)
    except FAILURES as error:
        raise failed_at((at, "entry.start"), error) from None


def _fields(send: CompiledSend, scope: Scope, at: str) -> dict[str, Any]:
    fields = dict(send.constant)
    for name, value, convert in send.varying:
        try:  # at_slot's, without its call: most of what an event costs is spent here
            found = value(scope)
            if found is not OMIT:
                fields[name] = found if found is None or convert is None else convert(found)
        except FAILURES as error:
            raise failed_at((at, "entry", name), error) from None
    return fields


def _own(section: Mapping[str, Any], scope: Scope, declared: Mapping[str, str], at: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, node in section.items():
        value = at_slot((at, name), slots.rendered, node, scope)
        if value is OMIT:
            continue
        wanted = declared.get(name, "")
        found[name] = None if value is None else at_slot((at, name), slots.own_value, value, wanted)
    return found


def not_too_many(changes: int) -> None:
    """Raises Failed."""
    if changes > MAX_CHANGES:
        raise Failed("send", "limit", f"the event makes more than {MAX_CHANGES:,} changes")


def link_of(link: CompiledLink, scope: Scope, version: Version, index: int) -> Link:
    """What the directory learns. Raises Failed."""
    at = f"link[{index}]"
    subscriber = at_slot((at, "subscriber"), given, link.subscriber, scope, slots.name)
    ended = at_slot((at, "ended"), given, link.ended, scope, slots.name)
    if subscriber is None and ended is None:
        raise Failed(f"{at}.subscriber", "missing", "a link needs a subscriber, or the identity that ended")
    identity = None
    if link.identity is not None:
        value = at_slot((at, "identity"), slots.rendered, link.identity, scope)
        identity = None if value is None else at_slot((at, "identity"), slots.name, value)
    if identity is not None and (subscriber is None or ended is not None):
        raise Failed(f"{at}.identity", "format", "a link that ends has no identity; one that is made has a subscriber")
    return Link(link.destination, subscriber, identity, version, ended)


def default_key(event: DomainEvent) -> str:
    """The key of a rule without one: 32 hex of SHA-256 over source and id; without an id, over the coordinates."""
    at = event.record.at
    parts = [event.source or "", event.id] if event.id else [at.topic, at.partition, at.offset]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:32]


def given(node: Any, scope: Scope, convert: Callable[[Any], str]) -> str | None:
    """A slot that the rule may leave out; where it stands, it must have a value, or say omit."""
    if node is None:
        return None
    value = node.render(scope) if node.__class__ is Template else slots.rendered(node, scope)
    return None if value is OMIT else convert(value)


def _moment(node: Any, scope: Scope, at: str, slot: str, zone: str) -> datetime | None:
    value = at_slot((at, slot), slots.rendered, node, scope)
    return None if value is OMIT or value is None else at_slot((at, slot), slots.instant, value, zone)


def at_slot(slot: tuple[str, ...], value: Callable[[*Ts], T], *args: *Ts) -> T:
    """Names the slot of whatever fails in it, by the parts of its name: they are joined only then."""
    try:
        return value(*args)
    except FAILURES as error:
        raise failed_at(slot, error) from None


def failed_at(slot: tuple[str, ...], error: Exception) -> Failed:
    where = ".".join(slot)
    if isinstance(error, Missing):
        return Failed(where, error.code, lacking(error.source, error.roots))
    if isinstance(error, RenderError):
        return Failed(where, error.code, error.explanation)
    return Failed(where, "format", str(error) if isinstance(error, BadTime) else "a time is out of range")
