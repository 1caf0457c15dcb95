"""The parts of a call's path."""

from __future__ import annotations

from urllib.parse import quote


def segment(text: str) -> str:
    return quote(text, safe=":")
