"""Names in an expected refusal that nothing has: a code, a rule, a place. Such a refusal can never come. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.model.event import REASONS
from pipeline.rules.language import suggest
from pipeline.rules.schema import SHAPES, Expect, Rules

CODES = frozenset({"missing", "type", "format", "schema", "key", "duplicate", "limit", "template"})
"""Of a rule's refusal."""


def misnamed(expect: Expect, rules: Rules) -> Iterator[tuple[str, str, str]]:
    """Of each name that is none: words, what was found, what may stand there."""
    if expect.refused is not None and expect.refused not in CODES | REASONS:
        yield "no refusal has this code", expect.refused, _one_of(expect.refused, sorted(CODES), CODES | REASONS)
    names = [sourced.rule.name for sourced in rules.rules]
    if expect.rule is not None and expect.rule not in names:
        yield "no rule has this name", expect.rule, _one_of(expect.rule, names, names)
    if expect.at is not None:
        places = set().union(*(_keys(sourced.rule.model_dump(by_alias=True)) for sourced in rules.rules))
        yield from _nowhere(expect.at, places | {"given"})


def _nowhere(at: str, places: set[str]) -> Iterator[tuple[str, str, str]]:
    for part in re.sub(r"\[\d+\]", "", at).split("."):
        if part not in places:
            yield "no rule has this place", at, _one_of(part, SHAPES["entry"], places)
            return


def _keys(value: Any) -> set[str]:
    """The names of all maps in it."""
    if isinstance(value, Mapping):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def _one_of(word: str, shown: Sequence[str], known: Sequence[str] | set[str] | frozenset[str]) -> str:
    return " ".join(part for part in (f"one of {', '.join(shown)}", suggest(word, known)) if part)
