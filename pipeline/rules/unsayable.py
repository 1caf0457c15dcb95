"""What a vendor refuses of an entry whatever the events bring: its own `problems`, asked of what stands there as it is.

What only an event knows is both left out and stood in for; a refusal counts where it comes either way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.model.entry import FIELDS, Content
from pipeline.rules.adapt import DestinationView, desired

Flat = Mapping[str, Any]
"""Neutral fields by name, the vendor's own as `vendor.name`."""

TIMES = frozenset({"start", "end", "time_zone", "end_time_zone", "all_day", "dates"})
"""They are valid together or not at all: with one unknown, none of them is judged."""
_NOON: Flat = {"start": "2026-01-15T12:00:00", "time_zone": "UTC"}
# Required by some vendor, which says no more while they are missing.
_TEXTS: Flat = {"title": "x", "location": "x", "collection": "1"}
_OTHERS: Flat = {
    "description": "x", "alerts": [], "links": [], "participants": [{"name": "x", "email": "x@example.org"}],
    "busy": True, "status": "confirmed", "recurrence": "FREQ=DAILY",
}  # fmt: skip
_OF_TYPE: Flat = {"string": "x", "boolean": True, "integer": 1, "number": 1, "object": {}, "array": []}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field, and the vendor's words; `missing`: it is not there and should be."""

    name: str
    words: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Certain:
    """The part of an entry that stands there as it is, in the ledger's shape."""

    said: Flat
    unsure: frozenset[str]
    """Names that an event, or another layer, may say."""
    view: DestinationView
    kind: str | None = None
    whole: bool = True
    """Nothing but these and the unsure is said: what is required and not among them is missing."""

    @classmethod
    def part(cls, said: Flat, view: DestinationView, kind: str | None = None) -> Certain:
        """Of an entry of which anything else may be said elsewhere."""
        return cls(said, frozenset(_sayable(view, kind) - said.keys()), view, kind, whole=False)

    def refusals(self) -> Iterator[Refusal]:
        """What is refused whatever the unsure fields turn out to be, in the vendor's order."""
        judged = self._judged()
        without = self._unsure_out(judged)
        known = self._problems(without)
        certain = self._problems(self._unsure_in(judged))
        for words in known:
            refusal = self._blamed(words, judged, without) if words in certain else None
            if refusal is not None:
                yield refusal

    def _judged(self) -> Flat:
        if self._timed():
            return self.said
        return {name: value for name, value in self.said.items() if name not in TIMES}

    def _unsure_out(self, judged: Flat) -> Flat:
        unsure = self.unsure
        texts = {name: text for name, text in _TEXTS.items() if name in unsure}
        sayable = self.view.expression(self.kind).fields
        noon = {} if self._timed() else {name: _NOON[name] for name in _NOON if name in sayable}
        return {**texts, **noon, **judged}

    def _unsure_in(self, judged: Flat) -> Flat:
        own = {f"{self.view.vendor.name}.{name}": kind for name, kind in self.view.expression(self.kind).own.items()}
        others = {name: value for name, value in _OTHERS.items() if name in self.unsure}
        others |= {name: _OF_TYPE.get(kind) for name, kind in own.items() if name in self.unsure}
        return {**others, **self._unsure_out(judged)}

    def _blamed(self, words: str, judged: Flat, without: Flat) -> Refusal | None:
        """Whose fault it is: the literal field that it names, else one with which it vanishes."""
        found = re.match(r"\w+(\.\w+)?", words)
        name = found[0] if found else ""
        if name in self.unsure or (name in TIMES and not self._timed()):
            return None
        vanishing = [one for one in judged if words not in self._problems(_less(without, one))]
        if name in judged:
            return Refusal(name, words) if name in vanishing else None
        if name in _sayable(self.view, self.kind) and not _has(self._content(without), name):
            return Refusal(name, words, missing=True) if self.whole else None
        return Refusal(vanishing[-1], words) if vanishing else None

    def _problems(self, flat: Flat) -> list[str]:
        """A part of an entry may be what no whole one is: a vendor that fails at it has nothing to say."""
        try:
            return list(self.view.vendor.problems(self._content(flat), self.view.options))
        except Exception:
            return []

    def _content(self, flat: Flat) -> Content:
        section = self.view.vendor.name
        content = {name: value for name, value in flat.items() if "." not in name}
        own = {name.partition(".")[2]: value for name, value in flat.items() if "." in name}
        kind = {} if self.kind is None else {"kind": self.kind}
        return desired([{**content, **kind, **({section: own} if own else {})}], self._view())

    def _view(self) -> DestinationView:
        """Without the defaults of what is unsure: they may hold or not."""
        section, unsure = self.view.vendor.name, self.unsure | (frozenset() if self._timed() else TIMES)
        defaults = {name: value for name, value in self.view.defaults.items() if name not in unsure}
        if isinstance(own := defaults.get(section), Mapping):
            defaults[section] = {name: value for name, value in own.items() if f"{section}.{name}" not in unsure}
        return replace(self.view, defaults=defaults)

    def _timed(self) -> bool:
        return TIMES.isdisjoint(self.unsure)


def _sayable(view: DestinationView, kind: str | None) -> set[str]:
    own = {f"{view.vendor.name}.{name}" for name in view.expression(kind).own}
    return {*(name for name in FIELDS if name in view.sayable(kind)), *own}


def _less(flat: Flat, name: str) -> Flat:
    return {other: value for other, value in flat.items() if other != name}


def _has(content: Content, name: str) -> bool:
    section, dot, own = name.partition(".")
    return own in content.get(section, {}) if dot else section in content
