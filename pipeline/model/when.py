"""The one parser for dates, local date-times, instants and durations, and what clock changes do to local times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.model.entry import Content

REMEMBERED = 8_192
"""Texts of which it is remembered what they say; what says nothing is not remembered."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2})?(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_SHORT = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)
_ISO = re.compile(r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII)


class BadTime(ValueError):
    """A text is no date, time, zone or duration. The message says what was expected and never quotes the text."""


class BadZone(BadTime):
    """A text names no time zone."""


@lru_cache(REMEMBERED)
def parse_date(text: str) -> date:
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise BadTime("expected a date such as 2026-12-24")


@lru_cache(REMEMBERED)
def parse_moment(text: str) -> datetime:
    """A local date-time (naive) or, where the text has an offset or Z, an instant (aware). Whole microseconds."""
    if _MOMENT.fullmatch(text):
        return _moment(text)
    raise _no_moment()


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise _no_moment() from None


def _no_moment() -> BadTime:
    return BadTime("expected a date and time such as 2026-12-24T09:00:00 or 2026-12-24T09:00:00+01:00")


def parse_instant(text: str) -> datetime:
    """RFC 3339: seconds and a zone are required."""
    if not _INSTANT.fullmatch(text):
        raise BadTime("expected an RFC 3339 time with its zone, such as 2026-12-24T09:00:00Z")
    return _moment(text)


@lru_cache(REMEMBERED)
def parse_duration(text: str) -> timedelta:
    """`1d`, `1h30m`, `90m`, `30d`, `P1DT2H`: never negative; a day is 24 hours."""
    match = _ISO.fullmatch(text) if text.startswith("P") else _SHORT.fullmatch(text)
    if not match or not any(match.groups()) or text.endswith("T"):
        raise BadTime("expected a duration such as 1d, 1h30m, 90m or PT90M")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


@lru_cache(REMEMBERED)
def zone_named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadZone("expected an IANA time zone such as Europe/Berlin") from None


def is_zone(name: str) -> bool:
    try:
        zone_named(name)
    except BadTime:
        return False
    return True


def zone_problems(content: Content, known: Callable[[str], bool] = is_zone) -> list[str]:
    """What is wrong with the zones of an entry, in words for the rule's author."""
    zones = {name: content.get(name) for name in ("time_zone", "end_time_zone")}
    return [f"{name} is not an IANA name" for name, zone in zones.items() if zone is not None and not known(zone)]


def resolve(local: datetime, zone: str) -> datetime:
    """The instant of a local time: one that a clock change skips is an error, a doubled one is the first."""
    if local.tzinfo is not None:
        raise BadTime("a local time has no offset")
    aware = _within(local, zone_named(zone))
    if aware.astimezone(UTC).astimezone(aware.tzinfo) != aware:  # of one zone: as local times
        raise BadTime("the clocks skip this local time in its time zone")
    return aware


def _within(local: datetime, zone: ZoneInfo) -> datetime:
    """A local time in its zone; the first of a doubled one. `replace` would take twice as long."""
    return datetime(local.year, local.month, local.day, local.hour, local.minute, local.second, local.microsecond, zone)


def to_local(instant: datetime, zone: str) -> datetime:
    """The local time (naive) of an instant."""
    return instant.astimezone(zone_named(zone)).replace(tzinfo=None)


def instant_of(content: Content) -> datetime | None:
    """The instant at which an entry starts; all-day: midnight in `time_zone`, else UTC. None without a start."""
    start: Any = content.get("start")
    return start_instant(start, str(content.get("time_zone") or "UTC")) if isinstance(start, str) else None


@lru_cache(REMEMBERED)
def start_instant(start: str, zone_name: str) -> datetime:
    zone = zone_named(zone_name)
    if _DATE.fullmatch(start):
        return datetime.combine(parse_date(start), time(), zone).astimezone(UTC)
    moment = parse_moment(start)
    return (moment if moment.tzinfo else _within(moment, zone)).astimezone(UTC)


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970, exactly."""
    return (instant - EPOCH) // MICROSECOND


def over_at(content: Content) -> float | None:
    """Seconds since 1970 at which an item is over wherever its zone may be; None for what has no end: no dates, or
    several, or a recurrence, in neutral or in a vendor's own words."""
    own = (name for value in content.values() if isinstance(value, Mapping) for name in value)
    if any(name.startswith(("recurrence", "dates")) for name in (*content, *own)):
        return None
    try:
        last = parse_date(str(content.get("end") or content.get("start"))[:10])
    except BadTime:
        return None
    return datetime.combine(last + timedelta(days=2), time(), UTC).timestamp()
