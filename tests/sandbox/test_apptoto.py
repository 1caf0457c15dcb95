"""The simulated Apptoto refuses what the vendor's documents refuse and answers in their shapes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.model.wire import Response
from pipeline.sandbox import Account
from pipeline.sandbox.hosted import Call, Hosted
from pipeline.vendors.apptoto.simulator import Simulator

ACCOUNT = {"user": "me@example.com", "api_key": "k3y", "calendars": {"Salon": 456}}
BASIC = "Basic " + base64.b64encode(b"me@example.com:k3y").decode()
EVENT = {
    "calendar": "Salon",
    "title": "Appointment with Fred",
    "start_time": "2016-04-15T12:00:00-07:00",
    "end_time": "2016-04-15T13:00:00-07:00",
    "external_id": "BK-7",
    "participants": [{"name": "Fred Smith", "phone": "650-555-1212", "email": "fred@example.com"}],
    "custom_data": {"field_1": "custom value"},
}


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


class TestApptoto:
    def setup_method(self) -> None:
        self.vendor = Simulator(ACCOUNT)

    def call(self, method: str, path: str, content: Any = None, authorization: str = BASIC, **query: str) -> Response:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"authorization": authorization, "content-type": "application/json"}
        return self.vendor.handle(method, path, tuple(query.items()), headers, body, 1000.0)

    def put(self, *events: Any, **beside: Any) -> Response:
        return self.call("PUT", "/v1/events", {"events": list(events), **beside})

    def events(self, answer: Response) -> list[dict[str, Any]]:
        assert answer.status == 200
        found: list[dict[str, Any]] = json.loads(answer.body)["events"]
        return found

    @pytest.mark.parametrize(
        "authorization", ["", "Bearer k3y", "Basic !", "Basic " + base64.b64encode(b"a:b").decode()]
    )
    def test_a_wrong_credential_is_401(self, authorization: str) -> None:
        assert self.call("GET", "/v1/events", authorization=authorization).status == 401

    def test_a_revoked_key_is_401_until_it_is_restored(self) -> None:
        self.vendor.revoke(0.0)
        assert self.put(EVENT).status == 401
        self.vendor.restore(0.0)
        assert self.put(EVENT).status == 200

    def test_who_may_only_read_is_told_so(self) -> None:
        self.vendor = Simulator({**ACCOUNT, "read_only": True})
        refused = self.put(EVENT)
        assert (refused.status, json.loads(refused.body)["error"]) == (403, "insufficient_scope")
        assert self.call("GET", "/v1/events").status == 200

    def test_an_event_is_shown_as_the_documents_show_it(self) -> None:
        (event,) = self.events(self.put(EVENT))
        assert {name: event[name] for name in ("id", "calendar_id", "is_deleted", "location", "content")} == {
            "id": 123, "calendar_id": 456, "is_deleted": False, "location": "", "content": "",
        }  # fmt: skip
        assert event["participants"] == [
            {
                "id": 789, "name": "Fred Smith", "phone": "650-555-1212", "normalized_phone": "6505551212",
                "email": "fred@example.com", "state": "initial",
            }
        ]  # fmt: skip
        assert json.loads(self.call("GET", "/v1/event", external_id="BK-7").body) == event
        assert json.loads(self.call("GET", "/v1/event", id="123").body) == event

    def test_an_event_is_made_updated_and_deleted_by_its_external_id(self) -> None:
        self.put(EVENT)
        self.put({"calendar": "Salon", "external_id": "BK-7", "title": "New"})
        assert [(entry["title"], entry["calendar"], entry["start"]) for entry in self.vendor.entries()] == [
            ("New", "Salon", "2016-04-15T19:00:00")
        ]
        (gone,) = self.events(self.call("DELETE", "/v1/events", external_id="BK-7"))
        assert (gone["is_deleted"], self.vendor.items()) == (True, [])
        assert self.call("DELETE", "/v1/events", external_id="BK-7").status == 404
        assert [kind for _, kind, _ in self.vendor.writes["BK-7"]] == ["create", "update", "delete"]

    def test_an_update_by_id_finds_its_event(self) -> None:
        self.put(EVENT)
        self.put({"calendar_id": 456, "id": 123, "title": "New"})
        assert [entry["title"] for entry in self.vendor.entries()] == ["New"]

    def test_a_put_without_any_id_makes_another_event(self) -> None:
        self.put(without(EVENT, "external_id"))
        self.put(without(EVENT, "external_id"))
        assert len(self.vendor.items()) == 2

    def test_participants_and_custom_data_are_replaced_whole(self) -> None:
        self.put(EVENT)
        (event,) = self.events(
            self.put({"calendar": "Salon", "external_id": "BK-7", "participants": [], "custom_data": {"b": 1}})
        )
        assert (event["participants"], event["custom_data"], event["title"]) == ([], {"b": 1}, EVENT["title"])

    def test_who_has_had_a_message_is_not_removed(self) -> None:
        self.vendor = Simulator({**ACCOUNT, "keeps_participants": True})
        self.put(EVENT)
        (event,) = self.events(
            self.put({"calendar": "Salon", "external_id": "BK-7", "participants": [{"name": "Ann"}]})
        )
        assert [one["name"] for one in event["participants"]] == ["Fred Smith", "Ann"]

    def test_an_event_stays_in_its_calendar(self) -> None:
        self.put(EVENT)
        (event,) = self.events(self.put({"calendar": "Other", "external_id": "BK-7"}))
        assert event["calendar_id"] == 456
        self.vendor = Simulator({**ACCOUNT, "moves": "refuse"})
        self.put(EVENT)
        assert self.put({"calendar": "Other", "external_id": "BK-7"}).status == 422

    def test_an_unknown_calendar_is_made_unless_that_is_prevented(self) -> None:
        assert self.put({**EVENT, "calendar": "New"}, prevent_calendar_creation=True).status == 422
        assert self.put({**EVENT, "calendar": "New"}).status == 200
        assert [entry["calendar"] for entry in self.vendor.entries()] == ["New"]
        assert self.put({**without(EVENT, "calendar"), "calendar_id": 9}).status == 422

    @pytest.mark.parametrize(
        "wrong",
        [
            *(without(EVENT, name) for name in ("calendar", "title", "start_time", "end_time")),
            {**EVENT, "calendar_id": 456},
            {**EVENT, "title": ""},
            {**EVENT, "start_time": "2016-04-15T12:00:00"},
            {**EVENT, "start_time": "2016-04-15"},
            {**EVENT, "end_time": "2016-02-30T12:00:00-07:00"},
            {**EVENT, "end_time": "2016-04-15T11:59:59-07:00"},
            {**EVENT, "time_zone": "Nowhere"},
            {**EVENT, "all_day": "true"},
            {**EVENT, "show_as": 5},
            {**EVENT, "show_as": True},
            {**EVENT, "custom_data": []},
            {**EVENT, "participants": {}},
            {**EVENT, "participants": [{}]},
            {**EVENT, "participants": [{"email": "nobody"}]},
            {**EVENT, "participants": [{"contact_id": 1, "name": "A"}]},
            {**EVENT, "participants": [{"colour": "red"}]},
            {**EVENT, "colour": "red"},
            {**EVENT, "id": 999},
            "text",
        ],
    )
    def test_what_the_field_table_refuses_is_refused(self, wrong: Any) -> None:
        assert self.put(wrong).status == 422
        assert self.vendor.items() == []

    @pytest.mark.parametrize(
        "right",
        [
            {"time_zone": "Eastern Time (US & Canada)"},
            {"time_zone": "Europe/Berlin"},
            {"show_as": None},
            {"show_as": 0},
            {"all_day": True},
            {"participants": [{"contact_id": 1}, {"contact_external_id": "x"}]},
            {"start_time": "2016-04-15T12:00:00Z"},
        ],
    )
    def test_what_the_field_table_allows_is_taken(self, right: dict[str, Any]) -> None:
        assert self.put({**EVENT, **right}).status == 200

    @pytest.mark.parametrize(
        "body", [None, [], {}, {"events": []}, {"events": {}}, {"events": [EVENT], "prevent_calendar_creation": "yes"}]
    )
    def test_a_body_that_is_no_list_of_events_is_400(self, body: Any) -> None:
        assert self.call("PUT", "/v1/events", body).status == 400

    def test_a_wrong_event_is_left_out_of_the_answer(self) -> None:
        answer = self.put(EVENT, {**EVENT, "external_id": "BK-8", "title": ""})
        assert [event["external_id"] for event in self.events(answer)] == ["BK-7"]
        assert json.loads(answer.body)["errors"] == [{"external_id": "BK-8", "message": "title is not valid"}]
        assert self.vendor.items() == [("BK-7", "123")]

    def test_a_wrong_event_may_refuse_all(self) -> None:
        self.vendor = Simulator({**ACCOUNT, "wrong_event": "refuse"})
        assert self.put(EVENT, {**EVENT, "external_id": "BK-8", "title": ""}).status == 422
        assert self.vendor.items() == []

    def test_one_external_id_stands_once_in_a_call(self) -> None:
        assert len(self.events(self.put(EVENT, EVENT))) == 1
        assert len(self.vendor.items()) == 1

    def test_too_many_events_are_a_bad_gateway(self) -> None:
        many = [{**EVENT, "external_id": f"k{n}"} for n in range(26)]
        assert self.put(*many).status == 502
        assert self.vendor.items() == []
        assert self.put(*many[:25]).status == 200

    def test_a_post_only_creates(self) -> None:
        assert self.call("POST", "/v1/events", {"events": [EVENT]}).status == 200
        assert self.call("POST", "/v1/events", {"events": [EVENT]}).status == 422
        assert self.call("POST", "/v1/events", {"events": [without(EVENT, "external_id")]}).status == 200

    def test_the_list_has_pages_from_one_and_thirty_to_a_page(self) -> None:
        starts = [f"2016-04-15T12:{n:02}:00-07:00" for n in range(35)]
        for n, start in enumerate(starts):
            self.put({**EVENT, "external_id": f"k{n}", "start_time": start})
        assert len(self.events(self.call("GET", "/v1/events"))) == 30
        assert len(self.events(self.call("GET", "/v1/events", page="2"))) == 5
        assert [
            e["start_time"] for e in self.events(self.call("GET", "/v1/events", page="3", page_size="2"))
        ] == starts[4:6]
        assert self.call("GET", "/v1/events", page="0").status == 400

    def test_the_list_has_filters(self) -> None:
        self.put(EVENT)
        self.put({**EVENT, "external_id": "BK-8", "start_time": "2016-04-15T12:30:00-07:00", "participants": []})

        def listed(**query: str) -> list[str]:
            return [event["external_id"] for event in self.events(self.call("GET", "/v1/events", **query))]

        assert listed() == ["BK-7", "BK-8"]
        assert listed(begin="2016-04-15T12:15:00-07:00") == ["BK-8"]
        assert listed(end="2016-04-15T12:15:00-07:00") == ["BK-7"]
        assert listed(email_address="fred@example.com") == listed(phone_number="6505551212") == ["BK-7"]
        self.call("DELETE", "/v1/events", external_id="BK-7")
        assert (listed(), listed(include_deleted="true")) == (["BK-8"], ["BK-7", "BK-8"])

    @pytest.mark.parametrize("query", [{}, {"id": "x"}, {"external_id": "none"}])
    def test_what_is_not_there_is_not_found(self, query: dict[str, str]) -> None:
        assert self.call("GET", "/v1/event", **query).status == (404 if query else 400)
        assert self.call("GET", "/v1/nothing").status == 404

    def test_answers_may_lack_the_external_id_as_the_samples_do(self) -> None:
        self.vendor = Simulator({**ACCOUNT, "external_id_in_answers": False})
        assert "external_id" not in self.events(self.put(EVENT))[0]

    def test_a_deleted_event_may_stay_deleted(self) -> None:
        self.vendor = Simulator({**ACCOUNT, "deleted_stay": True})
        self.put(EVENT)
        self.call("DELETE", "/v1/events", external_id="BK-7")
        assert self.events(self.put(EVENT))[0]["is_deleted"] is True
        assert self.vendor.items() == []

    def test_the_sandbox_tells_a_call_by_its_events(self) -> None:
        body = json.dumps({"events": [EVENT, {**EVENT, "external_id": "BK-8", "title": "Other"}]}).encode()
        assert self.vendor.peek("PUT", "/v1/events", body) == ("BK-7 BK-8", "Appointment with Fred Other")
        assert self.vendor.peek("PUT", "/v1/events", b"{") == self.vendor.peek("DELETE", "/v1/events", b"") == ("", "")

    def test_it_can_be_hosted(self) -> None:
        hosted = Hosted(Account("a", "apptoto", ACCOUNT, quota=((1, 60.0),), retry_after="seconds"), 0, 0.0)
        call = Call("GET", "/v1/events", (), {"authorization": BASIC}, b"")
        assert hosted.arrive(call, 1.0).refusal is None
        refusal = hosted.arrive(call, 2.0).refusal
        assert refusal is not None
        assert (refusal.status, json.loads(refusal.body)["error"], refusal.headers["retry-after"]) == (
            429, "rate_limited", "59",
        )  # fmt: skip
