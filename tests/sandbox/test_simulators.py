"""The simulated vendors refuse what the vendors' documents refuse and answer in their shapes."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from icalendar import Calendar

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator import Simulator as CalReply
from pipeline.vendors.calreply.simulator_zones import ZONES
from pipeline.vendors.ecal.simulator import Simulator as Ecal

ECAL = {"api_key": "123", "api_secret": "API-SECRET"}
INVOICE = {
    "type": "private",
    "name": "Your payment is due",
    "location": "Online",
    "startDate": "2026-12-24",
    "startTime": "09:00",
    "endDate": "2026-12-24",
    "endTime": "09:30",
    "timezone": "Australia/Melbourne",
    "alert": "1D",
    "quickLink[1][name]": "Pay now",
    "quickLink[1][url]": "https://pay.example",
    "reference": "INV-1",
    "draft": 0,
}

CALREPLY = {
    "account_code": "acme",
    "client_id": "me",
    "client_secret": "s3",
    "access_seconds": 300,
    "refresh_seconds": 3600,
}
BASIC = "Basic " + base64.b64encode(b"me:s3").decode()
GUID = "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3"
EVENT = {"eventId": "BK-1", "title": "Flight", "start": "2026-12-24T09:00:00", "timezone": "AUS Eastern Standard Time"}


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


class TestEcal:
    def call(
        self, method: str, path: str, fields: Any = None, query: Any = (("ecal_id", "c1"),), secret: str = "API-SECRET"
    ) -> Response:
        body = b"" if fields is None else json.dumps(fields).encode()
        pairs = [*query, ("apiKey", "123")]
        text = secret + "".join(k + v for k, v in sorted(pairs))
        sign = hashlib.md5(text.encode() + body).hexdigest()
        return self.vendor.handle(method, path, (*pairs, ("apiSign", sign)), {}, body, 1000.0)

    def setup_method(self) -> None:
        self.vendor = Ecal(ECAL)

    def test_the_signature_is_the_documented_one(self) -> None:
        body = b'{"name":"Calendar1", "type":"fixture"}'
        query = (("apiKey", "123123123"), ("xxx", "Orange"), ("aaa", "Green"))
        signed = (*query, ("apiSign", "f6cb039472458202aff01d1431e40824"))
        vendor = Ecal({"api_key": "123123123", "api_secret": "API-SECRET"})
        assert vendor.handle("POST", "/apiv2/event", signed, {}, body, 0.0).status == 400
        assert vendor.handle("POST", "/apiv2/event", signed, {}, body + b" ", 0.0).status == 403

    def test_a_wrong_secret_is_403(self) -> None:
        answer = self.call("POST", "/apiv2/event", INVOICE, secret="other")
        assert (answer.status, json.loads(answer.body)["status"]) == (403, "403")
        assert self.vendor.entries() == []

    def test_a_private_event_is_made_updated_and_deleted(self) -> None:
        made = json.loads(self.call("POST", "/apiv2/event", INVOICE).body)
        assert (made["status"], made["statusLong"]) == ("200", "OK")
        assert json.loads(self.call("PUT", "/apiv2/event/INV-1", {"name": "Paid"}).body)["eventId"] == made["eventId"]
        assert [(e["title"], e["calendar"], e["start"]) for e in self.vendor.entries()] == [
            ("Paid", "c1", "2026-12-24T09:00:00")
        ]
        gone = self.call("DELETE", f"/apiv2/event/{made['eventId']}")
        assert json.loads(gone.body) == {"status": 200, "statusLong": "OK"}
        assert self.vendor.entries() == []
        assert [kind for _, kind, _ in self.vendor.writes["INV-1"]] == ["create", "update", "delete"]

    def test_a_second_post_of_a_reference_is_409(self) -> None:
        assert self.call("POST", "/apiv2/event", INVOICE).status == 200
        assert self.call("POST", "/apiv2/event", INVOICE).status == 409
        assert len(self.vendor.items()) == 1

    def test_a_draft_stands_in_no_calendar(self) -> None:
        assert self.call("POST", "/apiv2/event", without(INVOICE, "draft")).status == 200
        assert self.vendor.entries() == []
        assert self.call("GET", "/apiv2/event", query=(("ecal_id", "c1"), ("type", "private"))).status == 204
        self.call("PUT", "/apiv2/event/INV-1", {"draft": 0})
        assert [entry["key"] for entry in self.vendor.entries()] == ["INV-1"]

    @pytest.mark.parametrize(
        "wrong",
        [
            *(
                without(INVOICE, name)
                for name in ("location", "name", "startDate", "endDate", "reference", "startTime")
            ),
            {**INVOICE, "startDate": "24.12.2026"},
            {**INVOICE, "startTime": "9:00"},
            {**INVOICE, "startDate": "2026-02-30"},
            {**INVOICE, "alert": "15"},
            {**INVOICE, "draft": "0"},
            {**INVOICE, "allDay": True},
            {**INVOICE, "timezone": "AUS Eastern Standard Time"},
            {**INVOICE, "objective": "love"},
            {**INVOICE, "quickLink[7][url]": "https://x.example"},
            {**INVOICE, "colour": "red"},
            without(INVOICE, "type"),
        ],
    )
    def test_what_the_field_table_refuses_is_400(self, wrong: dict[str, Any]) -> None:
        assert self.call("POST", "/apiv2/event", wrong).status == 400

    def test_an_all_day_event_needs_no_times(self) -> None:
        fields = {**without(INVOICE, "startTime", "endTime"), "allDay": "yes"}
        assert self.call("POST", "/apiv2/event", fields).status == 200
        (entry,) = self.vendor.entries()
        assert (entry["start"], entry["end"], entry["all_day"]) == ("2026-12-24", "2026-12-25", True)

    def test_the_type_cannot_be_updated(self) -> None:
        self.call("POST", "/apiv2/event", INVOICE)
        assert self.call("PUT", "/apiv2/event/INV-1", {"type": "private"}).status == 400

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_what_is_not_there_is_404(self, method: str) -> None:
        assert self.call(method, "/apiv2/event/INV-9", {"name": "x"} if method == "PUT" else None).status == 404

    def test_the_list_is_the_subscribers_own(self) -> None:
        self.call("POST", "/apiv2/event", INVOICE)
        self.call("POST", "/apiv2/event", {**INVOICE, "reference": "INV-2"}, query=(("ecal_id", "c2"),))
        answer = self.call("GET", "/apiv2/event", query=(("ecal_id", "c2"), ("type", "private")))
        assert [event["reference"] for event in json.loads(answer.body)] == ["INV-2"]

    def test_a_bulk_update_by_reference_type_says_how_many(self) -> None:
        for reference in ("a", "b"):
            self.call("POST", "/apiv2/event", {**INVOICE, "reference": reference, "referenceType": "dunning"})
        answer = self.call("PUT", "/apiv2/events/dunning", {"details": "new"})
        assert json.loads(answer.body) == {"affected_rows": 2, "status": "200", "statusLong": "OK"}

    def test_a_revoked_key_is_403_until_it_is_restored(self) -> None:
        self.vendor.revoke(0.0)
        assert self.call("GET", "/apiv2/event").status == 403
        self.vendor.restore(0.0)
        assert self.call("GET", "/apiv2/event").status == 204


class TestCalReply:
    def setup_method(self) -> None:
        self.vendor = CalReply(CALREPLY)

    def token(self, now: float = 0.0, authorization: str = BASIC, **form: str) -> Response:
        headers = {"content-type": "application/x-www-form-urlencoded", "authorization": authorization}
        body = urlencode({"grant_type": "client_credentials", **form}).encode()
        return self.vendor.handle("POST", "/oauth2/token", (), headers, body, now)

    def bearer(self, now: float = 0.0) -> dict[str, str]:
        return {"authorization": "Bearer " + json.loads(self.token(now).body)["access_token"]}

    def call(self, method: str, path: str, content: Any = None, now: float = 0.0) -> Response:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {**self.bearer(now), "content-type": "application/json"}
        return self.vendor.handle(method, path, (), headers, body, now)

    def create(self, now: float = 0.0, **fields: Any) -> Response:
        content = {"event": {**EVENT, **fields}, "subscriptionIds": [GUID]}
        return self.call("POST", "/v1/subscriptionevent/acme", content, now)

    def test_a_token_has_the_documented_fields(self) -> None:
        fields = json.loads(self.token().body)
        assert set(fields) == {
            *("access_token", "token_type", "expires_in", "refresh_token"),
            *("as:client_id", ".issued", ".expires"),
        }
        assert (fields["expires_in"], fields["token_type"]) == (300, "bearer")

    def test_a_wrong_client_is_refused(self) -> None:
        wrong = "Basic " + base64.b64encode(b"me:no").decode()
        assert self.token(authorization=wrong).status == 401

    def test_a_json_body_for_a_token_is_refused(self) -> None:
        headers = {"content-type": "application/json", "authorization": BASIC}
        body = b'{"grant_type": "client_credentials"}'
        assert self.vendor.handle("POST", "/oauth2/token", (), headers, body, 0.0).status == 400

    def test_a_refresh_token_works_once(self) -> None:
        refresh = json.loads(self.token().body)["refresh_token"]
        assert self.token(grant_type="refresh_token", refresh_token=refresh).status == 200
        again = self.token(grant_type="refresh_token", refresh_token=refresh)
        assert (again.status, json.loads(again.body)) == (400, {"error": "invalid_grant"})

    def test_a_refresh_token_grows_old(self) -> None:
        refresh = json.loads(self.token().body)["refresh_token"]
        assert self.token(3600.0, grant_type="refresh_token", refresh_token=refresh).status == 400

    @pytest.mark.parametrize(("age", "status"), [(299.0, 202), (300.0, 401)])
    def test_an_access_token_expires(self, age: float, status: int) -> None:
        headers = {**self.bearer(0.0), "content-type": "application/json"}
        body = json.dumps({"event": EVENT, "subscriptionIds": [GUID]}).encode()
        assert self.vendor.handle("POST", "/v1/subscriptionevent/acme", (), headers, body, age).status == status

    def test_an_event_is_accepted_and_stands_in_each_calendar(self) -> None:
        answer = self.create()
        assert (answer.status, answer.body) == (202, b"")
        assert [(e["key"], e["calendar"], e["time_zone"]) for e in self.vendor.entries()] == [
            ("BK-1", GUID, "Australia/Sydney")
        ]

    def test_a_repeated_event_id_is_a_double(self) -> None:
        self.create()
        self.create()
        assert [key for key, _ in self.vendor.items()] == ["BK-1", "BK-1"]

    def test_an_event_may_be_applied_later(self) -> None:
        self.vendor = CalReply({**CALREPLY, "apply_delay": 60})
        assert self.create(now=10.0).status == 202
        assert self.vendor.entries(69.0) == []
        assert len(self.vendor.entries(70.0)) == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"eventId": ""},
            {"title": None},
            {"start": "2026-12-24T09:00:00+10:00"},
            {"start": "2026-12-24"},
            {"timezone": "Australia/Sydney"},
            {"allDayEvent": "true"},
            {"notifyBefore": "soon"},
            {"colour": "red"},
            {"timezoneIanaId": "Australia/Sydney"},
        ],
    )
    def test_what_the_model_refuses_is_400(self, wrong: dict[str, Any]) -> None:
        assert self.create(**wrong).status == 400

    def test_errors_come_in_every_documented_shape(self) -> None:
        errors = [json.loads(self.create(title="").body)["errors"][0] for _ in range(4)]
        kinds = {tuple(sorted(error)) if isinstance(error, dict) else type(error).__name__ for error in errors}
        assert kinds == {("code", "reason"), ("Code", "Reason"), "list", "str"}

    def test_the_first_vendor_neither_updates_nor_deletes(self) -> None:
        self.create()
        assert self.call("POST", "/v1/subscriptionevent/acme/update", {"eventId": "BK-1", "title": "x"}).status == 404
        assert self.call("DELETE", "/v1/subscriptionevent/acme/BK-1").status == 404

    def test_its_successor_does_both(self) -> None:
        self.vendor = CalReply({**CALREPLY, "api": "rokt"})
        self.create()
        assert self.call("POST", "/v1/subscriptionevent/acme/update", {"eventId": "BK-1", "title": "New"}).status == 202
        assert [entry["title"] for entry in self.vendor.entries()] == ["New"]
        assert self.call("DELETE", "/v1/subscriptionevent/acme/BK-1").status == 202
        assert self.vendor.entries() == []

    def test_one_calendar_can_be_left(self) -> None:
        self.vendor = CalReply({**CALREPLY, "api": "rokt"})
        self.create()
        assert self.call("DELETE", f"/v2/subscription/acme/{GUID}/subscriptionevent/BK-1").status == 202
        assert self.vendor.entries() == []

    def test_the_feed_is_icalendar(self) -> None:
        self.create(notifyBefore="15", description="One, two; three\nfour " + "x" * 200, location="Gate 4")
        answer = self.vendor.handle("GET", f"/v1/webcal/{GUID}", (), {}, b"", 0.0)
        (event,) = Calendar.from_ical(answer.body).walk("VEVENT")
        assert (event["uid"], event["summary"]) == ("BK-1", "Flight")
        assert event["description"] == "One, two; three\nfour " + "x" * 200
        assert event.decoded("dtstart").isoformat() == "2026-12-24T09:00:00+11:00"

    def test_an_unknown_feed_is_400_without_content(self) -> None:
        answer = self.vendor.handle("GET", "/v1/webcal/nobody", (), {}, b"", 0.0)
        assert (answer.status, answer.body) == (400, b"")

    def test_a_revoked_client_loses_its_tokens(self) -> None:
        headers = self.bearer()
        self.vendor.revoke(1.0)
        assert self.vendor.handle("POST", "/v1/subscriptionevent/acme", (), headers, b"{}", 1.0).status == 401
        assert self.token(1.0).status == 401
        self.vendor.restore(2.0)
        assert self.token(2.0).status == 200

    def test_the_time_zones_are_the_documented_ones(self) -> None:
        assert len(ZONES) == 109
        assert ZONES["Eastern Standard Time"] == "America/New_York"
