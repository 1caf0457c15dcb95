"""Slots: the type of every place in a rule, and how a rendered value becomes it.

Each raises RenderError or BadTime where the value does not fit, and never quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from pipeline.model.entry import KEY_PATTERN
from pipeline.model.when import (
    REMEMBERED,
    BadTime,
    microseconds,
    parse_date,
    parse_duration,
    parse_moment,
    resolve,
    to_local,
    zone_named,
)
from pipeline.model.wire import MAX_IDENTITY
from pipeline.rules.filters import MAX_TEXT, kind
from pipeline.rules.recurrence import fault
from pipeline.rules.render import OMIT, RenderError, Scope, Template

MOMENT = "a date such as 2026-12-24, or a time such as 2026-12-24T09:00"
MAX_LIST = 1000
"""Items in a list of an entry: links, participants, alerts, dates."""

Node = Any
"""A compiled value: a Template, a literal, or a list or map of nodes."""

JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "boolean": bool, "integer": int, "number": (int, float), "object": dict, "array": list,
}  # fmt: skip
_is_key = re.compile(KEY_PATTERN).fullmatch
STATUSES = ("confirmed", "tentative", "cancelled")


def rendered(node: Node, scope: Scope) -> Any:
    """The value of a node; members that say `omit` are left out of lists and maps."""
    if isinstance(node, Template):
        return node.render(scope)
    if isinstance(node, list):
        return [value for value in (rendered(member, scope) for member in node) if value is not OMIT]
    if isinstance(node, dict):
        members = ((name, rendered(member, scope)) for name, member in node.items())
        return {name: value for name, value in members if value is not OMIT}
    return node


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("a text", value)
    if len(value) > MAX_TEXT:
        raise RenderError("limit", "a text is larger than 64 KiB")
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong("a bool", value)
    return value


def name(value: Any) -> str:
    """A subscriber or an identity: a text or an integer, not empty."""
    if value.__class__ is int:
        value = str(value)
    if not isinstance(value, str):
        raise _wrong("a text or an integer", value)
    if not 0 < len(value) <= MAX_IDENTITY:
        raise RenderError("format", f"expected 1 to {MAX_IDENTITY} characters")
    return value


def key(value: Any) -> str:
    if isinstance(value, str) and _is_key(value):
        return value
    found = name(value) if value != "" else ""
    if not _is_key(found):
        raise RenderError("key", "expected 1 to 200 of A-Z a-z 0-9 . _ : -; take an id, or write replace(' ', '-')")
    return found


def zone(value: Any) -> str:
    return zone_named(text(value)).key


def status(value: Any) -> str:
    if value not in STATUSES:
        raise RenderError("type", "expected one of " + ", ".join(STATUSES))
    return str(value)


def alerts(value: Any) -> list[int]:
    return [minutes(member) for member in items(value)]


def links(value: Any) -> list[dict[str, str]]:
    found = [_texts(member, ("name", "url")) for member in items(value)]
    if any(set(link) != {"name", "url"} for link in found):
        raise RenderError("type", "expected a map with a name and a url")
    return found


def participants(value: Any) -> list[dict[str, str]]:
    return [_texts(member, ("name", "email", "phone")) for member in items(value)]


def moment_text(value: Any) -> str:
    """A date, a local date-time or an instant, as text that is known to parse."""
    if not isinstance(value, str):
        raise _wrong(MOMENT, value)
    parse_date(value) if len(value) == 10 else parse_moment(value)
    return value


def recurrence(value: Any) -> str:
    """An RFC 5545 recurrence rule, with or without its name."""
    found = text(value).removeprefix("RRULE:")
    if expected := fault(found):
        raise RenderError("format", f"expected {expected}")
    return found


DATE_SLOTS: dict[str, Callable[[Any], Any]] = {
    "title": text, "description": text, "location": text, "start": moment_text, "end": moment_text,
    "time_zone": zone, "all_day": flag, "busy": flag, "status": status,
}  # fmt: skip


def dates(value: Any) -> list[dict[str, Any]]:
    """Each date says what differs from the entry; its start and end stand as in an entry."""
    return [_date(member) for member in items(value)]


def _date(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(value) <= set(DATE_SLOTS) or not value.get("start"):
        raise RenderError("type", f"expected a map with a start, of {', '.join(DATE_SLOTS)}")
    return timed({name: DATE_SLOTS[name](member) for name, member in value.items() if member is not None}, {})


FIELD_SLOTS: dict[str, Callable[[Any], Any]] = {
    "title": text, "description": text, "location": text, "start": moment_text, "end": moment_text,
    "time_zone": zone, "end_time_zone": zone, "all_day": flag, "alerts": alerts, "links": links,
    "participants": participants, "busy": flag, "status": status, "collection": text, "recurrence": recurrence,
    "dates": dates,
}  # fmt: skip


def own_value(value: Any, declared: str) -> Any:
    """A vendor's own field, of the JSON type that the vendor declares."""
    wanted = JSON_TYPES.get(declared, object)
    if not isinstance(value, wanted) or (isinstance(value, bool) and declared in ("integer", "number")):
        raise _wrong(f"JSON {declared}", value)
    return value


