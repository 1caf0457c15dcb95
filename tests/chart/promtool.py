"""Prometheus' own judge of rules, 2.42 or newer."""

from __future__ import annotations

from pathlib import Path

from tests.services.debian import program


def promtool() -> Path:
    """Raises ServiceUnavailable."""
    return program("promtool", "prometheus")
