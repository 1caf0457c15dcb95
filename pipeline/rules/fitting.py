"""Templates that can never be right where they stand: what they come to does not fit the slot, whatever the event says.

Where a value may fit, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from pipeline.rules import slots
from pipeline.rules.adapt import NOTHING, DestinationView
from pipeline.rules.compiled import CompiledRule
from pipeline.rules.foreseen import Known, kinds_of, kinds_of_text
from pipeline.rules.idioms import FLAGS
from pipeline.rules.kinds import (
    ANYTHING,
    INSTANT,
    OF_SCHEMA,
    TEXT,
    Impossible,
    Kinds,
    either,
    kind_of,
    told,
)
from pipeline.rules.language import TRIMS, pieces
from pipeline.rules.masking import PEOPLE, shown
from pipeline.rules.paths import Path, from_data, templates
from pipeline.rules.problem import Problem, Where
from pipeline.rules.render import OMIT, RenderError, Template
from pipeline.rules.schema import Sourced
from pipeline.rules.zone_names import zone_asked

Convert = Callable[[Any], Any]


class Slot(NamedTuple):
    """What makes the value of a place, and whether null and omit may stand there."""

    convert: Convert
    null: bool = True
    omit: bool = True


def _within(*texts: str) -> frozenset[str]:
    return frozenset(text[a:b] for text in texts for a in range(len(text)) for b in range(a, len(text) + 1))


_OF_RULE = {
    "when": Slot(slots.flag, null=False, omit=False), "sequence": Slot(slots.order, null=False, omit=False),
}  # fmt: skip
_OF_LINK = {
    "subscriber": Slot(slots.name, null=False), "ended": Slot(slots.name, null=False),
    "identity": Slot(slots.name, omit=False),
}  # fmt: skip
_OF_SEND = {
    "each": Slot(slots.items, null=False, omit=False), "key": Slot(slots.key, null=False),
    "group": Slot(slots.key, null=False), "subscriber": Slot(slots.name, null=False),
    "identity": Slot(slots.name, null=False), "deliver_at": Slot(slots.moment_text),
    "expires_at": Slot(slots.moment_text),
}  # fmt: skip
_OF_MEMBERS: dict[str, Mapping[str, Convert]] = {
    "links": dict.fromkeys(("name", "url"), slots.text),
    "participants": dict.fromkeys(("name", "email", "phone"), slots.text),
    "dates": slots.DATE_SLOTS,
}
_FRAGMENTS: dict[Convert, frozenset[str]] = {
    slots.moment_text: _within("2024-01-15", "2024-01-15 12:00:00.0Z", "2024-01-15T12:00:00+01:00"),
    slots.minutes: _within("1w1d1h10m", "PT10M", "P1DT1H"),
    slots.recurrence: _within(
        "FREQ=DAILY;COUNT=10",
        "FREQ=WEEKLY;INTERVAL=1;",
        "FREQ=MONTHLY;BYDAY=+1MO,-1TU",
        "FREQ=YEARLY;BYMONTH=1,2",
        "UNTIL=20261224T120000Z",
        ",SU",
        "RRULE:FREQ=",
    ),
}
"""What one value may be, for the text around it to become a time, a duration or a recurrence rule."""
_ADDED = re.compile(r"\+\s*('\w+'|\"\w+\")\s*\}\}")


def unfitting(sourced: Sourced, rule: CompiledRule, destinations: Mapping[str, DestinationView]) -> Iterator[Problem]:
    """Each template of a rule that no event makes right, at its place in the file."""
    for at, template, each in templates(rule):
        try:
            value = _kinds(template, partial(_known, rule, each))
        except Impossible as error:
            found = "" if PEOPLE.intersection(at) else error.found
            yield sourced.problem(at, error.message, found, error.expected, error.advice)
            continue
        for slot in _slots(rule, at, destinations):
            # A condition that can be false alone is none.
            if value.samples and not any(_fits(one, slot) and (one or at != ("when",)) for one in value.samples):
                yield _problem(sourced, at, template, value, slot)
                break
            if (around := _around(template)) is not None and not _leaves_room(around, slot):
                found = f"{around[0]}…{around[1]}"
                yield sourced.problem(at, f"{_name(at)} can never be right", shown(found), _wanted(slot))
                break


def _kinds(template: Template, known: Known) -> Kinds:
    if template.whole:
        return kinds_of(pieces(template.source)[0][0].text, known)
    return kinds_of_text(template.source, known)


def _around(template: Template) -> tuple[str, str] | None:
    """The text before and after the one value of a template; None: it has another form."""
    parts = pieces(template.source)[0]
    kinds = [piece.kind for piece in parts]
    if template.whole or kinds.count("expression") != 1 or "statement" in kinds or TRIMS.search(template.source):
        return None
    at = kinds.index("expression")
    return "".join(piece.text for piece in parts[:at]), "".join(piece.text for piece in parts[at + 1 :])


def _leaves_room(around: tuple[str, str], slot: Slot) -> bool:
    """Nothing makes a time of `…T9:00`."""
    before, after = around
    return slot.convert not in _FRAGMENTS or any(_fits(before + one + after, slot) for one in _FRAGMENTS[slot.convert])


def _name(at: Where) -> str:
    return next(part for part in reversed(at) if isinstance(part, str))


def _wanted(slot: Slot) -> str:
    return slots.MOMENT if slot.convert is slots.moment_text else _why_not("", slot) or ""


def _known(rule: CompiledRule, each: Template | None, path: Path) -> Kinds:
    """What an event's attribute is, and what the schemas of its data say."""
    if path.parts == ("event",):
        return OF_SCHEMA["object"]
    if path.parts == ("event", "time"):
        return Kinds((INSTANT,))
    if path.parts == ("event", "type") and not any(re.search(r"[*?\[]", glob) for glob in rule.types):
        return Kinds(rule.types, exact=True)
    parts = from_data(path, each).parts
    if parts[0] != "data" or not rule.schemas:
        return ANYTHING
    found = [_of_schema(schema, parts[1:]) for schema in rule.schemas]
    value = found[0]
    for other in found[1:]:
        value = value if value == other else either(value, other)
    return value


