"""What the simulated CalReply shows: answers, entries and the details of a subscription."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_checks import Event
from pipeline.vendors.calreply.simulator_zones import ZONES

# What comes out


def name_of(one: Event) -> str:
    return f"{one['calendar']}/{one['said'].get('subscriberId', '')}"


def iso(at: float) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=at)).isoformat(timespec="milliseconds")


def guid_of(text: str) -> str:
    return str(UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()))


def details_of(identity: str, one: Event) -> Event:
    """As Get Subscription Details shows a subscription."""
    said = one["said"]
    tags = [tag.get("internalId") or guid_of(tag["externalId"]) for tag in said.get("calendarTags", ())]
    names = [tag.get("externalId", "Tag") for tag in said.get("calendarTags", ())]
    return {
        "subscriptionId": identity,
        "calendar": {"code": one["calendar"], "name": one["calendar"], "image": "//images.example/calendar.jpg"},
        "tags": [{"id": tag, "name": name} for tag, name in zip(tags, names, strict=True)],
        **({"timezoneId": said["timeZoneId"]} if "timeZoneId" in said else {}),
        "subscriptionType": one["method"],
        **{name: said[name] for name in ("subscriberId", "emailAddress") if name in said},
        "createdAt": iso(one["at"]),
        "isActive": one["ended"] is None,
        **({"deactivatedDate": iso(one["ended"])} if one["ended"] is not None else {}),
        "events": [
            *_listed(said, "request", "external", False),
            *_listed(said, "excludeRequest", "excludeExternal", True),
        ],
    }


def _listed(said: Event, by_id: str, by_name: str, is_excluded: bool) -> Iterator[Event]:
    for identity in said.get(f"{by_id}EventIds", ()):
        yield {"id": identity, "name": "Event", "isExcluded": is_excluded}
    for name in said.get(f"{by_name}EventIds", ()):
        yield {"id": guid_of(name), "name": "Event", "externalId": name, "isExcluded": is_excluded}


def json_answer(status: int, content: Any, more: Mapping[str, str] | None = None) -> Response:
    return Response(status, {"content-type": "application/json", **(more or {})}, json.dumps(content).encode())


def shown_entry(key: str, item: Event, calendar: str) -> dict[str, Any]:
    event = item["event"]
    all_day = bool(event.get("allDayEvent"))
    start, end = event["start"], event.get("end")
    return {
        "key": key,
        "id": item["id"],
        "calendar": calendar,
        "title": event["title"],
        "start": start[:10] if all_day else start,
        "end": _day_end(start, end) if all_day else end,
        "time_zone": event.get("timezoneIanaId") or ZONES[event["timezone"]],
        "all_day": all_day,
        "location": event.get("location", ""),
        "description": event.get("description", ""),
        "content": dict(event),
    }


def _day_end(start: str, end: str | None) -> str:
    """The first day that is not part of it; the documents' all-day sample has no end."""
    after = date.fromisoformat(start[:10]) + timedelta(days=1)
    return max(after.isoformat(), (end or start)[:10])
