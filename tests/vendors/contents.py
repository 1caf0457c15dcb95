"""Any content a vendor may be asked to hold: every neutral field and every own field that it declares.

Values are arbitrary ones of the field's type, and those that the vendor's own cases show.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from pipeline.model.entry import FIELDS
from pipeline.rules.adapt import DestinationView, problems_of
from tests.vendors.subjects import Subject, situations

Strategy = st.SearchStrategy[Any]

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ("✅ Paid", "👩‍👩‍👧 at “Café”", 'a "b" \\ {c} <d> &amp;', "one\ntwo", "%2F?&=#", "Zoë", "")
)
# Half hours of summer time, a day that was left out, a summer time that is the lesser, no zone of a city.
# fmt: off
ZONES = st.sampled_from((
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Europe/Dublin",
    "America/St_Johns", "Asia/Kathmandu", "Etc/GMT+12", "UTC",
))
# fmt: on
CHANGES = st.sampled_from(
    [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1), datetime(2026, 11, 1, 5), datetime(2027, 4, 3, 15)]
).flatmap(lambda at: st.integers(-90, 90).map(lambda minutes: at + timedelta(minutes=minutes)))
MOMENTS = CHANGES | st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31)).map(
    lambda at: at.replace(second=0, microsecond=0)
)
LENGTHS = st.integers(0, 3_000).map(lambda minutes: timedelta(minutes=minutes))
NAMES = st.sampled_from(("Ann", "Zoë 👋", "O'Neil"))
EMAILS = st.sampled_from(("ann@example.com", "zoe+tag@example.org"))
PERSON = st.fixed_dictionaries({"name": NAMES, "email": EMAILS}) | st.fixed_dictionaries({"phone": st.just("+4412121")})
NEUTRAL: dict[str, Strategy] = {
    "title": TEXT,
    "description": TEXT,
    "location": TEXT,
    "alerts": st.lists(st.sampled_from((0, 5, 15, 60, 1440, 7)), max_size=2),
    "links": st.lists(st.fixed_dictionaries({"name": TEXT, "url": TEXT}), max_size=3),
    "participants": st.lists(PERSON, max_size=2),
    "busy": st.booleans(),
    "status": st.sampled_from(("confirmed", "tentative", "cancelled")),
    "recurrence": st.sampled_from(("FREQ=WEEKLY;COUNT=10", "FREQ=DAILY", "every day")),
}
OWN: dict[str, Strategy] = {
    "string": TEXT,
    "boolean": st.booleans(),
    "integer": st.integers(-1, 5),
    "object": st.dictionaries(st.sampled_from(("a", "b")), TEXT, max_size=2),
    "array": st.lists(st.dictionaries(st.sampled_from(("name", "email")), TEXT, max_size=2), max_size=2),
}
TIMES = ("start", "end", "time_zone", "end_time_zone", "all_day")


def contents(one: Subject, options: Mapping[str, Any]) -> Strategy:
    said = one.vendor.express(options)
    drawn = {name: _neutral(one, name) for name in sorted(said.fields - {*TIMES, "dates"})}
    own = {name: _mostly(seen(one, one.vendor.name, name), OWN[kind]) for name, kind in sorted(said.own.items())}
    if own:
        drawn[one.vendor.name] = st.fixed_dictionaries({}, optional=own)
    required = {name: drawn.pop(name) for name in sorted(said.required & drawn.keys())}
    texts = st.fixed_dictionaries(required, optional=drawn)
    built = st.builds(lambda texts, span: {**texts, **span}, texts, _spans(said.fields, "time_zone" in said.required))
    if "dates" in said.fields:
        built = st.one_of(built, built, st.builds(lambda content, dates: {**content, "dates": dates}, built, _dates()))
    return st.builds(without, built, st.just(()) | st.sampled_from(FIELDS).map(lambda name: [name]))


def crossed(one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, Any]]:
    """Both, and between them each with the other's words: drawing a content costs more than a round trip of it."""
    return [one, _crossed(one, other), other, _crossed(other, one)]


