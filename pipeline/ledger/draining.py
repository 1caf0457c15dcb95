"""How long a backlog takes at the full rate of its quota."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from pipeline.ledger.ledger import Ledger
from pipeline.ledger.values import Backlog


def drained_in(ledger: Ledger, destinations: Mapping[str, str], backlog: Backlog) -> dict[str, float]:
    """Destination → seconds until the ready entries of its account are sent, at the quota's full rate."""
    rates = {
        name: min((calls / seconds for calls, seconds in quota.windows), default=float("inf"))
        for name, quota in ledger.quotas.items()
    }
    calls: dict[str, int] = dict.fromkeys(rates, 0)
    for (destination, state), (n, _) in backlog.items():
        if state == "ready" and destination in destinations:
            calls[destinations[destination]] += ceil(n / ledger.policies[destination].batch)
    return {name: calls[account] / rates[account] for name, account in destinations.items()}
