"""The database's own clock, in the hand of a test: the ledger asks its database for the time, as always, and gets ours.

SQLite lets a connection replace `julianday`; PostgreSQL finds a function of the database's before its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

import psycopg
from sqlalchemy import Engine, event

EPOCH = 1_800_000_000.0
"""When every test begins: seconds since 1970."""
_JULIAN_1970 = 2440587.5


class Clock(Protocol):
    """What a database believes the time to be."""

    def watch(self, engine: Engine) -> None:
        """Makes the engine's connections believe it; before the first is open."""

    def set(self, now: float) -> None: ...


class SqliteClock:
    def __init__(self) -> None:
        self.now = EPOCH

    def watch(self, engine: Engine) -> None:
        @event.listens_for(engine, "connect")
        def _replace(connection: sqlite3.Connection, _record: Any) -> None:
            connection.create_function("julianday", 1, lambda _now: _JULIAN_1970 + self.now / 86_400.0)
            connection.execute("pragma synchronous = off")  # nobody cuts the power here

    def set(self, now: float) -> None:
        self.now = now


class PostgresClock:
    """A sequence holds the time in microseconds: no transaction hides it, and setting it leaves no dead rows."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        run: Callable[[str], Any] = self._connection.execute
        run("create sequence virtual_now")
        run(
            "create function clock_timestamp() returns timestamptz language sql volatile"
            " as 'select pg_catalog.to_timestamp(last_value / 1e6) from public.virtual_now'"
        )
        name = self._connection.info.dbname
        run(f'alter database "{name}" set search_path = public, pg_catalog')
        run(f'alter database "{name}" set synchronous_commit = off')
        self.set(EPOCH)

    def watch(self, engine: Engine) -> None:
        """Whatever connects from now on finds `public.clock_timestamp` first."""

    def set(self, now: float) -> None:
        self._connection.execute("select setval('public.virtual_now', %s)", [round(now * 1e6)])

    def close(self) -> None:
        self._connection.close()
