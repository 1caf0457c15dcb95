"""`<`, `<=`, `>` and `>=` on our terms: of two numbers or of two texts, and a failure of all else.

MiniJinja has an order of kinds too, by which the text "5" is more than 100: it is given a call of ours in their place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pipeline.rules.filters import kind
from pipeline.rules.language import pieces
from pipeline.rules.lexer import Cursor, tokens

CALL = "in_order"
"""Its name for MiniJinja: no root has it, so that no rule can say it."""
ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_BRACKETS = {"(": ")", "[": "]"}
_APART = frozenset(("and", "or", "not", "if", "elif", "else", ",", ":", "="))
"""What binds less than a comparison."""


class Unordered(Exception):
    """Two values that have no order. The message names their kinds, never themselves."""


def in_order(left: Any, mark: str, right: Any) -> bool:
    """`a < b` as `in_order(a, '<', b)`. Raises Unordered."""
    if not ((isinstance(left, str) and isinstance(right, str)) or (_is_number(left) and _is_number(right))):
        raise Unordered(f"{mark} compares two numbers or two texts, not {kind(left)} and {kind(right)}")
    return ORDERINGS[mark](left, right)


@lru_cache(4096)
def with_calls(source: str) -> str:
    """The template as MiniJinja is given it: each `a < b` a call."""
    if "<" not in source and ">" not in source:
        return source
    done, at = "", 0
    for piece in pieces(source)[0]:
        start = source.index(piece.text, at)
        words = tokens(piece.text)[0] if piece.kind != "text" else []
        ordered = any(kind_ == "mark" and word in ORDERINGS for kind_, word in words)
        done += source[at:start] + (_Writer(words).level() if ordered else piece.text)
        at = start + len(piece.text)
    return done + source[at:]


class _Writer(Cursor):
    """The words again. They are known to be an expression, in which no comparison is compared again."""

    def level(self, closing: str = "") -> str:
        """All up to the closing bracket, or the end."""
        done: list[str] = []
        parts: list[str] = []
        operand: list[str] = []
        while (word := self._word()) not in ("", closing):
            if mark := self._mark(word):
                parts += [" ".join(operand), mark]
                operand = []
            elif word in _APART:
                done += [_compared(*parts, " ".join(operand)), word]
                parts, operand = [], []
            else:
                operand += self._operand(word)
        return " ".join([*done, _compared(*parts, " ".join(operand))])

    def _word(self) -> str:
        word = self._next()[1]
        self._at += 1
        return word

    def _mark(self, word: str) -> str:
        """The comparison that begins here; empty: none does."""
        if word == "not" and self._takes(("name", "in")):
            return "not in"
        return word if word in ORDERINGS or word in ("==", "!=", "in") else ""

    def _operand(self, word: str) -> list[str]:
        """A word with what belongs to it, be that spelt as an operator: `data.in`, `is not in`."""
        if word in _BRACKETS:
            return [word, self.level(_BRACKETS[word]), _BRACKETS[word]]
        found = [word]
        if word == ".":
            found.append(self._word())
        while word == "is" and (after := self._takes(("name", "not"), ("name", "in"))):
            found.append(after[1])
        return found


def _compared(*parts: str) -> str:
    match parts:
        case left, mark, right if mark in ORDERINGS:
            return f"{CALL}({left}, '{mark}', {right})"
        case _:
            return " ".join(parts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
