"""The contest: all tables of `docs/performance.md` in one run. Its result is one JSON object; `bench.page` shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench import ceiling, start
from bench.environments import PEERS, environment
from bench.report import machine
from bench.surroundings import Conditions, services
from bench.throughput import rounds_of
from bench.versions import versions

BY_HAND = ("httpx", "aiohttp")
STARTS = 7


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    title: str
    conditions: Conditions
    contestants: Sequence[str]


def plan(peers: Sequence[str], entries: int) -> list[Table]:
    """Without peers what ten minutes hold; with peers all tables."""
    relays = (*BY_HAND, *peers)
    fast = Conditions(entries)
    quota = Conditions(1_500 if peers else 500, updates=3, quota=(100, 1.0), enforced=True)
    tables = [
        Table("fast", "A vendor that answers at once", fast, ("calends", "sqlite", *relays)),
        Table("quota", "100 calls a second, three updates of each entry at once", quota, ("calends", "aiohttp")),
    ]
    if not peers:
        return tables
    latent = [
        Table(
            f"latency-{milliseconds}",
            f"A vendor that takes {milliseconds} ms, 32 calls at once",
            replace(fast, entries=max(1, entries * share // 100), latency=milliseconds / 1000),
            ("calends", "sqlite", *relays),
        )
        for milliseconds, share in ((10, 50), (100, 10))
    ]
    batches = Table(
        "batches", "25 entries a call (Apptoto)", replace(fast, vendor="apptoto"), ("calends", "sqlite", "two")
    )
    first = replace(tables[0], contestants=("calends", "sqlite", "two", *relays))
    return [first, *latent, batches, replace(tables[1], contestants=("calends", "sqlite", "two", *relays))]


def run(peers: Sequence[str], entries: int, rounds: int, bound: float) -> Iterator[dict[str, Any]]:
    """The result so far after each table, so that what was measured is not lost with what comes later.

    Raises ServiceUnavailable where a peer or a service cannot be had, before anything is measured.
    """
    taking_part = [peer for peer in PEERS if peer.name in peers]
    for peer in taking_part:
        environment(peer)
    tables: list[dict[str, Any]] = []
    with services() as both:
        found = {"versions": versions(both, taking_part), "ceiling": ceiling.measure(), "start": start.measure(STARTS)}
        for table in plan(peers, entries):
            print(f"{table.title}: {', '.join(table.contestants)}", file=sys.stderr, flush=True)
            runs = rounds_of(both, table.contestants, table.conditions, rounds, bound)
            said = {"name": table.name, "title": table.title, "conditions": asdict(table.conditions)}
            tables.append({**said, "rounds": rounds, "runs": runs})
            yield {"machine": machine(), **found, "tables": tables}
