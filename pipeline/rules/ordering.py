"""Rules that order one entry's changes by different things: a number of the event in one, the time in the other.

A number such as 7 is less than any time, so a rule without a `sequence` would win for ever. Warned of, not refused: the
sequence may be a time. Of `{{ event.time }}` it is known that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.model.change import BASE
from pipeline.rules.problem import Problem
from pipeline.rules.schema import Send, Sourced

_BY_TIME = re.compile(r"\s*\{\{-?\s*event\.time\s*-?\}\}\s*")
Written = tuple[str, str, str, str]
"""Destination, `key` or `group`, its text with {} for each template, layer."""


def mixed(rules: Sequence[Sourced]) -> Iterator[Problem]:
    """Each rule without a sequence that writes what another writes with one, once."""
    numbered: dict[Written, str] = {}
    for sourced in rules:
        if sourced.rule.sequence is not None and not _BY_TIME.fullmatch(str(sourced.rule.sequence)):
            numbered |= {one: sourced.rule.name for send in sourced.rule.send for one in _written(send)}
    for sourced in rules:
        if sourced.rule.sequence is None:
            yield from _problems(sourced, numbered)


def _problems(sourced: Sourced, numbered: dict[Written, str]) -> Iterator[Problem]:
    for index, send in enumerate(sourced.rule.send):
        others = [numbered[one] for one in _written(send) if one in numbered]
        if others:
            message = "ordered by time here, and by a sequence in another rule: a time wins over any number"
            found = f"no sequence:, and rule {others[0]} has one"
            expected = "a sequence: of one kind in both rules, or in neither: the time then orders both"
            yield sourced.problem(("send", index), message, found, expected)
            return


def _written(send: Send) -> Iterator[Written]:
    for destination in send.to:
        if send.key is not None:
            yield destination, "key", _form(send.key), send.layer or BASE
        if send.group is not None:
            yield destination, "group", _form(send.group), BASE


def _form(text: str | int) -> str:
    return re.sub(r"\{\{.*?\}\}", "{}", str(text))
