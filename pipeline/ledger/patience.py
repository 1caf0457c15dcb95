"""Connections to PostgreSQL that do not wait for ever.

The server ends each statement by itself. One that is frozen does not, and as long as its kernel confirms what it is
sent, no time-out of the line's ends the wait either. Imported only where PostgreSQL is used.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event

T = TypeVar("T")

PATIENCE = 25.0
"""Seconds for which an answer is waited for: longer than the server lets any statement run."""


class Patient(psycopg.Connection[Any]):
    """Is closed once an answer has not come in time; whoever waited for it gets OperationalError."""

    patience: float | None = PATIENCE
    """None: for as long as it takes, as a migration may."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # nobody knows what became of it
                self.pgconn.finish()
            raise


def limit(engine: Engine) -> None:
    """Every connection of this engine is one of those."""

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: Any, named: Any) -> Any:
        return Patient.connect(*words, **named)
