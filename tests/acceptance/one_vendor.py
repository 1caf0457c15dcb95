"""One account at one vendor, a quota that the vendor enforces to the call, and what is read off its arrivals."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tests.chaos import spent
from tests.chaos.ground import CLOCK
from tests.flow.assembly import Assembly, Sandbox, account, simulated

Window = tuple[int, float]
"""Calls, seconds."""


def begin(assembly: Assembly, vendor: str, windows: Sequence[Window], **more: Any) -> None:
    """The sandbox, the configuration of the workers with the same quota as the vendor's, topics and ledger."""
    assembly.sandbox = Sandbox(assembly.folder, [simulated(vendor, quota=[list(window) for window in windows])])
    assembly.configure({vendor: account(assembly.sandbox, vendor, *windows, **more)})
    assembly.make_topics([assembly.topic("appointments"), assembly.topic("dead-letters")], 12)
    migrated = assembly.calends("migrate")
    assert migrated.returncode == 0, migrated.stderr


def arrivals(assembly: Assembly, vendor: str, since: float = 0.0) -> list[float]:
    return sorted(row[0] for row in assembly.sandbox.arrivals(vendor, since))


def worst_window(times: Sequence[float], seconds: float) -> int:
    """The most calls in any window of so many seconds; times sorted."""
    return max((bisect_left(times, at + seconds) - place for place, at in enumerate(times)), default=0)


def used(times: Sequence[float], window: Window, spans: Sequence[tuple[float, float]]) -> float:
    """The share of the quota that was used within these spans of time."""
    calls = sum(any(begun <= at < ended for begun, ended in spans) for at in times)
    return calls / (sum(ended - begun for begun, ended in spans) * window[0] / window[1])


def count_attempts(assembly: Assembly) -> None:
    """From now on the ledger itself keeps each attempt that an entry spends: what is accepted later has none."""
    with psycopg.connect(assembly.ledger, autocommit=True) as connection:
        for statement in spent.postgres(CLOCK):
            connection.execute(statement.encode())


def attempts(assembly: Assembly) -> list[tuple[str, str]]:
    """Key and error of each attempt that any entry has ever spent."""
    with psycopg.connect(assembly.ledger) as connection:
        return connection.execute("select key, error from spent order by ended").fetchall()


def waiting(assembly: Assembly) -> int:
    """How many entries want a call."""
    with psycopg.connect(assembly.ledger) as connection:
        query = "select count(*) from entries where state in ('ready', 'held', 'sending')"
        ((count,),) = connection.execute(query).fetchall()
    return int(count)


def held(metrics: str) -> Mapping[str, str]:
    """Destination → reason of what is held, as the worker's metrics say."""
    found = {}
    for line in metrics.splitlines():
        if line.startswith("calends_hold_start_seconds{"):
            labels = dict(part.split("=", 1) for part in line[line.index("{") + 1 : line.index("}")].split(","))
            found[labels["destination"].strip('"')] = labels["reason"].strip('"')
    return found
