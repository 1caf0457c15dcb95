"""What may become of a call: the weather at its vendor, its own fate, and how long each part of it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.model.outcome import Retry, Throttled, Unauthorized
from tests.protocol.workers import LOST, Said

Weather = Literal["well", "down", "refusing", "revoked"]
Fate = Literal["answered", "unheard", "throttled", "refused"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Shares of how long a call may take to leave, arrive and end, and of the time in which an unheard one may act
    (None: never); and the seconds until its result is settled."""

    leaves: float = 0.0
    arrives: float = 0.0
    ends: float = 0.01
    acts: float | None = 0.0
    settles: float = 0.0


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
