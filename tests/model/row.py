"""One row of the ledger for tests of what becomes of it: made of changes, claimed, answered, settled."""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline.model import facts as f
from pipeline.model import wanted
from pipeline.model.blame import Answer, settle
from pipeline.model.change import BASE, Change, Kind, Version
from pipeline.model.facts import NOTHING, Facts, Policy
from pipeline.model.outcome import Accepted, Outcome

NOW = 1000.0
POLICY = Policy("d", "a", layers=(BASE, "note"), settle_time=30.0, max_attempts=3, patience=500.0)
AT_ONCE = dataclasses.replace(POLICY, recover_at_once=True)


def change(order: int = 1, title: str = "t", kind: Kind = "upsert", **more: Any) -> Change:
    fields: dict[str, Any] = {"content": {"title": title}, "identity": "ann"} if kind == "upsert" else {}
    return Change("d", "k", kind, Version(order, "topic", 0, order, 1), "rule", **(fields | more))


def applied(*changes: Change, policy: Policy = POLICY, now: float = NOW) -> Facts:
    row = Facts("d", "k")
    for one in changes:
        row = wanted.apply(row, one, {"order": one.version.order}, now, policy) or row
    return row


def claimed(row: Facts, policy: Policy = POLICY, now: float = NOW) -> Facts:
    return f.claim(row, "worker", now + 20.0, now, policy)


def answer(row: Facts, outcome: Outcome, step: str = "create", at: float = NOW, **more: Any) -> Answer:
    sent_hash = row.sent_hash or NOTHING
    fields = {"sent": row.desired, "sent_hash": sent_hash, "identity": row.identity, "jitter": 0.5} | more
    return Answer(epoch=row.epoch, outcome=outcome, step=step, asked=fields.pop("asked", at), at=at, **fields)


def settled(row: Facts, outcome: Outcome, good: float | None = None, policy: Policy = POLICY, **more: Any) -> Facts:
    return settle(row, answer(row, outcome, **more), good, NOW, policy)


def there(policy: Policy = POLICY) -> Facts:
    """The vendor holds what is wanted."""
    return settled(claimed(applied(change(1, "old"), policy=policy), policy), Accepted("id"), policy=policy)


READY = applied(change())
WANTED = READY.desired_hash
