"""An entry's content in neutral terms (iCalendar's and JSCalendar's names) and its canonical form.

Content is a plain JSON mapping so that the ledger, the rules and the vendors share one shape; `FIELDS` says what may
stand in it. `None` never stands in merged content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

Content = Mapping[str, Any]
"""Neutral content as JSON values:

    title, description, location   str
    start, end                     "2026-12-24" when all_day (end exclusive), else local "2026-12-24T09:00:00"
    time_zone, end_time_zone       IANA name
    all_day                        bool
    alerts                         list of int, minutes before the start, in the user's order
    links                          list of {"name": str, "url": str}
    participants                   list of {"name": str, "email": str, "phone": str}
    busy                           bool
    status                         "confirmed" | "tentative" | "cancelled"
    collection                     str: the vendor's calendar or group that holds it (an id, or a name where it has one)
    recurrence                     str: an RFC 5545 recurrence rule without its name, e.g. "FREQ=WEEKLY;COUNT=10"
    dates                          list of mappings of title, description, location, start, end, time_zone, all_day,
                                   busy and status (as above): the dates of an entry that has several; what one
                                   does not say the entry says
    kind                           "subscription", or absent: a calendar item
    <vendor name>                  mapping of that vendor's own fields, e.g. "ecal": {"objective": "payment_reminder"}
"""

FIELDS = (
    "title",
    "description",
    "location",
    "start",
    "end",
    "time_zone",
    "end_time_zone",
    "all_day",
    "alerts",
    "links",
    "participants",
    "busy",
    "status",
    "collection",
    "recurrence",
    "dates",
)

KEY_PATTERN = r"(?!\.{1,2}$)[A-Za-z0-9._:-]{1,200}"
"""`.` and `..` would change the path of a URL."""


_ENCODE = msgspec.json.Encoder(order="deterministic").encode


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no space, no escapes. Raises ValueError for what JSON has no number
    for: the encoder writes null for it."""
    text = _ENCODE(value)
    if b"null" in text:
        json.dumps(value, allow_nan=False)
    return text.decode()


def content_hash(value: Any) -> str:
    """32 hex of SHA-256 over the canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]
