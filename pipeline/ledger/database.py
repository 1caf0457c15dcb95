"""The connection: one code path for SQLite and PostgreSQL, one clock, and transactions that may be run again whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from pipeline.ledger.absence import address, named, why
from pipeline.ledger.values import DataRefused, LedgerUnavailable, LedgerWentBack

T = TypeVar("T")

_NOW_SQLITE = text("select (julianday('now') - 2440587.5) * 86400.0")
_NOW_POSTGRESQL = text("select extract(epoch from clock_timestamp())")
_FLUSHED = "select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"
_NOW_BRIEFLY = text(
    "select extract(epoch from clock_timestamp()) from set_config('idle_in_transaction_session_timeout', '10s', true)"
)

# A worker that is frozen or cut off inside a transaction must not keep the others waiting for its locks. Rows are found
# by their key, whatever a plan from an empty table's days thinks of it.
_POSTGRESQL = {
    "connect_timeout": 5,
    "options": "-c statement_timeout=15s -c lock_timeout=12s -c idle_in_transaction_session_timeout=45s "
    "-c enable_hashjoin=off -c enable_mergejoin=off",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,
}


class Transaction(Protocol):
    """Runs work on a connection, and gives what comes of it."""

    def __call__(self, work: Callable[[Connection], T], /) -> T: ...


class Overtaken(Exception):
    """Another transaction has just made a row that this one found missing: run again, it finds it."""


class Database:
    """A database by its SQLAlchemy URL; `postgresql://` means psycopg.

    `replaced`: at a new connection it had written less of its log than was seen before. So it is an older copy, and
    only who says that he knows may write.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.address = address(self.engine.url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writing = threading.Lock()
        self.replaced = False
        self._flushed: int | None = None
        if self.engine.dialect.name == "postgresql":
            event.listen(self.engine, "connect", self._connected)

    def look(self, work: Callable[[Connection], T]) -> T:
        """Runs `work`, which writes nothing, beside whoever writes. Raises LedgerUnavailable."""
        for attempt in range(5):
            try:
                with self.engine.connect() as connection, connection.execution_options(reading=True).begin():
                    return work(connection)
            except DBAPIError as error:
                if not _passing(error) or attempt == 4:
                    raise LedgerUnavailable(why(error, self.engine.url)) from None
                time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def transaction(self, work: Callable[[Connection], T], knowing: bool = False) -> T:
        """Runs `work` in one transaction, again where another was in its way.

        Raises LedgerUnavailable, DataRefused, and LedgerWentBack unless this one is `knowing`; either way nothing is
        left behind.
        """
        for attempt in range(5):
            try:
                return self._once(work, knowing)
            except Overtaken:
                if attempt == 4:
                    raise LedgerUnavailable("overtaken") from None
            except UnicodeEncodeError:
                raise DataRefused("encoding") from None
            except (DataError, IntegrityError) as error:
                raise DataRefused(named(error)) from None
            except DBAPIError as error:
                if (getattr(error.orig, "sqlstate", None) or "").startswith("54"):  # beyond the database's limits
                    raise DataRefused(named(error)) from None
                if not _passing(error) or attempt == 4:
                    raise LedgerUnavailable(why(error, self.engine.url)) from None
                time.sleep(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def _once(self, work: Callable[[Connection], T], knowing: bool) -> T:
        if self.is_sqlite:
            with self._writing, self.engine.begin() as connection:
                return work(connection)
        with self.engine.begin() as connection:
            if self.replaced and not knowing:
                raise LedgerWentBack
            return work(connection)

    def keep_up(self, connection: Connection) -> None:
        """Remembers how much of its log the database has written."""
        if self._flushed is not None:
            self._flushed = max(self._flushed, connection.exec_driver_sql(_FLUSHED).scalar_one())

    def _connected(self, connection: Any, _record: Any) -> None:
        """A database that does not tell how much it has written is taken for what it was."""
        before = self._flushed
        try:
            (flushed,) = connection.execute(_FLUSHED).fetchone()
        except self.engine.dialect.loaded_dbapi.Error:
            self._flushed = None
            return
        finally:
            connection.rollback()
        self.replaced = self.replaced or (before is not None and flushed < before)
        self._flushed = flushed if before is None or flushed < before else max(flushed, self._flushed or 0)


def insert_into(connection: Connection, table: Any) -> Any:
    """The dialect's own insert, which knows `on conflict`."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


def clock(connection: Connection, brief: bool = False) -> float:
    """Seconds since 1970 by the database's clock: read once in a transaction and passed on.

    `brief`: all workers need what this transaction locks; should its worker freeze, it is given up after 10 s, before
    those who wait give up.
    """
    now = _NOW_BRIEFLY if brief else _NOW_POSTGRESQL
    return float(connection.execute(_NOW_SQLITE if connection.dialect.name == "sqlite" else now).scalar_one())


@contextmanager
def endless(connection: Connection) -> Iterator[None]:
    """Meanwhile this connection waits for its answers for as long as it takes."""
    own: Any = connection.connection.driver_connection
    before = getattr(own, "patience", None)
    if before is not None:
        own.patience = None
    try:
        yield
    finally:
        if before is not None:
            own.patience = before


def _engine(url: str) -> Engine:
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if not url.startswith("sqlite"):
        engine = create_engine(
            url, pool_size=8, max_overflow=8, hide_parameters=True, connect_args=_POSTGRESQL if "psycopg" in url else {}
        )
        if engine.dialect.driver == "psycopg":
            from pipeline.ledger import patience

            patience.limit(engine)
        return engine
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": 30.0})

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("begin" if reading else "begin immediate")

    return engine


def _passing(error: DBAPIError) -> bool:
    """Worth running the transaction again: a deadlock, a serialization failure, a lost connection, a busy file."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40001", "40P01") or error.connection_invalidated or isinstance(error, OperationalError)
