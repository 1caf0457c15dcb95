"""Arbitrary entries for Add to Calendar PRO, and what the simulator must say of each.

What it holds is read back in its own words and compared with the entry, by another reckoning than the folder's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipeline.vendors.add_to_calendar_pro.simulator import Simulator
from tests.vendors.add_to_calendar_pro.acts import GROUPS, KEY, NAME, OPTIONS, VENDOR

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=20)
texts = st.sampled_from(("Due", "1 < 2 & <b>", "a\n\nb\r\nc", "✅ 日本", "]]> &amp; -->", "<script>")) | text
DAYS = st.sampled_from(
    (date(2026, 6, 1), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1), date(1, 1, 2), date(9999, 12, 27))
)
CLOCKS = st.sampled_from(("00:00:00", "01:30:00", "09:00:00", "23:59:00"))
people = st.just([{"name": "Santa", "email": "santa.claus@north.pole"}])
ORGANIZER = {"organizer_name": "Jack", "organizer_email": "jack.frost@email.com"}
FLAGS = dict.fromkeys(("rsvp", "cta", "hideButton", "distribution"), st.booleans())
IDS = dict.fromkeys(("layout", "landingpage", "rsvp_block", "cta_block", "title_event_series"), texts)
HTML = st.sampled_from(("", "<h1>x</h1>", '<ul><li><a href="https://x.example">é</a></li></ul>'))
SIMPLE = {
    "recurrence_interval": st.integers(1, 4),
    "recurrence_count": st.integers(1, 400),
    "recurrence_byDay": st.sampled_from(("2MO,TU", "-1SU")),
    "recurrence_byMonth": st.just("1,2,12"),
    "recurrence_byMonthDay": st.just("3,23"),
    "recurrence_weekstart": st.just("MO"),
}


def some(fields: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def span(first: date, zone: str, days: int, is_day: bool, has_end: bool, clocks: Any, end_zone: str) -> dict[str, Any]:
    """A start and perhaps an end; all-day or with times; zones that differ."""
    later = first + timedelta(days=days)
    if is_day:
        return {"start": f"{first}", "all_day": True, **({"end": f"{later}"} if has_end else {})}
    end = {"end": f"{later}T{clocks[1]}", "end_time_zone": end_zone} if has_end else {}
    return {"start": f"{first}T{clocks[0]}", "time_zone": zone, **end}


zones = st.sampled_from(ZONES)
spans = st.builds(span, DAYS, zones, st.integers(1, 3), st.booleans(), st.booleans(), st.tuples(CLOCKS, CLOCKS), zones)
DATE = {
    "title": texts, "description": texts, "location": texts, "busy": st.booleans(),
    "status": st.sampled_from(("confirmed", "tentative", "cancelled")),
}  # fmt: skip
shared = some(DATE)
several = st.lists(st.builds(lambda span, more: {**span, **more}, spans, shared), min_size=1, max_size=3)
rules = st.sampled_from(("FREQ=WEEKLY;COUNT=10", "FREQ=DAILY;UNTIL=20270101T000000Z"))
# The entry's own fields, and the vendor's, of each kind of entry.
KINDS: tuple[st.SearchStrategy[tuple[dict[str, Any], dict[str, Any]]], ...] = (
    st.tuples(spans, st.just({})),
    st.tuples(several.map(lambda dates: {"dates": dates}), st.just({})),
    st.tuples(st.builds(lambda span, rule: {**span, "recurrence": rule}, spans, rules), st.just({})),
    st.tuples(spans, some(SIMPLE).map(lambda simple: {"recurrence_simple_type": "weekly", **simple})),
    st.tuples(
        spans.map(lambda span: {**span, "description": ""}), st.builds(lambda html: {"description_html": html}, HTML)
    ),
)


def entry(title: str, group: str, more: Any, own: Any, kind: Any, organizer: Any, attendee: Any) -> dict[str, Any]:
    said, section = {"title": title, "collection": group, **more, **kind[0]}, {**own, **kind[1], **organizer}
    return {**said, **(attendee if organizer else {}), **({NAME: section} if section else {})}


likely = st.builds(
    entry,
    texts,
    st.sampled_from(GROUPS),
    shared,
    some({**FLAGS, **IDS}),
    st.one_of(KINDS),
    st.sampled_from(({}, ORGANIZER)),
    some({"participants": people}),
)

# What may be wrong with one field of an entry; a text that is empty is as good as none.
ODD: dict[str, Any] = {
    "title": st.just(""),
    "description": st.just(""),
    "location": st.just(""),
    "start": st.sampled_from(("", "today", "2026-12-24", "2026-03-29T02:30:00", "2026-12-24T09:00:30", "2026-02-30")),
    "end": st.sampled_from(("2026-06-01", "2026-10-25T02:30:00", "0001-01-01T00:00:00", "2026-06-02T09:00:00Z")),
    "time_zone": st.sampled_from(("Nowhere/At_All", "Factory", "posix/UTC", "", "Europe/London")),
    "end_time_zone": st.sampled_from(("Factory", "Europe/London", "America/New_York")),
    "all_day": st.booleans(),
    "participants": st.lists(
        st.fixed_dictionaries({"name": texts}, optional={"email": st.sampled_from(("", "a@b", "x" * 99 + "@b.c"))})
    ),
    "collection": st.just(""),
    "recurrence": st.sampled_from(("", "FREQ=DAILY", "DAILY", "FREQ=DAILY\n")),
    "dates": st.lists(spans, max_size=2),
    NAME: some(
        {
            **FLAGS,
            "layout": st.just(""),
            "organizer_name": texts,
            "organizer_email": st.sampled_from(("jack@frost.example", "", "no address")),
            "recurrence_simple_type": st.sampled_from(("daily", "", "hourly")),
            "recurrence_interval": st.integers(-1, 1),
            "recurrence_byDay": st.sampled_from(("MONDAY", "")),
            "recurrence_byMonth": st.sampled_from(("13", "")),
            "description_html": st.lists(
                st.sampled_from(
                    (
                        *("<p>", "</p>", "<b>", "<ul><li>", "</li></ul>", "x", "&amp;", "<", ">", "</a>", "<!-- -->"),
                        *("<br>", '<a href="javascript:x">', '<p class="x">', "<?x?>", "<![CDATA[", "<strong>é"),
                    )
                ),
                max_size=4,
            ).map("".join),
        }
    ),
}


odd = st.lists(st.sampled_from(sorted(ODD)), unique=True, max_size=2).flatmap(
    lambda names: st.fixed_dictionaries({name: ODD[name] for name in names})
)
contents = st.builds(lambda good, bad: {**good, **bad}, likely, odd)
sayable = likely.filter(lambda content: not VENDOR.problems(content, OPTIONS))
# A slow machine is no failure.
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


class _Lines(HTMLParser):
    """The text of a description, a line for each paragraph."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.lines.append("")

    def handle_data(self, data: str) -> None:
        self.lines[-1] += data


