"""Arbitrary entries for ECAL: those that it can say, and those that are wrong in any way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from pipeline.vendors.ecal.simulator_checks import SOCIAL
from tests.vendors.ecal.publisher import CODES, OBJECTIVES, PRIVATE, PUBLIC, problems

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ("", "✅ Paid", "👩‍👩‍👧 at “Café”", 'a "b" \\ {c}', "one\r\ntwo", "%2F?&=#", "Zoë")
)
SOME_TEXT = TEXT.filter(bool)
# Odd ones among them: half hours of summer time, a day that was left out, a summer time that is the lesser.
ZONES = st.sampled_from(
    ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Europe/Dublin",
     "America/St_Johns", "Asia/Kathmandu", "Etc/GMT+12", "EST5EDT", "UTC")
)  # fmt: skip
CLOCK_CHANGES = st.sampled_from(
    [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 0), datetime(2026, 11, 1, 5), datetime(2027, 4, 3, 14)]
).flatmap(lambda at: st.integers(-90, 90).map(lambda minutes: at + timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31)).map(lambda at: at.replace(second=0, microsecond=0))
LATER = st.integers(0, 50_000).map(lambda minutes: timedelta(minutes=minutes))
LINKS = st.lists(st.fixed_dictionaries({"name": SOME_TEXT, "url": SOME_TEXT}), max_size=6)
OWN: dict[str, st.SearchStrategy[Any]] = {
    "objective": st.sampled_from(OBJECTIVES),
    **dict.fromkeys(("smartAlert", "smartDetails", "draft"), st.integers(0, 1)),
    **dict.fromkeys(("sponsored_message", "referenceType"), TEXT),
    "social": st.dictionaries(st.sampled_from(sorted(SOCIAL)), TEXT, max_size=4),
}
REST: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXT,
    "alerts": st.lists(st.sampled_from(sorted(CODES.values())), max_size=2),
    "links": LINKS,
    "ecal": st.fixed_dictionaries({}, optional=OWN),
}


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    """Whole days, or times in one zone, in none, or from one zone to another."""
    start = draw(MOMENTS | CLOCK_CHANGES)
    end = start + draw(LATER)
    zone = draw(st.none() | ZONES)
    said: dict[str, Any] = {"time_zone": zone} if zone else {}
    if draw(st.booleans()):
        days = {"end": (end.date() + timedelta(days=1)).isoformat()} if draw(st.booleans()) else {}
        return {**said, "all_day": True, "start": start.date().isoformat(), **days}
    said |= draw(st.sampled_from(({}, {"all_day": False})))
    if zone and draw(st.booleans()):
        own = draw(ZONES)
        said |= {"end_time_zone": own}
        there = start.replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo(own)).replace(tzinfo=None)
        end = there + (end - start)
    return {**said, "start": start.isoformat(), **({"end": end.isoformat()} if draw(st.booleans()) else {})}


def sayable(options: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Entries that ECAL can say, but for a few ends that the clocks play tricks with."""
    always = {"title": SOME_TEXT, "location": SOME_TEXT}
    if options is PUBLIC:
        always["collection"] = st.sampled_from(("c1", "c2"))
    texts = st.fixed_dictionaries(always, optional=REST)
    said = st.builds(lambda texts, span: {**texts, **span}, texts, spans())
    return said.filter(lambda content: not problems(content, options))


JUNK: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXT,
    "location": TEXT,
    "collection": TEXT,
    "start": MOMENTS.map(datetime.isoformat) | MOMENTS.map(lambda at: at.date().isoformat()),
    "end": st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)).map(datetime.isoformat)
    | MOMENTS.map(lambda at: at.date().isoformat()),
    "all_day": st.booleans(),
    "time_zone": ZONES | st.sampled_from(("Nowhere", "AUS Eastern Standard Time", "../etc/passwd", "")),
    "end_time_zone": ZONES | st.just("Europe"),
    "alerts": st.lists(st.integers(0, 2000) | st.sampled_from((5, 15)), max_size=3),
    "links": st.lists(st.fixed_dictionaries({"name": TEXT}, optional={"url": TEXT}), max_size=8),
    "description": TEXT,
    "busy": st.booleans(),
    "ecal": st.dictionaries(
        st.sampled_from((*OWN, "type", "name", "reference")),
        TEXT | st.integers(-1, 2) | st.booleans() | st.dictionaries(st.sampled_from(("twitter", "x")), st.integers()),
    ),
}


def wild() -> st.SearchStrategy[dict[str, Any]]:
    """Entries of every field, most of which ECAL cannot say."""
    return st.builds(
        lambda good, bad: {**good, **bad},
        sayable(PUBLIC) | st.just({}),
        st.fixed_dictionaries({}, optional=JUNK),
    )


ANSWERS = st.sampled_from(("document", "newer"))
APIS = st.sampled_from((PRIVATE, PUBLIC))
OF_ONE_API = APIS.flatmap(lambda options: st.tuples(st.just(options), sayable(options)))
OF_ONE_API_TWICE = APIS.flatmap(lambda options: st.tuples(st.just(options), sayable(options), sayable(options)))
EFFORT = settings(max_examples=30, deadline=None)
