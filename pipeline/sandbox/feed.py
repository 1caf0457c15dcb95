"""A subscriber's calendar as iCalendar, from what the vendors say stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

Entry = Mapping[str, Any]


def feed(name: str, entries: Iterable[Entry], now: float) -> bytes:
    """A text/calendar document; `now` in Unix seconds."""
    calendar = Calendar()
    calendar.add("prodid", "-//Calends//Sandbox//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    dates: Counter[str] = Counter()
    for entry in entries:
        dates[entry["id"]] += 1
        calendar.add_component(_event(entry, dates[entry["id"]], now))
    calendar.add_missing_timezones()
    document: bytes = calendar.to_ical()
    return document


def _event(entry: Entry, date_number: int, now: float) -> Event:
    event = Event()
    # The further dates of an entry that has several are events of their own to a calendar client.
    event.add("uid", entry["id"] if date_number == 1 else f"{entry['id']}-{date_number}")
    event.add("summary", entry["title"])
    event.add("dtstamp", datetime.fromtimestamp(int(now), UTC))
    start, end = _span(entry)
    event.add("dtstart", start)
    event.add("dtend", end)
    for name in ("location", "description"):
        if entry[name]:
            event.add(name, entry[name])
    if entry.get("status"):
        event.add("status", entry["status"])
    if entry.get("recurrence"):
        event.add("rrule", vRecur.from_ical(entry["recurrence"].removeprefix("RRULE:")))
    return event


def _span(entry: Entry) -> tuple[date, date]:
    start_text, end_text = entry["start"], entry["end"] or entry["start"]
    if entry["all_day"]:
        return date.fromisoformat(start_text), date.fromisoformat(end_text)
    zone = _zone(entry["time_zone"])
    return _at(start_text, zone), max(_at(start_text, zone), _at(end_text, zone))


def _at(text: str, zone: ZoneInfo | None) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
