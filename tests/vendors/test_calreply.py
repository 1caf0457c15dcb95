"""CalReply against its simulator: any content has problems or arrives whole, from anywhere, whatever gets lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import tz_win

from pipeline.model.change import merge
from pipeline.model.outcome import Absent, Accepted, Exists, Outcome, Rejected, Retry, Unconfirmed, Unknown
from pipeline.model.when import BadTime, resolve
from pipeline.model.wire import Credential, Response, Token
from pipeline.rules.adapt import DestinationView, problems_of
from pipeline.vendors.calreply import VENDOR
from pipeline.vendors.calreply.payload import subscriptions
from pipeline.vendors.calreply.simulator import Simulator
from pipeline.vendors.calreply.subscription import is_subscription
from pipeline.vendors.calreply.zones import fitting, named
from pipeline.vendors.contract import Situation, Step

Content = dict[str, Any]

FIRST, SECOND, THIRD = (f"fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd{n}" for n in range(3))
ROKT = {"account_code": "acme", "api": "rokt"}
CREDENTIAL = Credential({"client_id": "me", "client_secret": "s3"})
CONFIG = {"account_code": "acme", "client_id": "me", "client_secret": "s3", "access_seconds": 10_000_000}


@dataclass
class Account:
    """One entry brought to what is wanted, call by call, as the ledger does it. Every call comes a settle time later.

    A lost call may have acted: `observed` then has the fields of what was there and of what the call carried.
    """

    options: Mapping[str, Any] = field(default_factory=lambda: ROKT)
    config: Mapping[str, Any] = field(default_factory=dict)
    key: str = "INV-1"
    links: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    def __post_init__(self) -> None:
        self.simulator = Simulator({**CONFIG, **self.config, "api": self.options.get("api", "calreply")})
        self.situation = Situation(self.key, None, None, None, options=self.options)
        self.now = 1_000_000.0
        assert VENDOR.tokens is not None
        token = VENDOR.tokens.read(self.send(VENDOR.tokens.obtain(CREDENTIAL, self.options)))
        assert isinstance(token, Token)
        self.token = token.access

    def send(self, request: Any) -> Response:
        query, headers = request.query, dict(request.headers)
        return self.simulator.handle(request.method, unquote(request.path), query, headers, request.body, self.now)

    def bring(self, wanted: Content | None, identity: str | None = FIRST, losses: Iterator[str] | None = None) -> None:
        """`losses`: what becomes of each call in turn: "" (answered), "before" or "after" (it acted)."""
        self.situation = replace(self.situation, wanted=wanted, identity=identity)
        for _ in range(24):
            if self._is_there():
                return
            self._step(next(losses, "") if losses else "")
        raise AssertionError("it does not end")

    def _is_there(self) -> bool:
        one = self.situation
        return (
            not one.unsure and one.observed == one.wanted and (not one.wanted or one.observed_identity == one.identity)
        )

    def _step(self, loss: str) -> None:
        self.now += 400.0
        self.calls += 1
        step = VENDOR.plan(self.situation)
        assert isinstance(step, Step), step
        request = VENDOR.sign(VENDOR.request(step, [self.situation]), CREDENTIAL, self.token)
        response = None if loss == "before" else self.send(request)
        if response is None or loss:
            self._settle(step, Unknown("timeout") if step is not Step.FIND else Retry())
            return
        (outcome,) = VENDOR.read(step, [self.situation], response, datetime.fromtimestamp(self.now, UTC))
        self._settle(step, outcome)

    def _settle(self, step: Step, outcome: Outcome) -> None:
        one = self.situation
        gone = replace(one, observed=None, observed_identity=None, vendor_id=None, unsure=False)
        match outcome:
            case Accepted() | Unconfirmed() if step is Step.DELETE:
                self.situation = gone
            case Accepted(vendor_id=vendor_id) | Unconfirmed(vendor_id=vendor_id):
                self.links |= getattr(outcome, "links", {})
                there = replace(one, observed=one.wanted, observed_identity=one.identity, unsure=False)
                self.situation = replace(there, vendor_id=vendor_id or one.vendor_id)
            case Absent():
                self.situation = gone
            case Exists(vendor_id=vendor_id):
                self.situation = replace(one, unsure=True, vendor_id=vendor_id or one.vendor_id)
            case Unknown():
                # The ledger counts what is wanted as carried by a lost delete too. Of a subscription that would hide
                # what cannot be updated, so here a delete carries nothing (docs/vendors/calreply.md, Not covered).
                bare = step is Step.DELETE and is_subscription(one.observed)
                carried = {} if bare else one.wanted or {}
                observed = merge([one.observed or {}, carried])
                whose = one.observed_identity or one.identity
                self.situation = replace(one, unsure=True, observed=observed, observed_identity=whose)
            case Retry():
                pass
            case other:
                raise AssertionError(other)


def problems(content: Content, options: Mapping[str, Any]) -> list[str]:
    """As the pipeline judges."""
    return problems_of(content, DestinationView("d", VENDOR, options))


# Events --------------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12)
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
LOSSES = st.lists(st.sampled_from(("", "before", "after")), max_size=5)


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


# Subscriptions -------------------------------------------------------------------------------------------------------

GUID = st.sampled_from((FIRST, SECOND, "8e71077bc7f242b8acb9bda8f804c0d7"))
NAME = TEXT.filter(lambda text: text not in ("", ".", "..") and "/" not in text)
EVENT = st.fixed_dictionaries(
    {
        "eventId": NAME,
        "title": TEXT.filter(bool),
        "description": TEXT.filter(bool),
        "start": st.sampled_from(("2016-06-04T19:00:00+10", "2016-06-04T19:00:00")),
        "end": st.just("2016-06-04T23:00:00"),
    },
    optional={
        "location": TEXT,
        "timezone": st.sampled_from(("AUS Eastern Standard Time", "Australia/Sydney")),
        "allDayEvent": st.booleans(),
        "notifyBefore": st.sampled_from((0, 60)),
    },
)
TAG = st.fixed_dictionaries({"internalId": GUID}) | st.fixed_dictionaries({"externalId": TEXT.filter(bool)})
LINK = st.sampled_from(("https://yourdomain.com/confirmation", "app://done?x=1"))
OWN: dict[str, st.SearchStrategy[Any]] = {
    "emailAddress": TEXT,
    **dict.fromkeys(("utmSource", "utmMedium", "utmContent", "utmCampaign"), TEXT),
    **dict.fromkeys(("urlReferrer", "ipAddress"), TEXT),
    "userAgent": st.sampled_from(("Mozilla/5.0 (iPhone)", "Mozilla/5.0 (Linux; Android 4.4.4)", "")),
    "calendarTags": st.lists(TAG, max_size=2),
    **dict.fromkeys(("requestEventIds", "excludeRequestEventIds"), st.lists(GUID, max_size=2)),
    **dict.fromkeys(("externalEventIds", "excludeExternalEventIds"), st.lists(TEXT.filter(bool), max_size=2)),
    "timeZoneId": st.sampled_from(("Eastern Standard Time", "Europe/Berlin", "GMT Standard Time")),
    "additionalOptIn": st.booleans(),
    "marketingAllowed": st.booleans(),
    "redirectTo": LINK,
    "subscriptionMethod": st.sampled_from(("WebCal", "Google")),
    "events": st.lists(EVENT, max_size=2, unique_by=lambda event: event["eventId"]),
    **dict.fromkeys(("channelFinderZipCode", "channelFinderLineUpId", "clickId", "networkDevice"), TEXT),
    **dict.fromkeys(("providerName", "providerLocation", "stationNum", "stationName"), TEXT),
    "sourceId": st.integers(),
    "subscriptionPlatformType": TEXT,
}
REPEATED = {  # what the vendor cannot say, or not so
    "colour": st.just("red"),
    "timeZoneId": st.sampled_from(("Australia/Lord_Howe", "Nowhere")),
    "calendarTags": st.just([{"internalId": "1"}]),
    "requestEventIds": st.just(["0000000-0000-0000-0000-000000000001"]),
    "externalEventIds": st.just([""]),
    "redirectTo": st.just("confirmation"),
    "subscriptionMethod": st.just("google"),
    "subscriberId": st.sampled_from(("", "..", "a/b")),
    "resource": st.just("ics"),
    "events": st.sampled_from(([{}], ["x"], [{"eventId": "1", "start": "soon", "notifyBefore": "15", "colour": 1}])),
}
RESOURCES = ("subscribe", "webcal", "protected", "google")
UNSAID = {
    "subscribe": (
        "sourceId",
        "subscriptionPlatformType",
        *(n for n in OWN if n[:4] in ("chan", "clic", "netw", "prov", "stat")),
    ),
    "webcal": ("redirectTo", "subscriptionMethod"),
    "protected": ("redirectTo", "subscriptionMethod", "excludeRequestEventIds", "excludeExternalEventIds"),
    "google": ("subscriptionMethod", "subscriptionPlatformType", "excludeRequestEventIds", "excludeExternalEventIds"),
}


@st.composite
def subscriptions_of(draw: st.DrawFn, calendars: tuple[str, ...] = ("open",)) -> Content:
    """Mostly such as CalReply can say."""
    kind = draw(st.sampled_from(RESOURCES))
    names = sorted(draw(st.sets(st.sampled_from(sorted(OWN.keys() - set(UNSAID[kind]))), max_size=8)))
    own = {"subscriberId": draw(st.sampled_from(("jsmith", "john.doe@mymail.com", "ü 7%2B+?#"))), "resource": kind}
    own |= {name: draw(OWN[name]) for name in names}
    if kind in ("subscribe", "google"):
        own["redirectTo"] = draw(LINK)
    if kind == "subscribe" and not own.get("userAgent"):
        own["subscriptionMethod"] = draw(OWN["subscriptionMethod"])
    if own.get("excludeRequestEventIds") or own.get("excludeExternalEventIds"):
        own = {name: value for name, value in own.items() if name not in ("requestEventIds", "externalEventIds")}
    if kind == "subscribe" and draw(st.booleans()):
        del own["resource"]
    collection = "secret" if kind == "protected" else draw(st.sampled_from(calendars))
    return {"kind": "subscription", "collection": collection, "calreply": own}


SETTINGS = ("calendarTags", "requestEventIds", "externalEventIds", "timeZoneId", "additionalOptIn", "marketingAllowed")


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Content, Content]:
    """Any two subscriptions, or two that differ in what an update can say."""
    places = ("open", "other")
    before = draw(subscriptions_of(places))
    if draw(st.booleans()):
        return before, draw(subscriptions_of(places))
    own = {name: value for name, value in before["calreply"].items() if name not in SETTINGS and "xclude" not in name}
    names = sorted(draw(st.sets(st.sampled_from(SETTINGS))))
    return before, {**before, "calreply": {**own, **{name: draw(OWN[name]) for name in names}}}


@st.composite
def wrong_subscriptions(draw: st.DrawFn) -> Content:
    content, name = draw(subscriptions_of()), draw(st.sampled_from(sorted(REPEATED)))
    return {**content, "calreply": {**content["calreply"], name: draw(REPEATED[name])}}


def said(content: Content) -> Content:
    """What the vendor is to know, lists that are empty left out."""
    own = {name: value for name, value in content["calreply"].items() if name != "resource" and value != []}
    if "timeZoneId" in own:
        own["timeZoneId"] = named(own["timeZoneId"])
    if "events" in own:
        own["events"] = [
            {name: named(value) if name == "timezone" else value for name, value in event.items()}
            for event in own["events"]
        ]
    if content["calreply"].get("resource") == "protected":
        own["username"] = own["subscriberId"]
    return own


def check_subscribed(account: Account, content: Content) -> None:
    (one,) = account.simulator.subscriptions(account.now)
    assert one["calendar"] == content["collection"]
    assert {name: value for name, value in one["said"].items() if value != []} == said(content)
    method = content["calreply"].get("subscriptionMethod")
    assert method in (None, one["method"])


PEOPLE: Mapping[str, Any] = {"protected": ["secret"]}


@settings(max_examples=50)
@given(content=subscriptions_of() | wrong_subscriptions())
def test_a_subscription_has_problems_or_arrives_whole(content: Content) -> None:
    if problems(content, {"account_code": "acme"}):
        return
    account = Account({"account_code": "acme"}, PEOPLE)
    account.bring(content, None)
    check_subscribed(account, content)
    assert account.links


@settings(max_examples=25)
@given(content=wrong_subscriptions())
def test_what_is_wrong_of_a_subscription_is_named(content: Content) -> None:
    assert problems(content, {})


def test_a_subscription_that_says_what_the_vendor_can_say_has_no_problem() -> None:
    @settings(max_examples=25)
    @given(content=subscriptions_of())
    def check(content: Content) -> None:
        late = {"excludeRequestEventIds", "excludeExternalEventIds"} & content["calreply"].keys()
        assert late or problems(content, {}) == []

    check()


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_subscription_with_every_field_comes_back_with_every_field(kind: str) -> None:
    unsaid = {*UNSAID[kind], "excludeRequestEventIds", "excludeExternalEventIds"}

    @settings(max_examples=3)
    @given(own=st.fixed_dictionaries({name: OWN[name] for name in sorted(OWN.keys() - unsaid)}))
    def check(own: Content) -> None:
        section = {**own, "resource": kind, "subscriberId": "jsmith"}
        collection = "secret" if kind == "protected" else "open"
        content = {"kind": "subscription", "collection": collection, "calreply": section}
        account = Account({"account_code": "acme"}, PEOPLE)
        account.bring(content, None)
        check_subscribed(account, content)

    check()


@settings(max_examples=30)
@given(pair=pairs(), rokt=st.booleans())
def test_a_subscription_becomes_any_other(pair: tuple[Content, Content], rokt: bool) -> None:
    before, after = pair
    assume(not problems(before, {}) and not problems(after, {}))
    account = Account(ROKT if rokt else {"account_code": "acme"}, PEOPLE)
    account.bring(before, None)
    account.bring(after, None)
    check_subscribed(account, after)
    account.bring(None, None)
    assert account.simulator.subscriptions(account.now) == []


@settings(max_examples=30)
@given(pair=pairs(), losses=LOSSES, by=st.sampled_from(("id", "username")))
def test_a_subscription_is_there_once_whatever_gets_lost(
    pair: tuple[Content, Content], losses: list[str], by: str
) -> None:
    before, after = pair
    assume(not problems(before, {}) and not problems(after, {}))
    account = Account({"account_code": "acme", "deactivate": by}, {**PEOPLE, "apply_delay": 60})
    ahead = iter(losses)
    account.bring(before, None, ahead)
    account.now += 60
    account.bring(after, None, ahead)
    account.now += 60
    check_subscribed(account, after)
    account.bring(None, None, iter(losses))
    account.now += 60
    assert account.simulator.subscriptions(account.now) == []


# What nobody may see -------------------------------------------------------------------------------------------------


def test_the_url_of_a_protected_calendar_shows_nowhere() -> None:
    content = {"kind": "subscription", "collection": "secret", "calreply": {"resource": "protected"}}
    content["calreply"]["subscriberId"] = "jsmith"
    account = Account({"account_code": "acme"}, PEOPLE)
    account.bring(content, None)
    (one,) = account.simulator.subscriptions()
    assert one["password"] in account.links["subscription"]
    answer = Response(200, body=account.links["subscription"].encode())
    (outcome,) = VENDOR.read(Step.CREATE, [account.situation], answer, datetime.now(UTC))
    assert isinstance(outcome, Accepted)
    assert outcome.links == account.links
    assert one["password"] not in repr((outcome, answer, account.situation))


def test_a_lost_create_of_a_protected_subscription_is_made_anew_for_its_password() -> None:
    content = {
        "kind": "subscription",
        "collection": "secret",
        "calreply": {"resource": "protected", "subscriberId": "jsmith"},
    }
    account = Account({"account_code": "acme"}, PEOPLE)
    account.bring(content, None, iter(["after"]))
    check_subscribed(account, content)
    (one,) = account.simulator.subscriptions()
    assert one["password"] in account.links["subscription"]


@settings(max_examples=25)
@given(content=wrong_subscriptions())
def test_a_problem_quotes_no_value(content: Content) -> None:
    text = " ".join(problems(content, {}))
    values = [value for value in content["calreply"].values() if isinstance(value, str) and len(value) > 8]
    known = {"subscribe", "protected"}
    assert not [value for value in values if value in text and value not in known]


def test_the_ledgers_own_field_types_are_declared() -> None:
    said = VENDOR.express({}).subscription
    assert said is not None
    assert said.own.keys() == {*OWN, "resource", "subscriberId"}
    assert said.needs_identity is False
    kinds = {"string": str, "boolean": bool, "integer": int, "array": list}

    @settings(max_examples=5)
    @given(own=st.fixed_dictionaries(OWN))
    def check(own: Content) -> None:
        assert all(isinstance(value, kinds[said.own[name]]) for name, value in own.items())

    check()
