"""What the simulated Add to Calendar PRO shows: answers, entries and files."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipeline.model.wire import Response
from pipeline.vendors.add_to_calendar_pro.simulator_checks import Element

# Answers


def label_of(event: Element) -> str:
    return str(event.get("title_event_series") or event["dates"][0]["name"])


def days_of(event: Element) -> list[str]:
    return [one["startDate"] for one in event["dates"]]


def shown_entry(key: str, prokey: str, event: Element, one: Element) -> dict[str, Any]:
    all_day = "startTime" not in one
    last = str(one.get("endDate") or one["startDate"])
    return {
        "key": key,
        "id": prokey,
        "calendar": event["event_group"],
        "title": one["name"],
        "start": one["startDate"] if all_day else f"{one['startDate']}T{one['startTime']}:00",
        "end": _day_after(last) if all_day else f"{last}T{one['endTime']}:00",
        "time_zone": one.get("timeZone"),
        "all_day": all_day,
        "location": one.get("location", ""),
        "description": one.get("description", ""),
        "status": one.get("status"),
        "recurrence": event.get("recurrence"),
        "content": {**event, "dates": [dict(row) for row in event["dates"]]},
    }


def _day_after(day: str) -> str:
    found = date.fromisoformat(day)
    return str(found + timedelta(days=1) if found < date.max else found)


def stamp_of(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def ics_of(prokey: str, event: Element, query: dict[str, str]) -> Response:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Simulated//Add to Calendar PRO//EN"]
    for one in event["dates"]:
        start = (one["startDate"] + "T" + one.get("startTime", "00:00")).replace("-", "").replace(":", "")
        lines += ["BEGIN:VEVENT", f"UID:{prokey}", f"DTSTART:{start}00", f"SUMMARY:{one['name']}", "END:VEVENT"]
    text = "\r\n".join([*lines, "END:VCALENDAR", ""])
    if query.get("responseType") == "object":
        return answer_of({"ics": text})
    return Response(200, {"content-type": "text/calendar"}, text.encode())


def answer_of(content: Any, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())
