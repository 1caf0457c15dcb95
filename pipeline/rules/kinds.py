"""What a value can be, known without an event: a few samples of each kind, and what becomes of them. Judges no slot.

Whatever is not certain may be anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Any

from pipeline.rules.filters import OURS, kind
from pipeline.rules.masking import quoted, shown
from pipeline.rules.render import OMIT


@dataclass(frozen=True, slots=True)
class Kinds:
    """Samples of all that a value can be; none: it may be anything. `exact`: they are the very values."""

    samples: tuple[Any, ...] = ()
    exact: bool = False
    form: str = ""
    """The format of the date that it is, or money."""


class Impossible(Exception):
    """A part of a template that fails, or means nothing, whatever the event says."""

    def __init__(self, message: str, found: str, expected: str, advice: str = "") -> None:
        super().__init__(message)
        self.message, self.found, self.expected, self.advice = message, found, expected, advice


MAX_SAMPLES = 60
"""Of one value: what has more may be anything."""
ANYTHING = Kinds()
INSTANT = "2026-01-15T12:00:00Z"
TEXT = Kinds(
    (
        "x", "1", "true", "2026-01-15", "2026-01-15T12:00:00", INSTANT, "1d", "Europe/Berlin", "confirmed",
        "FREQ=DAILY", "EUR",
    )
)  # fmt: skip
"""Any text: one sample for every slot and every filter that takes texts."""
INTEGER = Kinds((1,))
NUMBER = Kinds((1, 1.5))
BOOL = Kinds((True, False))
LIST = Kinds(([],))
OF_SCHEMA = {
    "string": TEXT, "integer": INTEGER, "number": NUMBER, "boolean": BOOL, "null": Kinds((None,)),
    "array": LIST, "object": Kinds(({},)),
}  # fmt: skip
"""By the types of JSON Schema."""
_TIMES = ("2026-01-15", "2026-01-15T12:00:00", INSTANT)
GIVEN: dict[str, tuple[Any, ...]] = {
    "money": (1,), "number": (1,), "round": (1.25,), "times": (1, 2, 1.5), "int": (1,), "float": (1.5,),
    "length": ("x",), "replace": ("x",), "join": ([],),
    "bool": (True, False), "date": _TIMES, "plus": _TIMES, "minus": _TIMES, "in_zone": (INSTANT,),
}  # fmt: skip
"""What stands for a value that may be anything, by the filter that takes it."""
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "money": ("EUR",), "number": (0, 2), "round": (0, 2), "times": (1, 1.5), "date": ("%Y-%m-%d",),
    "plus": ("1d", "1h"), "minus": ("1d", "1h"), "in_zone": ("UTC",), "join": (", ",), "replace": ("a",),
}  # fmt: skip
"""Likewise for an argument."""
TEXTS = frozenset(("upper", "lower", "trim", "replace", "join", "string"))
"""Filters whose text may be any."""
NUMBERS = {"times": NUMBER, "round": NUMBER, "float": NUMBER, "int": INTEGER, "length": INTEGER}
"""Filters whose number may be any."""
_BY_SIZE = "YymjdeHMS"
"""Codes of dates, the greatest first: texts in this order compare as their dates do."""
_DAY_FIRST = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}")


def kind_of(value: Kinds) -> str:
    """The names of its kinds: an integer or a text."""
    found = dict.fromkeys("omit" if one is OMIT else kind(one) for one in value.samples)
    return " or ".join(found)


def either(one: Kinds, other: Kinds) -> Kinds:
    if not one.samples or not other.samples or len(one.samples) + len(other.samples) > MAX_SAMPLES:
        return ANYTHING
    return Kinds(one.samples + other.samples, one.exact and other.exact)


def filtered(value: Kinds, name: str, arguments: list[Kinds]) -> Kinds:
    """What a filter makes of a value. Raises Impossible."""
    if name == "default":
        return either(value, arguments[0]) if arguments else value
    if name in TEXTS and not value.samples:
        return TEXT
    choices = [one.samples or ARGUMENTS.get(name, ("x",)) for one in arguments]
    exact = value.exact and all(one.exact for one in arguments)
    results = _results(name, value.samples or GIVEN[name], choices)
    if not results:
        _refuse(value, name, arguments)
        return ANYTHING
    if name in NUMBERS and not exact:
        return INTEGER if name == "round" and not arguments else NUMBERS[name]
    formed = [one.samples[0] for one in arguments if one.exact and len(one.samples) == 1]
    if not exact and (name in TEXTS or (name == "date" and len(formed) < len(arguments))):
        return TEXT
    form = {"date": str(formed[0]) if formed else "", "money": "money"}.get(name, "")
    return Kinds(results, exact, form)


def _results(name: str, values: tuple[Any, ...], choices: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    found = []
    for one, *arguments in product(values, *choices):
        try:
            found.append(OURS[name](one, *arguments))
        except (ValueError, TypeError, ArithmeticError):
            continue
    return tuple(found[:MAX_SAMPLES])


def _refuse(value: Kinds, name: str, arguments: list[Kinds]) -> None:
    """Raises Impossible with the filter's own words, where they are of the value that it was given.

    What an argument is not for certain may be one that the filter takes.
    """
    given = [one.samples[0] if one.exact else ARGUMENTS.get(name, ("x",))[0] for one in arguments]
    if not value.samples or _results(name, value.samples, [(one,) for one in given]):
        return  # its arguments: they are judged by themselves
    try:
        OURS[name](value.samples[0], *given)
    except (ValueError, TypeError, ArithmeticError) as error:
        advice = "let date come last, after plus or minus" if "%" in value.form else ""
        raise Impossible(f"{name} can never take this", told(value), _expected(error, name), advice) from None


def _expected(error: Exception, name: str) -> str:
    words = re.sub(rf"^(expected|{name} needs|a number filter needs) ", "", str(error))
    return words if isinstance(error, ValueError) else "what it can take"


def told(value: Kinds) -> str:
    """Its kinds, with an example where it has one form: a text such as 15.01.2026."""
    sample = value.samples[0]
    if value == TEXT or not isinstance(sample, str):
        return shown(sample) if value.exact and not isinstance(sample, str) and sample is not OMIT else kind_of(value)
    return f"{kind_of(value)} such as {quoted(sample, 40)}" if not value.exact else f"the text {shown(sample)}"


def computed(left: Kinds, mark: str, right: Kinds) -> Kinds:
    """What arithmetic makes of two values. Raises Impossible."""
    if mark in "+-" and (duration := next(filter(_is_duration, (left, right)), None)) is not None:
        other = right if duration is left else left
        if mark == "-" or _are_times(other) or (other.exact and not _is_no_time(other)):
            how = f"write … | {'minus' if mark == '-' else 'plus'}('{duration.samples[0]}')"
            raise Impossible(f"{mark} does not move a time", f"{mark} {duration.samples[0]!r}", "two numbers", how)
        if not other.samples or other == TEXT:
            return Kinds(tuple(text + duration.samples[0] for text in TEXT.samples))
    if not left.samples and not right.samples:
        return ANYTHING if mark == "+" else NUMBER
    sides = [kind_of(side) or "a value" for side in (left, right)]
    # What may be anything must be of the other's kind.
    left, right = (left if left.samples else right), (right if right.samples else left)
    made = [_made(a, mark, b) for a, b in product(left.samples, right.samples)]
    results = [one for at, one in enumerate(made) if one is not None and one not in made[:at]]
    if results:
        return results[0] if len(results) == 1 else ANYTHING
    advice = f"write … | {'minus' if mark == '-' else 'plus'}('1d')" if mark in "+-" else ""
    if mark == "+":
        advice = "write the parts one after the other, each in its own {{ }}; a time: … | plus('1d')"
    raise Impossible(f"{mark} cannot be computed", f"{sides[0]} {mark} {sides[1]}", "two numbers", advice)


def _made(left: Any, mark: str, right: Any) -> Kinds | None:
    if _is_number(left) and _is_number(right):
        return NUMBER
    if mark != "+" or type(left) is not type(right):
        return None
    return TEXT if isinstance(left, str) else LIST if isinstance(left, list) else None


def _is_duration(value: Kinds) -> bool:
    pattern = r"(\d+[wdhms])+|P(\d+[WD])*(T(\d+[HMS])+)?"
    text = value.samples[0] if value.exact and len(value.samples) == 1 else ""
    return isinstance(text, str) and len(text) > 1 and re.fullmatch(pattern, text) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def compare(left: Kinds, mark: str, right: Kinds) -> None:
    """Raises Impossible where a comparison fails or says the same for every event, or does not say what it seems to."""
    if mark not in ("==", "!="):
        _ordered(left, right)
    if not left.samples or not right.samples or None in (*left.samples, *right.samples):
        return
    sides = [{_sort(one) for one in side.samples} for side in (left, right)]
    apart = (
        left.exact and right.exact and mark == "==" and not set(map(str, left.samples)) & set(map(str, right.samples))
    )
    if sides[0].isdisjoint(sides[1]) or apart:
        found = f"{told(left)} {mark} {told(right)}" if apart else f"{kind_of(left)} {mark} {kind_of(right)}"
        advice = "write … | int" if {"a text", "an integer"} == {kind_of(left), kind_of(right)} else ""
        always = "that is the same for every event" if mark in ("==", "!=") else "that fails: these have no order"
        raise Impossible(f"a comparison {always}", found, "two values of one kind", advice)
    if (_are_times(left) and _is_no_time(right)) or (_are_times(right) and _is_no_time(left)):
        found = f"{told(left)} {mark} {told(right)}"
        raise Impossible("a time is compared with a text that is none", found, "a text such as '2026-12-24'")


def _ordered(left: Kinds, right: Kinds) -> None:
    """Raises Impossible where one side has no order, or another than it seems to."""
    for side in (left, right):
        if not _is_ordered(side.form) or (side.exact and any(_DAY_FIRST.match(str(one)) for one in side.samples)):
            message, expected = "texts are compared letter by letter, not as dates", "the year first: 2026-12-24"
            raise Impossible(message, told(side), expected, "write date without a format" if side.form else "")
        if side.samples and all(isinstance(one, bool) for one in side.samples):
            raise Impossible("true and false have no order", "a bool", "numbers, or texts")


def _are_times(value: Kinds) -> bool:
    samples = value.samples
    return samples != () and not value.exact and not value.form and all(str(one).startswith("2026-") for one in samples)


def _is_no_time(value: Kinds) -> bool:
    """Of a time, the beginning is enough to compare with."""
    return value.exact and not any(re.match(r"\d{4}(-|\Z)", str(one)) for one in value.samples)


def _sort(value: Any) -> str:
    return "number" if _is_number(value) else kind(value)


def _is_ordered(form: str) -> bool:
    """Whether texts of this format compare as their dates do."""
    codes = [_BY_SIZE.find(code) for code in re.findall("%(.)", form)]
    return -1 not in codes and codes == sorted(codes)
