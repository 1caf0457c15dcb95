"""An expression read without an event: what it can come to, in the order in which MiniJinja binds its words.

Whatever is not read here may be anything. Reads a template at check time alone, never for an event.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

from pipeline.rules.arguments import UNKNOWN, value_of
from pipeline.rules.filters import OURS
from pipeline.rules.kinds import (
    ANYTHING,
    BOOL,
    LIST,
    MAX_SAMPLES,
    TEXT,
    Impossible,
    Kinds,
    compare,
    computed,
    either,
    filtered,
    kind_of,
)
from pipeline.rules.language import TESTS, TRIMS, pieces
from pipeline.rules.lexer import Cursor, Word, tokens
from pipeline.rules.masking import quoted
from pipeline.rules.paths import Path
from pipeline.rules.quick import COMPARISONS
from pipeline.rules.render import OMIT

Known = Callable[[Path], Kinds]
"""What is known of a path in the data."""


def kinds_of(expression: str, known: Known) -> Kinds:
    """Raises Impossible."""
    words, rest = tokens(expression)
    try:
        return ANYTHING if rest or not words else _Reader(words, known).whole()
    except _Other:
        return ANYTHING


def kinds_of_text(source: str, known: Known) -> Kinds:
    """A template with text in it is a text. Raises Impossible, where a part of it never prints too."""
    parts: list[Kinds] = []
    for piece in pieces(source)[0]:
        if piece.kind == "expression":
            parts.append(_printed(kinds_of(piece.text, known), piece.text))
        elif piece.kind == "text":
            parts.append(Kinds((piece.text,), exact=True))
        elif (condition := piece.text.partition(" ")[2].strip()) != "":
            kinds_of(condition, known)
            parts.append(ANYTHING)
        else:
            parts.append(ANYTHING)
    certain = all(part.samples and (part.exact or part.form) for part in parts)
    if not certain or prod(len(part.samples) for part in parts) > MAX_SAMPLES or TRIMS.search(source):
        return TEXT
    form = next((part.form for part in parts if part.form), "")
    return Kinds(tuple("".join(map(str, one)) for one in product(*(part.samples for part in parts))), form=form)


_TO_PRINT = {
    "a bool": "write a text for each: {{ 'yes' if … else 'no' }}", "a list": "write … | join(', ')",
    "a decimal number": "write … | number(2)",
}  # fmt: skip


def _printed(value: Kinds, expression: str) -> Kinds:
    prints = tuple(one for one in value.samples if _prints(one))
    if value.samples and not prints:
        what, found, expected = kind_of(value), quoted(expression), "a text or an integer"
        raise Impossible(f"{what} does not print inside a text", found, expected, _TO_PRINT.get(what, ""))
    return Kinds(prints, value.exact, value.form)


class _Other(Exception):
    """A form that is not read here."""


def _where(value: Kinds, holds: bool) -> Kinds:
    """What is left of a value where it counts as true, or as false; where nothing is, all of it."""
    samples = tuple(one for one in value.samples if isinstance(one, bool) and one is holds)
    return Kinds(samples) if samples and all(isinstance(one, bool) for one in value.samples) else value


def _prints(value: Any) -> bool:
    """A whole number prints, whatever its type."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) or (number and (isinstance(value, int) or value.is_integer()))


