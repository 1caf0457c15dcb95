"""One rule or test on its way to its shape: every mistake is told, taken out or mended, and the rest goes on.

Never quotes a secret, and never lets one mistake be told as another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pipeline.model.entry import FIELDS
from pipeline.rules.idioms import FLAGS
from pipeline.rules.language import did_you_mean, nearest
from pipeline.rules.masking import shown
from pipeline.rules.problem import Problem, Spot, Where, spot_of
from pipeline.rules.schema import SHAPES, S, listed
from pipeline.rules.shape_words import in_words

LONE = dict.fromkeys(("from", "on", "to", "type"), "a text, or a list of texts") | dict.fromkeys(
    ("send", "link"), "a map, or a list of maps"
)
"""Where one item may stand alone."""
ALIKE = 0.75
"""How near a name of another place must be, from 0 to 1."""
_ANY = "unnamed"
_SENT: Mapping[str, Any] = {"to": [_ANY]}
_LINKED: Mapping[str, Any] = {"destination": _ANY}
_REFUSED: Mapping[str, Any] = {"refused": "missing"}
OTHER_NAMES: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("rules",): {
        "topic": "from", "topics": "from", "event": "on", "events": "on", "type": "on", "types": "on", "if": "when",
        "condition": "when", "filter": "when", "then": "send",
    },
    ("rules", "send"): {
        "destination": "to", "destinations": "to", "id": "key", "for_each": "each", "foreach": "each",
        "user": "subscriber", "customer": "subscriber", "event": "entry", "fields": "entry",
    },
    ("rules", "link"): {"to": "destination", "id": "identity", "user": "subscriber", "customer": "subscriber"},
    ("rules", "send", "entry"): {
        "summary": "title", "subject": "title", "headline": "title", "name": "title", "text": "description",
        "body": "description",
        "place": "location", "address": "location", "begin": "start", "dtstart": "start", "finish": "end",
        "dtend": "end", "reminders": "alerts", "alarms": "alerts", "attendees": "participants",
        "guests": "participants", "rrule": "recurrence", "repeat": "recurrence", "calendar": "collection",
    },
    ("tests",): {"events": "given", "input": "given", "then": "expect", "should": "expect", "expected": "expect"},
    ("tests", "expect"): {"destination": "to", "fields": "entry", "error": "refused"},
}  # fmt: skip
"""What other tools call our keys, by what holds them."""
STAND_INS: Mapping[tuple[str, ...], Any] = {
    ("rules", "name"): _ANY, ("rules", "from"): [_ANY], ("rules", "on", "type"): [_ANY],
    ("rules", "send", "to"): [_ANY], ("rules", "send", "if_unlinked", "wait"): "30d",
    ("rules", "link", "destination"): _ANY,
    ("tests", "given"): [{}], ("tests", "expect"): [],
}  # fmt: skip
"""What is required, by its place, and what stands in for it where it is wrong or missing."""
MEMBERS: Mapping[tuple[str, ...], Any] = {
    ("rules", "from"): _ANY, ("rules", "on"): _ANY, ("rules", "on", "type"): _ANY, ("rules", "send"): _SENT,
    ("rules", "send", "to"): _ANY, ("rules", "link"): _LINKED, ("tests", "given"): {}, ("tests", "expect"): _REFUSED,
}  # fmt: skip
"""What stands in for a member of a list: without it, those after it would have other numbers."""


def _with_own(raw: Any, vendor_names: Collection[str]) -> Any:
    """Moves the vendors' sections of each send item under `own`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("send"), list):
        return raw
    return {**raw, "send": [_own(item, vendor_names) for item in raw["send"]]}


def _own(item: Any, vendor_names: Collection[str]) -> Any:
    if not isinstance(item, dict):
        return item
    own = {name: value for name, value in item.items() if name in vendor_names}
    rest = {name: value for name, value in item.items() if name not in vendor_names}
    return {**rest, "own": own} if own else rest


