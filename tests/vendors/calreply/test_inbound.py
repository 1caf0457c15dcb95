"""What CalReply's webhooks tell: by our own id somebody is linked, by an address nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.vendors.calreply import VENDOR
from pipeline.vendors.contract import Notice
from tests.sandbox.merchant import Merchant

# Object Data, lines 1011-1044 (its JSON put right).
SUBSCRIBE = {
    "actionType": "SubscriptionViaCalendarPage",
    "calendarSubscriptionId": "0f1d5918-052d-4915-89a7-8cc9c4d33492",
    "merchantId": "0b98ef2c-f739-45f1-81e3-b2def2bb868f",
    "merchantName": "Your Account",
    "calendarId": "4a2d4acb-bd05-e511-af43-067f1c947754",
    "calendarTitle": "My Sports Calendar",
    "subscriptionMethod": "Google",
    "calendarTags": [{"tagId": "6513319e-d3e1-4497-89ee-b5dcee9a58bc", "tagText": "Team G"}],
    "timeZoneTag": {"windowsName": "Eastern Standard Time"},
    "createdDateTimeUtc": "2017-03-15 03:48:24.822495",
    "emailAddress": "john.smith@gmail.com",
    "additionalOptIn": False,
    "isMarketingAllowed": True,
    "remoteIpAddress": "150.101.114.215",
    "userAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_3)     AppleWebKit/537.36 Safari/537.36",
    "Referer": "http://google.com/",
    "enteredPostCode": "90210",
    "cableProvider": "DIRECTV",
    "cableProviderLocation": "New York",
    "countryCode": "US",
    "geoCountry": "United States",
    "deviceName": "Desktop",
    "utmSource": "Facebook",
    "utmMedium": "Display",
    "utmCampaign": "2017",
    "utmContent": "Mobile_320x50",
    "source": "youraccount.calreply.net",
}
# Object Data, lines 1085-1121: `calendarSubscriptionid`, `providerLocation` and `unsubscribeResonText` as they stand.
UNSUBSCRIBE = {
    **{
        name: value for name, value in SUBSCRIBE.items() if name not in ("calendarSubscriptionId", "subscriptionMethod")
    },
    "actionType": "UnsubscribeUserAction",
    "calendarSubscriptionid": "a3811c49-2589-4f4b-870c-b883fe0c1e17",
    "providerLocation": "New York",
    "createdDateTimeUtc": "2017-03-09 23:52:28.683000",
    "removedDateTimeUtc": "2017-03-09 23:57:00.607846",
    "unsubscribeResonText": "The events have come to an end",
}
THERE, GONE = SUBSCRIBE["calendarSubscriptionId"], UNSUBSCRIBE["calendarSubscriptionid"]
# The successor's second version, by its field names.
ABOUT = {"calendarSubscriptionId": THERE, "subscriberExternalId": "C-7", "emailAddress": "john.smith@gmail.com"}
SECOND = {"actionType": "SubscriptionViaWebApi", "accountId": "1", "accountName": "A", "accountCode": "acme"}
ENVELOPE = "0f1d5918-052d-4915-89a7-8cc9c4d33492"


def told(kind: str, details: Any) -> Notice | None:
    return read({"eventId": ENVELOPE, "eventType": kind, "eventDetails": details})


def read(data: Any) -> Notice | None:
    assert VENDOR.inbound is not None
    found = VENDOR.inbound(json.dumps(data).encode())
    if found is None:
        return None
    (notice,) = found
    assert notice.data == data
    return notice


def parts(notice: Notice | None) -> tuple[str, str | None, str | None, str | None] | None:
    return None if notice is None else (notice.kind, notice.subscriber, notice.identity, notice.entry)


EVENT = {"subscription": ABOUT, "subscriptionEvent": {"eventId": "INV-1", "title": "T"}}


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        ("Subscribe", SUBSCRIBE, ("seen", None, THERE, None)),
        ("Subscribe", {**SUBSCRIBE, "subscriberExternalId": "C-7"}, ("linked", "C-7", THERE, None)),
        ("Subscribe", {**SUBSCRIBE, "subscriberExternalId": "john.smith@gmail.com"}, ("seen", None, THERE, None)),
        ("Subscribe", {**SUBSCRIBE, "subscriberExternalId": " "}, ("seen", None, THERE, None)),
        ("Subscribe", {**SECOND, "subscription": ABOUT}, ("linked", "C-7", THERE, None)),
        ("Unsubscribe", UNSUBSCRIBE, ("unlinked", None, GONE, None)),
        ("Unsubscribe", {**UNSUBSCRIBE, "subscriberExternalId": "C-7"}, ("unlinked", "C-7", GONE, None)),
        ("Unsubscribe", {**SECOND, "subscription": ABOUT}, ("unlinked", "C-7", THERE, None)),
        ("SubscriptionDetailsUpdated", {**SECOND, "subscription": ABOUT}, ("changed", "C-7", THERE, THERE)),
        ("SubscriptionEventAdded", {**SECOND, **EVENT}, ("accepted", "C-7", THERE, "INV-1")),
        ("SubscriptionEventUpdated", {**SECOND, **EVENT}, ("changed", "C-7", THERE, "INV-1")),
        ("SubscriptionEventRemoved", {**SECOND, **EVENT}, ("deleted", "C-7", THERE, "INV-1")),
        (
            "SubscriptionEventDeleted",
            {"subscriptionEvent": EVENT["subscriptionEvent"]},
            ("deleted", None, None, "INV-1"),
        ),
        # The Deleted sample's own type.
        (
            "SubscriptionEventRemoved",
            {"subscriptionEvent": EVENT["subscriptionEvent"]},
            ("deleted", None, None, "INV-1"),
        ),
        (
            "Test",
            {"message": "This is a test payload", "date": "2017-03-15 06:21:21.318943"},
            ("test", None, None, None),
        ),
        ("SomethingNew", SUBSCRIBE, ("seen", None, THERE, None)),
        ("SomethingNew", {}, None),
        ("Subscribe", {}, None),
        ("Subscribe", "x", None),
        ("SubscriptionEventAdded", SECOND, None),
    ],
)
def test_a_notification_tells(kind: str, details: Any, expected: Any) -> None:
    notice = told(kind, details)
    assert parts(notice) == expected
    assert notice is None or notice.id == ENVELOPE


def test_a_test_may_come_without_an_envelope() -> None:
    assert parts(read({"message": "This is a test payload", "date": "2017-03-15"})) == ("test", None, None, None)


def test_a_notice_shows_nobody() -> None:
    shown = repr(told("Subscribe", {**SUBSCRIBE, "subscriberExternalId": "C-7"}))
    assert "C-7" not in shown
    assert "john" not in shown
    assert shown == "Notice(kind='linked')"


@given(body=st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from((
        "eventId", "eventType", "eventDetails", "subscription", "subscriptionEvent", "calendarSubscriptionId",
        "subscriberExternalId", "message", "date",
    )), inner | st.sampled_from(("Subscribe", "Unsubscribe", "SubscriptionEventAdded", "a@b"))),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_body_is_read_or_not(body: bytes) -> None:
    assert VENDOR.inbound is not None
    found = VENDOR.inbound(body)
    assert found is None or all("@" not in (notice.subscriber or "") for notice in found)


@pytest.mark.parametrize(("version", "kinds"), [(1, ["linked", "unlinked"]), (2, ["linked", "changed", "unlinked"])])
def test_what_the_simulator_sends_is_read(version: int, kinds: list[str]) -> None:
    merchant = Merchant(webhooks=version)
    identity = merchant.subscribed(subscriberId="C-7")
    merchant.read("PUT", f"/v1/subscription/acme/cal/{identity}", {"additionalOptIn": True}, 1.0)
    merchant.call("DELETE", "/v1/subscription/acme/cal", {"id": identity}, 2.0)
    notices = [read(sent) for sent in merchant.simulator.notices]
    assert [(one.kind, one.subscriber, one.identity) for one in notices if one] == [(k, "C-7", identity) for k in kinds]
