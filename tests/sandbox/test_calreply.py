"""Every operation that CalReply's documents name is simulated, strictly: also what only a call by hand would use."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator import Simulator

CONFIG = {"account_code": "acme", "client_id": "me", "client_secret": "s3", "protected": ["secret"], "api": "rokt"}
BASIC = "Basic " + base64.b64encode(b"me:s3").decode()
PEOPLE = {"subscriberId": "jsmith", "redirectTo": "https://yourdomain.com/confirmation"}
GUID = "8e71077bc7f242b8acb9bda8f804c0d7"


class Vendor:
    def __init__(self, **config: Any) -> None:
        self.simulator = Simulator({**CONFIG, **config})
        form = urlencode({"grant_type": "client_credentials"}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "authorization": BASIC}
        answer = self.simulator.handle("POST", "/oauth2/token", (), headers, form, 0.0)
        self.token = json.loads(answer.body)["access_token"]

    def call(self, method: str, path: str, content: Any = None, now: float = 0.0) -> Response:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return self.simulator.handle(method, path, (), headers, body, now)

    def read(self, method: str, path: str, content: Any = None, now: float = 0.0) -> Any:
        answer = self.call(method, path, content, now)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def subscribed(self, **more: Any) -> str:
        made = self.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "WebCal", **more})
        return str(made["subscriptionId"])


def test_a_webcal_subscription_has_the_documented_answer() -> None:
    made = Vendor().read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "WebCal"})
    assert made.keys() == {
        *("success", "subscriptionType", "subscriptionId", "subscriberId", "subscriptionUrl", "isNewSubscription")
    }
    assert made["subscriptionUrl"] == f"webcal://api.calreply.net/v1/webcal/{made['subscriptionId']}"


@pytest.mark.parametrize(("agent", "method"), [("Mozilla/5.0 (iPhone)", "webcal"), ("Linux; Android 4", "google")])
def test_the_user_agent_decides_where_nobody_else_does(agent: str, method: str) -> None:
    assert Vendor().read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": agent})["subscriptionType"] == method


def test_who_consents_at_google_has_a_subscription_then() -> None:
    vendor = Vendor(consent_delay=60)
    asked = vendor.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "Google"})
    assert asked["redirectTo"].startswith("https://accounts.google.com/")
    assert vendor.read("GET", "/v1/subscription/acme/cal/jsmith", now=59.0) == []
    (one,) = vendor.read("GET", "/v1/subscription/acme/cal/jsmith", now=60.0)
    again = vendor.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "Google"}, 61.0)
    assert (again["subscriptionId"], again["isNewSubscription"]) == (one["subscriptionId"], False)


def test_who_never_consents_has_none() -> None:
    vendor = Vendor(consent_delay=None)
    vendor.read("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "subscriptionMethod": "Google"})
    assert vendor.simulator.subscriptions(1e9) == []


def test_the_google_resource_redirects() -> None:
    vendor = Vendor()
    asked = vendor.call(
        "POST", "/v1/google/acme/cal", {"UserName": "jsmith", **PEOPLE, "Referer": "http://m.facebook.com/"}
    )
    assert (asked.status, asked.headers["location"][:28]) == (302, "https://accounts.google.com/")
    again = vendor.call("POST", "/v1/google/acme/cal", PEOPLE)
    assert again.headers["location"].startswith(
        "https://yourdomain.com/confirmation?success=true&new=false&subscriptionId="
    )


def test_who_took_the_permission_back_has_to_consent_anew() -> None:
    vendor = Vendor(consent_delay=60)
    vendor.call("POST", "/v1/google/acme/cal", PEOPLE)
    (one,) = vendor.simulator.subscriptions(60.0)
    vendor.simulator.withdraw(one["id"])
    path = f"/v1/subscription/acme/cal/{one['id']}"
    assert vendor.call("PUT", path, {"additionalOptIn": True}, 61.0).status == 400
    asked = vendor.read("PUT", path, {"additionalOptIn": True, "redirectTo": PEOPLE["redirectTo"]}, 61.0)
    assert asked["redirectTo"].startswith("https://accounts.google.com/")
    assert "additionalOptIn" not in vendor.simulator.subscriptions(120.0)[0]["said"]
    assert vendor.simulator.subscriptions(121.0)[0]["said"]["additionalOptIn"] is True


def test_the_webcal_resource_answers_with_a_url() -> None:
    answer = Vendor().call("POST", "/v1/webcal/acme/cal", {"subscriberId": "jsmith"})
    assert answer.body.startswith(b"webcal://api.calreply.net/v1/webcal/")


def test_a_protected_calendar_wants_a_username_and_gives_a_password() -> None:
    vendor = Vendor()
    assert vendor.call("POST", "/v1/webcal/acme/secret", {"subscriberId": "jsmith"}).status == 400
    url = vendor.call("POST", "/v1/webcal/acme/secret", {"username": "jsmith"}).body.decode()
    secret, _, place = url.removeprefix("webcal://").partition("@api.calreply.net")
    assert vendor.call("GET", place).status == 401
    assert vendor.simulator.handle("GET", place, (), {}, b"", 0.0).headers["www-authenticate"] == "Basic"
    headers = {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    assert vendor.simulator.handle("GET", place, (), headers, b"", 0.0).status == 200


def test_a_subscriptions_own_event_stands_in_its_feed() -> None:
    vendor = Vendor()
    event = {
        **{
            "eventId": "B-1",
            "title": "The Lion King",
            "description": "2 tickets",
            "timezone": "AUS Eastern Standard Time",
        },
        **{"start": "2016-06-04T19:00:00+10", "end": "2016-06-04T23:00:00+10", "notifyBefore": 60},
    }
    identity = vendor.subscribed(events=[event])
    assert [(e["title"], e["start"], e["calendar"]) for e in vendor.simulator.entries()] == [
        ("The Lion King", "2016-06-04T19:00:00", identity)
    ]
    assert vendor.call("DELETE", "/v1/subscription/acme/cal/", {"id": identity}).status == 202
    assert vendor.simulator.entries() == []


def test_the_details_have_the_documented_fields() -> None:
    vendor = Vendor()
    more = {
        "timeZoneId": "Eastern Standard Time",
        "emailAddress": "j@x.example",
        "calendarTags": [{"externalId": "TeamA"}],
    }
    identity = vendor.subscribed(**more, externalEventIds=["90712"])
    details = vendor.read("GET", f"/v1/subscription/{identity}")
    assert details.keys() == {
        *("subscriptionId", "calendar", "tags", "timezoneId", "subscriptionType", "subscriberId"),
        *("emailAddress", "createdAt", "isActive", "events"),
    }
    assert [(event["externalId"], event["isExcluded"]) for event in details["events"]] == [("90712", False)]
    vendor.call("DELETE", "/v1/subscription/acme/cal", {"username": "jsmith"}, now=5.0)
    assert (
        vendor.read("GET", "/v1/subscription/acme/cal/jsmith", now=6.0)[0]["deactivatedDate"]
        == "1970-01-01T00:00:05.000"
    )


def test_an_update_includes_or_excludes() -> None:
    vendor = Vendor()
    path = f"/v1/subscription/acme/cal/{vendor.subscribed(requestEventIds=[GUID])}"
    assert vendor.call("PUT", path, {"excludeRequestEventIds": [GUID]}).status == 400
    changed = {"requestEventIds": [], "excludeRequestEventIds": [GUID]}
    assert vendor.read("PUT", path, changed)["message"] == "Subscription updated"
    assert vendor.read("GET", path.replace("acme/cal/", ""))["events"][0]["isExcluded"] is True


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
    assert Vendor().call(method, path, content).status == status


def test_another_calendars_subscription_is_not_updated_here() -> None:
    vendor = Vendor()
    identity = vendor.subscribed()
    assert vendor.call("PUT", f"/v1/subscription/acme/other/{identity}", {"additionalOptIn": True}).status == 400
    assert vendor.call("DELETE", "/v1/subscription/acme/other/", {"id": identity}).status == 400


def test_without_a_token_nobody_subscribes() -> None:
    vendor = Vendor()
    vendor.token = "x"
    assert vendor.call("POST", "/v2/subscribe/acme/cal", {**PEOPLE, "userAgent": "x"}).status == 401


def test_each_event_call_tells_the_webhook() -> None:
    vendor = Vendor()
    identity = vendor.subscribed()
    event = {"eventId": "E", "title": "T", "start": "2026-12-24T09:00:00", "timezone": "UTC"}
    vendor.call("POST", "/v1/subscriptionevent/acme", {"event": event, "subscriptionIds": [identity]})
    vendor.call("POST", "/v1/subscriptionevent/acme/update", {"eventId": "E", "title": "New"})
    vendor.call("DELETE", f"/v2/subscription/acme/{identity}/subscriptionevent/E")
    kinds = [notice["eventType"].removeprefix("SubscriptionEvent") for notice in vendor.simulator.notices]
    assert kinds == ["Subscribe", "Added", "Updated", "Removed"]