def _crossed(times: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    spans = (*TIMES, "dates")
    said = {name: value for name, value in words.items() if name not in spans}
    return {**said, **{name: value for name, value in times.items() if name in spans}}


def sound(content: dict[str, Any], view: DestinationView, one: Subject) -> dict[str, Any]:
    """The content without what its problems name; with problems still where that must be there."""
    required = view.expression().required
    for _ in range(20):
        named = [name for problem in problems_of(content, view)[:1] for name in fields_in(problem, view)]
        there = [name for name in named if holds(content, name) and name not in required]
        if there:
            content = without(content, there[:1])
        elif "collection" in named and "collection" not in content:
            content = {**content, "collection": collections(one)[0]}
        else:
            break
    return content


def holds(content: Mapping[str, Any], name: str) -> bool:
    section, _, own = name.partition(".")
    return own in content.get(section, {}) if own else section in content


def fields_in(problem: str, view: DestinationView) -> list[str]:
    """The fields that a problem's words name, own ones with their section."""
    said, section = view.expression(), view.vendor.name
    own = [f"{section}.{name}" for name in said.own]
    return [name for name in (*own, *FIELDS) if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", problem)]


def seen(one: Subject, *path: str) -> list[Any]:
    """What the cases have at this place of a content."""
    found = []
    for content in _shown(one):
        value: Any = content
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None and value not in found:
            found.append(value)
    return found


def _shown(one: Subject) -> Iterator[Mapping[str, Any]]:
    for case in [*one.cases("requests"), *one.cases("responses")]:
        for given in situations(case):
            yield from (content for content in (given.wanted, given.observed) if content)


def collections(one: Subject) -> list[Any]:
    """Those that the simulated account has; where it lists none it takes any."""
    known = [value for listed in one.sandbox.values() if isinstance(listed, list) for value in listed]
    return known or ["c1", "c2"]


def _neutral(one: Subject, name: str) -> Strategy:
    return st.sampled_from(collections(one)) if name == "collection" else _mostly(seen(one, name), NEUTRAL[name])


def _mostly(shown: list[Any], other: Strategy) -> Strategy:
    return st.sampled_from(shown) | other if shown else other


@st.composite
def _spans(draw: st.DrawFn, fields: frozenset[str], in_a_zone: bool = False) -> dict[str, Any]:
    """Whole days, or times in one zone, in none, or from one zone to another."""
    start, length, whole = draw(MOMENTS), draw(LENGTHS), draw(st.booleans())
    zone = draw(ZONES if in_a_zone else st.none() | ZONES)
    said: dict[str, Any] = {"time_zone": zone}
    if whole:
        end = (start + length).date() + timedelta(days=draw(st.integers(0, 1)))
        said |= {"all_day": True, "start": start.date().isoformat(), "end": end.isoformat()}
    else:
        other = draw(st.none() | ZONES) if zone else None
        there = start if other is None else _at(start, zone or "UTC").astimezone(ZoneInfo(other)).replace(tzinfo=None)
        said |= {"all_day": draw(st.sampled_from((None, False))), "start": start.isoformat(), "end_time_zone": other}
        said["end"] = (there + length).isoformat()
    if draw(st.booleans()):
        said |= {"end": None, "end_time_zone": None}
    return {name: value for name, value in said.items() if value is not None and name in fields}


def _dates() -> Strategy:
    texts = st.fixed_dictionaries({}, optional={"title": TEXT, "location": TEXT, "description": TEXT})
    fields = frozenset(TIMES) - {"end_time_zone"}
    return st.lists(st.builds(lambda said, span: {**said, **span}, texts, _spans(fields)), min_size=1, max_size=2)


def without(content: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """`names` may have own fields, with their section."""
    left = {name: value for name, value in content.items() if name not in names}
    return {
        name: {own: inner for own, inner in value.items() if f"{name}.{own}" not in names}
        if isinstance(value, Mapping)
        else value
        for name, value in left.items()
    }


# What a reader should be told ----------------------------------------------------------------------------------------


def meant(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What stands in a calendar for a content: one item, or one for each of its dates."""
    whole = {name: value for name, value in content.items() if name != "dates"}
    dates = content.get("dates") or [{}]
    return [_item({**whole, **_one_span(whole, date), **date}) for date in dates]


def _one_span(whole: Mapping[str, Any], date: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's end says nothing of a date that has a start of its own."""
    return {name: None for name in ("end", "end_time_zone") if "start" in date and "end" not in date and name in whole}


def _item(content: Mapping[str, Any]) -> dict[str, Any]:
    zone = content.get("time_zone")
    texts = {name: content.get(name, "") for name in ("title", "location", "description")}
    return {**texts, **span(content, zone, content.get("end_time_zone") or zone)}


def span(said: Mapping[str, Any], zone: str | None, end_zone: str | None) -> dict[str, Any]:
    """Days, or instants. In which zone a time is said is the vendor's own affair; of a day it is the first instant."""
    start, end = said["start"], said.get("end")
    whole = bool(said.get("all_day")) or len(start) == 10
    times = {"start": start, "end": end} if whole else {"start": _utc(start, zone), "end": _utc(end, end_zone)}
    return {**times, "all_day": whole, "time_zone": _utc(start, zone) if zone else None}


def _utc(text: str | None, zone: str | None) -> datetime | None:
    return None if text is None else _at(datetime.fromisoformat(text), zone or "UTC").astimezone(UTC)


def _at(local: datetime, zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(zone)) if local.tzinfo is None else local
