"""What may become of a call: the weather at its vendor, its own fate, and how long each part of it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.ledger.values import STRAY
from pipeline.model.outcome import Retry, Throttled, Unauthorized
from tests.protocol.workers import LOST, Said

Weather = Literal["well", "down", "refusing", "revoked"]
Fate = Literal["answered", "unheard", "throttled", "refused"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Shares of how long a call may take to leave, arrive and end, of how long an unheard one may be on its way after
    its end (0.0: it had arrived before), and of the time in which it may act (None: never); and the seconds until its
    result is settled."""

    leaves: float = 0.0
    arrives: float = 0.0
    ends: float = 0.01
    acts: float | None = 0.0
    settles: float = 0.0
    strays: float = 0.0

    def arrival(self, fate: Fate, left: float, ends: float) -> float:
        """When a call that left then arrives."""
        if fate == "unheard" and self.strays:
            return ends + self.strays * STRAY
        return left + self.arrives * (ends - left)


def foul(weather: Weather, fate: Fate, asked: int) -> Any:
    """What a call of so many entries hears in bad weather, or where its fate is a bad one."""
    match weather, fate:
        case "down", _:
            return LOST
        case "revoked", _:
            return Said(403, outcomes=(Unauthorized(),) * asked)
        case _, "throttled":
            return Said(429, outcomes=(Throttled(5.0),) * asked)
        case _:
            return Said(503, outcomes=(Retry(),) * asked)