class _Reader(Cursor):
    """Recursive descent over the words of an expression, in the order in which MiniJinja binds them."""

    def __init__(self, words: list[Word], known: Known) -> None:
        super().__init__(words)
        self._known = known

    def whole(self) -> Kinds:
        value = self._choice()
        if self._at < len(self._words):
            raise _Other
        return value

    def _choice(self) -> Kinds:
        value = self._or()
        if self._takes(("name", "if")):
            self._or()
            self._must(("name", "else"))
            return either(value, self._choice())
        return value

    def _or(self) -> Kinds:
        value = self._and()
        while self._takes(("name", "or")):
            value = either(_where(value, True), self._and())
        return value

    def _and(self) -> Kinds:
        value = self._not()
        while self._takes(("name", "and")):
            value = either(_where(value, False), self._not())
        return value

    def _not(self) -> Kinds:
        if self._takes(("name", "not")):
            self._not()
            return BOOL
        return self._compared()

    def _compared(self) -> Kinds:
        value = self._sum()
        while True:
            if mark := self._takes(*(("mark", name) for name in COMPARISONS)):
                compare(value, mark[1], self._sum())
            elif self._takes(("name", "in")):
                self._sum()
            elif self._takes(("name", "not")):
                self._must(("name", "in"))
                self._sum()
            else:
                return value
            value = BOOL

    def _sum(self) -> Kinds:
        value = self._product()
        while mark := self._takes(("mark", "+"), ("mark", "-")):
            value = computed(value, mark[1], self._product())
        return value

    def _product(self) -> Kinds:
        value = self._signed()
        while mark := self._takes(("mark", "/"), ("mark", "//"), ("mark", "%")):
            value = computed(value, mark[1], self._signed())
        return value

    def _signed(self) -> Kinds:
        if self._takes(("mark", "-")):
            return computed(Kinds((0,)), "-", self._signed())
        value = self._primary()
        while mark := self._takes(("mark", "|"), ("name", "is")):
            value = self._filtered(value) if mark[1] == "|" else self._tested()
        return value

    def _tested(self) -> Kinds:
        self._takes(("name", "not"))
        kind_, name = self._next()
        self._at += 1
        if kind_ != "name" or name not in TESTS:
            raise _Other
        if self._next()[0] in ("text", "number") or name == "in":
            self._primary()
        elif self._takes(("mark", "(")):
            self._until(")")
        return BOOL

    def _filtered(self, value: Kinds) -> Kinds:
        _, name = self._next()
        self._at += 1
        arguments = self._until(")") if self._takes(("mark", "(")) else []
        if name != "default" and name not in OURS:
            raise _Other
        return filtered(value, name, arguments)

    def _until(self, closing: str) -> list[Kinds]:
        found: list[Kinds] = []
        while not self._takes(("mark", closing)):
            found.append(self._choice())
            if self._next() != ("mark", closing):
                self._must(("mark", ","))
        return found

    def _must(self, word: Word) -> None:
        if not self._takes(word):
            raise _Other

    def _primary(self) -> Kinds:
        word = self._next()
        self._at += 1
        match word:
            case ("text" | "number", _) | ("name", "true" | "false" | "none" | "True" | "False" | "None"):
                value = value_of([word])
                return TEXT if value is UNKNOWN else Kinds((value,), exact=True)
            case ("name", "omit"):
                return Kinds((OMIT,), exact=True)
            case ("name", "data" | "event" | "item" as root):
                return self._path(root)
            case ("mark", "("):
                inner = self._until(")")
                return self._inside(inner[0] if len(inner) == 1 else LIST)
            case ("mark", "["):
                return self._inside(_listed(self._until("]")))
            case _:
                raise _Other

    def _inside(self, value: Kinds) -> Kinds:
        """What brackets hold, as long as nothing is taken out of it."""
        if self._next() in (("mark", "."), ("mark", "[")):
            raise _Other
        return value

    def _path(self, root: str) -> Kinds:
        parts: list[str | int] = [root]
        while mark := self._takes(("mark", "."), ("mark", "[")):
            (kind_, word), closed = self._next(), mark[1] == "."
            self._at += 1
            if kind_ == "number" and word.isdecimal() and len(word) < 10:
                parts.append(int(word))
            elif kind_ == ("name" if closed else "text"):
                parts.append(word if closed else word[1:-1])
            else:
                raise _Other
            if not closed:
                self._must(("mark", "]"))
        return self._known(Path(tuple(parts), bare=False))


def _listed(members: list[Kinds]) -> Kinds:
    if all(member.exact and len(member.samples) == 1 for member in members):
        return Kinds(([member.samples[0] for member in members],), exact=True)
    return LIST
