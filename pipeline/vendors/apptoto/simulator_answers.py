"""What the simulated Apptoto shows: answers, entries and lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.model.wire import Response
from pipeline.vendors.apptoto.simulator_checks import PERSON, Event, RefusedError

# What comes out


def whole_of(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise RefusedError(400, "bad_request")
    return int(text)


def instant_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def is_listed(event: Event, query: dict[str, str]) -> bool:
    """The names of the filters are those that clients use."""
    begin, end = query.get("begin"), query.get("end")
    return (
        (not event["is_deleted"] or query.get("include_deleted") == "true")
        and (begin is None or instant_of(begin) <= instant_of(event["start_time"]))
        and (end is None or instant_of(event["start_time"]) <= instant_of(end))
        and all(any(_matches(one, name, query) for one in event["participants"] or [{}]) for name in FILTERS)
    )


FILTERS = {"phone_number": "normalized_phone", "email_address": "email"}


def _matches(one: Event, name: str, query: dict[str, str]) -> bool:
    return name not in query or one.get(FILTERS[name]) == query[name]


def person_of(one: Event) -> tuple[Any, ...]:
    return tuple(one.get(name) for name in (*PERSON, "contact_id", "contact_external_id"))


def local_of(text: str, zone: str, all_day: bool) -> str:
    """An all-day event lies on the days that its times name; what its end names is taken as the day after. In the
    second of two hours that a clock has alike, with the offset: without one, the first is meant."""
    if all_day:
        return text[:10]
    try:
        local = instant_of(text).astimezone(ZoneInfo(zone))
        return (local if local.fold else local.replace(tzinfo=None)).isoformat()
    except OverflowError:  # in the first or last hours of the calendar
        return instant_of(text).astimezone(UTC).replace(tzinfo=None).isoformat()


def json_answer(status: int, content: Any, more: Mapping[str, str] | None = None) -> Response:
    return Response(status, {"content-type": "application/json", **(more or {})}, json.dumps(content).encode())