@dataclass(slots=True)
class Shaping:
    """One item: a wrong key is read as what it may have meant, a wrong value is left out."""

    file: str
    at: Where
    spots: dict[Where, Spot]
    vendor_names: Collection[str]
    problems: list[Problem] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    """Files that were read, or sought."""
    taken: set[Where] = field(default_factory=set)
    """Where something was taken out, or is missing."""
    strange: set[str] = field(default_factory=set)
    """Keys that are unknown where they stand, and no guess says what they mean: they may be what else is missing."""

    def tell(self, place: Where, message: str, found: str, expected: str) -> None:
        spot = spot_of(self.spots, (*self.at, *place))
        self.problems.append(Problem.at(self.file, spot, message, found, expected))

    def shaped(self, shape: type[S], raw: Any) -> S | None:
        """The item without what is wrong in it, and stand-ins for what it must have; None: it is no map."""
        while True:
            try:
                return shape.model_validate(_with_own(raw, self.vendor_names))
            except ValidationError as error:
                details = error.errors(include_url=False)
            strange = [detail for detail in details if detail["type"] == "extra_forbidden"]
            # Strange keys first: what they were meant to say may be what else is missing.
            found, raw = _innermost(by_place(strange or details, raw)), deepcopy(raw)
            self.problems += [self._problem(place, told) for place, told in found.items() if not self._follows(place)]
            if strange:
                for place in found:
                    self._mend(raw, place)
            elif not self._take_out(raw, found):
                return None

    def _follows(self, place: Where) -> bool:
        """Whether this is wrong only because of what was taken out there."""
        return any(taken[: len(place)] == place for taken in self.taken)

    def _take_out(self, raw: Any, places: Collection[Where]) -> bool:
        """False where nothing is left that could be taken out."""
        wrong = [place for place in places if place and place not in self.taken]
        for place in wrong:
            self._stand_in(raw, place)
        self.taken.update(wrong)
        return bool(wrong)

    def _stand_in(self, raw: Any, place: Where) -> None:
        holder, last = _holder(raw, place), place[-1]
        names = tuple(part for part in (*self.at, *place) if isinstance(part, str))
        if isinstance(last, int):
            holder[last] = MEMBERS.get(names)
        elif names in STAND_INS:
            holder[last] = STAND_INS[names]
        else:
            holder.pop(last, None)

    def _mend(self, raw: Any, place: Where) -> None:
        """Gives a strange key the name that it may have meant, or takes it out."""
        holder = _holder(raw, place)
        value = holder.pop(place[-1])
        meant = self._meant(place)
        if meant is None or meant == place[-1] or meant in holder:
            self.strange.add(str(place[-1]))
            return
        holder[meant] = listed(value) if meant in ("send", "link") else value
        old, new = (*self.at, *place), (*self.at, *place[:-1], meant)
        moved = {(*new, *at[len(old) :]): spot for at, spot in self.spots.items() if at[: len(old)] == old}
        self.spots.update(moved)

    def _problem(self, place: Where, told: Sequence[Any]) -> Problem:
        spot = spot_of(self.spots, (*self.at, *place))
        name = self._named(place)
        match told[0]["type"]:
            case "extra_forbidden":
                known, word = self._known(place), str(place[-1])
                expected = "one of " + ", ".join(known)
                belongs = _belongs(word, told[0]["input"], (*self.at, *place))
                advice = belongs or did_you_mean(self._meant(place))
                return Problem.at(self.file, spot, "an unknown key", word, expected, advice)
            case "missing":
                return Problem.at(self.file, spot, f"{name} is missing", "", f"{place[-1]}:")
            case _:
                found = shown(told[0]["input"])
                wanted = " or ".join(dict.fromkeys(map(_words, told)))
                alone = LONE.get(str(place[-1]) if place else "") if wanted == "a list" else None
                advice = _as_flag(told[0]["input"]) if wanted == "true or false" else ""
                return Problem.at(self.file, spot, f"{name} is not right", found, alone or wanted, advice)

    def _named(self, place: Where) -> str:
        """The place as it is written: a lone item where a list may stand has no number."""
        stands = [(*self.at, *place[: depth + 1]) in self.spots for depth in range(len(place))]
        parts = (str(part) for part, there in zip(place, stands, strict=True) if there or part != 0)
        return ".".join(parts) or "the item"

    def _meant(self, place: Where) -> str | None:
        """The key that a strange one may stand for; None: no guess would be a good one."""
        word, holder = str(place[-1]), tuple(part for part in (*self.at, *place[:-1]) if isinstance(part, str))
        if word == "duration":  # near to description, and no word for an end
            return None
        return OTHER_NAMES.get(holder, {}).get(word.lower()) or nearest(word, self._known(place))

    def _known(self, place: Where) -> tuple[str, ...]:
        return _known((*self.at, *place), self.vendor_names)


