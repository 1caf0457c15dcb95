"""Rules that make entries of many people and put them all into one calendar. Likely a slip, and it may be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline.rules.adapt import DestinationView
from pipeline.rules.paths import paths
from pipeline.rules.problem import Problem, Where
from pipeline.rules.schema import LinkTo, Send, Sourced

_CHOSEN = re.compile(r"==|\bin\b|startingwith|endingwith")
"""A condition that picks the events of one person, room or team."""


def one_calendar(rules: Sequence[Sourced], destinations: Mapping[str, DestinationView]) -> Iterator[Problem]:
    """Constants where each event should say whose calendar it is."""
    for sourced in rules:
        if _CHOSEN.search(str(sourced.rule.when or "")):
            continue
        for index, send in enumerate(sourced.rule.send):
            views = [destinations[name] for name in send.to if name in destinations]
            if _moves(send) and any(_is_of_people(send, view) for view in views):
                message, expected = (
                    "one entry for all events moves from calendar to calendar",
                    "a key of the event's own",
                )
                yield sourced.problem(("send", index, "key"), message, "a key that is always the same", expected)
            if _is_of_many(send) and any(_is_of_people(send, view) for view in views):
                yield from _constant(sourced, ("send", index), send, "the entries of all events go into one calendar")
        for index, link in enumerate(sourced.rule.link):
            if _varies(link.subscriber) or _varies(link.identity):
                yield from _constant(sourced, ("link", index), link, "all are linked to one")


def _constant(sourced: Sourced, at: Where, said: Send | LinkTo, message: str) -> Iterator[Problem]:
    for name in ("subscriber", "identity"):
        value = getattr(said, name)
        if value is not None and not _varies(value) and not sourced.took(*at, name):
            expected = "an id of the event, unless it is one calendar that is meant"
            advice = f'write {name}: "{{{{ data.… }}}}"'
            yield sourced.problem((*at, name), message, f"a {name} that is always the same", expected, advice)


def _is_of_many(send: Send) -> bool:
    """Whether events make entries of their own: without a key each does. What ends an entry is in no calendar of it."""
    ends = send.cancel or send.delete
    return not ends and (send.key is None or send.each is not None or _varies(send.key))


def _moves(send: Send) -> bool:
    """Whether it is one entry, and each event says whose. A key that looks like a path is told as that."""
    ends, one = send.cancel or send.delete, re.fullmatch(r"[A-Za-z0-9_:-]+", str(send.key or ""))
    return one is not None and not ends and (_varies(send.subscriber) or _varies(send.identity))


def _is_of_people(send: Send, view: DestinationView) -> bool:
    return send.kind == "subscription" or view.expression(send.kind).needs_identity


def _varies(value: str | int | None) -> bool:
    return isinstance(value, str) and next(paths(value), None) is not None
