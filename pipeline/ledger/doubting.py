"""A ledger that turned out to be an older copy: nothing certain is known of what was sent since."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from sqlalchemy import Connection

from pipeline.ledger import entries, offsets, quota
from pipeline.ledger.database import Transaction, clock
from pipeline.ledger.entries import Key
from pipeline.ledger.values import Partition
from pipeline.model import facts as f
from pipeline.model.facts import Policy

CHUNK = 500
LONGEST_WINDOW_KEPT_BACK = 3600.0
"""Seconds. Of a window that is longer no token is kept back: a day without a call would do more harm than the few
calls that the copy does not know of."""


def doubt(transaction: Transaction, policies: Mapping[str, Policy], untils: Mapping[Partition, int]) -> None:
    """Up to these offsets entries are unsure. Whatever is not in step is looked for at its vendor before anything is
    made, and the quota is taken for used. In several transactions; may be run again."""
    transaction(lambda connection: offsets.unsure(connection, untils))
    last: Key | None = ("", "")
    while last is not None:
        last = transaction(functools.partial(_some, policies, last))
    transaction(lambda connection: quota.forgotten(connection, clock(connection), LONGEST_WINDOW_KEPT_BACK))


def _some(policies: Mapping[str, Policy], last: Key, connection: Connection) -> Key | None:
    now = clock(connection)
    rows = entries.unsettled_after(connection, last, CHUNK)
    # What had expired in the copy has not been made since.
    mine = [row for row in rows if row.destination in policies and row.state != "expired"]
    entries.write(connection, [f.doubt(row, now, policies[row.destination]) for row in mine], entries.SETTLE)
    return (rows[-1].destination, rows[-1].key) if rows else None
