"""Constants that an expression can come to and that do not fit its place: it then fails for some events, not for all.

Likely a slip, and warned of alone: the other events are right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pipeline.rules.arguments import UNKNOWN, value_of
from pipeline.rules.fitting import misfit
from pipeline.rules.language import pieces
from pipeline.rules.lexer import END, Word, tokens
from pipeline.rules.masking import PEOPLE, shown
from pipeline.rules.problem import Problem, Where
from pipeline.rules.schema import Rules
from pipeline.rules.zone_names import zone_asked

_JOINS = (("name", "or"), ("name", "and"))
_CHOICES = (("name", "if"), ("name", "else"))
_ASKS = frozenset(("==", "!=", "<", "<=", ">", ">=", "+", "-", "/", "//", "%", "in", "is", "not"))
"""What makes another value of the one before it."""
_DEFAULT = [("mark", "|"), ("name", "default"), ("mark", "(")]


def failing(rules: Rules) -> Iterator[Problem]:
    """The first of each template."""
    for sourced in rules.rules:
        for at, text in sourced.texts():
            parts = pieces(text.strip())[0]
            values = constants(tokens(parts[0].text)[0]) if [one.kind for one in parts] == ["expression"] else ()
            wrong = next(((one, said) for one in values if (said := misfit(one, at)) is not None), None)
            if wrong is not None:
                value, expected = wrong
                found = "" if PEOPLE.intersection(at) else shown(value)
                name = next(part for part in reversed(at) if isinstance(part, str))
                yield sourced.problem(at, f"{name} is not right for some events", found, expected, _advice(at, value))


def constants(words: list[Word]) -> Iterator[Any]:
    """What stands there as it is and can be what the whole expression comes to; nothing inside brackets."""
    chooses = any(word in words for word in _CHOICES)
    before: Collection[Word] = (END, ("name", "else")) if chooses else (END, *_JOINS)
    after: Collection[Word] = (END, ("name", "if")) if chooses else (END, *_JOINS)
    for previous, word, following in zip([END, *words], words, [*words[1:], END], strict=False):
        value = value_of([word])
        if previous in before and following in after and value is not UNKNOWN:
            yield value
    instead = words[-5:-2] == _DEFAULT and words[-1:] == [("mark", ")")] and not chooses
    if instead and value_of([words[-2]]) is not UNKNOWN and _ASKS.isdisjoint(_last(words[:-5])):
        yield value_of([words[-2]])


def _last(words: list[Word]) -> set[str]:
    """The marks and names of the last term."""
    start = max((at + 1 for at, word in enumerate(words) if word in _JOINS), default=0)
    return {said for kind, said in words[start:] if kind in ("mark", "name")}


def _advice(at: Where, value: Any) -> str:
    if at == ("when",) and isinstance(value, str):
        return "write … in ['…', '…']"
    return zone_asked(value) if at[-1] in ("time_zone", "end_time_zone") else ""
