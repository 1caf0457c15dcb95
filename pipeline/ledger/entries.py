"""Rows of `entries` as facts, and back. Documents are JSON; only the columns that a step may change are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    TextClause,
    bindparam,
    delete,
    literal,
    select,
    text,
    tuple_,
    union_all,
    update,
)

from pipeline.ledger import bulk
from pipeline.ledger import tables as t
from pipeline.model.entry import canonical
from pipeline.model.facts import Facts

Key = tuple[str, str]
"""(destination, key)."""

CHUNK = 1000
"""Keys in one statement: databases limit its parameters and its depth."""
_NAME = ("destination", "key")
_KEY = tuple_(t.entries.c.destination, t.entries.c.key)
ALL = Facts.__struct_fields__
_COLUMNS = [t.entries.c[name] for name in ALL]
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
SETTLE = tuple(
    name
    for name in ALL
    if name not in ("destination", "key", "layers", "desired", "desired_hash", "subscriber", "identity", "rank")
)


def _next_free(order: Column[Any], *which: ColumnElement[bool] | TextClause) -> Select[Any]:
    """Of these rows the first `limit` that nobody else is at. Made once: of so many columns that takes longer than to
    ask for them."""
    rows = select(*_COLUMNS).where(*which).order_by(order).limit(bindparam("limit"))
    return rows.with_for_update(skip_locked=True)


_C = t.entries.c
_OF_ANY = _C.destination.in_(bindparam("destinations", expanding=True))
_READY = _next_free(_C.rank, _C.destination == bindparam("destination"), t.READY)
_DUE = _next_free(_C.wake_at, _OF_ANY, _C.wake_at.is_not(None), _C.wake_at <= bindparam("now"))
_ENDED = _next_free(_C.prune_at, _OF_ANY, _C.prune_at.is_not(None), _C.prune_at <= bindparam("now"))


def locked(connection: Connection, keys: Sequence[Key], subscribers: Sequence[Key] = ()) -> dict[Key, Facts]:
    """The rows of these keys and of these (destination, subscriber), locked in the order of their keys."""
    subscriber = tuple_(t.entries.c.destination, t.entries.c.subscriber)
    if subscribers:
        name = select(t.entries.c.destination, t.entries.c.key)
        theirs = connection.execute(name.where(subscriber.in_(subscribers)))
        keys = sorted({*keys, *((destination, key) for destination, key in theirs)})
    found: dict[Key, Facts] = {}
    for start in range(0, len(keys), CHUNK):
        for row in bulk.matching(connection, t.entries, ALL, _NAME, keys[start : start + CHUNK]):
            facts = _facts(row)
            found[facts.destination, facts.key] = facts
    return found


def ready(connection: Connection, destination: str, limit: int) -> list[Facts]:
    return [_facts(row) for row in connection.execute(_READY, {"destination": destination, "limit": limit})]


def with_work(connection: Connection, destinations: Sequence[str]) -> set[str]:
    """Those of these destinations that have something ready."""
    c = t.entries.c
    first = [
        select(c.destination).where(c.destination == name, text("state = 'ready'")).limit(1).subquery()
        for name in destinations
    ]
    return set(connection.execute(union_all(*(select(one.c.destination) for one in first))).scalars())


def due(connection: Connection, destinations: Sequence[str], now: float, limit: int) -> list[Facts]:
    """Rows whose time has come, that nobody else is at."""
    asked = {"destinations": destinations, "now": now, "limit": limit}
    return [_facts(row) for row in connection.execute(_DUE, asked)]


def ended(connection: Connection, destinations: Sequence[str], now: float, limit: int) -> list[Facts]:
    """Rows that may go, that nobody else is at."""
    asked = {"destinations": destinations, "now": now, "limit": limit}
    return [_facts(row) for row in connection.execute(_ENDED, asked)]


def forget(connection: Connection, keys: Sequence[Key]) -> None:
    for start in range(0, len(keys), CHUNK):
        connection.execute(delete(t.entries).where(_KEY.in_(keys[start : start + CHUNK])))


def wake(connection: Connection, destinations: Sequence[str], error: str) -> None:
    """Who waits for that reason is looked at anew by the next sweep."""
    waiting = (t.entries.c.destination.in_(destinations), t.entries.c.error == error, t.HELD, t.UNSETTLED)
    connection.execute(update(t.entries).where(*waiting).values(retry_at=None, error=None, wake_at=0.0))


def put_off(connection: Connection, destination: str, error: str, limit: int) -> list[Facts]:
    """Rows that wait for that reason, that nobody else is at."""
    waiting = (t.entries.c.destination == destination, t.entries.c.error == error, t.HELD, t.UNSETTLED)
    query = select(*_COLUMNS).where(*waiting).limit(limit).with_for_update(skip_locked=True)
    return [_facts(row) for row in connection.execute(query)]


def unsettled_after(connection: Connection, last: Key, limit: int) -> list[Facts]:
    """Rows that are not in step, in the order of their keys, after the last one."""
    query = select(*_COLUMNS).where(tuple_(*last) < _KEY, t.UNSETTLED).order_by(*_KEY.clauses).limit(limit)
    return [_facts(row) for row in connection.execute(query.with_for_update())]


def first(connection: Connection, which: Sequence[ColumnElement[bool]], limit: int) -> list[Facts]:
    """The first rows of these, by destination and key."""
    query = select(*_COLUMNS).where(*which).order_by(*_KEY.clauses).limit(limit)
    return [_facts(row) for row in connection.execute(query)]


def of_key(connection: Connection, key: str) -> list[Facts]:
    query = select(*_COLUMNS).where(t.entries.c.key == key).order_by(t.entries.c.destination)
    return [_facts(row) for row in connection.execute(query)]


def written_by(connection: Connection, rule: str, after: Key, limit: int) -> list[Facts]:
    """The next entries, by destination and key, of which this rule wrote a layer."""
    mentions = t.entries.c.layers.contains(f'"rule":{canonical(rule)}', autoescape=True)
    beyond = tuple_(literal(after[0]), literal(after[1])) < _KEY
    query = select(*_COLUMNS).where(mentions, beyond).order_by(*_KEY.clauses).limit(limit)
    return [_facts(row) for row in connection.execute(query)]


def write(connection: Connection, rows: Sequence[Facts], columns: tuple[str, ...]) -> None:
    changed = tuple(name for name in columns if name not in _NAME)
    ordered = sorted(rows, key=lambda row: (row.destination, row.key))
    bulk.update(connection, t.entries, _NAME, changed, [_values(row, _NAME + changed) for row in ordered])


def add(connection: Connection, rows: Sequence[Facts]) -> bool:
    """Whether none of them was there yet; what somebody else has just added is left as it is."""
    ordered = sorted(rows, key=lambda row: (row.destination, row.key))
    return bulk.insert(connection, t.entries, ALL, [_values(row, ALL) for row in ordered]) == len(rows)


def died(before: Facts, after: Facts) -> bool:
    return after.state == "dead" and (before.state != "dead" or before.rejected_hash != after.rejected_hash)


_ENCODE = msgspec.json.Encoder().encode
_DOCUMENTS = ("layers", "raws", "desired", "observed", "candidates", "events", "sent")
_READ: dict[int, Callable[[Any], Any]] = {ALL.index(name): msgspec.json.decode for name in _DOCUMENTS} | {
    ALL.index(name): bool for name in ("linked", "skip_unsent", "absent")
}


def _facts(row: Sequence[Any]) -> Facts:
    values = list(row)
    for index, read in _READ.items():
        if values[index] is not None:
            values[index] = read(values[index])
    return Facts(*values)


def _values(row: Facts, names: Iterable[str]) -> list[Any]:
    return [
        _ENCODE(value).decode() if name in _DOCUMENTS and value is not None else value
        for name, value in ((name, getattr(row, name)) for name in names)
    ]
