"""What the simulated ECAL refuses of a call: its words for it, and what may stand in a body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.vendors.simulated import Check, is_date, is_text, like, object_of

Event = dict[str, Any]
Person = dict[str, Any]

OBJECTIVES = {"payment_reminder", "payment_success", "ticket_sale", "merchandise_sale", "tune_in"}
# "pintrest" is the spelling of the field table, "pinterest" the last line that of its PUT sample.
SOCIAL = {
    *("facebook", "twitter", "instagram", "google", "ipad", "iphone", "android", "pintrest", "myspace", "podcast"),
    *("blog", "foursquare", "youtube", "stackla"),
    *("pinterest", "linkedin", "flickr", "blackberry", "soundcloud", "vimeo"),
}
REQUIRED = ("name", "location", "startDate", "endDate", "reference")
BULK_FIELDS = {"alert", "alert2", "details", "social", "sponsored_message", "referenceType", "objective"} | {
    "smartAlert",
    "smartDetails",
}
QUICK_LINK = re.compile(r"quickLink\[[1-6]\]\[(name|url)\]")
MEANINGS = {
    "200": "OK",
    "400": "Bad request",
    "403": "Forbidden",
    "404": "Not found",
    "409": "Already exists",
    "429": "Too many requests! Try again after sometime.",
    "500": "Internal server error",
    "503": "Service unavailable",
}


class RefusedError(Exception):
    """An answer other than 2xx, with the text for `statusLong`."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(status)
        self.status, self.text = status, text or MEANINGS[str(status)]


# Validation of a body


def checked_body(body: bytes) -> Event:
    fields = object_of(body)
    if not fields:
        raise RefusedError(400, "the body must be a JSON object")
    return validated(fields)


def validated(fields: Event) -> Event:
    for name, value in fields.items():
        valid = CHECKS.get(name) or (is_text if QUICK_LINK.fullmatch(name) else None)
        if valid is None:
            raise RefusedError(400, f"{name} is not a known field")
        if not valid(value):
            raise RefusedError(400, f"{name} is not valid")
    return fields


def day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def check_times(event: Event) -> None:
    if event.get("allDay") != "yes" and not (event.get("startTime") and event.get("endTime")):
        raise RefusedError(400, "startTime and endTime are required unless allDay is yes")


def is_between(event: Event, query: Mapping[str, str], now: float) -> bool:
    """The newer page's filters; what is past is hidden unless asked for."""
    today = datetime.fromtimestamp(now, UTC).date().isoformat()
    first = query.get("startDate", "" if "showPastEvents" in query else today)
    return first <= str(event["endDate"]) and str(event["startDate"]) <= query.get("endDate", "9999-12-31")


def is_zone(value: Any) -> bool:
    """The documents' list is lost; every zone seen is an IANA name."""
    try:
        return isinstance(value, str) and bool(ZoneInfo(value).key)
    except (ValueError, OSError, KeyError):
        return False


def _is_bit(value: Any) -> bool:
    return type(value) is int and value in (0, 1)


def _is_social(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() <= SOCIAL and all(map(is_text, value.values()))


def _one_of(allowed: set[str]) -> Check:
    return lambda value: isinstance(value, str) and value in allowed


# The documents' list of alert codes is lost; every code seen is a number with M, H or D, or "-" for none.
_is_alert = like(r"(?a)[1-9]\d{0,2}[MHD]|-")
_is_time = like(r"(?a)([01]\d|2[0-3]):[0-5]\d")

CHECKS: dict[str, Check] = {
    **dict.fromkeys(
        ("name", "location", "details", "calendarId", "reference", "referenceType", "sponsored_message"), is_text
    ),
    **dict.fromkeys(("startDate", "endDate"), is_date),
    **dict.fromkeys(("startTime", "endTime"), _is_time),
    **dict.fromkeys(("alert", "alert2"), _is_alert),
    **dict.fromkeys(("draft", "smartAlert", "smartDetails"), _is_bit),
    "allDay": _one_of({"yes", "no"}),
    "type": _one_of({"private", "fixture"}),
    "objective": _one_of(OBJECTIVES),
    "social": _is_social,
    "timezone": is_zone,
}
