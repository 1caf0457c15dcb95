"""Faults on demand: what is asked of an account's vendor to do wrong, and until when. No clock."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.sandbox.settings import RETRY_AFTER, windows


def _fraction(value: Any) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError("a rate lies between 0 and 1")
    return float(value)


def _choice(*allowed: Any) -> Any:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(map(str, allowed))} is expected")
        return value

    return check


KINDS: Mapping[str, Any] = {
    "latency_ms": float,
    "error_rate": _fraction,
    "error_status": int,
    "lost_answer_rate": _fraction,
    "lost_answer": _choice("close", "500", "hang"),
    "late_act_ms": float,
    "odd_answer_rate": _fraction,
    "odd_answer": _choice("malformed", "huge", "slow", "redirect"),
    "outage": _choice(True, False, "503", "closed"),
    "revoked": bool,
    "tokens_revoked": bool,
    "token_outage": bool,
    "quota": windows,
    "retry_after": _choice(*RETRY_AFTER),
    "refuse_titles": re.compile,
}
"""Every fault and what reads its value. `null` takes a fault away."""


class Faults:
    """The faults of one account; each may end by itself."""

    def __init__(self, initial: Mapping[str, Any], now: float) -> None:
        self._set: dict[str, tuple[Any, float]] = {}
        self._times = Counter[str]()
        self.update(initial, now)

    def update(self, asked: Mapping[str, Any], now: float) -> None:
        """Sets the faults named; raises ValueError on one unknown or unreadable, changing nothing."""
        seconds = asked.get("for_seconds")
        until = float("inf") if seconds is None else now + float(seconds)
        fresh: dict[str, tuple[Any, float] | None] = {}
        for name, value in asked.items():
            if name not in ("account", "for_seconds"):
                fresh[name] = None if value is None else (_read(name, value), until)
        for name, entry in fresh.items():
            self._set.pop(name, None)
            if entry is not None:
                self._set[name] = entry
                self._times[name] += 1

    def get(self, name: str, now: float, default: Any = None) -> Any:
        value, until = self._set.get(name, (default, float("inf")))
        if now < until:
            return value
        del self._set[name]
        return default

    def in_force(self, name: str, now: float) -> int:
        """Which setting of this fault is in force, counted from 1; 0: none."""
        return self._times[name] if self.get(name, now) else 0

    def active(self, now: float) -> dict[str, Any]:
        """The faults in force, for the page and the answer to `POST /_faults`."""
        found = {name: self.get(name, now) for name in list(self._set)}
        return {k: v.pattern if isinstance(v, re.Pattern) else v for k, v in found.items() if v is not None}


def _read(name: str, value: Any) -> Any:
    if name not in KINDS:
        raise ValueError(f"{name} is no fault; there are {', '.join(KINDS)}")
    try:
        return KINDS[name](value)
    except (TypeError, ValueError, re.error) as error:
        raise ValueError(f"{name}: {error}") from error