def _as_flag(value: Any) -> str:
    """What to write for true or false."""
    said = str(value).strip().lower()
    if "{{" in said or "{%" in said:
        return "no template may stand here: make it a rule of its own, with the condition in when:"
    return f"write {FLAGS[said]}" if said in FLAGS else "write true, or leave it out"


def _words(detail: Any) -> str:
    if detail["type"] == "string_pattern_mismatch":  # only a rule's name has one
        return "1 to 100 of A-Z a-z 0-9 . _ -"
    return in_words(detail)


def by_place(details: Sequence[Any], raw: Any) -> dict[Where, list[Any]]:
    """The details of each place: where several types are allowed, each of them has its own."""
    found: dict[Where, list[Any]] = {}
    for detail in details:
        found.setdefault(_place(detail, raw), []).append(detail)
    return found


def _place(detail: Any, raw: Any) -> Where:
    """Where the item itself has what a detail tells: without pydantic's names of the types that are allowed there."""
    *outer, last = detail["loc"] or ("",)
    place: Where = ()
    for part in outer:
        if _has(raw, part):
            raw, place = raw[part], (*place, part)
    stands = _has(raw, last) or detail["type"] == "missing"
    return (*place, last) if stands else place


def _innermost(details: Mapping[Where, list[Any]]) -> dict[Where, list[Any]]:
    """Without those of which a part is told: where a map is one of several types, it is not to be one of the others."""
    outer = {place[:depth] for place in details for depth in range(len(place))}
    return {place: told for place, told in details.items() if place not in outer}


def _holder(raw: Any, place: Where) -> Any:
    """What holds the place."""
    for part in place[:-1]:
        raw = raw[part]
    return raw


def _has(raw: Any, part: str | int) -> bool:
    if isinstance(raw, dict):
        return part in raw
    return isinstance(raw, list) and isinstance(part, int) and 0 <= part < len(raw)


def _belongs(word: str, value: Any, at: Where) -> str:
    """Where a key has its place that stands too deep, or not deep enough."""
    holders = [part for part in at[:-1] if isinstance(part, str)]
    match holders:
        case ["rules", "send"] if word == "when" and re.search(r"\bitem\b", str(value)):
            return "each takes every item of its list: let the event hold a list of those that are wanted"
        case ["rules", "send", "entry"] if word == "duration":
            return "write an end: end: \"{{ … | plus('1h') }}\""
        case ["rules"]:
            return _elsewhere(word, holders, {"in an item of send:": SHAPES["send"], "under entry:": FIELDS})
        case ["rules", "send"]:
            return _elsewhere(word, holders, {"under entry:": FIELDS, "to the rule, beside send:": SHAPES["rule"]})
        case ["rules", "send", "entry"]:
            return _elsewhere(word, holders, {"to the send item, beside entry:": SHAPES["send"]})
        case _:
            return ""


def _elsewhere(word: str, holders: Sequence[str], places: Mapping[str, Collection[str]]) -> str:
    """Where a key belongs; also one that is misspelt, where nothing that may stand here is near."""
    for place, names in places.items():
        if word in names:
            return f"{word} belongs {place}"
    if word.lower() in OTHER_NAMES.get(tuple(holders), {}) or nearest(word, _known((*holders, word), ())) is not None:
        return ""
    for place, names in places.items():
        if (meant := nearest(word, names, ALIKE)) is not None:
            return f"did you mean {meant}? It belongs {place}"
    return ""


def _known(at: Where, vendor_names: Collection[str]) -> tuple[str, ...]:
    names = [part for part in at[:-1] if isinstance(part, str)]
    match names:
        case [*_, "entry"] if names[0] == "rules":
            return SHAPES["entry"]
        case ["rules", "send"]:
            return (*SHAPES["send"], *sorted(vendor_names))
        case ["rules", "link"]:
            return SHAPES["link"]
        case ["tests", "expect", "request"]:
            return SHAPES["request"]
        case ["rules", "on"]:
            return SHAPES["on"]
        case ["tests", "expect"]:
            return SHAPES["expect"]
        case ["tests"]:
            return SHAPES["test"]
        case [*_, "if_unlinked"]:
            return ("wait",)
        case _:
            return SHAPES["rule"]
