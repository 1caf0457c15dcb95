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
