"""What people did by hand: one row for each act, and the one call that a person may make out of the quota.

A row says who, when, what and what came of it; never a query, a body or a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select, update

from pipeline.ledger import tables as t
from pipeline.ledger.accounts import obstacles
from pipeline.ledger.database import insert_into
from pipeline.ledger.quota import _window_name, declare, free_tokens, take_tokens
from pipeline.ledger.values import Grant, Quota

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


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nobody may call the account now, or not with these settings: why, and for how many seconds (so far)."""

    reason: str
    seconds: float


def begin(connection: Connection, act: Act, now: float) -> int:
    """The act's id. It is written before the act, so that none goes unseen."""
    values = {"at": now, "actor": act.actor, "action": act.action, "destination": act.destination}
    statement = insert_into(connection, t.audit).values(**values, detail=act.detail, outcome=act.outcome)
    return int(connection.execute(statement.returning(t.audit.c.id)).scalar_one())


def end(connection: Connection, act: int, outcome: str) -> None:
    connection.execute(update(t.audit).where(t.audit.c.id == act).values(outcome=outcome))


def newest(connection: Connection, limit: int) -> list[Act]:
    rows = connection.execute(select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)).mappings()
    return [Act(**row) for row in rows]


def grant(connection: Connection, quota: Quota, lease: float, now: float, force: bool) -> Grant | Stopped | float:
    """Tokens for one call, or why there is none, or the seconds until it is worth asking again.

    `force` looks past a hold and a pause, never past the quota.
    """
    if not _declared(connection, quota):
        return Stopped("quota", 0.0)
    stopped = obstacles(connection, now).get(quota.account)
    if stopped is not None and not force:
        return Stopped(*stopped)
    tokens, wait = free_tokens(connection, quota, 1, now, lease)
    if not tokens:
        return wait or 0.05
    granted = Grant((), tokens[0])
    take_tokens(connection, quota.account, [granted])
    return granted


def pause(connection: Connection, account: str, until: float) -> None:
    """The vendor said so: nobody calls before `until`."""
    c = t.accounts.c
    later = (c.name == account, func.coalesce(c.paused_until, 0.0) < until)
    connection.execute(update(t.accounts).where(*later).values(paused_until=until))


def _declared(connection: Connection, quota: Quota) -> bool:
    """Whether the ledger's quota is this one. Only the first to come declares it here: other settings than the
    workers' must not take their tokens away."""
    c = t.tokens.c
    query = select(c.quota_window, func.count()).where(c.account == quota.account).group_by(c.quota_window)
    known: Sequence[tuple[str, int]] = [(name, count) for name, count in connection.execute(query)]
    if not known:
        declare(connection, quota)
        return True
    return sorted(known) == sorted((_window_name(window), window[0]) for window in quota.windows)
