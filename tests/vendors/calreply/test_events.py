"""Any event has problems or arrives whole at CalReply, from anywhere, whatever gets lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import tz_win

from pipeline.model.outcome import Rejected
from pipeline.model.when import BadTime, resolve
from pipeline.vendors.calreply import VENDOR
from pipeline.vendors.calreply.payload import subscriptions
from pipeline.vendors.calreply.zones import fitting
from pipeline.vendors.contract import Situation
from tests.vendors.calreply.account import FIRST, LOSSES, ROKT, SECOND, TEXT, THIRD, Account, Content, problems

ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
# Around clock changes of Berlin, New York, Sydney, Lord Howe and London.
CHANGES = ("2026-03-29T01:30", "2026-10-25T02:30", "2026-03-08T03:00", "2026-11-01T01:30", "2026-04-05T02:15")
MOMENTS = st.sampled_from(CHANGES).map(lambda text: datetime.fromisoformat(text)) | st.datetimes(
    datetime(2015, 1, 1), datetime(2035, 1, 1)
).map(lambda moment: moment.replace(microsecond=0))


@st.composite
def timed(draw: st.DrawFn) -> Content:
    start, zone, other = draw(MOMENTS), draw(ZONES), draw(st.none() | ZONES)
    content: Content = {"start": start.isoformat(), "time_zone": zone}
    length = draw(st.none() | st.integers(-60, 60 * 24 * 3))
    try:
        begin = resolve(start, zone)
        if length is not None:
            end = (begin.astimezone(UTC) + timedelta(minutes=length)).astimezone(ZoneInfo(other or zone))
            local = end.replace(tzinfo=None, fold=0)
            assume(resolve(local, other or zone) == end)
            content["end"] = local.isoformat()
            content |= {"end_time_zone": other} if other else {}
    except (BadTime, OverflowError):
        assume(False)
    return content


@st.composite
def all_day(draw: st.DrawFn) -> Content:
    start = draw(st.dates(date(2015, 1, 1), date(2035, 1, 1)))
    content: Content = {"start": start.isoformat(), "time_zone": draw(ZONES), "all_day": True}
    length = draw(st.none() | st.integers(-1, 5))
    return content if length is None else {**content, "end": (start + timedelta(days=length)).isoformat()}


FIELDS = {
    "title": TEXT,
    "description": TEXT,
    "location": TEXT,
    "alerts": st.lists(st.sampled_from((-5, 0, 15, 1440)), max_size=2),
    "links": st.just([{"name": "n", "url": "https://n.example"}]),
    "status": st.just("cancelled"),
    "calreply": st.fixed_dictionaries(
        {},
        optional={
            "visibleFromDateTimeUtc": st.sampled_from(("2026-01-01T00:00:00Z", "")),
            "actionType": st.sampled_from(("Reminder", "Update")),
            "colour": st.just("red"),
        },
    ),
}


@st.composite
def arbitrary(draw: st.DrawFn) -> Content:
    chosen = draw(st.sets(st.sampled_from(sorted(FIELDS))))
    return {**draw(timed() | all_day()), **{name: draw(FIELDS[name]) for name in sorted(chosen)}}


@st.composite
def events(draw: st.DrawFn) -> Content:
    """Mostly such as CalReply can say."""
    texts = {name: draw(TEXT) for name in sorted(draw(st.sets(st.sampled_from(("description", "location")))))}
    alerts = draw(st.none() | st.sampled_from((0, 15, 1440)).map(lambda minutes: [minutes]))
    own = draw(st.none() | st.sampled_from(("Reminder", "Update")).map(lambda action: {"actionType": action}))
    content = {"title": draw(TEXT.filter(bool)), **draw(timed() | all_day()), **texts}
    return content | ({} if alerts is None else {"alerts": alerts}) | ({} if own is None else {"calreply": own})


OPTIONS = st.sampled_from(({"account_code": "acme"}, ROKT, {**ROKT, "time_zones": "iana"}))
SUCCESSOR = st.sampled_from((ROKT, {**ROKT, "time_zones": "iana"}))
AUDIENCES = st.lists(st.sampled_from((FIRST, SECOND, THIRD)), min_size=1, unique=True).map(",".join)


def instant(text: str | None, zone: str) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def expected(content: Content) -> Content:
    zone = content["time_zone"]
    whole = bool(content.get("all_day"))
    after = (date.fromisoformat(content["start"][:10]) + timedelta(days=1)).isoformat()
    ends = content.get("end_time_zone", zone)
    return {
        "title": content["title"],
        "description": content.get("description", ""),
        "location": content.get("location", ""),
        "all_day": whole,
        "start": content["start"] if whole else instant(content["start"], zone),
        "end": max(after, content.get("end", after)) if whole else instant(content.get("end"), ends),
        "alert": next(iter(content.get("alerts", [])), None),
        "own": content.get("calreply", {}),
    }


def shown(entry: Mapping[str, Any]) -> Content:
    whole, said, zone = entry["all_day"], entry["content"], entry["time_zone"]
    return {
        **{name: entry[name] for name in ("title", "description", "location", "all_day")},
        "start": entry["start"] if whole else instant(entry["start"], zone),
        "end": entry["end"] if whole else instant(entry["end"], zone),
        "alert": said.get("notifyBefore"),
        "own": {name: said[name] for name in ("visibleFromDateTimeUtc", "actionType") if name in said},
    }


def check_there(account: Account, content: Content, audience: str) -> None:
    found = account.simulator.entries(account.now)
    assert sorted(entry["calendar"] for entry in found) == sorted(subscriptions(audience))
    assert [shown(entry) for entry in found] == [expected(content)] * len(found)


@settings(max_examples=40)
@given(content=arbitrary() | events(), options=OPTIONS, audience=AUDIENCES)
def test_an_event_has_problems_or_arrives_whole(content: Content, options: Mapping[str, Any], audience: str) -> None:
    if problems(content, options):
        return
    account = Account(options)
    account.bring(content, audience)
    assert account.calls == 1
    check_there(account, content, audience)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        # The end is the second of a doubled local time in the start's zone.
        ({"start": "2026-10-25T00:30:00", "end": "2026-10-25T01:30:00", "end_time_zone": "Etc/UTC"}, {}),
        ({"start": "2026-10-25T00:30:00", "end": "2026-10-25T01:30:00", "end_time_zone": "Etc/UTC"}, ROKT),
        (
            {"start": "2026-10-25T00:30:00", "end": "2026-10-25T01:30:00", "end_time_zone": "Etc/UTC"},
            {**ROKT, "time_zones": "iana"},
        ),
        # One that CLDR knows by its newer name only.
        ({"start": "2026-07-01T09:00:00", "time_zone": "EST5EDT"}, {}),
    ],
)
def test_a_time_arrives_as_the_same_instant(content: Content, options: Mapping[str, Any]) -> None:
    content = {"title": "T", "time_zone": "Europe/Berlin", **content}
    account = Account({"account_code": "acme", **options})
    account.bring(content)
    check_there(account, content, FIRST)


def test_a_zone_whose_id_skips_the_hour_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tz_win, "Africa/Lagos", "W. Europe Standard Time")
    assert fitting("Africa/Lagos", datetime(2026, 3, 29, 2, 30)) is None
    assert fitting("Africa/Lagos", datetime(2026, 3, 29, 1, 30)) == "W. Europe Standard Time"


def test_an_event_with_every_field_comes_back_with_every_field() -> None:
    content = {
        "title": "Flight 🛫",
        "description": "Seat 7; gate, B\nbring tea",
        "location": "Berlin",
        "start": "2026-12-24T09:00:00",
        "end": "2026-12-24T10:30:00",
        "time_zone": "Europe/Berlin",
        "end_time_zone": "America/New_York",
        "alerts": [15],
        "all_day": False,
        "calreply": {"visibleFromDateTimeUtc": "2026-12-01T00:00:00Z", "actionType": "Reminder"},
    }
    assert problems(content, ROKT) == []
    assert VENDOR.express(ROKT).fields == content.keys() - {"calreply"}
    account = Account()
    account.bring(content)
    check_there(account, content, FIRST)


@settings(max_examples=30)
@given(before=events(), after=events(), options=SUCCESSOR, whose=st.tuples(AUDIENCES, AUDIENCES))
def test_an_event_becomes_any_other(
    before: Content, after: Content, options: Mapping[str, Any], whose: tuple[str, str]
) -> None:
    assume(not problems(before, options) and not problems(after, options))
    account = Account(options)
    account.bring(before, whose[0])
    account.bring(after, whose[1])
    check_there(account, after, whose[1])
    account.bring(None, whose[1])
    assert account.simulator.items() == []


@settings(max_examples=30)
@given(before=events(), after=events(), whose=st.tuples(AUDIENCES, AUDIENCES), losses=LOSSES, own_uid=st.booleans())
def test_an_event_arrives_once_whatever_gets_lost(
    before: Content, after: Content, whose: tuple[str, str], losses: list[str], own_uid: bool
) -> None:
    assume(not problems(before, ROKT) and not problems(after, ROKT))
    account = Account(config={"feed_uid": "own" if own_uid else "event_id", "apply_delay": 60})
    ahead = iter(losses)
    account.bring(before, whose[0], ahead)
    account.now += 60
    account.bring(after, whose[1], ahead)
    account.now += 60
    check_there(account, after, whose[1])
    account.bring(None, whose[1], iter(losses))
    account.now += 60
    assert account.simulator.items(account.now) == []


def test_who_leaves_an_audience_is_taken_out_alone() -> None:
    content = {"title": "T", "start": "2026-12-24T09:00:00", "time_zone": "Europe/Berlin"}
    account = Account()
    account.bring(content, f"{FIRST}, {SECOND}")
    account.bring(content, SECOND)
    check_there(account, content, SECOND)
    assert [kind for _, kind, _ in account.simulator.writes["INV-1"]] == ["create"]


def test_an_event_for_nobody_is_refused() -> None:
    content = {"title": "T", "start": "2026-12-24", "all_day": True, "time_zone": "Europe/Berlin"}
    plan = VENDOR.plan(Situation("K", content, None, " , ", options=ROKT))
    assert plan == Rejected("unknown_subscriber", "identity")
