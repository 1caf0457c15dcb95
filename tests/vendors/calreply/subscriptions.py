"""Arbitrary subscriptions for CalReply, sayable and wrong, and what must be there of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from pipeline.vendors.calreply.zones import named
from tests.vendors.calreply.account import FIRST, SECOND, TEXT, Account, Content

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
