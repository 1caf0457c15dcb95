"""What the simulated CalReply shows: answers, entries, the details of a subscription, and lines of a feed."""

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


def _guid_of(text: str) -> str:
    return str(UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()))


def details_of(identity: str, one: Event) -> Event:
    """As Get Subscription Details shows a subscription."""
    said = one["said"]
    tags = [tag.get("internalId") or _guid_of(tag["externalId"]) for tag in said.get("calendarTags", ())]
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
        yield {"id": _guid_of(name), "name": "Event", "externalId": name, "isExcluded": is_excluded}


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


def event_lines(uid: str, item: Event) -> Iterator[str]:
    entry = shown_entry(uid, item, "")
    stamp = _stamp(item["at"])
    yield from ("BEGIN:VEVENT", f"UID:{uid}", "CLASS:PUBLIC", "TRANSP:TRANSPARENT", f"SUMMARY:{_text(entry['title'])}")
    yield _when("DTSTART", entry, entry["start"])
    if entry["end"]:
        yield _when("DTEND", entry, entry["end"])
    if entry["description"]:
        yield f"DESCRIPTION:{_text(entry['description'])}"
    if entry["location"]:
        yield f"LOCATION:{_text(entry['location'])}"
    yield from (f"DTSTAMP:{stamp}", f"LAST-MODIFIED:{stamp}", f"SEQUENCE:{item['sequence']}")
    if (minutes := item["event"].get("notifyBefore")) is not None:
        yield from ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder", f"TRIGGER:-PT{minutes}M", "END:VALARM")
    yield "END:VEVENT"


def _stamp(at: float) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=int(at))).strftime("%Y%m%dT%H%M%SZ")


def _when(name: str, entry: Event, value: str) -> str:
    compact = value.replace("-", "").replace(":", "")
    return f"{name};VALUE=DATE:{compact}" if entry["all_day"] else f'{name};TZID="{entry["time_zone"]}":{compact}'


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def folded(line: str) -> str:
    """RFC 5545 section 3.1, counted in characters: no line here needs the octets exactly."""
    return "\r\n\t".join(line[i : i + 60] for i in range(0, len(line), 60))
