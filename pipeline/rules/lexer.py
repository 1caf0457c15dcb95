"""The words of an expression. It judges none of them."""

from __future__ import annotations

import re

Word = tuple[str, str]
"""(text | number | name | mark, as it stands there)"""
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<name>[^\W\d]\w*)|(?P<mark>\*\*|//|==|!=|<=|>=|[-+*/%~|.,:()\[\]<>=]))""",
    re.DOTALL,
)


def tokens(text: str) -> tuple[list[Word], str]:
    """The words of an expression, and what cannot be read."""
    words: list[Word] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            return words, text[at:].lstrip()
        words.append((match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return words, ""


END: Word = ("", "")
"""In the place of a word before the first and after the last."""


class Cursor:
    """Where a parser stands in the words of an expression."""

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._at = 0

    def _next(self) -> Word:
        return self._words[self._at] if self._at < len(self._words) else END

    def _takes(self, *words: Word) -> Word | None:
        word = self._next()
        if word not in words:
            return None
        self._at += 1
        return word
