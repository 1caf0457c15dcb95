"""Many rows in one statement: arrays on PostgreSQL, tuples for the driver on SQLite.

SQLAlchemy's own way spends its time in Python, for each row. Values are bound; only our own names are in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Double, Integer, LargeBinary, Table
from sqlalchemy.sql.type_api import TypeEngine

Row = Sequence[Any]
Names = tuple[str, ...]


def update(connection: Connection, table: Table, match: Names, change: Names, rows: Sequence[Row]) -> None:
    """Each row: the values to match, then those to write."""
    if rows:
        statement = (_update_sqlite if _is_sqlite(connection) else _update_postgresql)(table, match, change)
        connection.exec_driver_sql(statement, _bound(connection, table, match + change, rows))


def insert(connection: Connection, table: Table, names: Names, rows: Sequence[Row]) -> int:
    """How many were new; rows that are there already are left as they are."""
    if not rows:
        return 0
    statement = (_insert_sqlite if _is_sqlite(connection) else _insert_postgresql)(table, names)
    return connection.exec_driver_sql(statement, _bound(connection, table, names, rows)).rowcount


def matching(connection: Connection, table: Table, names: Names, match: Names, rows: Sequence[Row]) -> Iterable[Row]:
    """Locks the rows that match any of these, in the order of what is matched, and reads their columns."""
    if not rows:
        return ()
    if _is_sqlite(connection):
        values = [value for row in rows for value in row]
        return connection.exec_driver_sql(_select_sqlite(table, names, match, len(rows)), tuple(values))
    return connection.exec_driver_sql(_select_postgresql(table, names, match), _arrays(table, match, rows))


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _bound(connection: Connection, table: Table, names: Names, rows: Sequence[Row]) -> Any:
    return [tuple(row) for row in rows] if _is_sqlite(connection) else _arrays(table, names, rows)


def _arrays(table: Table, names: Names, rows: Sequence[Row]) -> tuple[list[Any], ...]:
    """A list for each column. A driver tells an array's type by its first element: a whole number is not a float."""
    columns = zip(*rows, strict=True)
    return tuple(
        [value if value is None else float(value) for value in column] if _is_float(table.c[name]) else list(column)
        for name, column in zip(names, columns, strict=True)
    )


def _is_float(column: Column[Any]) -> bool:
    return isinstance(column.type, Double)


@cache
def _update_postgresql(table: Table, match: Names, change: Names) -> str:
    values = ", ".join(f"n{i}" for i in range(len(match + change)))
    changes = ", ".join(f"{name} = v.n{i}" for i, name in enumerate(change, len(match)))
    same = " and ".join(f"t.{name} = v.n{i}" for i, name in enumerate(match))
    return (
        f"update {table.name} t set {changes} from unnest({_casts(table, match + change)}) as v({values}) where {same}"  # nosec B608 # names
    )


@cache
def _update_sqlite(table: Table, match: Names, change: Names) -> str:
    changes = ", ".join(f"{name} = ?{i}" for i, name in enumerate(change, len(match) + 1))
    same = " and ".join(f"{name} = ?{i}" for i, name in enumerate(match, 1))
    return f"update {table.name} set {changes} where {same}"  # nosec B608 # names


@cache
def _insert_postgresql(table: Table, names: Names) -> str:
    rows = f"select * from unnest({_casts(table, names)})"  # nosec B608 # names
    return f"insert into {table.name} ({', '.join(names)}) {rows} on conflict do nothing"  # nosec B608 # names


@cache
def _insert_sqlite(table: Table, names: Names) -> str:
    return (
        f"insert into {table.name} ({', '.join(names)}) values ({', '.join('?' * len(names))}) on conflict do nothing"  # nosec B608 # names
    )


@cache
def _select_postgresql(table: Table, names: Names, match: Names) -> str:
    columns = ", ".join(f"t.{name}" for name in names)
    same = " and ".join(f"t.{name} = v.n{i}" for i, name in enumerate(match))
    values = ", ".join(f"n{i}" for i in range(len(match)))
    order = ", ".join(f"t.{name}" for name in match)
    return (
        f"select {columns} from {table.name} t join unnest({_casts(table, match)}) as v({values}) on {same} "  # nosec B608 # names
        f"order by {order} for update of t"
    )


def _select_sqlite(table: Table, names: Names, match: Names, count: int) -> str:
    one = f"({', '.join('?' * len(match))})"
    rows, order = ", ".join([one] * count), ", ".join(match)
    return f"select {', '.join(names)} from {table.name} where ({order}) in (values {rows}) order by {order}"  # nosec B608 # names


def _casts(table: Table, names: Names) -> str:
    return ", ".join(f"%b::{_type(table.c[name].type)}[]" for name in names)


def _type(declared: TypeEngine[Any]) -> str:
    match declared:
        case Double():
            return "double precision"
        case Boolean():
            return "boolean"
        case Integer():
            return "bigint"
        case LargeBinary():
            return "bytea"
        case _:
            return "text"
