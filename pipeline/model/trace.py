"""The trace that a record belongs to: W3C's `traceparent`, as its producer wrote it into a header."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

HEADERS = ("traceparent", "ce_traceparent")
"""The producer's own, then the CloudEvents extension in binary mode."""
_PARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Of a record's headers; None without one that is well formed."""
    said = {name: value for name, value in headers if name in HEADERS and value is not None}
    texts = (said[name].decode("latin-1") for name in HEADERS if name in said)
    return next((text for text in texts if _PARENT.fullmatch(text)), None)


def kept(raws: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Of the newest of the records that the ledger keeps for an entry."""
    newest = sorted(raws.values(), key=lambda raw: -float(raw.get("timestamp") or 0.0))
    decoded = (traceparent([(n, base64.b64decode(v or "")) for n, v in raw.get("headers", ())]) for raw in newest)
    return next((found for found in decoded if found is not None), None)


def trace_id(parent: str | None) -> str | None:
    """32 hex digits."""
    return None if parent is None else parent.split("-")[1]
