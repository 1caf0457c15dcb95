"""The claim: the most urgent entries become calls, each entry with its lease, each call with its tokens and credits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import chain
from math import ceil

from sqlalchemy import Connection

from pipeline.ledger import accounts, budget, entries, holds, offsets, quota
from pipeline.ledger.values import AHEAD, Budget, Claim, Grant, Quota
from pipeline.model import facts as f
from pipeline.model.facts import Facts, Policy

BUDGET = "budget"
"""The error of an entry that waits for credits."""

SIFTED = 500
"""Entries that are looked through at once where a rule is held, to get at those of the others."""

Call = list[Facts]
LOOK = 4
"""Times as many entries are looked at as fit into the calls: not all of them can share one."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who claims, how many calls at most, for how many seconds, and which destinations share the account's quota."""

    owner: str
    limit: int
    lease: float
    rivals: tuple[str, ...] = ()


def claim(
    connection: Connection, policy: Policy, mine: Quota, credit: Budget | None, terms: Terms, now: float
) -> Claim:
    wait = accounts.wait(connection, policy.account, now)
    if wait is not None:
        return Claim((), wait)
    stopped = holds.stops(connection, policy.destination)
    if stopped.paused or offsets.behind(connection):
        return Claim(())
    working = entries.with_work(connection, (policy.destination, *terms.rivals)) if terms.rivals else None
    if working is not None and policy.destination not in working:
        return Claim(())
    tokens, wait = quota.free_tokens(connection, mine, terms.limit, now, terms.lease, AHEAD)
    if not tokens:
        return Claim((), wait)
    tokens = tokens[: ceil(len(tokens) / len(working or (policy.destination,)))]
    look = _look(len(tokens), policy, stopped)
    rows = entries.ready(connection, policy.destination, look)
    placed = [f.place(row, now, policy) for row in rows]
    ended = [row for row in placed if row.state != "ready"]
    ready, put_off = [row for row in placed if row.state == "ready"], list[Facts]()
    if stopped.rules:
        ready, put_off = holds.sift(connection, ready, stopped, now, policy)
    leased = (f.claim(row, terms.owner, now + terms.lease, now, policy) for row in ready)
    paid = _paid(connection, formed(leased, len(tokens), policy), policy, credit, now)
    leased_rows = chain.from_iterable(call for call, _ in paid.calls)
    entries.write(connection, [*ended, *put_off, *paid.unpaid, *leased_rows], entries.CLAIM)
    grants = tuple(
        Grant(tuple(call), held, wait, cost, paid.period, now + wait)
        for (call, cost), (held, wait) in zip(paid.calls, tokens, strict=False)
    )
    quota.take_tokens(connection, policy.account, grants)
    return Claim(grants, _again(len(rows) == look, bool(grants), bool(rows)))


@dataclass(frozen=True, slots=True)
class Paid:
    """Calls with what each costs, in the budget's period that began at `period`; and who waits for the next one."""

    calls: list[tuple[Call, float]]
    unpaid: list[Facts]
    period: float | None


def _paid(connection: Connection, calls: list[Call], policy: Policy, credit: Budget | None, now: float) -> Paid:
    if credit is None:
        return Paid([(call, 0.0) for call in calls], [], None)
    costs = [sum(policy.cost(row) for row in call) for call in calls]
    pays = budget.spend(connection, credit, costs, now) if any(costs) else [True] * len(calls)
    until = budget.ends(credit, now)
    poor = chain.from_iterable(call for call, can in zip(calls, pays, strict=True) if not can)
    unpaid = [f.postpone(row, until, BUDGET, now, policy) for row in poor]
    if unpaid:
        budget.out(connection, credit, now)
    granted = [(call, cost) for call, cost, can in zip(calls, costs, pays, strict=True) if can]
    return Paid(granted, unpaid, budget.began(credit, now))


def _look(calls: int, policy: Policy, stopped: holds.Stops) -> int:
    """How many entries to look at for so many calls."""
    look = calls * policy.batch * (1 if policy.batch == 1 else LOOK)
    return max(look, SIFTED) if stopped.rules else look


def _again(more: bool, granted: bool, found: bool) -> float | None:
    """Seconds until it is worth asking again, None where nothing more was ready."""
    if granted:
        return AHEAD / 2 if more else None
    # Only expired ones were found: there is more to look at, at once.
    return 0.0 if found else None


def formed(leased: Iterable[Facts], most: int, policy: Policy) -> list[Call]:
    """Entries in the order of their urgency → calls, at most so many; who finds no place is not claimed."""
    calls: list[Call] = []
    filling: dict[Hashable, Call] = {}
    for row in leased:
        size = min(policy.batch, row.batch_limit or policy.batch)
        shared = policy.together(row) if size > 1 else None
        call = filling.get((shared, size)) if shared is not None else None
        if call is None or len(call) >= size:
            if len(calls) == most:
                continue
            call = filling[shared, size] = []
            calls.append(call)
        call.append(row)
    return calls
