"""A tolerant reader of CalReply's iCalendar feed, and whether an item in it is what is wanted.

Tolerant because the document's own sample (Get Subscription) is invalid for strict readers: quoted zone names, an
event that never ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.model.entry import Content
from pipeline.vendors.calreply import zones
from pipeline.vendors.calreply.payload import span

_LINE = re.compile(r'([A-Za-z0-9-]+)((?:;[^=:;]+=(?:"[^"]*"|[^":;]*))*):(.*)', re.DOTALL)
_ZONE = re.compile(r';TZID="?([^";:]+)"?', re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class Item:
    """One event of the feed: raw values and parameters by upper-case name."""

    values: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return None if value is None else _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)

    def moment(self, name: str, floating: ZoneInfo) -> datetime | None:
        """The instant of a DTSTART or DTEND; one without a readable zone is local to `floating`."""
        value = self.values.get(name, "")
        zone = _ZONE.search(self.parameters.get(name, ""))
        try:
            local = datetime.strptime(value.rstrip("Zz"), "%Y%m%dT%H%M%S" if "T" in value else "%Y%m%d")
        except ValueError:
            return None
        if value[-1] in "Zz":
            return local.replace(tzinfo=UTC)
        return local.replace(tzinfo=zones.behind(zone[1]) if zone and zones.behind(zone[1]) else floating)


def items(text: str) -> list[Item] | None:
    """The feed's events; None where this is no whole calendar."""
    lines = re.split(r"\r?\n", re.sub(r"\r?\n[ \t]", "", text.strip("\ufeff \t\r\n")))
    if lines[0].strip() != "BEGIN:VCALENDAR" or lines[-1].strip() != "END:VCALENDAR":
        return None
    found: list[Item] = []
    inner = ""
    for line in lines[1:-1]:
        inner = _inside(inner, line.strip(), found)
        if inner == "VEVENT":
            _take(found[-1], line)
    return found


def _inside(inner: str, line: str, found: list[Item]) -> str:
    """The component after this line: only an event's own lines count, not those of an alarm within it."""
    kind, _, name = line.partition(":")
    if kind == "BEGIN":
        if name == "VEVENT":
            found.append(Item())
        return name
    if kind == "END":
        return "VEVENT" if name == "VALARM" else ""
    return inner


def _take(item: Item, line: str) -> None:
    parts = _LINE.fullmatch(line)
    if parts:
        item.values[parts[1].upper()] = parts[3]
        item.parameters[parts[1].upper()] = parts[2]


def same(item: Item, wanted: Content) -> bool:
    """Whether the item is the wanted entry, as far as the feed shows it."""
    return not differing(item, wanted)


def differing(item: Item, wanted: Content) -> list[str]:
    """The feed's names of what is not as it is wanted."""
    return [*_differing_texts(item, wanted), *_differing_times(item, wanted)]


def _differing_texts(item: Item, wanted: Content) -> Iterator[str]:
    if _plain(item.text("SUMMARY")) != _plain(wanted.get("title")):
        yield "SUMMARY"
    if "location" in wanted and _plain(item.text("LOCATION")) != _plain(wanted["location"]):
        yield "LOCATION"
    # The feed appends the vendor's own lines to a description.
    if not _plain(item.text("DESCRIPTION")).startswith(_plain(wanted.get("description"))):
        yield "DESCRIPTION"


def _differing_times(item: Item, wanted: Content) -> Iterator[str]:
    expected = span(wanted)
    zone = ZoneInfo(expected.zone)
    start, end = item.moment("DTSTART", zone), item.moment("DTEND", zone)
    if wanted.get("all_day"):
        # Whether the feed's end is exclusive is not said, so only the first day is compared.
        if start is None or expected.start.date() not in (start.date(), start.astimezone(zone).date()):
            yield "DTSTART"
        return
    if _instant(start) != _instant(expected.start.replace(tzinfo=zone)):
        yield "DTSTART"
    if expected.end is not None and end is not None and _instant(end) != _instant(expected.end.replace(tzinfo=zone)):
        yield "DTEND"


def _instant(moment: datetime | None) -> datetime | None:
    """In UTC: of a doubled local time Python says that it is none other of another zone."""
    return None if moment is None else moment.astimezone(UTC)


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())
