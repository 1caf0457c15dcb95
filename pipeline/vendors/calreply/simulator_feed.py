"""The iCalendar feed of a subscription at the simulated CalReply, as calendar clients get it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from pipeline.vendors.calreply.simulator_answers import shown_entry
from pipeline.vendors.calreply.simulator_checks import Event


def feed(subscription: str, items: Mapping[str, list[Event]], own_uid: bool) -> bytes:
    """`items`: key → events of that key. `own_uid`: the vendor's own UIDs, not the keys."""
    return ("\r\n".join(map(_folded, _lines(subscription, items, own_uid))) + "\r\n").encode()


def _lines(subscription: str, items: Mapping[str, list[Event]], own_uid: bool) -> Iterator[str]:
    yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//CalReply Inc//CalReply 1.0//EN", "METHOD:REFRESH")
    yield f"X-WR-RELCALID:{subscription}"
    for key, same in items.items():
        for item in same:
            if subscription in item["subscriptions"]:
                yield from _event_lines(item["id"] if own_uid else key, item)
    yield "END:VCALENDAR"


def _event_lines(uid: str, item: Event) -> Iterator[str]:
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


def _folded(line: str) -> str:
    """RFC 5545 section 3.1, counted in characters: no line here needs the octets exactly."""
    return "\r\n\t".join(line[i : i + 60] for i in range(0, len(line), 60))
