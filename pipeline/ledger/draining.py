"""How long a backlog takes at the full rate of its quota, and whether that is too long for what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from pipeline.ledger.ledger import Ledger
from pipeline.ledger.values import Backlog

HORIZONS = (0.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0)
"""Seconds from now: what matters by each of them is counted. By the last of them all that is ready should be sent."""


def drained_in(ledger: Ledger, destinations: Mapping[str, str], backlog: Backlog) -> dict[str, float]:
    """Destination → seconds until the ready entries of its account are sent, at the quota's full rate."""
    ready = {destination: n for (destination, state), (n, _) in backlog.items() if state == "ready"}
    return _spent(ledger, destinations, ready)


def late_when_drained(
    ledger: Ledger, destinations: Mapping[str, str], due: Mapping[str, list[int]]
) -> dict[str, float]:
    """Destination → seconds by which some of its account's ready entries come after they matter, at the quota's full
    rate, the soonest first; 0: all in time. `due`: destination → how many matter by each horizon."""
    late = dict.fromkeys(destinations, 0.0)
    for place, horizon in enumerate(HORIZONS):
        spent = _spent(ledger, destinations, {name: counts[place] for name, counts in due.items()})
        late = {name: max(late[name], spent[name] - horizon) for name in destinations}
    return late


def _spent(ledger: Ledger, destinations: Mapping[str, str], entries: Mapping[str, int]) -> dict[str, float]:
    """Destination → seconds that so many entries of its account take."""
    rates = {
        name: min((calls / seconds for calls, seconds in quota.windows), default=float("inf"))
        for name, quota in ledger.quotas.items()
    }
    calls: dict[str, int] = dict.fromkeys(rates, 0)
    for destination, n in entries.items():
        if destination in destinations:
            calls[destinations[destination]] += ceil(n / ledger.policies[destination].batch)
    return {name: calls[account] / rates[account] for name, account in destinations.items()}
