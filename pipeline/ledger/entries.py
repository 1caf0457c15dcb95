"""Rows of `entries` as facts, and back. Documents are JSON; only the columns that a step may change are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, text, tuple_, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.model.entry import canonical
from pipeline.model.facts import Facts

Key = tuple[str, str]
"""(destination, key)."""

CHUNK = 1000
"""Keys in one statement: databases limit its parameters and its depth."""
_KEY = tuple_(t.entries.c.destination, t.entries.c.key)
ALL = tuple(column.name for column in t.entries.columns)
CLAIM = (
    "state",
    "absent",
    "wake_at",
    "prune_at",
    "epoch",
    "lease_owner",
    "lease_until",
    "sent_hash",
    "sent",
    "retry_at",
    "error",
)
_DOCUMENTS = ("layers", "raws", "desired", "observed", "candidates", "events", "sent")
SETTLE = tuple(
    name
    for name in ALL
    if name not in ("destination", "key", "layers", "desired", "desired_hash", "subscriber", "identity", "rank")
)


def locked(connection: Connection, keys: Sequence[Key], subscribers: Sequence[Key] = ()) -> dict[Key, Facts]:
    """The rows of these keys and of these (destination, subscriber), locked in the order of their keys."""
    subscriber = tuple_(t.entries.c.destination, t.entries.c.subscriber)
    if subscribers:
        theirs = connection.execute(select(*_KEY.clauses).where(subscriber.in_(subscribers)))
        keys = sorted({*keys, *((destination, key) for destination, key in theirs)})
    found: dict[Key, Facts] = {}
    for start in range(0, len(keys), CHUNK):
        query = select(t.entries).where(_KEY.in_(keys[start : start + CHUNK])).order_by(*_KEY.clauses)
        for row in connection.execute(query.with_for_update()).mappings():
            facts = _facts(row)
            found[facts.destination, facts.key] = facts
    return found


def made(
    connection: Connection, keys: Sequence[Key], others: Sequence[Key] = (), subscribers: Sequence[Key] = ()
) -> dict[Key, Facts]:
    """The rows of these keys, locked, blank ones where there are none; with those of others, where there are any."""
    _make(connection, keys)
    rows = locked(connection, sorted({*keys, *others}) if others else keys, subscribers)
    pruned = [key for key in keys if key not in rows]  # between the two statements
    return rows | made(connection, pruned) if pruned else rows


def _make(connection: Connection, keys: Sequence[Key]) -> None:
    if keys:
        blank = [_columns(Facts(destination, key), ALL) for destination, key in keys]
        connection.execute(insert_into(connection, t.entries).on_conflict_do_nothing(), blank)


def ready(connection: Connection, destination: str, limit: int) -> list[Facts]:
    query = (
        select(t.entries)
        .where(t.entries.c.destination == destination, text("state = 'ready'"))
        .order_by(t.entries.c.rank)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_facts(row) for row in connection.execute(query).mappings()]


def due(connection: Connection, destinations: Sequence[str], now: float, limit: int) -> list[Facts]:
    """Rows whose time has come, that nobody else is at."""
    query = (
        select(t.entries)
        .where(t.entries.c.destination.in_(destinations), t.entries.c.wake_at.is_not(None), t.entries.c.wake_at <= now)
        .order_by(t.entries.c.wake_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_facts(row) for row in connection.execute(query).mappings()]


def ended(connection: Connection, destinations: Sequence[str], now: float, limit: int) -> list[Facts]:
    """Rows that may go, that nobody else is at."""
    query = (
        select(t.entries)
        .where(
            t.entries.c.destination.in_(destinations), t.entries.c.prune_at.is_not(None), t.entries.c.prune_at <= now
        )
        .order_by(t.entries.c.prune_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_facts(row) for row in connection.execute(query).mappings()]


def forget(connection: Connection, keys: Sequence[Key]) -> None:
    for start in range(0, len(keys), CHUNK):
        connection.execute(delete(t.entries).where(_KEY.in_(keys[start : start + CHUNK])))


UNSETTLED = text("state <> 'idle'")
"""Said in full, so that both databases see that the index of these rows will do."""
HELD = text("state = 'held'")


def wake(connection: Connection, destinations: Sequence[str], error: str) -> None:
    """Who waits for that reason is looked at anew by the next sweep."""
    waiting = (t.entries.c.destination.in_(destinations), t.entries.c.error == error, HELD, UNSETTLED)
    connection.execute(update(t.entries).where(*waiting).values(retry_at=None, error=None, wake_at=0.0))


def put_off(connection: Connection, destination: str, error: str, limit: int) -> list[Facts]:
    """Rows that wait for that reason, that nobody else is at."""
    waiting = (t.entries.c.destination == destination, t.entries.c.error == error, HELD, UNSETTLED)
    query = select(t.entries).where(*waiting).limit(limit).with_for_update(skip_locked=True)
    return [_facts(row) for row in connection.execute(query).mappings()]


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """(destination, state) → rows that are not in step: out of an index that holds no other."""
    c = t.entries.c
    query = select(c.destination, c.state, func.count()).where(UNSETTLED).group_by(c.destination, c.state)
    return {(destination, state): n for destination, state, n in connection.execute(query)}


def totals(connection: Connection) -> dict[str, int]:
    """Destination → all its rows: a look at each of them."""
    query = select(t.entries.c.destination, func.count()).group_by(t.entries.c.destination)
    return dict(connection.execute(query).all())


def oldest_ready(connection: Connection, destination: str) -> float | None:
    """The time of the oldest event among those that are ready."""
    ready = (t.entries.c.destination == destination, text("state = 'ready'"), UNSETTLED)
    found: float | None = connection.execute(select(func.min(t.entries.c.event_time)).where(*ready)).scalar()
    return found


def of_key(connection: Connection, key: str) -> list[Facts]:
    query = select(t.entries).where(t.entries.c.key == key).order_by(t.entries.c.destination)
    return [_facts(row) for row in connection.execute(query).mappings()]


def write(connection: Connection, rows: Sequence[Facts], columns: tuple[str, ...]) -> None:
    if rows:
        names = {f"_{name}": name for name in columns}
        statement = (
            update(t.entries)
            .where(t.entries.c.destination == bindparam("_d"), t.entries.c.key == bindparam("_k"))
            .values({name: bindparam(bound) for bound, name in names.items()})
        )
        connection.execute(
            statement,
            [
                {"_d": row.destination, "_k": row.key}
                | {f"_{name}": value for name, value in _columns(row, columns).items()}
                for row in sorted(rows, key=lambda row: (row.destination, row.key))
            ],
        )


def died(before: Facts, after: Facts) -> bool:
    return after.state == "dead" and (before.state != "dead" or before.rejected_hash != after.rejected_hash)


def _facts(row: Mapping[str, Any] | Any) -> Facts:
    values = dict(row)
    for name in _DOCUMENTS:
        values[name] = None if values[name] is None else json.loads(values[name])
    for name in ("linked", "skip_unsent", "absent"):
        values[name] = bool(values[name])
    return Facts(**values)


def _columns(row: Facts, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    for name in _DOCUMENTS:
        if values.get(name) is not None:
            values[name] = canonical(values[name])
    return values
