"""A ledger that turned out to be an older copy: nothing certain is known of what was sent since."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.ledger import backlogs, entries, offsets, quota
from pipeline.ledger.database import Transaction, clock
from pipeline.ledger.entries import Key
from pipeline.ledger.values import Partition
from pipeline.model import facts as f
from pipeline.model.facts import Policy

CHUNK = 500
LONGEST_WINDOW_KEPT_BACK = 3600.0
"""Seconds. Of a window that is longer no token is kept back: a day without a call would do more harm than the few
calls that the copy does not know of."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told, in a thread, that the ledger is an older copy."""

    went_back: Callable[[Sequence[Partition], int], None] = lambda partitions, entries: None
    """Of which partitions more had been read (none: this process has read none), and about how many entries to mark."""
    marked: Callable[[int, float], None] = lambda entries, seconds: None
    """How many entries were marked, and in how many seconds."""


def doubt(
    transaction: Transaction, policies: Mapping[str, Policy], untils: Mapping[Partition, int], listener: Listener
) -> None:
    """Up to these offsets entries are unsure. Whatever is not in step is looked for at its vendor before anything is
    made, and the quota is taken for used. In several transactions; may be run again, and is until all has been done."""
    began = time.monotonic()
    transaction(lambda connection: offsets.unsure(connection, untils))
    listener.went_back(sorted(untils), transaction(functools.partial(_unsettled, sorted(policies))))
    last, marked = ("", ""), 0
    while some := transaction(functools.partial(_some, policies, last)):
        last, n = some
        marked += n
    transaction(lambda connection: quota.forgotten(connection, clock(connection), LONGEST_WINDOW_KEPT_BACK))
    transaction(lambda connection: offsets.marked(connection, untils))
    listener.marked(marked, time.monotonic() - began)


def _unsettled(destinations: Sequence[str], connection: Connection) -> int:
    """About how many: to count them all takes long in a database that has just been restored."""
    counted = backlogs.counted(connection, clock(connection), (0.0,), destinations, backlogs.BOUND)
    return sum(n for n, _ in counted.backlog.values())


def _some(policies: Mapping[str, Policy], last: Key, connection: Connection) -> tuple[Key, int] | None:
    now = clock(connection)
    rows = entries.unsettled_after(connection, last, CHUNK)
    # What had expired in the copy has not been made since.
    mine = [row for row in rows if row.destination in policies and row.state != "expired"]
    entries.write(connection, [f.doubt(row, now, policies[row.destination]) for row in mine], entries.SETTLE)
    return ((rows[-1].destination, rows[-1].key), len(mine)) if rows else None