def order(value: Any) -> int:
    """A `sequence`: an integer, or a time as microseconds since 1970."""
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 1 << 63:
            raise RenderError("limit", "a sequence is at most 63 bits")
        return value
    return microseconds(instant(value, "UTC"))


def instant(value: Any, zone_name: str) -> datetime:
    """An instant; a date is its midnight and a local time is read in the zone given."""
    found = moment_text(value)
    moment = datetime.combine(parse_date(found), time()) if len(found) == 10 else parse_moment(found)
    return (moment if moment.tzinfo else resolve(moment, zone_name)).astimezone(UTC)


def seconds_unlinked(value: Any) -> float | None:
    """`wait 30d` or {wait: 30d} → seconds; `drop` → None; nothing said: 30 days."""
    if value is None:
        return 30 * 86_400.0
    if value == "drop":
        return None
    words = value if isinstance(value, str) else f"wait {value.wait}"
    if not words.startswith("wait "):
        raise BadTime("expected wait 30d or drop")
    return parse_duration(words.removeprefix("wait ").strip()).total_seconds()


def timed(content: Mapping[str, Any], defaults: Mapping[str, Any], over: bool = False) -> dict[str, Any]:
    """Start and end as the ledger keeps them: dates when all-day, else local times of their zones.

    An instant becomes local time in the entry's zone, the destination's default zone, or UTC, which is then said.
    `over`: it is said of the default zone too, as this lies over a layer that may say another.
    """
    done = dict(content)
    if done.get("start") is not None:
        _place(done, "start", "time_zone", defaults, over)
    if done.get("end") is not None:
        _place(done, "end", "end_time_zone", defaults, over)
        _in_order(done)
    return done


def _place(done: dict[str, Any], field_name: str, zone_field: str, defaults: Mapping[str, Any], over: bool) -> None:
    own = done.get(zone_field) or done.get("time_zone")
    zone_name = own or defaults.get("time_zone")
    all_day = done["all_day"] if "all_day" in done else defaults.get("all_day")
    try:
        done[field_name], instant = _placed(done[field_name], all_day, zone_name)
    except BadTime as error:
        raise RenderError("format", f"{field_name}: {error}") from None
    if instant and own is None and (over or zone_name is None):
        done[zone_field] = zone_name or "UTC"


@lru_cache(REMEMBERED)
def _placed(found: str, all_day: bool | None, zone_name: str | None) -> tuple[str, bool]:
    """The date or local time, and whether an instant was given."""
    if len(found) == 10:
        if all_day is False:
            raise BadTime("expected a date and time, as all_day is false")
        return found, False
    if all_day:
        raise BadTime("expected a date, as all_day is true")
    moment = parse_moment(found)
    if moment.microsecond:
        moment = moment.replace(microsecond=0)
    if moment.tzinfo is None:
        if zone_name:
            resolve(moment, zone_name)
        return moment.isoformat(), False
    local = to_local(moment, zone_name or "UTC")
    if resolve(local, zone_name or "UTC") != moment:
        raise BadTime("this instant is the second of a doubled local time, which no calendar can say")
    return local.isoformat(), True


def _in_order(content: Mapping[str, Any]) -> None:
    start, end = content.get("start"), content.get("end")
    if not start or not end or content.get("end_time_zone", content.get("time_zone")) != content.get("time_zone"):
        return
    if len(start) == len(end) and (end < start or (end == start and len(end) == 10)):
        raise RenderError("format", "end: expected after the start (an all-day end is exclusive)")


def minutes(value: Any) -> int:
    """One alert."""
    whole, rest = divmod(parse_duration(text(value)), timedelta(minutes=1))
    if rest:
        raise BadTime("expected whole minutes")
    return whole


def items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong("a list", value)
    if len(value) > MAX_LIST:
        raise RenderError("limit", f"a list has more than {MAX_LIST:,} items")
    return value


def _texts(value: Any, names: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(value, dict) or not set(value) <= set(names) or not value:
        raise RenderError("type", f"expected a map of {', '.join(names)}")
    return {field_name: text(member) for field_name, member in value.items()}


def _wrong(expected: str, value: Any) -> RenderError:
    return RenderError("type", f"expected {expected}, not {kind(value)}")
