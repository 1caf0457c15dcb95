"""What came of calls: the entries' next states, the tokens' return, and what it says of accounts, rules and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from pipeline.ledger import accounts, budget, directory, entries, holds, quota, subscriptions
from pipeline.ledger.batch import Batch
from pipeline.ledger.entries import Key
from pipeline.ledger.values import Budget, Quota, Result, Settled
from pipeline.ledger.writing import Words, keep
from pipeline.model.facts import Facts, Policy


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of destinations and their accounts, and how an end is told."""

    policies: Mapping[str, Policy]
    quotas: Mapping[str, Quota]
    budgets: Mapping[str, Budget]
    words: Words


def settle(connection: Connection, terms: Terms, results: Sequence[Result], now: float) -> list[Settled]:
    """Times in `results` are the database's: `dated`."""
    people = {person for result in results for person in subscriptions.learners(result)}
    known = directory.lock(connection, people)
    keys = sorted({(row.destination, row.key) for result in results for row in result.grant.entries})
    rows = entries.locked(connection, keys, sorted(people))
    first = {id(result) for result in results if _is_first(result, rows)}
    batch = Batch(rows, terms.policies)
    settled = batch.settle(results, accounts.good_since(connection), now)
    links = [link for one in settled for link in subscriptions.learnt(one, now)]
    written = directory.write(connection, links, known)
    batch.relink({name: identity for name, (identity, _) in written.items()}, set(written), now)
    columns = entries.ALL if written else entries.SETTLE
    keep(connection, terms.words, batch, columns, {one.name: one.answer for one in settled})
    theirs = {name: [r for r in results if r.account == name] for name in sorted({r.account for r in results})}
    # All tokens before any account: locks are taken in one order everywhere.
    for name, mine in theirs.items():
        quota.give_back(connection, name, [(r.grant, accounts.arrived(r)) for r in mine], now)
    holds.judge(connection, settled, now)
    for name, mine in theirs.items():
        if name in terms.budgets:
            budget.refund(connection, terms.budgets[name], [r for r in mine if id(r) in first], now)
        accounts.judge(connection, terms.quotas[name], mine, first, now)
    return settled


def dated(result: Result, early: float, late: float) -> Result:
    """The worker's monotonic times as the database's. How far the clocks are apart is known to lie between `early` and
    `late`: it was asked no earlier than said, and answered no later."""
    answers = (a and replace(a, asked=a.asked + early, at=a.at + late) for a in result.answers)
    return replace(result, answers=tuple(answers))


def _is_first(result: Result, rows: Mapping[Key, Facts]) -> bool:
    """Whether the call still held a lease: settled again, or too late, it has been counted already."""
    held = ((rows.get((row.destination, row.key)), row.epoch) for row in result.grant.entries)
    return any(row is not None and row.epoch == epoch and row.lease_until is not None for row, epoch in held)
