"""What time alone does to entries: they wake, their leases run out, and at last their rows go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection

from pipeline.ledger import audit, entries, groups, outbox
from pipeline.ledger.values import Message
from pipeline.ledger.writing import Words
from pipeline.model import facts as f
from pipeline.model.facts import Policy


def sweep(
    connection: Connection, policies: Mapping[str, Policy], words: Words, now: float, limit: int
) -> tuple[int, Mapping[str, int]]:
    """Wakes rows whose time has come: how many, and destination → leases that had run out."""
    rows = entries.due(connection, sorted(policies), now, limit)
    messages: list[Message] = []
    woken = [words.published(row, f.expire(row, now, policies[row.destination]), None, messages) for row in rows]
    outbox.post(connection, messages)
    entries.write(connection, woken, entries.SETTLE)
    return len(rows), Counter(row.destination for row in rows if row.lease_until is not None)


def prune(connection: Connection, policies: Mapping[str, Policy], now: float, limit: int) -> Mapping[str, int]:
    """Deletes rows of entries that ended long enough ago, of groups that have none any more, and as old a history of
    what people did; at most so many of each. Table → rows."""
    keep = max((policy.keep for policy in policies.values()), default=f.KEEP)
    rows = entries.ended(connection, sorted(policies), now, limit)
    judged = [f.judged_anew(row, policies[row.destination]) for row in rows]
    gone = [row for row in judged if row.prune_at is not None and row.prune_at <= now]
    entries.forget(connection, [(row.destination, row.key) for row in gone])
    entries.write(connection, [row for row in judged if row.prune_at is None or row.prune_at > now], ("prune_at",))
    return {
        "entries": len(gone),
        "groups": groups.forget(connection, now - keep, limit),
        "audit": audit.forget(connection, now - keep, limit),
    }
