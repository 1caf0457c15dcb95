"""How long a backlog takes at the full rate of its quota, and whether that is too long for what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from pipeline.ledger.ledger import Ledger
from pipeline.ledger.values import Urgent

HORIZONS = (0.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0)
"""Seconds from now: what matters by each of them is counted. By the last of them all that could go should be sent."""
LOOK_AND_WRITE = 2
"""Calls for an entry of which it is not known whether the vendor has it."""


def drained_in(ledger: Ledger, destinations: Mapping[str, str], urgent: Urgent) -> dict[str, float]:
    """Destination → seconds until all of its account that could go is sent, at the quota's full rate."""
    return _spent(ledger, destinations, urgent, -1)


def late_when_drained(ledger: Ledger, destinations: Mapping[str, str], urgent: Urgent) -> dict[str, float]:
    """Destination → seconds by which some of its account's entries come after they matter, at the quota's full rate,
    the soonest first; 0: all in time."""
    late = dict.fromkeys(destinations, 0.0)
    for place, horizon in enumerate(HORIZONS):
        spent = _spent(ledger, destinations, urgent, place)
        late = {name: max(late[name], spent[name] - horizon) for name in destinations}
    return late


def _spent(ledger: Ledger, destinations: Mapping[str, str], urgent: Urgent, place: int) -> dict[str, float]:
    """Destination → seconds that the calls take for what of its account matters by that horizon."""
    rates = {
        name: min((calls / seconds for calls, seconds in quota.windows), default=float("inf"))
        for name, quota in ledger.quotas.items()
    }
    calls: dict[str, int] = dict.fromkeys(rates, 0)
    for destination in urgent.keys() & destinations.keys():
        sure, unsure = urgent[destination][place]
        calls[destinations[destination]] += ceil(sure / ledger.policies[destination].batch) + LOOK_AND_WRITE * unsure
    return {name: calls[account] / rates[account] for name, account in destinations.items()}
