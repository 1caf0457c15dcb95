"""The budget: credits that calls use up, beside the quota. One account for all replicas; a new period fills it again.

Credits are taken when a call is claimed and come back where it had no effect, so that they are never overdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select, update

from pipeline.ledger import tables as t
from pipeline.ledger.values import Budget, Result
from pipeline.model.blame import verdict
from pipeline.model.outcome import Absent, Exists, Rejected, Retry, Split, Throttled, Unauthorized

EPSILON = 1e-9


def spend(connection: Connection, budget: Budget, costs: Sequence[float], now: float) -> list[bool]:
    """Takes the credits of each call that can be afforded; says which."""
    query = select(t.accounts.c.spent, t.accounts.c.period_start).where(t.accounts.c.name == budget.account)
    spent, start = connection.execute(query.with_for_update()).one()
    period = began(budget, now)
    left = budget.credits - (spent or 0.0 if start == period else 0.0)
    afforded = []
    for cost in costs:
        afforded.append(cost <= left + EPSILON)
        left -= cost if afforded[-1] else 0.0
    _write(connection, budget, budget.credits - left, period)
    return afforded


def out(connection: Connection, budget: Budget, now: float) -> None:
    """Entries wait for credits until the period ends."""
    c = t.accounts.c
    spent = update(t.accounts).where(c.name == budget.account, func.coalesce(c.spent_until, 0.0) <= now)
    connection.execute(spent.values(spent_since=now, spent_until=ends(budget, now)))


def filled(connection: Connection) -> None:
    """Nobody waits for credits any more: all look again."""
    connection.execute(update(t.accounts).values(spent_since=None, spent_until=None))


def refund(connection: Connection, budget: Budget, results: Sequence[Result], now: float) -> None:
    """Gives back what calls without an effect had taken in this period. The results are settled for the first time."""
    period = began(budget, now)
    unused = sum(result.grant.cost for result in results if result.grant.period == period and _in_vain(result))
    if not unused:
        return
    mine = (t.accounts.c.name == budget.account, t.accounts.c.period_start == period)
    rest = func.coalesce(t.accounts.c.spent, 0.0) - unused
    connection.execute(update(t.accounts).where(*mine).values(spent=rest))


def began(budget: Budget, now: float) -> float:
    """When the present period began: the first of the month (UTC), or a multiple of `seconds` since 1970."""
    if budget.seconds is not None:
        return now - now % budget.seconds
    return datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def ends(budget: Budget, now: float) -> float:
    if budget.seconds is not None:
        return began(budget, now) + budget.seconds
    return began(budget, began(budget, now) + 32 * 86_400.0)


def used(connection: Connection, budgets: Mapping[str, Budget], now: float) -> dict[str, float]:
    """Account → share of its credits that this period has used up."""
    query = select(t.accounts.c.name, t.accounts.c.spent, t.accounts.c.period_start)
    return {
        name: (spent or 0.0) / budgets[name].credits if start == began(budgets[name], now) else 0.0
        for name, spent, start in connection.execute(query.where(t.accounts.c.name.in_(sorted(budgets))))
    }


def _write(connection: Connection, budget: Budget, spent: float, period: float) -> None:
    statement = update(t.accounts).where(t.accounts.c.name == budget.account)
    connection.execute(statement.values(spent=spent, period_start=period))


def _in_vain(result: Result) -> bool:
    answer = verdict(result.answers)
    if result.sent == "never" or answer is None:
        return True
    return isinstance(answer.outcome, Absent | Exists | Rejected | Retry | Split | Throttled | Unauthorized)
