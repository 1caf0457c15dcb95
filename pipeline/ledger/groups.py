"""The newest roster of each group of entries, and who its members are."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, tuple_, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.entries import CHUNK, Key
from pipeline.ledger.values import Raw
from pipeline.model.change import Change, Roster, Version
from pipeline.model.entry import canonical

Name = tuple[str, str]
"""(destination, group)."""
Rosters = Mapping[Name, tuple[Roster | None, Raw | None]]
"""The newest of each group that is locked, with its record where that is at hand."""


def of(changes: Sequence[tuple[Change, Raw]], rosters: Sequence[tuple[Roster, Raw]]) -> set[Name]:
    """The groups that a batch is about."""
    named = {(change.destination, change.group) for change, _ in changes if change.group is not None}
    return named | {(roster.destination, roster.group) for roster, _ in rosters}


def renew(connection: Connection, names: set[Name], rosters: Sequence[tuple[Roster, Raw]], now: float) -> Rosters:
    """Locks these groups, writes the rosters that are newer than theirs, and says what holds."""
    if not names:
        return {}
    held = _locked(connection, sorted(names), now)
    newest: dict[Name, tuple[Roster | None, Raw | None]] = {name: (roster, None) for name, roster in held.items()}
    for roster, raw in rosters:
        name = (roster.destination, roster.group)
        known = newest[name][0]
        if known is None or known.version < roster.version:
            newest[name] = (roster, raw)
    changed = {name: roster for name, (roster, _) in newest.items() if roster is not None and roster != held[name]}
    if changed:
        row = (t.groups.c.destination == bindparam("_d"), t.groups.c.name == bindparam("_n"))
        statement = update(t.groups).where(*row).values(roster=bindparam("_r"), written_at=now)
        written = [{"_d": name[0], "_n": name[1], "_r": _text(roster)} for name, roster in sorted(changed.items())]
        connection.execute(statement, written)
    return newest


def members(connection: Connection, names: Collection[Name]) -> list[Key]:
    """The entries whose newest base names one of these groups."""
    found: list[Key] = []
    wanted, group = sorted(names), tuple_(t.entries.c.destination, t.entries.c.group_name)
    for start in range(0, len(wanted), CHUNK):
        query = select(t.entries.c.destination, t.entries.c.key).where(group.in_(wanted[start : start + CHUNK]))
        found += [(destination, key) for destination, key in connection.execute(query)]
    return found


def _locked(connection: Connection, names: Sequence[Name], now: float) -> dict[Name, Roster | None]:
    """A group without a row gets one, so that who reads an entry and who reads its roster never pass each other."""
    blank = [
        {"destination": destination, "name": name, "roster": None, "written_at": now} for destination, name in names
    ]
    connection.execute(insert_into(connection, t.groups).on_conflict_do_nothing(), blank)
    key = tuple_(t.groups.c.destination, t.groups.c.name)
    found: dict[Name, Roster | None] = {}
    for start in range(0, len(names), CHUNK):
        query = select(t.groups).where(key.in_(names[start : start + CHUNK])).order_by(*key.clauses).with_for_update()
        for row in connection.execute(query):
            found[row.destination, row.name] = _roster(row.destination, row.name, row.roster)
    pruned = [name for name in names if name not in found]  # between the two statements
    return found | _locked(connection, pruned, now) if pruned else found


def forget(connection: Connection, before: float, limit: int) -> int:
    """Deletes groups without an entry whose roster was written before then; how many."""
    group = tuple_(t.groups.c.destination, t.groups.c.name)
    member = (t.entries.c.destination == t.groups.c.destination, t.entries.c.group_name == t.groups.c.name)
    empty = select(*group.clauses).where(t.groups.c.written_at < before, ~exists().where(*member)).limit(limit)
    names = [(destination, name) for destination, name in connection.execute(empty.with_for_update(skip_locked=True))]
    for start in range(0, len(names), CHUNK):
        connection.execute(delete(t.groups).where(group.in_(names[start : start + CHUNK])))
    return len(names)


def _text(roster: Roster) -> str:
    values = asdict(roster) | {"keys": sorted(roster.keys)}
    values["event_time"] = None if roster.event_time is None else roster.event_time.timestamp()
    return canonical({name: value for name, value in values.items() if name not in ("destination", "group")})


def _roster(destination: str, group: str, text: str | None) -> Roster | None:
    if text is None:
        return None
    values: dict[str, Any] = json.loads(text)
    at = values["event_time"]
    return Roster(
        destination,
        group,
        Version(*values["version"]),
        frozenset(values["keys"]),
        values["rule"],
        (values["event"][0], values["event"][1]),
        None if at is None else datetime.fromtimestamp(at, UTC),
    )
