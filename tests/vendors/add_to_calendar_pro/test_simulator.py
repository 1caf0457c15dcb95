"""The simulator refuses what the documents refuse, and knows every operation that they name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.model.outcome import Throttled, Unauthorized
from pipeline.vendors.contract import Step
from tests.vendors.add_to_calendar_pro.acts import ENTRY, SECRET, VENDOR, call, made, send, simulator, situation
from tests.vendors.add_to_calendar_pro.entries import EVERYTHING

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
