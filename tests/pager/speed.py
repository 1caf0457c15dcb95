"""The chart's rules, sixty times as fast: a minute is a second. What is decided by them stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SPEED = 60
LEAST = 8.0
"""Seconds of a window: four scrapes."""
WAITING = 35.0
"""Seconds of a window in which a worker that waits says so at least once: its own rhythm is not sped up."""
IN_TIME = 30.0
"""Seconds for the objective's five minutes: ten times as fast only, as a busy machine's hiccup is no lateness."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def sped_up(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a rule file."""
    return {
        "groups": [{**group, "interval": "1s", "rules": [*map(_rule, group["rules"])]} for group in rules["groups"]]
    }


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    made = {**rule, "expr": expression(str(rule["expr"]))}
    if "for" in rule:
        made["for"] = _quicker(rule["for"], 1.0)
    return made


def expression(text: str) -> str:
    """Windows, offsets, and every number that seconds are compared with."""
    least = WAITING if "calends_waits_total" in text else LEAST
    text = re.sub(r"\[(\w+)\]", lambda found: f"[{_quicker(found[1], least)}]", text)
    text = re.sub(r"offset (\w+)", lambda found: f"offset {_quicker(found[1], LEAST)}", text)
    text = re.sub(r'le="300.0"', f'le="{IN_TIME}"', text)
    return re.sub(r"(_seconds(?:\{[^}]*\})?\) > )(\d+)", lambda found: f"{found[1]}{int(found[2]) / SPEED:g}", text)


def _quicker(duration: str, least: float) -> str:
    parts = re.findall(r"(\d+)(ms|[smhd])", duration)
    whole = sum(int(number) * UNITS[unit] for number, unit in parts)
    return f"{max(whole / SPEED, least) * 1000:.0f}ms"
