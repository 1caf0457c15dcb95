"""What should stand at the vendors in the end, worked out from the events alone: not by the code under test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from tests.chaos.story import REFUSED, Event

Expected = dict[str, dict[str, Any]]
"""The vendor's key → the fields of the entry."""
FIELDS = ("title", "location", "description", "start", "end", "time_zone", "all_day", "calendar")
PERSONAL_CALENDARS = ("ecal", "calreply")
"""Destinations whose entries stand in a person's own calendar; the others have one for all."""
COLLECTIONS = {"apptoto": "Acme", "pages": "acme-group"}


def vendor_key(destination: str, key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16] if destination == "pages" else key


def expected(events: Iterable[Event], destination: str, refused: bool = False) -> Expected:
    """`refused`: of what the vendor refuses, were it to take it; else of all else."""
    events = list(events)
    homes = _homes(events, destination)
    told: dict[str, list[Event]] = {}
    for event in events:
        if event.topic == "meetings" and event.raw is None:
            told.setdefault(event.key, []).append(event)
    found: Expected = {}
    for key, mine in sorted(told.items()):
        entry = _entry(mine, destination, homes, refused)
        if entry is not None:
            found[vendor_key(destination, key)] = entry
    return found


def _homes(events: Iterable[Event], destination: str) -> Mapping[str, str]:
    """Person → the calendar that the newest link names."""
    newest: dict[str, Event] = {}
    for event in events:
        if event.topic == "people":
            before = newest.get(event.key)
            newest[event.key] = event if before is None or event.when > before.when else before
    return {person: event.data.get(destination, "") for person, event in newest.items()}


def _newest(events: Iterable[Event], *kinds: str) -> Event | None:
    of_kind = [event for event in events if event.kind in kinds]
    return max(of_kind, key=lambda event: event.when, default=None)


def calendars(events: Iterable[Event], destination: str) -> Mapping[str, set[str]]:
    """The vendor's key → the calendars in which its entry may ever stand: those that its person was linked with."""
    if destination not in PERSONAL_CALENDARS:
        return {vendor_key(destination, event.key): {COLLECTIONS[destination]} for event in events}
    linked: dict[str, set[str]] = {}
    for event in events:
        if event.topic == "people":
            linked.setdefault(event.key, set()).add(event.data[destination])
    found: dict[str, set[str]] = {}
    for event in events:
        found.setdefault(event.key, set()).update(linked.get(event.data.get("person", ""), ()))
    return found


def _entry(events: list[Event], destination: str, homes: Mapping[str, str], refused: bool) -> dict[str, Any] | None:
    base, note = _newest(events, "meeting.made"), _newest(events, "meeting.noted")
    end = _newest(events, "meeting.cancelled", "meeting.deleted")
    if base is None or (end is not None and end.when > base.when):
        return None
    data = base.data
    if "expires" in data or data["title"].startswith(REFUSED) != refused:
        return None
    calendar = homes.get(data["person"]) if destination in PERSONAL_CALENDARS else COLLECTIONS[destination]
    if calendar is None:
        return None
    return {
        "title": data["title"] if note is None else note.data["note"],
        "location": data["place"],
        # HTML there, says the vendor.
        "description": f"<p>{data['text']}</p>" if destination == "pages" else data["text"],
        "start": data["start"],
        "end": data["end"],
        "time_zone": "Europe/Paris",
        "all_day": False,
        "calendar": calendar,
    }


def dead(events: Iterable[Event], destinations: int, base: float) -> dict[bytes, int]:
    """Record value → how many dead letters it must at least come to. Of what vendors refuse, the newest that was said
    of a key: an older one may have been superseded before it was sent."""
    found: dict[bytes, int] = {}
    refused: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: (event.when, event.at)):
        if event.raw is not None:
            found[event.raw] = found.get(event.raw, 0) + 1
        elif event.data.get("title", "").startswith(REFUSED):
            refused[event.key] = event
    return found | {event.value(base): destinations for event in refused.values()}


def mortal(events: Iterable[Event], base: float) -> set[bytes]:
    """The records that may come to a dead letter: poison, and whatever vendors refuse, superseded later or not."""
    refused = (event for event in events if event.data.get("title", "").startswith(REFUSED))
    return {event.raw for event in events if event.raw is not None} | {event.value(base) for event in refused}
