"""What the simulated Apptoto refuses of a call: its words for it, and what may stand in a body."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.vendors.simulated import Check, is_bool, is_moment, is_text, object_of

Event = dict[str, Any]

REQUIRED = ("title", "start_time", "end_time")
PERSON = ("name", "email", "phone")
# The page with the names is lost; the vendor looks like a Rails system, which knows these and IANA's.
ZONES = {
    "Eastern Time (US & Canada)": "America/New_York",
    "Central Time (US & Canada)": "America/Chicago",
    "Mountain Time (US & Canada)": "America/Denver",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
}


class RefusedError(Exception):
    """An answer other than 2xx: the status, a code, and what is wrong with which event."""

    def __init__(self, status: int, code: str, errors: list[Event] | None = None) -> None:
        super().__init__(status)
        self.status, self.code, self.errors = status, code, errors or []


class InvalidError(Exception):
    """One event is wrong."""


# What may stand in a body


def batch_of(body: bytes) -> tuple[list[Any], bool]:
    """The events of a write, and whether it may make calendars."""
    fields = object_of(body)
    if fields is None or not fields.keys() <= {"events", "prevent_calendar_creation"}:
        raise RefusedError(400, "bad_request")
    events, prevented = fields.get("events"), fields.get("prevent_calendar_creation", False)
    if not isinstance(events, list) or not events or not isinstance(prevented, bool):
        raise RefusedError(400, "bad_request")
    return events, not prevented


def check_fields(given: Any) -> None:
    if not isinstance(given, dict):
        raise InvalidError("an event is an object")
    for name, value in given.items():
        if name not in CHECKS:
            raise InvalidError(f"{name} is not a known field")
        if not CHECKS[name](value):
            raise InvalidError(f"{name} is not valid")
    if ("calendar" in given) == ("calendar_id" in given):
        raise InvalidError("calendar or calendar_id is required")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and (value in ZONES or bool(ZoneInfo(value).key))
    except (KeyError, ValueError, OSError):
        return False


def _is_people(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and _is_person(one) for one in value)


def _is_person(one: Event) -> bool:
    if not one or not all(name in PEOPLE_CHECKS and PEOPLE_CHECKS[name](value) for name, value in one.items()):
        return False
    # "You should not include name/email/phone if you provide an explicit contact_id."
    return "contact_id" not in one or not one.keys() & set(PERSON)


# "ISO 8601", date and time combined, with the zone's offset.
_is_time = is_moment(r"(?a)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")

PEOPLE_CHECKS: dict[str, Check] = {
    "name": _is_name,
    "phone": _is_name,
    "email": lambda value: isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None,
    "contact_id": lambda value: type(value) is int,
    "contact_external_id": _is_name,
}
CHECKS: dict[str, Check] = {
    "calendar": _is_name,
    "calendar_id": _is_number,
    "title": _is_name,
    **dict.fromkeys(("location", "content"), is_text),
    **dict.fromkeys(("start_time", "end_time"), _is_time),
    "time_zone": _is_zone,
    "all_day": is_bool,
    "show_as": lambda value: value is None or (type(value) is int and 0 <= value <= 4),
    "external_id": _is_name,
    "id": _is_number,
    "custom_data": lambda value: isinstance(value, dict),
    "participants": _is_people,
}
