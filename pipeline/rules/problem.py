"""A mistake in a file, and where: what was found, what was expected, what to do. Never quotes a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.rules.masking import MASK, secret_in

Where = tuple[str | int, ...]
"""A place in a file: keys and indexes from its root."""


class Spot(NamedTuple):
    """Where a place stands, from 1, and the line on which its text begins, where it is one."""

    line: int
    column: int = 0
    text: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` counts from 1; 0: it is in no file, and `file` names the environment variable."""

    file: str
    line: int
    message: str
    found: str = ""
    expected: str = ""
    suggestion: str = ""
    column: int = 0
    """From 1; 0: not known."""

    @classmethod
    def at(
        cls, file: str, spot: Spot, message: str, found: str = "", expected: str = "", suggestion: str = ""
    ) -> Problem:
        """`found` and `suggestion` may hold what the file says: where that is a secret, it is masked."""
        found, suggestion = (MASK if secret_in(text) else text for text in (found, suggestion))
        return cls(file, spot.line, message, found, expected, suggestion, spot.column)

    @property
    def where(self) -> str:
        column = f":{self.column}" if self.column else ""
        return f"{self.file}:{self.line}{column}" if self.line else self.file

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}"]
        parts += [f"found {self.found}"] if self.found else []
        parts += [f"expected {self.expected}"] if self.expected else []
        parts += [self.suggestion] if self.suggestion else []
        return "; ".join(parts)


def spot_of(spots: Mapping[Where, Spot], at: Where) -> Spot:
    """Where a place is, or of what encloses it. A lone item where a list may stand is the list's first."""
    known: Where = ()
    for part in at:
        if (*known, part) in spots:
            known = (*known, part)
        elif part != 0:
            break
    return spots[known]


def leaves(node: Any, at: Where = ()) -> Iterator[tuple[Where, Any]]:
    """All that is neither a map nor a list, each with its place."""
    if isinstance(node, Mapping):
        for name, member in node.items():
            yield from leaves(member, (*at, name))
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, member in enumerate(node):
            yield from leaves(member, (*at, index))
    else:
        yield at, node
