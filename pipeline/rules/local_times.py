"""Local times that `in_zone` makes in one zone and the calendar reads in another: hours wrong, and nothing fails.

Only where both zones are certain without an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pipeline.model.change import BASE
from pipeline.model.when import is_zone, to_local
from pipeline.rules.adapt import DestinationView
from pipeline.rules.arguments import value_of
from pipeline.rules.compiled import CompiledSend
from pipeline.rules.language import pieces
from pipeline.rules.lexer import Word, tokens
from pipeline.rules.problem import Problem, Where
from pipeline.rules.render import Template
from pipeline.rules.schema import Sourced
from pipeline.rules.slots import Node

_SEASONS = tuple(datetime(2027, month, 1, 12, tzinfo=UTC) for month in range(1, 13))


def read_elsewhere(sourced: Sourced, send: CompiledSend, at: Where, view: DestinationView) -> Iterator[Problem]:
    """Each time of a send item whose clock is another than that of the zone in which it is read."""
    places: list[tuple[Where, Node]] = [((*at, "entry", name), send.entry.get(name)) for name in ("start", "end")]
    places += [((*at, "deliver_at"), send.deliver_at), ((*at, "expires_at"), send.expires_at)]
    for place, node in places:
        made = _made_in(node)
        read = _read_in(send, str(place[-1]), view)
        if made is not None and read is not None and not _one_clock(made, read):
            name = "end_time_zone" if "end_time_zone" in send.entry and place[-1] == "end" else "time_zone"
            expected = f"in_zone('{read}'), or the instant without in_zone"
            advice = f"say the same {name}: {made}" if place[-2] == "entry" else ""
            yield sourced.problem(place, f"this local time is read in {read}", f"in_zone('{made}')", expected, advice)


def _made_in(node: Node) -> str | None:
    """The zone of the local time that a template ends with; later by a duration it is still of that zone."""
    if not isinstance(node, Template) or not node.whole:
        return None
    words = tokens(pieces(node.source)[0][0].text)[0]
    while _shifts(words[-5:]):
        words = words[:-5]
    match words[-5:]:
        case [("mark", "|"), ("name", "in_zone"), ("mark", "("), ("text", _) as zone, ("mark", ")")]:
            return _zone(value_of([zone]))
        case _:
            return None


def _shifts(words: list[Word]) -> bool:
    match words:
        case [("mark", "|"), ("name", "plus" | "minus"), ("mark", "("), ("text", _), ("mark", ")")]:
            return True
        case _:
            return False


def _read_in(send: CompiledSend, name: str, view: DestinationView) -> str | None:
    """The zone that holds for a time; None: an event says it, or a layer below."""
    default = view.defaults.get("time_zone")
    if name in ("start", "end"):
        default = default if send.layer == BASE else None
    else:
        default = default or "UTC"
    fields = ("end_time_zone", "time_zone") if name == "end" else ("time_zone",)
    said = next((field for field in fields if field in send.entry), None)
    return _zone(default if said is None else send.constant.get(said))


def _zone(value: object) -> str | None:
    return value if isinstance(value, str) and is_zone(value) else None


def _one_clock(one: str, other: str) -> bool:
    return all(to_local(moment, one) == to_local(moment, other) for moment in _SEASONS)
