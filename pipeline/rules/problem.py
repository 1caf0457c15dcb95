"""A mistake in a file, and where: what was found, what was expected, what to do. Never quotes a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Where = tuple[str | int, ...]
"""A place in a file: keys and indexes from its root."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` counts from 1; 0: it is in no file, and `file` names the environment variable."""

    file: str
    line: int
    message: str
    found: str = ""
    expected: str = ""
    suggestion: str = ""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}"]
        parts += [f"found {self.found}"] if self.found else []
        parts += [f"expected {self.expected}"] if self.expected else []
        parts += [self.suggestion] if self.suggestion else []
        return "; ".join(parts)


def line_of(lines: Mapping[Where, int], at: Where) -> int:
    """The line of a place, or of what encloses it. A lone item where a list may stand is the list's first."""
    known: Where = ()
    for part in at:
        if (*known, part) in lines:
            known = (*known, part)
        elif part != 0:
            break
    return lines[known]
