"""What is certain of the arguments of filters: how many there are, and those that stand there as they are.

Each filter itself judges them, on a value that it can take.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pipeline.rules.filters import OURS
from pipeline.rules.kinds import GIVEN
from pipeline.rules.language import pieces
from pipeline.rules.lexer import Word, tokens
from pipeline.rules.masking import quoted
from pipeline.rules.zone_names import zone_meant

UNKNOWN = object()
"""An argument that only an event knows."""
FORMS = {
    "money": "money('EUR')", "number": "number(2)", "round": "round(2)", "times": "times(60)",
    "date": "date('%d.%m.%Y')", "plus": "plus('1d')", "minus": "minus('1d')", "in_zone": "in_zone('Europe/Berlin')",
    "replace": "replace('a', 'b')", "join": "join(', ')",
}  # fmt: skip
"""The right form, for whoever wrote another."""
_CONSTANTS = {"true": True, "false": False, "none": None, "True": True, "False": False, "None": None}


@dataclass(frozen=True, slots=True)
class Misused:
    """A filter with arguments that it never takes: as it stands there, why, and the right form."""

    found: str
    why: str
    form: str


def misused(source: str) -> Iterator[Misused]:
    """Every filter of a template that fails whatever it is given."""
    for piece in pieces(source)[0]:
        words = tokens(piece.text)[0] if piece.kind != "text" else []
        for at, (before, word) in enumerate(pairwise(words), 1):
            if before == ("mark", "|") and word[1] == "default" and not _inside(words, at + 1):
                yield Misused("default", "the value where the field is missing", "default('x'), or default(omit)")
            if before == ("mark", "|") and word[1] in OURS:
                inside = _inside(words, at + 1)
                arguments = list(_arguments(inside))
                why = _why(word[1], arguments)
                if why is not None:
                    found = word[1] + (f"({' '.join(text for _, text in inside)})" if inside else "")
                    yield Misused(quoted(found), why, _form(word[1], arguments))


def _why(name: str, arguments: list[Any]) -> str | None:
    ours = OURS[name]
    at_least = sum(one.default is inspect.Parameter.empty for one in inspect.signature(ours).parameters.values()) - 1
    at_most = len(inspect.signature(ours).parameters) - 1
    if not at_least <= len(arguments) <= at_most:
        return f"{name} takes {_counted(at_least, at_most)}"
    if UNKNOWN in arguments or name not in GIVEN:
        return None
    if name == "date" and arguments and "%" not in str(arguments[0]):
        return "a format without codes such as %d, %m and %Y is the same text for every date"
    try:
        ours(GIVEN[name][-1], *arguments)
    except (ValueError, TypeError, ArithmeticError) as error:
        return str(error).removeprefix("expected ")
    return None


def _form(name: str, arguments: list[Any]) -> str:
    meant = zone_meant(arguments) if name == "in_zone" else None
    return f"in_zone('{meant}')" if meant else FORMS.get(name, name)


def _counted(least: int, most: int) -> str:
    if not most:
        return "no argument"
    number = str(most) if least == most else f"{least} to {most}"
    return f"{number} argument{'s' if most > 1 else ''}"


def _inside(words: list[Word], at: int) -> list[Word]:
    """What stands between the brackets that open here."""
    if words[at : at + 1] != [("mark", "(")]:
        return []
    depth = 0
    for end in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[end][1], 0) if words[end][0] == "mark" else 0
        if not depth:
            return words[at + 1 : end]
    return []


def _arguments(inside: list[Word]) -> Iterator[Any]:
    one: list[Word] = []
    depth = 0
    for word in inside:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word[1], 0) if word[0] == "mark" else 0
        if word == ("mark", ",") and not depth:
            yield value_of(one)
            one = []
        else:
            one.append(word)
    if one:
        yield value_of(one)


def value_of(words: list[Word]) -> Any:
    """What stands there as it is; UNKNOWN: what only an event knows, or a text with an escape."""
    match words:
        case [("text", text)] if "\\" not in text:
            return text[1:-1]
        case [("number", number)]:
            return float(number) if any(mark in number for mark in ".eE") else int(number)
        case [("name", name)] if name in _CONSTANTS:
            return _CONSTANTS[name]
        case _:
            return UNKNOWN