def _of_schema(schema: Any, parts: tuple[str | int, ...]) -> Kinds:
    found = schema.lookup(parts) if schema is not None else None
    if found is None or found.unknown is not None or not found.types or not found.types <= OF_SCHEMA.keys():
        return ANYTHING
    if len(found.types) == 1:
        return OF_SCHEMA[next(iter(found.types))]
    return Kinds(tuple(sample for name in sorted(found.types) for sample in OF_SCHEMA[name].samples))


def misfit(value: Any, at: Where) -> str | None:
    """What is expected at a place instead of this value; None: it fits, or the place is not known without a vendor."""
    slot = _slot(at)
    return None if slot is None else _why_not(value, slot)


def _slots(rule: CompiledRule, at: Where, destinations: Mapping[str, DestinationView]) -> Iterator[Slot]:
    """The slot of a place; of a vendor's own field, one for each destination; none where nothing is known."""
    match at:
        case ("send", int() as index, vendor, name) if vendor != "entry":
            yield from _own(rule, index, str(vendor), str(name), destinations)
        case _:
            slot = _slot(at)
            if slot is not None:
                yield slot


def _slot(at: Where) -> Slot | None:
    """The slot of a place that is no vendor's own."""
    match at:
        case (name,) if name in _OF_RULE:
            return _OF_RULE[str(name)]
        case ("link", _, name) if name in _OF_LINK:
            return _OF_LINK[str(name)]
        case ("send", _, name) if name in _OF_SEND:
            return _OF_SEND[str(name)]
        case ("send", _, "entry", name):
            return Slot(slots.FIELD_SLOTS[str(name)])
        case ("send", _, "entry", "alerts", int()):
            return Slot(slots.minutes, null=False)
        case ("send", _, "entry", name, int(), member) if member in _OF_MEMBERS.get(str(name), {}):
            return Slot(_OF_MEMBERS[str(name)][str(member)], null=name == "dates")
        case _:
            return None


def _own(
    rule: CompiledRule, index: int, vendor: str, name: str, destinations: Mapping[str, DestinationView]
) -> Iterator[Slot]:
    send = rule.sends[index]
    for destination in send.to:
        view = destinations.get(destination)
        expression = view.expression(send.send.kind) if view is not None and view.vendor.name == vendor else NOTHING
        if name in expression.own:
            yield Slot(partial(slots.own_value, declared=expression.own[name]))


def _fits(value: Any, slot: Slot) -> bool:
    return _why_not(value, slot) is None


def _why_not(value: Any, slot: Slot) -> str | None:
    """What was expected instead; None: it fits."""
    if (value is OMIT and slot.omit) or (value is None and slot.null):
        return None
    try:
        slot.convert(value)
    except (RenderError, ValueError, OverflowError) as error:
        return str(error).removeprefix("expected ")
    return None


def _problem(sourced: Sourced, at: Where, template: Template, value: Kinds, slot: Slot) -> Problem:
    found = kind_of(value) if PEOPLE.intersection(at) else told(value)
    expected = slots.MOMENT if slot.convert is slots.moment_text else _expected(value, slot)
    return sourced.problem(at, f"{_name(at)} can never be right", found, expected, _advice(template, value, slot))


def _expected(value: Kinds, slot: Slot) -> str:
    reasons = (_why_not(one, slot) for one in value.samples)
    return next((reason for reason in reasons if reason is not None), "a condition that an event can meet")


def _advice(template: Template, value: Kinds, slot: Slot) -> str:
    kinds, sample = kind_of(value), value.samples[0]
    match slot.convert:
        case slots.flag if value.exact and str(sample).lower() in FLAGS:
            return f"write {FLAGS[str(sample).lower()]}"
        case slots.flag if "{%" in template.source:
            return "write {{ true if … else false }}"
        case slots.flag:
            return "write {{ … | bool }}" if value == TEXT else "write a comparison, such as {{ … > 0 }}"
        case slots.zone if value.exact:
            return zone_asked(sample)
        case slots.moment_text:
            return _of_moments(template, value)
        case slots.text if kinds == "an integer":
            return "write {{ … | string }}"
        case slots.text if "number" in kinds:
            return "write {{ … | number(2) }}"
        case slots.text if kinds == "a list":
            return "write {{ … | join(', ') }}"
        case slots.text if kinds == "a bool":
            return "write {{ 'yes' if … else 'no' }}"
        case _:
            return ""


def _of_moments(template: Template, value: Kinds) -> str:
    if (added := _ADDED.search(template.source)) is not None:
        return f"write … | plus({added[1]})"
    return "write date without a format" if "%" in value.form else ""
