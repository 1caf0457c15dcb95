"""Every operation that CalReply's documents name is simulated, strictly: also what only a call by hand would use."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.sandbox.merchant import PEOPLE, Merchant

GUID = "8e71077bc7f242b8acb9bda8f804c0d7"


def test_a_webcal_subscription_has_the_documented_answer() -> None:
    made = Merchant().read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "WebCal"})
    assert made.keys() == {
        *("success", "subscriptionType", "subscriptionId", "subscriberId", "subscriptionUrl", "isNewSubscription")
    }
    assert made["subscriptionUrl"] == f"webcal://api.calreply.net/v1/webcal/{made['subscriptionId']}"


@pytest.mark.parametrize(("agent", "method"), [("Mozilla/5.0 (iPhone)", "webcal"), ("Linux; Android 4", "google")])
def test_the_user_agent_decides_where_nobody_else_does(agent: str, method: str) -> None:
    assert (
        Merchant().read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": agent})["subscriptionType"] == method
    )


def test_who_consents_at_google_has_a_subscription_then() -> None:
    merchant = Merchant(consent_delay=60)
    asked = merchant.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "Google"})
    assert asked["redirectTo"].startswith("https://accounts.google.com/")
    assert merchant.read("GET", "/v1/subscription/acme/cal/jsmith", now=59.0) == []
    (one,) = merchant.read("GET", "/v1/subscription/acme/cal/jsmith", now=60.0)
    again = merchant.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "Google"}, 61.0)
    assert (again["subscriptionId"], again["isNewSubscription"]) == (one["subscriptionId"], False)


def test_who_never_consents_has_none() -> None:
    merchant = Merchant(consent_delay=None)
    merchant.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "Google"})
    assert merchant.simulator.subscriptions(1e9) == []


def test_the_google_resource_redirects() -> None:
    merchant = Merchant()
    asked = merchant.call(
        "POST", "/v1/google/acme/cal", {"UserName": "jsmith", **PEOPLE, "Referer": "http://m.facebook.com/"}
    )
    assert (asked.status, asked.headers["location"][:28]) == (302, "https://accounts.google.com/")
    again = merchant.call("POST", "/v1/google/acme/cal", PEOPLE)
    assert again.headers["location"].startswith(
        "https://yourdomain.com/confirmation?success=true&new=false&subscriptionId="
    )


def test_who_took_the_permission_back_has_to_consent_anew() -> None:
    merchant = Merchant(consent_delay=60)
    merchant.call("POST", "/v1/google/acme/cal", PEOPLE)
    (one,) = merchant.simulator.subscriptions(60.0)
    merchant.simulator.withdraw(one["id"])
    path = f"/v1/subscription/acme/cal/{one['id']}"
    assert merchant.call("PUT", path, {"additionalOptIn": True}, 61.0).status == 400
    asked = merchant.read("PUT", path, {"additionalOptIn": True, "redirectTo": PEOPLE["redirectTo"]}, 61.0)
    assert asked["redirectTo"].startswith("https://accounts.google.com/")
    assert "additionalOptIn" not in merchant.simulator.subscriptions(120.0)[0]["said"]
    assert merchant.simulator.subscriptions(121.0)[0]["said"]["additionalOptIn"] is True


def test_the_webcal_resource_answers_with_a_url() -> None:
    answer = Merchant().call("POST", "/v1/webcal/acme/cal", {"subscriberId": "jsmith"})
    assert answer.body.startswith(b"webcal://api.calreply.net/v1/webcal/")


def test_a_protected_calendar_wants_a_username_and_gives_a_password() -> None:
    merchant = Merchant()
    assert merchant.call("POST", "/v1/webcal/acme/secret", {"subscriberId": "jsmith"}).status == 400
    url = merchant.call("POST", "/v1/webcal/acme/secret", {"username": "jsmith"}).body.decode()
    secret, _, place = url.removeprefix("webcal://").partition("@api.calreply.net")
    assert merchant.call("GET", place).status == 401
    assert merchant.simulator.handle("GET", place, (), {}, b"", 0.0).headers["www-authenticate"] == "Basic"
    headers = {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    assert merchant.simulator.handle("GET", place, (), headers, b"", 0.0).status == 200


def test_a_subscriptions_own_event_stands_in_its_feed() -> None:
    merchant = Merchant()
    event = {
        **{
            "eventId": "B-1",
            "title": "The Lion King",
            "description": "2 tickets",
            "timezone": "AUS Eastern Standard Time",
        },
        **{"start": "2016-06-04T19:00:00+10", "end": "2016-06-04T23:00:00+10", "notifyBefore": 60},
    }
    identity = merchant.subscribed(events=[event])
    assert [(e["title"], e["start"], e["calendar"]) for e in merchant.simulator.entries()] == [
        ("The Lion King", "2016-06-04T19:00:00", identity)
    ]
    assert merchant.call("DELETE", "/v1/subscription/acme/cal/", {"id": identity}).status == 202
    assert merchant.simulator.entries() == []


def test_the_details_have_the_documented_fields() -> None:
    merchant = Merchant()
    more = {
        "timeZoneId": "Eastern Standard Time",
        "emailAddress": "j@x.example",
        "calendarTags": [{"externalId": "TeamA"}],
    }
    identity = merchant.subscribed(**more, externalEventIds=["90712"])
    details = merchant.read("GET", f"/v1/subscription/{identity}")
    assert details.keys() == {
        *("subscriptionId", "calendar", "tags", "timezoneId", "subscriptionType", "subscriberId"),
        *("emailAddress", "createdAt", "isActive", "events"),
    }
    assert [(event["externalId"], event["isExcluded"]) for event in details["events"]] == [("90712", False)]
    merchant.call("DELETE", "/v1/subscription/acme/cal", {"username": "jsmith"}, now=5.0)
    assert (
        merchant.read("GET", "/v1/subscription/acme/cal/jsmith", now=6.0)[0]["deactivatedDate"]
        == "1970-01-01T00:00:05.000"
    )


def test_an_update_includes_or_excludes() -> None:
    merchant = Merchant()
    path = f"/v1/subscription/acme/cal/{merchant.subscribed(requestEventIds=[GUID])}"
    assert merchant.call("PUT", path, {"excludeRequestEventIds": [GUID]}).status == 400
    changed = {"requestEventIds": [], "excludeRequestEventIds": [GUID]}
    assert merchant.read("PUT", path, changed)["message"] == "Subscription updated"
    assert merchant.read("GET", path.replace("acme/cal/", ""))["events"][0]["isExcluded"] is True


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v2/subscribe/acme/cal", {"subscriptionMethod": "WebCal"}, 400),
        ("POST", "/v2/subscribe/acme/cal", PEOPLE, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "google"}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "timeZoneId": "Europe/Berlin"}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "calendarTags": [{"internalId": "1"}]}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "requestEventIds": ["1"]}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "additionalOptIn": "False"}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "events": [{"eventId": "1"}]}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "excludeRequestEventIds": [GUID]}, 400),
        ("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x", "colour": "red"}, 400),
        ("POST", "/v2/subscribe/other/cal", {**PEOPLE, "userAgent": "x"}, 400),
        ("POST", "/v1/google/acme/cal", {"subscriberId": "jsmith"}, 400),
        ("POST", "/v1/subscribe/acme/cal", {**PEOPLE, "userAgent": "x"}, 404),
        ("PUT", f"/v1/subscription/acme/cal/{GUID}", {"additionalOptIn": True}, 404),
        ("PUT", f"/v1/subscription/acme/cal/{GUID}", {"excludExternalEventIds": ["1"]}, 400),
        ("DELETE", "/v1/subscription/acme/cal/", {}, 400),
        ("DELETE", "/v1/subscription/acme/cal/", {"id": "0000000-0000-0000-0000-000000000001"}, 400),
        ("DELETE", "/v1/subscription/acme/cal/", {"id": GUID}, 404),
        ("GET", f"/v1/subscription/{GUID}", None, 404),
    ],
)
def test_what_the_documents_refuse_is_refused(method: str, path: str, content: Any, status: int) -> None:
    assert Merchant().call(method, path, content).status == status


def test_another_calendars_subscription_is_not_updated_here() -> None:
    merchant = Merchant()
    identity = merchant.subscribed()
    assert merchant.call("PUT", f"/v1/subscription/acme/other/{identity}", {"additionalOptIn": True}).status == 400
    assert merchant.call("DELETE", "/v1/subscription/acme/other/", {"id": identity}).status == 400


def test_without_a_token_nobody_subscribes() -> None:
    merchant = Merchant()
    merchant.token = "x"
    assert merchant.call("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x"}).status == 401


def test_each_event_call_tells_the_webhook() -> None:
    merchant = Merchant()
    identity = merchant.subscribed()
    event = {"eventId": "E", "title": "T", "start": "2026-12-24T09:00:00", "timezone": "UTC"}
    merchant.call("POST", "/v1/subscriptionevent/acme", {"event": event, "subscriptionIds": [identity]})
    merchant.call("POST", "/v1/subscriptionevent/acme/update", {"eventId": "E", "title": "New"})
    merchant.call("DELETE", f"/v2/subscription/acme/{identity}/subscriptionevent/E")
    kinds = [notice["eventType"].removeprefix("SubscriptionEvent") for notice in merchant.simulator.notices]
    assert kinds == ["Subscribe", "Added", "Updated", "Removed"]
