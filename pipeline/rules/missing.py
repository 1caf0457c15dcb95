"""The fields that a template names and an event lacks, by their paths in the rule. Never quotes the event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.rules.paths import Path, paths

MAX_TOLD = 5


def lacking(source: str, roots: Mapping[str, Any]) -> str:
    """What is told of a template that failed as something was missing."""
    names = list(dict.fromkeys(name for path in paths(source) for name in _first(path, roots)))[:MAX_TOLD]
    if not names:
        return "a field that the template names is missing from the event"
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} missing from the event"


def _first(path: Path, roots: Mapping[str, Any]) -> Iterator[str]:
    """The part of a path that is not there, with what leads to it; a default stands in for the last part alone."""
    value: Any = roots
    for end, part in enumerate(path.parts, 1):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            if path.filter != "default" or end < len(path.parts):
                yield ".".join(map(str, path.parts[:end]))
            return
