"""What rules ask for, and how layers become what is wanted. Pure; the ledger keeps the layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from pipeline.model.entry import Content
from pipeline.model.wire import Coordinates

BASE = "base"


class Version(NamedTuple):
    """Orders the changes of one layer: the event's own order first, then where it lay, then the rules that read it."""

    order: int
    """The rule's `sequence`, else the event's time, else the record's timestamp; times as microseconds since 1970."""
    topic: str
    partition: int
    offset: int
    revision: int

    @classmethod
    def of(cls, order: int, at: Coordinates, revision: int) -> Version:
        return cls(order, at.topic, at.partition, at.offset, revision)


Kind = Literal["upsert", "cancel", "delete"]


class Addressed(msgspec.Struct, frozen=True):
    """What every change says, and in this order: passed by name, they would make up most of a change's cost."""

    destination: str
    key: str
    kind: Kind
    version: Version
    rule: str


class Change(Addressed, frozen=True, kw_only=True):
    """What one rule asks of one entry at one destination.

    All else by name: one field more must never take the place of another, as a group once did of the content.
    """

    layer: str = BASE
    content: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Neutral content of this layer; a None clears the field that a lower layer set."""
    subscriber: str | None = None
    """The caller's own id of the person; resolved by the directory."""
    identity: str | None = None
    """The vendor's id of the person, where the event carries it: needs no directory."""
    if_unsent: Literal["create", "skip"] = "create"
    if_unlinked: float | None = 30 * 86_400.0
    """Seconds to wait for the link; None: drop at once."""
    event: tuple[str | None, str | None] = (None, None)
    """The event's source and id."""
    event_time: datetime | None = None
    """When it happened, by the event, else when its record was written."""
    matters_at: datetime | None = None
    """When the entry matters: its start as an instant."""
    deliver_at: datetime | None = None
    expires_at: datetime | None = None
    group: str | None = None
    """The group that this entry belongs to, where its base says so."""

    def __repr__(self) -> str:
        """Names nobody and quotes nothing."""
        return f"Change({self.destination!r}, {self.key!r}, {self.kind!r}, {self.rule!r}, layer={self.layer!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """A struct would show all its fields there."""
        return []


@dataclass(frozen=True, slots=True)
class Roster:
    """All that a group of entries consists of, as one event knows it: an older entry that it does not name is over."""

    destination: str
    group: str
    version: Version
    keys: frozenset[str] = field(repr=False)
    rule: str
    event: tuple[str | None, str | None] = (None, None)
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The directory learns who a subscriber is at a destination; `identity` None: unlinked."""

    destination: str
    subscriber: str | None = field(repr=False)
    """None: whoever `ended` is."""
    identity: str | None = field(repr=False)
    version: Version
    ended: str | None = field(default=None, repr=False)
    """Where it unlinks: the identity that ended; another one, which the subscriber has by now, stays."""


def merge(contents: Sequence[Mapping[str, Any]]) -> Content:
    """Layers over one another in declared order: None clears, a vendor's own section is merged field by field."""
    merged: dict[str, Any] = {}
    for content in contents:
        for name, value in content.items():
            if value is None:
                merged.pop(name, None)
            elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
                merged[name] = merge([merged[name], value])
            elif isinstance(value, Mapping):
                merged[name] = merge([value])
            else:
                merged[name] = value
    return merged
