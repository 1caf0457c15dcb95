"""The dates of an entry → the vendor's `dates`, and what cannot be said of one.

The vendor's all-day end is inclusive, ours exclusive; no times means all-day; one time zone holds for start and end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date as day
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pipeline.model.entry import Content
from pipeline.model.when import BadTime, is_zone, parse_date, parse_moment, resolve, to_local, zone_problems
from pipeline.vendors.add_to_calendar_pro.defaults import ORGANIZER, SECTION
from pipeline.vendors.add_to_calendar_pro.markup import paragraphs

Date = dict[str, Any]
T = TypeVar("T")

TIMING = ("startDate", "startTime", "endDate", "endTime", "timeZone")
FIELDS = (
    "name",
    "description",
    *TIMING,
    "location",
    "status",
    "availability",
    *ORGANIZER,
    "attendee_name",
    "attendee_email",
)
_NEUTRAL = (
    *("title", "description", "location", "start", "end", "time_zone", "end_time_zone", "all_day", "busy", "status"),
)
# In Python's list of zones, but no place on earth; the vendor's list lacks them (timezones-ical-library).
_NOWHERE = ("Factory", "localtime", "posixrules")


def neutral(content: Content) -> list[Content]:
    """The entry's dates in neutral terms: what one does not say the entry says; without any, the entry is one."""
    own = {name: content[name] for name in _NEUTRAL if content.get(name) not in (None, "")}
    several: Sequence[Content] = content.get("dates") or ({},)
    # Who cancels the entry cancels all of its dates, whatever a rule had said of one.
    all_of_it = {"status": "cancelled"} if content.get("status") == "cancelled" else {}
    return [{**own, **one, **all_of_it} for one in several]


def dates(content: Content) -> list[Date]:
    """The entry's dates in the vendor's names, without what is empty."""
    everywhere = _people(content)
    html = content.get(SECTION, {}).get("description_html")
    return [_full({**_said(one, html), **everywhere}) for one in neutral(content)]


def _said(one: Content, html: str | None) -> Date:
    text = one.get("description")
    return {
        "name": one.get("title"),
        "description": paragraphs(text) if text else None if "description" in one else html,
        **timing(one),
        "timeZone": one.get("time_zone"),
        "location": one.get("location"),
        "status": str(one.get("status", "")).upper(),
        "availability": {True: "busy", False: "free"}.get(one.get("busy", "")),
    }


def _people(content: Content) -> Date:
    own = content.get(SECTION, {})
    people: Sequence[Mapping[str, str]] = content.get("participants") or ({},)
    return {
        **{name: own.get(name) for name in ORGANIZER},
        "attendee_name": people[0].get("name"),
        "attendee_email": people[0].get("email"),
    }


def _full(fields: Date) -> Date:
    return {name: value for name, value in fields.items() if value not in (None, "")}


def timing(one: Content) -> Date:
    """Dates and, unless all-day, times. A missing end is the start."""
    if is_day(one):
        start = parse_date(one["start"])
        last = parse_date(one["end"]) - timedelta(days=1) if one.get("end") else None
        return {"startDate": f"{start}", "endDate": f"{last}" if last else None}
    start, end = parse_moment(one["start"]), _end(one)
    return {
        "startDate": f"{start.date()}",
        "startTime": f"{start:%H:%M}",
        "endDate": f"{end.date()}",
        "endTime": f"{end:%H:%M}",
    }


def is_day(one: Content) -> bool:
    return len(one["start"]) == len("2026-12-24")


def _end(one: Content) -> datetime:
    """The end as a local time in the start's zone."""
    text, zone, own = one.get("end"), one.get("time_zone"), one.get("end_time_zone")
    end = parse_moment(text or one["start"])
    if not text or not zone or own in (None, zone):
        return end
    return to_local(resolve(end, own), zone)


def problems(one: Content) -> list[str]:
    """What cannot be said of one date."""
    found = [f"{name} is required" for name in ("title", "start") if not one.get(name)]
    found += zone_problems(one, _somewhere)
    if found:
        return found
    try:
        return _day_problems(one) if is_day(one) else _clock_problems(one)
    except BadTime as error:
        return [str(error)]
    except (OverflowError, ValueError):
        return ["start or end: out of the range of dates"]


def _day_problems(one: Content) -> list[str]:
    start, end = _parsed("start", parse_date, one), one.get("end")
    found = ["all_day is false, and start has no time"] if one.get("all_day") is False else []
    if one.get("end_time_zone") not in (None, one.get("time_zone")):
        found.append("end_time_zone cannot be said of an all-day date")
    if end and len(end) != len(one["start"]):
        return [*found, "end has a time, and start has none"]
    late = end and _parsed("end", parse_date, one) <= start
    return [*found, *(["end is not after the start (it is exclusive)"] if late else [])]


def _clock_problems(one: Content) -> list[str]:
    zone, end = one.get("time_zone"), one.get("end")
    moments = {"start": _parsed("start", parse_moment, one)}
    if one.get("all_day"):
        return ["all_day is true, and start has a time"]
    if not zone:
        return ["time_zone is required with times: without one the vendor takes GMT"]
    if end and len(end) == len("2026-12-24"):
        return ["end has no time, and start has one"]
    if end:
        moments["end"] = _parsed("end", parse_moment, one)
    found = [f"{name} has an offset: local times only" for name, at in moments.items() if at.tzinfo]
    found += [f"{name} has seconds: times are HH:MM" for name, at in moments.items() if at.second or at.microsecond]
    return found or _order_problems(one, moments, zone)


def _order_problems(one: Content, moments: Mapping[str, datetime], zone: str) -> list[str]:
    zones = {"start": zone, "end": one.get("end_time_zone") or zone}
    instants = {name: _named(name, resolve, at, zones[name]) for name, at in moments.items()}
    start = instants["start"]
    end = instants.get("end", start)
    if end < start:
        return ["end is before the start"]
    local = to_local(end, zone)
    if local.second or resolve(local, zone) != end:
        # Seconds: zones before clocks were standardised.
        return ["end: no HH:MM of the start's time zone names this instant alone"]
    return []


def _parsed(name: str, parse: Callable[[str], T], one: Content) -> T:
    return _named(name, parse, one[name])


def _named(name: str, judge: Callable[..., T], *given: Any) -> T:
    """The field goes into the words of what is wrong with it."""
    try:
        return judge(*given)
    except BadTime as error:
        raise BadTime(f"{name}: {error}") from None


def _somewhere(zone: str) -> bool:
    return zone not in _NOWHERE and not zone.startswith(("posix/", "right/")) and is_zone(zone)


def days(content: Content) -> tuple[day, day] | None:
    """The first and the last day on which one of the dates starts; None where none has a start."""
    starts = sorted(parse_date(one["start"][:10]) for one in neutral(content) if one.get("start"))
    return (starts[0], starts[-1]) if starts else None
