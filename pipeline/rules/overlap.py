"""Rules of which one event makes two changes to one layer of one entry: the second of them fails, each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pipeline.rules.patterns import is_topic, topic_of
from pipeline.rules.problem import Problem
from pipeline.rules.schema import Send, Sourced


@dataclass(frozen=True, slots=True)
class _Write:
    sourced: Sourced
    index: int
    send: Send


def twice(rules: Sequence[Sourced]) -> Iterator[Problem]:
    """Only what is certain: the same key, word for word, from events that both rules take. Of a rule of which a value
    was taken out, nothing is."""
    seen: dict[tuple[str, str | int | None, str], list[_Write]] = {}
    for sourced in (sourced for sourced in rules if not sourced.taken):
        mine: list[tuple[tuple[str, str | int | None, str], _Write]] = []
        for index, send in enumerate(sourced.rule.send):
            if send.cancel and send.group is not None and send.key is None:
                continue
            for destination in send.to:
                name, write = (destination, send.key, send.layer), _Write(sourced, index, send)
                mine.append((name, write))
                yield from (_problem(write, other, destination) for other in seen.get(name, ()) if _meet(write, other))
        for name, write in mine:
            seen.setdefault(name, []).append(write)


def _meet(a: _Write, b: _Write) -> bool:
    one, other = a.sourced.rule, b.sourced.rule
    if one.name == other.name:  # told by itself
        return False
    if one.when is not None and other.when is not None and one.when != other.when:
        return False
    topics = any(_topics_meet(x, y) for x in one.from_ for y in other.from_)
    types = [(x, y) for on in one.events() for x in on.type for other_on in other.events() for y in other_on.type]
    return topics and any(x == y or fnmatchcase(x, y) or fnmatchcase(y, x) for x, y in types)


def _topics_meet(a: str, b: str) -> bool:
    if a == b:
        return True
    one, other = topic_of(a), topic_of(b)
    match isinstance(one, str), isinstance(other, str):
        case True, False:
            return other is not None and is_topic(other, a)
        case False, True:
            return one is not None and is_topic(one, b)
        case _:
            return False


def _problem(write: _Write, other: _Write, destination: str) -> Problem:
    place = ("send", write.index, "key" if write.send.key is not None else "to")
    found = f"{destination}, layer {write.send.layer}: rule {other.sourced.rule.name} writes it too"
    expected = "another key or layer, or a when on both of which one event fits only one"
    return write.sourced.problem(place, "one event would write one layer of an entry twice", found, expected)
