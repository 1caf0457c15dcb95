"""Add to Calendar PRO: whatever an entry says either has problems, or arrives at the strict simulator as it was meant.

The simulator shares no code with the folder; what it holds is read back in its own words and compared with the entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Look,
    Outcome,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unknown,
)
from pipeline.model.wire import Credential, Response
from pipeline.vendors import vendors
from pipeline.vendors.add_to_calendar_pro.recovery import judgement
from pipeline.vendors.add_to_calendar_pro.simulator import Simulator
from pipeline.vendors.contract import Notice, Situation, Step

VENDOR = vendors()["add_to_calendar_pro"]
NAME = VENDOR.name
KEY = "INV-45009"
SECRET = Credential({"api_key": "key-1"})
OPTIONS = {"participants": "public"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUPS = ("g-1", "g-2")
ENTRY: dict[str, Any] = {"title": "Due", "start": "2026-12-24", "all_day": True, "collection": "g-1"}
PROKEY = "99ec3e7f-ef04-bbbb-a3d7-e30736faaaaa"


def simulator(**config: Any) -> Simulator:
    return Simulator({"api_key": "key-1", "groups": GROUPS, **config})


def situation(wanted: Any = None, observed: Any = None, **more: Any) -> Situation:
    return Situation(
        **{"key": KEY, "wanted": wanted, "observed": observed, "identity": None, "options": OPTIONS} | more
    )


def send(at: Simulator, step: Step, one: Situation) -> Outcome:
    """One call, as the lane makes it."""
    signed = VENDOR.sign(VENDOR.request(step, [one]), SECRET, None)
    return answer(at, step, one, signed.method, signed.path, signed.query, signed.headers, signed.body)


def answer(
    at: Simulator, step: Step, one: Situation, method: str, path: str, query: Any, headers: Any, body: bytes
) -> Outcome:
    (outcome,) = VENDOR.read(step, [one], at.handle(method, path, query, dict(headers), body, 1000.0), NOW)
    return outcome


def call(at: Simulator, method: str, path: str, content: Any = None, query: Any = ()) -> Any:
    """Any endpoint, as `calends call` reaches it."""
    body = b"" if content is None else json.dumps(content).encode()
    response = at.handle(method, path, query, {"authorization": "key-1"}, body, 1000.0)
    return response.status, json.loads(response.body)


def made(at: Simulator, content: Mapping[str, Any]) -> str:
    outcome = send(at, Step.CREATE, situation(content))
    assert isinstance(outcome, Accepted)
    assert outcome.vendor_id is not None
    return outcome.vendor_id


def held(at: Simulator) -> list[dict[str, Any]]:
    """All the events, without what only counts writes."""
    volatile = ("sequence", "date_created", "date_updated")
    contents = {entry["id"]: entry["content"] for entry in at.entries()}
    return [{name: value for name, value in one.items() if name not in volatile} for one in contents.values()]


# Arbitrary entries

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


@settings(quick, max_examples=120)
@given(content=contents)
def test_an_entry_has_problems_or_the_vendor_takes_all_of_it(content: dict[str, Any]) -> None:
    if VENDOR.problems(content, OPTIONS):
        return
    at = simulator()
    made(at, content)
    check(at, content)


@quick
@given(before=sayable, after=sayable, old=st.booleans())
def test_an_update_leads_from_any_content_to_any_other(before: Any, after: Any, old: bool) -> None:
    after = {**after, "collection": before["collection"]}
    at = simulator(answers="old" if old else "new")
    one = situation(after, before, vendor_id=made(at, before))
    assert VENDOR.plan(one) is Step.UPDATE
    assert isinstance(send(at, Step.UPDATE, one), Accepted)
    check(at, after)
    fresh = simulator()
    made(fresh, after)
    assert held(at) == held(fresh)


@quick
@given(before=sayable, after=sayable)
def test_a_whole_write_says_what_an_update_says(before: Any, after: Any) -> None:
    after = {**after, "collection": before["collection"]}
    assume(len(before.get("dates") or "1") <= len(after.get("dates") or "1"))
    at, whole = simulator(), simulator()
    send(at, Step.UPDATE, situation(after, before, vendor_id=made(at, before)))
    assert isinstance(send(whole, Step.WRITE, situation(after, vendor_id=made(whole, before))), Accepted)
    assert held(whole) == held(at)


@given(before=sayable, after=sayable)
@quick
def test_an_update_says_nothing_of_what_did_not_change(before: Any, after: Any) -> None:
    after = {**after, "collection": before["collection"]}
    one = situation(after, before, vendor_id=PROKEY)
    said = json.loads(VENDOR.request(Step.UPDATE, [one]).body)
    assert said
    assert not {"event_group", "new_event_group_name", "iCalFileName", "status"} & said.keys()
    again = json.loads(VENDOR.request(Step.UPDATE, [situation(after, after, vendor_id=PROKEY)]).body)
    assert list(again) == ["dates"]
    assert [list(row) for row in again["dates"]] == [["name"]]


@quick
@given(content=sayable)
def test_a_delete_leaves_nothing(content: Any) -> None:
    at = simulator()
    one = situation(None, content, vendor_id=made(at, content))
    assert VENDOR.plan(one) is Step.DELETE
    assert (send(at, Step.DELETE, one), at.items()) == (Accepted(), [])
    assert send(at, Step.DELETE, one) == Absent()


# Recovery


def recover(at: Simulator, one: Situation) -> Situation:
    """Steps until the vendor acknowledges what is wanted, as the ledger takes them once the quiet time is over."""
    for _ in range(40):
        step = VENDOR.plan(one)
        assert isinstance(step, Step)
        match send(at, step, one):
            case Accepted(vendor_id=vendor_id) if step is not Step.DELETE:
                return situation(one.wanted, one.wanted, vendor_id=vendor_id)
            case Accepted() | Absent():
                if one.wanted is None:
                    return situation()
                one = situation(one.wanted)
            case Look(candidates=candidates):
                one = situation(one.wanted, one.observed, vendor_id=one.vendor_id, unsure=True, candidates=candidates)
            case Exists(vendor_id=vendor_id):
                one = situation(one.wanted, one.observed, vendor_id=vendor_id, unsure=True)
            case other:
                raise AssertionError(other)
    raise AssertionError("no end")


def merged(observed: Any, sent: Any) -> dict[str, Any]:
    """What the ledger keeps of a lost call: the fields of both."""
    return {**(observed or {}), **(sent or {}), NAME: {**(observed or {}).get(NAME, {}), **(sent or {}).get(NAME, {})}}


@quick
@given(
    content=sayable, newer=sayable, acted=st.booleans(), changed=st.booleans(), gone=st.booleans(), old=st.booleans()
)
def test_a_lost_create_is_found_or_repeated_never_doubled(
    content: Any, newer: Any, acted: bool, changed: bool, gone: bool, old: bool
) -> None:
    at = simulator(answers="old" if old else "new")
    for number in range(3):
        send(at, Step.CREATE, situation({**content, "title": "Another's"}, key=f"OTHER-{number}"))
    if acted:
        made(at, content)
    wanted = None if gone else newer if changed else content
    recover(at, situation(wanted, content, unsure=True))
    ours = [entry for entry in at.entries() if entry["title"] != "Another's" or entry["key"] == at.items()[-1][0]]
    mine = hashlib.sha256(KEY.encode()).hexdigest()[:16]
    assert [key for key, _ in at.items()].count(mine) == (0 if gone else 1)
    assert len(at.items()) == (3 if gone else 4)
    if not gone:
        alone = simulator()
        made(alone, wanted)
        assert [e["content"]["dates"] for e in ours if e["key"] == mine] == [
            e["content"]["dates"] for e in alone.entries()
        ]


@quick
@given(before=sayable, between=sayable, after=sayable, acted=st.booleans(), gone=st.booleans())
def test_a_lost_change_ends_in_what_is_wanted(before: Any, between: Any, after: Any, acted: bool, gone: bool) -> None:
    at = simulator()
    vendor_id = made(at, before)
    lost = situation(between, before, vendor_id=vendor_id)
    step = VENDOR.plan(lost)
    assert isinstance(step, Step)
    if acted:
        send(at, step, lost)
    wanted = None if gone else after
    end = recover(at, situation(wanted, merged(before, between), vendor_id=vendor_id, unsure=True))
    if gone:
        assert at.items() == []
        return
    check(at, after)
    fresh = simulator()
    made(fresh, after)
    assert held(at) == held(fresh)
    assert at.items() == [(hashlib.sha256(KEY.encode()).hexdigest()[:16], end.vendor_id)]


def test_a_lost_change_that_acted_needs_no_second_one() -> None:
    at, after = simulator(), {**ENTRY, "title": "Paid"}
    vendor_id = made(at, ENTRY)
    send(at, Step.UPDATE, situation(after, ENTRY, vendor_id=vendor_id))
    recover(at, situation(after, merged(ENTRY, after), vendor_id=vendor_id, unsure=True))
    assert [kind for _, kind, _ in at.writes[at.items()[0][0]]] == ["create", "update"]


def test_a_lost_replacement_is_not_taken_for_a_lost_update() -> None:
    """The delete of a change of group may not have acted: a PATCH would leave the entry in its old group."""
    at, after = simulator(), {**ENTRY, "collection": "g-2"}
    vendor_id = made(at, ENTRY)
    recover(at, situation(after, merged(ENTRY, after), vendor_id=vendor_id, unsure=True))
    assert [event["event_group"] for event in held(at)] == ["g-2"]


def test_dates_that_nobody_remembers_do_not_stay() -> None:
    three = {**ENTRY, "dates": [{"start": f"2026-12-2{n}"} for n in range(3)]}
    one = {**ENTRY, "dates": three["dates"][:1]}
    at = simulator()
    vendor_id = made(at, three)
    recover(at, situation(one, merged(three, one), vendor_id=vendor_id, unsure=True))
    assert [entry["start"] for entry in at.entries()] == ["2026-12-20"]


def test_a_look_is_good_for_the_content_that_was_wanted_then() -> None:
    newer = {**ENTRY, "title": "Newer"}
    looked = judgement(Step.WRITE, ENTRY).candidates
    known = {"unsure": True, "vendor_id": PROKEY, "candidates": looked}
    assert VENDOR.plan(situation(ENTRY, ENTRY, **known)) is Step.WRITE
    assert VENDOR.plan(situation(newer, ENTRY, **known)) is Step.FIND


def test_candidates_are_looked_at_those_with_the_title_first() -> None:
    rows = [{"id": "a1", "label": "Other"}, {"prokey": "b2", "label": "Due"}, {"id": "c3", "label": None}]
    one = situation(ENTRY, ENTRY, unsure=True)
    assert VENDOR.read(Step.FIND, [one], Response(200, body=json.dumps(rows).encode()), NOW) == [
        Look(("b2", "a1", "c3"))
    ]
    second = situation(ENTRY, ENTRY, unsure=True, candidates=["b2", "a1"])
    other = Response(200, body=b'{"dates": [], "iCalFileName": null}')
    assert VENDOR.read(Step.FIND, [second], other, NOW) == [Look(("a1",))]


def test_a_full_page_has_another_after_it() -> None:
    rows = [{"prokey": f"p-{n}", "label": "x"} for n in range(800)]
    (found,) = VENDOR.read(
        Step.FIND, [situation(ENTRY, ENTRY, unsure=True)], Response(200, body=json.dumps(rows).encode()), NOW
    )
    assert isinstance(found, Look)
    assert (len(found.candidates), found.candidates[-1]) == (801, "page:2")
    last = situation(ENTRY, ENTRY, unsure=True, candidates=found.candidates[-1:])
    assert dict(VENDOR.request(Step.FIND, [last]).query)["page"] == "2"


def test_what_is_on_the_second_page_is_found() -> None:
    at = simulator()
    for number in range(805):
        call(at, "POST", "/event", {"event_group": "g-1", "dates": [{"name": f"n{number}", "startDate": "2026-12-24"}]})
    vendor_id = made(at, ENTRY)
    one, looks = situation(ENTRY, {**ENTRY, "title": "x"}, unsure=True), 0
    while isinstance(outcome := send(at, Step.FIND, one), Look):
        one, looks = situation(ENTRY, one.observed, unsure=True, candidates=outcome.candidates), looks + 1
    assert isinstance(outcome, Accepted)
    assert (outcome.vendor_id, looks) == (vendor_id, 807)


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.UPDATE),
        ({"observed": None, "vendor_id": None}, Step.CREATE),
        ({"vendor_id": None}, Step.FIND),
        ({"wanted": None}, Step.DELETE),
        ({"wanted": None, "unsure": True}, Step.DELETE),
        ({"wanted": None, "unsure": True, "vendor_id": None}, Step.FIND),
        ({"observed": {**ENTRY, "collection": "g-2"}}, Step.DELETE),
        ({"unsure": True, "vendor_id": None}, Step.FIND),
        ({"unsure": True, "vendor_id": None, "candidates": ("a",)}, Step.FIND),
        ({"unsure": True, "vendor_id": None, "absent": True}, Step.CREATE),
        ({"unsure": True}, Step.FIND),
        ({"unsure": True, "candidates": judgement(Step.WRITE, ENTRY).candidates}, Step.WRITE),
        ({"unsure": True, "candidates": judgement(Step.DELETE, ENTRY).candidates}, Step.DELETE),
    ],
)
def test_it_plans(changed: dict[str, Any], step: Step) -> None:
    assert VENDOR.plan(Situation(**{**vars_of(situation(ENTRY, ENTRY, vendor_id=PROKEY)), **changed})) is step


def vars_of(one: Situation) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Situation.__slots__}


# What it cannot say

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


@pytest.mark.parametrize("answers", ["old", "new"])
def test_every_field_comes_back(answers: str) -> None:
    at = simulator(answers=answers)
    prokey = made(at, EVERYTHING)
    check(at, EVERYTHING)
    _, read = call(at, "GET", f"/event/{prokey}")
    (event,) = read if isinstance(read, list) else (read,)
    said = json.loads(VENDOR.request(Step.CREATE, [situation(EVERYTHING)]).body)
    group = {"prokey": "g-1"} if answers == "old" else "g-1"
    assert {**event, **said, "event_group": group} == event
    assert event["dates"] == said["dates"]
    assert (event["dates"][0]["endTime"], event["dates"][0]["status"]) == ("11:00", "TENTATIVE")
    known = situation(EVERYTHING, EVERYTHING, vendor_id=prokey, unsure=True)
    assert isinstance(send(at, Step.FIND, known), Accepted)


def test_every_field_that_it_can_say_is_in_the_tests() -> None:
    rest = {"recurrence", "dates"}
    expression = VENDOR.express({})
    assert expression.fields - rest == EVERYTHING.keys() - {NAME}
    assert expression.own.keys() - {"new_event_group_name", "description_html"} == EVERYTHING[NAME].keys()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"title": ""}, "title"),
        ({"start": ""}, "start"),
        ({"collection": ""}, "collection"),
        ({NAME: {"new_event_group_name": "x"}}, "collection"),
        ({"start": "2026-12-24T09:00:00", "all_day": False}, "time_zone"),
        ({"start": "2026-03-29T02:30:00", "all_day": False, "time_zone": "Europe/Berlin"}, "start"),
        ({"start": "2026-12-24T09:00:30", "all_day": False, "time_zone": "Europe/Berlin"}, "start"),
        ({"start": "2026-12-24T09:00:00Z", "all_day": False, "time_zone": "Europe/Berlin"}, "start"),
        ({"start": "today+4"}, "start"),
        ({"start": "2026-12-24", "all_day": False}, "all_day"),
        ({"start": "2026-12-24T09:00:00", "time_zone": "UTC"}, "all_day"),
        ({"end": "2026-12-24"}, "end"),
        ({"end": "2026-12-25T09:00:00"}, "end"),
        ({"time_zone": "AUS Eastern Standard Time"}, "time_zone"),
        ({"time_zone": "currentBrowser"}, "time_zone"),
        ({"time_zone": "Factory"}, "time_zone"),
        ({"end_time_zone": "Europe/Paris"}, "end_time_zone"),
        ({"dates": [{"start": "2026-12-24"}, {"start": "x"}]}, "dates[1]"),
        ({"recurrence": "FREQ=DAILY", "dates": [{"start": "2026-12-24"}, {"start": "2026-12-25"}]}, "recurrence"),
        ({"recurrence": "FREQ=DAILY", NAME: {"recurrence_simple_type": "daily"}}, "recurrence"),
        ({"recurrence": "daily"}, "recurrence"),
        ({NAME: {"recurrence_count": 3}}, f"{NAME}.recurrence_count"),
        ({NAME: {"recurrence_simple_type": "hourly"}}, f"{NAME}.recurrence_simple_type"),
        ({NAME: {"rsvp": "yes"}}, f"{NAME}.rsvp"),
        ({NAME: {"iCalFileName": "mine"}}, f"{NAME}.iCalFileName"),
        ({NAME: {"description_html": "<br>"}}, f"{NAME}.description_html"),
        ({NAME: {"description_html": "<p>x"}}, f"{NAME}.description_html"),
        ({NAME: {"description_html": '<a href="javascript:x">x</a>'}}, f"{NAME}.description_html"),
        ({"description": "x", NAME: {"description_html": "<p>x</p>"}}, "description"),
        ({NAME: {"organizer_name": "Jack"}}, f"{NAME}.organizer_name"),
        ({NAME: {"organizer_name": "J" * 51, "organizer_email": "a@b.c"}}, f"{NAME}.organizer_name"),
        ({"participants": [{"name": "Santa", "email": "a@b.c"}]}, "participants"),
    ],
)
def test_it_says_which_field_it_cannot_say(said: dict[str, Any], field: str) -> None:
    (problem,) = VENDOR.problems({**ENTRY, **said}, OPTIONS)
    assert problem.split()[0].rstrip(":") == field


@pytest.mark.parametrize(
    ("people", "options", "word"),
    [
        ([{"name": "S", "email": "a@b.c"}], {}, "public"),
        ([{"name": "S", "email": "a@b.c"}] * 2, OPTIONS, "2 given"),
        ([{"name": "S", "email": "a@b.c", "phone": "1"}], OPTIONS, "phone"),
        ([{"name": "S"}], OPTIONS, "e-mail"),
        ([{"email": "a@b.c"}], OPTIONS, "name"),
    ],
)
def test_a_participant_is_sent_knowingly_and_whole(people: Any, options: Any, word: str) -> None:
    own = {"organizer_name": "Jack", "organizer_email": "jack@frost.example"}
    (problem,) = VENDOR.problems({**ENTRY, "participants": people, NAME: own}, options)
    assert word in problem


# Links, costs, webhooks


def test_an_event_that_is_no_form_has_a_page_a_file_and_direct_links() -> None:
    content = {
        **ENTRY,
        "dates": [{"start": "2026-12-24"}, {"start": "2026-12-25"}],
        NAME: {"organizer_name": "J", "organizer_email": "j@f.example"},
    }
    body = json.dumps({"status": "success", "message": "created", "prokey": PROKEY}).encode()
    (outcome,) = VENDOR.read(Step.CREATE, [situation(content)], Response(200, body=body), NOW)
    assert isinstance(outcome, Accepted)
    file = f"https://event.caldn.net/{PROKEY}/5d680fd5a927d4aa"
    kinds = ("ical", "apple", "google", "ms365", "outlookcom", "msteams", "yahoo")
    assert outcome.links == {
        "landing_page": f"https://caldn.net/{PROKEY}",
        "ics": f"{file}.ics",
        "ics_2": f"{file}-2.ics",
        **{kind: f"https://caldn.net/{PROKEY}/o/{kind}" for kind in kinds},
    }


def test_the_links_come_with_every_write_and_find() -> None:
    at = simulator()
    vendor_id = made(at, ENTRY)
    one = situation(ENTRY, ENTRY, vendor_id=vendor_id)
    found = [send(at, step, one) for step in (Step.UPDATE, Step.WRITE, Step.FIND)]
    assert [outcome.links["landing_page"] for outcome in found if isinstance(outcome, Accepted)] == [
        f"https://caldn.net/{vendor_id}"
    ] * 3


def test_a_create_costs_a_credit_and_an_update_a_fifth() -> None:
    assert [VENDOR.cost(step, situation(ENTRY)) for step in Step] == [1.0, 0.2, 0.2, 0.0, 0.0]


EVENT_DATA = {"prokey": PROKEY, "dates": [{"name": "x"}], "date_updated": None, "status": "published"}
RSVP_DATA = {
    "status": "confirmed", "date_created": "2025-06-26T19:04:30.237Z", "date_updated": "2025-06-26T19:05:00.137Z",
    "email": "john.doe@email.com", "prokey": PROKEY, "amount": 1, "payload": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"element_data": RSVP_DATA}, "answered"),
        ({"element_data": RSVP_DATA, "trigger": "update", "trigger_element": "rsvp_answer"}, "answered"),
        ({"element_data": EVENT_DATA}, "accepted"),
        ({"element_data": {**EVENT_DATA, "date_updated": "2025-06-26T19:25:34.677Z"}}, "changed"),
        ({"element_data": EVENT_DATA, "trigger": "create", "trigger_element": "event"}, "accepted"),
        ({"element_data": EVENT_DATA, "trigger": "update", "trigger_element": "event"}, "changed"),
        ({"element_data": {"prokey": PROKEY}, "trigger": "delete", "trigger_element": "event"}, "deleted"),
        ({"element_data": {"id": PROKEY}, "trigger": "delete", "trigger_element": "event"}, "deleted"),
    ],
)
def test_a_webhook_tells(body: dict[str, Any], kind: Any) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(json.dumps(body).encode()) == [Notice(kind, entry=PROKEY, data=body)]


def test_two_answers_of_one_guest_are_two_notices() -> None:
    assert VENDOR.inbound is not None
    bodies = [{"element_data": {**RSVP_DATA, "id": "a-1", "date_updated": at}} for at in ("T1", "T2")]
    told = [notice for body in bodies for notice in VENDOR.inbound(json.dumps(body).encode()) or ()]
    assert [notice.id for notice in told] == ["a-1@T1", "a-1@T2"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"element_data": 1}', b'{"element_data": {"id": "67"}}'])
def test_a_webhook_that_cannot_be_read(body: bytes) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(body) is None


def test_a_webhook_of_another_element_tells_nothing_of_entries() -> None:
    assert VENDOR.inbound is not None
    assert (
        VENDOR.inbound(b'{"element_data": {"prokey": "g"}, "trigger": "delete", "trigger_element": "event_group"}')
        == []
    )


# The simulator refuses what the documents refuse


LEAST: dict[str, Any] = {"event_group": "g-1", "dates": [{"name": "T", "startDate": "2024-12-24"}]}


def dated(**fields: Any) -> dict[str, Any]:
    return {**LEAST, "dates": [{**LEAST["dates"][0], **fields}]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"dates": LEAST["dates"]},
        {"event_group": "g-1"},
        {**LEAST, "new_event_group_name": "x"},
        {**LEAST, "dates": []},
        {**LEAST, "status": "draft"},
        {**LEAST, "colour": "red"},
        {**LEAST, "dates": [{"startDate": "2024-12-24"}]},
        {**LEAST, "dates": [{"name": "T"}]},
        {**LEAST, "dates": [*LEAST["dates"], *LEAST["dates"]], "recurrence_simple_type": "daily"},
        {**LEAST, "recurrence": "RRULE:FREQ=DAILY"},
        {**LEAST, "recurrence": "FREQ=DAILY", "simplified_recurrence": False},
        {**LEAST, "recurrence_simple_type": "daily", "simplified_recurrence": False},
        {**LEAST, "rsvp": "true"},
        dated(organizerName="Jack"),
        dated(timeZone="America/Los_Angelese"),
        dated(startDate="today+4"),
        dated(startDate="24.12.2024"),
        dated(startTime="14:45"),
        dated(startTime="9:00", endTime="10:00"),
        dated(endDate="2024-12-23"),
        dated(startTime="09:00", endTime="08:00"),
        dated(status="cancelled"),
        dated(availability="maybe"),
        dated(description="<b>x</b>"),
        dated(description="<script>x</script>"),
        dated(description="<p onclick='x'>x</p>"),
        dated(attendee_name="Santa", attendee_email="a@b.c"),
        dated(organizer_name="x" * 51, organizer_email="a@b.c"),
    ],
)
def test_the_simulator_refuses(wrong: dict[str, Any]) -> None:
    at = simulator()
    assert (call(at, "POST", "/event", wrong)[0], at.items()) == (400, [])


def test_the_simulator_answers_in_both_shapes() -> None:
    assert set(call(simulator(answers="old"), "POST", "/event", LEAST)[1]) == {"success", "id"}
    assert set(call(simulator(), "POST", "/event", LEAST)[1]) == {"status", "message", "prokey"}


def test_the_simulator_knows_the_documented_samples() -> None:
    """The whole sample of a request, without what its own comments exclude."""
    (sample,) = (body for body in [VENDOR.request(Step.CREATE, [situation(EVERYTHING)]).body])
    assert call(simulator(), "POST", "/event", json.loads(sample))[0] == 200


def test_an_update_goes_by_position_and_changes_no_group() -> None:
    at = simulator()
    two = {**LEAST, "dates": [*LEAST["dates"], {"name": "U", "startDate": "2024-12-25", "location": "L"}]}
    prokey = call(at, "POST", "/event", two)[1]["prokey"]
    assert call(at, "PATCH", f"/event/{prokey}", {"event_group": "g-2"})[0] == 400
    assert call(at, "PATCH", f"/event/{prokey}", {"status": "published"})[0] == 400
    assert call(at, "PATCH", f"/event/{prokey}", {"dates": [{}, {"location": "M"}]})[0] == 400
    assert call(at, "PUT", f"/event/{prokey}", {"dates": [{"name": "T"}, {"location": "M"}]})[0] == 200
    assert [entry["location"] for entry in at.entries()] == ["", "M"]
    assert call(at, "PATCH", f"/event/{prokey}", {"dates": [{"name": None, "startDate": None}]})[0] == 200
    assert [entry["title"] for entry in at.entries()] == ["U"]


def test_credits_run_out() -> None:
    at = simulator(credits=2)
    prokey = call(at, "POST", "/event", LEAST)[1]["prokey"]
    for _ in range(5):
        assert call(at, "PATCH", f"/event/{prokey}", {"rsvp": True})[0] == 200
    assert (at.credits, call(at, "POST", "/event", LEAST)[0]) == (0, 402)
    assert send(at, Step.CREATE, situation(ENTRY)) == Throttled(3600.0)


def test_a_draft_is_on_no_page_and_cannot_be_published() -> None:
    at = simulator(draft_titles=["T"])
    prokey = call(at, "POST", "/event", LEAST)[1]["prokey"]
    assert call(at, "GET", f"/event/{prokey}")[1]["status"] == "draft"
    assert call(at, "PATCH", f"/event/{prokey}", {"status": "published"})[0] == 400
    assert at.entries() == []


def test_groups_are_made_changed_and_take_their_events_with_them() -> None:
    at = simulator()
    assert call(at, "POST", "/group", {"internal_note": "x"})[0] == 400
    group = call(at, "POST", "/group", {"name": "My events"})[1]["prokey"]
    prokey = call(at, "POST", "/event", {**LEAST, "event_group": group})[1]["prokey"]
    assert call(at, "GET", f"/group/{group}")[1]["events"] == [prokey]
    assert call(at, "PATCH", f"/group/{group}", {"name": "Other"})[0] == 200
    linked = {"subscription": "external", "subscription_cal_url": "https://x.example/a.ics"}
    assert call(at, "PATCH", f"/group/{group}", linked)[0] == 400
    assert call(at, "GET", "/group/latest")[1]["name"] == "Other"
    assert {"prokey": group, "label": "Other"} in call(at, "GET", "/group/all")[1]
    assert (call(at, "DELETE", f"/group/{group}")[0], at.items()) == (200, [])
    assert call(at, "GET", f"/group/{group}") == (404, {"status": "error", "message": "No entry found"})


WEBHOOK = {
    "name": "API generated Webhook", "active": True, "method": "POST", "trigger": "create",
    "payload_url": "https://webhook-endpoint.your-domain.com", "trigger_element": "rsvp_answer",
    "body": [{"key": "trigger", "value": "create"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("rsvp-block", {"name": "Demo RSVP Block", "max": 50, "maxpp": 2}),
        ("cta-block", {"name": "Shop", "type": "link"}),
        ("style", {"name": "Dark"}),
        ("landingpage", {"name": "Ours", "title": "Welcome"}),
        ("webhook", WEBHOOK),
    ],
)
def test_every_other_element_is_kept(kind: str, fields: dict[str, Any]) -> None:
    at = simulator()
    assert call(at, "GET", f"/{kind}/all")[0] == 404
    assert call(at, "POST", f"/{kind}", {"colour": "red"})[0] == 400
    name = call(at, "POST", f"/{kind}", fields)[1]["id"]
    assert call(at, "PATCH", f"/{kind}/{name}", {"name": "New"})[0] == 200
    shown = call(at, "GET", f"/{kind}/{name}")[1]
    assert {**shown, **fields, "name": "New"} == shown
    assert call(at, "GET", f"/{kind}/latest")[1] == shown
    assert call(at, "GET", f"/{kind}/all")[1] == [{"id": int(name), "name": "New"}]
    assert call(at, "DELETE", f"/{kind}/{name}")[0] == 200
    assert call(at, "GET", f"/{kind}/{name}")[0] == 404


def test_files_answers_and_domains_can_be_read() -> None:
    replies = [{"id": "a", "prokey": "p", "status": "confirmed"}, {"id": "b", "prokey": "q", "status": "undecided"}]
    at = simulator(rsvp_answers=replies)
    prokey = made(at, ENTRY)
    assert call(at, "GET", "/rsvp-answers/p")[1] == replies[:1]
    assert call(at, "GET", "/rsvp-answers/p/latest")[1] == replies[0]
    assert call(at, "GET", "/rsvp-answers/latest")[1] == replies[1]
    assert call(at, "GET", "/custom-domains")[0] == 200
    assert call(at, "GET", "/email-template/rsvp_doi")[0] == 404
    assert "SUMMARY:Due" in call(at, "GET", f"/ics/{prokey}", query=(("responseType", "object"),))[1]["ics"]
    assert call(at, "GET", "/event/latest")[1]["prokey"] == prokey


def test_the_probe_is_good_with_a_key_and_without_an_event() -> None:
    at = simulator()
    probe = VENDOR.probe({})
    signed = VENDOR.sign(probe, SECRET, None)
    assert at.handle(signed.method, signed.path, (), dict(signed.headers), b"", 0.0).status == 404
    assert at.handle(probe.method, probe.path, (), {}, b"", 0.0).status == 401
    at.revoke(0.0)
    assert send(at, Step.CREATE, situation(ENTRY)) == Unauthorized()


def test_a_list_that_cannot_be_read_is_asked_for_again() -> None:
    one = situation(ENTRY, ENTRY, unsure=True)
    for body in (b"{}", b"", b'[{"label": "x"}]', b'[{"id": "../x"}]'):
        assert VENDOR.read(Step.FIND, [one], Response(200, body=body), NOW) == [Retry()]


def test_a_servers_fault_says_nothing() -> None:
    one = situation(ENTRY, ENTRY, vendor_id=PROKEY)
    assert VENDOR.read(Step.CREATE, [one], Response(502), NOW) == [Unknown("http_502")]
    assert VENDOR.read(Step.CREATE, [one], Response(413), NOW) == [Rejected("too_large", "http_413")]


def test_who_cancels_the_entry_cancels_all_of_its_dates() -> None:
    dates = [{"start": "2027-05-03T09:00:00", "status": "confirmed"}, {"start": "2027-05-04T09:00:00"}]
    content = {"title": "t", "collection": "g", "time_zone": "Europe/Paris", "dates": dates, "status": "cancelled"}
    situation = Situation(key="k", wanted=content, observed=None, identity=None, options={})
    body = json.loads(vendors()["add_to_calendar_pro"].request(Step.CREATE, [situation]).body)
    assert [one["status"] for one in body["dates"]] == ["CANCELLED", "CANCELLED"]
