"""What people did by hand: one row for each act.

A row says who, when, what and what came of it; never a query, a body or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, select, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into

UNDER_WAY = "under way"
"""The outcome of an act whose end was never written: its process was killed."""


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a person. `detail` names what was acted on, e.g. a method and a path."""

    actor: str
    action: str
    destination: str
    detail: str = field(repr=False)
    outcome: str = UNDER_WAY
    at: float = 0.0
    """Seconds since 1970 by the database's clock; the ledger writes it."""
    id: int = 0


def begin(connection: Connection, act: Act, now: float) -> int:
    """The act's id. It is written before the act, so that none goes unseen."""
    values = {"at": now, "actor": act.actor, "action": act.action, "destination": act.destination}
    statement = insert_into(connection, t.audit).values(**values, detail=act.detail, outcome=act.outcome)
    return int(connection.execute(statement.returning(t.audit.c.id)).scalar_one())


def end(connection: Connection, act: int, outcome: str) -> None:
    connection.execute(update(t.audit).where(t.audit.c.id == act).values(outcome=outcome))


def forget(connection: Connection, before: float, limit: int) -> int:
    """Deletes the oldest acts of before then; how many."""
    old = select(t.audit.c.id).where(t.audit.c.at < before).order_by(t.audit.c.id).limit(limit)
    return int(connection.execute(delete(t.audit).where(t.audit.c.id.in_(old))).rowcount)


def newest(connection: Connection, limit: int) -> list[Act]:
    rows = connection.execute(select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)).mappings()
    return [Act(**row) for row in rows]
