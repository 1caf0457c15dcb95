"""The claim: the most urgent entries become calls, each entry with its lease, each call with its tokens and credits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
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
    tokens, wait = quota.free_tokens(connection, mine, terms.limit, now, terms.lease, AHEAD)
    if not tokens:
        return Claim((), wait)
    tokens = tokens[: ceil(len(tokens) / (1 + entries.rivals(connection, terms.rivals)))]
    look = _look(len(tokens), policy, stopped)
    rows = entries.ready(connection, policy.destination, look)
    placed = [f.place(row, now, policy) for row in rows]
    ended = [row for row in placed if row.state != "ready"]
    until = now + terms.lease
    ready, put_off = [row for row in placed if row.state == "ready"], list[Facts]()
    if stopped.rules:
        ready, put_off = holds.sift(connection, ready, stopped, now, policy)
    leased = (f.claim(row, terms.owner, until, now, policy) for row in ready)
    calls = formed(leased, len(tokens), policy)
    costs = [sum(policy.cost(row) for row in call) if credit else 0.0 for call in calls]
    paid = budget.spend(connection, credit, costs, now) if credit and any(costs) else [True] * len(calls)
    granted = [(call, cost) for call, cost, pays in zip(calls, costs, paid, strict=True) if pays]
    leased_rows = chain.from_iterable(call for call, _ in granted)
    unpaid = list(_unpaid(calls, paid, credit, policy, now))
    if credit and unpaid:
        budget.out(connection, credit, now)
    entries.write(connection, [*ended, *put_off, *unpaid, *leased_rows], entries.CLAIM)
    period = None if credit is None else budget.began(credit, now)
    grants = tuple(
        Grant(tuple(call), held, wait, cost, period)
        for (call, cost), (held, wait) in zip(granted, tokens, strict=False)
    )
    quota.take_tokens(connection, policy.account, grants)
    return Claim(grants, _again(len(rows) == look, bool(grants), bool(rows)))


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


def _unpaid(calls: list[Call], paid: list[bool], credit: Budget | None, policy: Policy, now: float) -> Iterator[Facts]:
    """Entries of calls that the budget could not pay for: they wait for its next period."""
    if credit is not None:
        until = budget.ends(credit, now)
        for row in chain.from_iterable(call for call, pays in zip(calls, paid, strict=True) if not pays):
            yield f.postpone(row, until, BUDGET, now, policy)