def plain(html: str) -> str:
    parser = _Lines()
    parser.feed(html)
    parser.close()
    return "\n".join(parser.lines)


def instant(local: str, zone: str) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def check_date(shown: Mapping[str, Any], meant: Mapping[str, Any]) -> None:
    """What a date of the simulator says is what the entry meant, by another reckoning than the folder's."""
    assert (shown["title"], shown["location"]) == (meant["title"], meant.get("location", ""))
    if meant.get("description"):
        assert plain(shown["description"]) == meant["description"].replace("\r\n", "\n")
    else:
        assert shown["description"] == meant.get(NAME, {}).get("description_html", "")
    if shown["all_day"]:
        a_day_later = f"{date.fromisoformat(meant['start']) + timedelta(days=1)}"
        assert (shown["start"], shown["end"]) == (meant["start"], meant.get("end", a_day_later))
        return
    zone = meant["time_zone"]
    end = instant(meant.get("end", meant["start"]), meant.get("end_time_zone", zone) if "end" in meant else zone)
    assert shown["start"] == meant["start"]
    assert (instant(shown["end"], zone), shown["time_zone"]) == (end, zone)


def check(at: Simulator, content: Mapping[str, Any]) -> None:
    """The one event at the simulator says all that the content says."""
    shown, own = at.entries(), content.get(NAME, {})
    # An entry that is cancelled is so with all its dates.
    cancelled = {"status": "cancelled"} if content.get("status") == "cancelled" else {}
    dates = [{**content, **one, **cancelled} for one in content.get("dates") or ({},)]
    assert len(shown) == len(dates)
    for entry, meant in zip(shown, dates, strict=True):
        check_date(entry, meant)
    top, (first, *_) = shown[0]["content"], shown[0]["content"]["dates"]
    assert top["event_group"] == content["collection"]
    assert top["iCalFileName"] == hashlib.sha256(KEY.encode()).hexdigest()[:16]
    for name, value in own.items():
        if name != "description_html":
            assert (first if name.startswith("organizer") else top).get(name) == (None if value == "" else value)
    for one, meant in zip(top["dates"], dates, strict=True):
        assert one.get("status") == (meant["status"].upper() if "status" in meant else None)
        assert one.get("availability") == {True: "busy", False: "free", None: None}[meant.get("busy")]
        assert one.get("attendee_email") == next((p["email"] for p in content.get("participants", ())), None)
    rule = content.get("recurrence")
    assert top.get("recurrence") == (f"RRULE:{rule}" if rule else None)


EVERYTHING: dict[str, Any] = {
    "title": "Due & <due>",
    "description": "One\nTwo",
    "location": "Online <b>",
    "start": "2026-12-24T09:00:00",
    "end": "2026-12-24T10:00:00",
    "time_zone": "Europe/Berlin",
    "end_time_zone": "Europe/London",
    "all_day": False,
    "participants": [{"name": "Santa", "email": "santa.claus@north.pole"}],
    "busy": True,
    "status": "tentative",
    "collection": "g-1",
    NAME: {
        "organizer_name": "Jack",
        "organizer_email": "jack.frost@email.com",
        "title_event_series": "Series",
        "recurrence_simple_type": "weekly",
        "recurrence_interval": 2,
        "recurrence_byDay": "2MO,TU",
        "recurrence_byMonth": "1,2,12",
        "recurrence_byMonthDay": "3,23",
        "recurrence_count": 10,
        "recurrence_weekstart": "MO",
        "layout": "1",
        "landingpage": "2",
        "rsvp": True,
        "rsvp_block": "3",
        "cta": True,
        "cta_block": "4",
        "hideButton": True,
        "distribution": False,
    },
}
