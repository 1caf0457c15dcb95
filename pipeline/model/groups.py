"""Groups of entries: what is over because the newest event of its group no longer names it. Pure.

It follows from three facts alone, each the newest of its kind: the entry's base, the group that this base names, and
that group's roster. So no order of arrival changes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from pipeline.model.change import BASE, Change, Roster
from pipeline.model.facts import GROUP, Facts, Policy
from pipeline.model.wanted import overlaid, want


def newest(rosters: Iterable[Roster]) -> dict[tuple[str, str], Roster]:
    """Of each (destination, group)."""
    found: dict[tuple[str, str], Roster] = {}
    for roster in rosters:
        name = (roster.destination, roster.group)
        if name not in found or found[name].version < roster.version:
            found[name] = roster
    return found


def is_over(key: str, base_version: tuple[Any, ...], roster: Roster | None) -> bool:
    """Whether this roster, the newest of the entry's group, has left it out since its base was written."""
    return roster is not None and key not in roster.keys and base_version < tuple(roster.version)


def hold(facts: Facts, roster: Roster | None, raw: Mapping[str, Any] | None, now: float, policy: Policy) -> Facts:
    """The row as the newest roster of its group has it; the same row where that changes nothing. `raw`: the roster's
    record, None where it is not at hand."""
    base, held = facts.layers.get(BASE), facts.layers.get(GROUP)
    over = base is not None and is_over(facts.key, tuple(base["version"]), roster)
    if held is None and not over:
        return facts
    if over and roster is not None:
        if held is not None and list(held["version"]) == list(roster.version):
            return facts
        return want(overlaid(facts, GROUP, _cancel(facts, roster), raw, now, policy), now, policy)
    layers = {name: layer for name, layer in facts.layers.items() if name != GROUP}
    raws = {name: kept for name, kept in facts.raws.items() if name != GROUP}
    return want(replace(facts, layers=layers, raws=raws), now, policy)


def _cancel(facts: Facts, roster: Roster) -> Change:
    return Change(
        facts.destination,
        facts.key,
        "cancel",
        roster.version,
        roster.rule,
        event=roster.event,
        event_time=roster.event_time,
    )
