"""What any vendor's simulator asks of a call, whatever the vendor: parts of a request, and kinds of values.

Only simulators import it, and it imports nothing of ours: what a vendor's own folder decides is never decided here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

Query = tuple[tuple[str, str], ...]
Check = Callable[[Any], bool]


def object_of(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None where it is anything else."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def basic_of(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password of HTTP Basic, both empty where they cannot be read; None where another scheme is used."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_date(value: Any) -> bool:
    return _has_date_form(value) and _is_read_by(date.fromisoformat, value)


def is_moment(form: str) -> Check:
    """An ISO 8601 date and time that has this form."""
    has_form = like(form)
    return lambda value: has_form(value) and _is_read_by(datetime.fromisoformat, value)


def _is_read_by(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def like(pattern: str, longest: int = 10_000) -> Check:
    """A text of at most so many characters that the whole pattern fits."""
    matches = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and len(value) <= longest and matches(value) is not None


_has_date_form = like(r"(?a)\d{4}-\d\d-\d\d")
