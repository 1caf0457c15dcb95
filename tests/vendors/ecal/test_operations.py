"""Every operation of ECAL's documents, as `calends call` reaches it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.model.outcome import Exists, Rejected
from pipeline.model.wire import Request
from pipeline.vendors.contract import Step
from pipeline.vendors.ecal import VENDOR
from tests.vendors.ecal.publisher import CREDENTIAL, KEY, PERSON, PUBLIC, Publisher, heard, situation

FIELDS_OF_ONE = {
    "type": "private",
    "name": "N",
    "location": "L",
    "startDate": "2026-12-24",
    "startTime": "09:00",
    "endDate": "2026-12-24",
    "endTime": "10:00",
    "timezone": "Europe/Berlin",
    "draft": 0,
}


def filled(publisher: Publisher, count: int = 3, **more: Any) -> list[str]:
    """The ids of private events K0, K1, … of one subscriber."""
    made = (
        publisher.call("POST", "/apiv2/event", {**FIELDS_OF_ONE, "reference": f"K{n}", **more}, ecal_id=PERSON)
        for n in range(count)
    )
    return [answer["eventId"] for answer in made]


@pytest.mark.parametrize("answers", ["document", "newer"])
def test_one_event_is_read_by_id(answers: str) -> None:
    publisher = Publisher(answers=answers, get_by_reference=False)
    (identity,) = filled(publisher, 1)
    event = publisher.call("GET", f"/apiv2/event/{identity}")
    named = ("eventId", "no") if answers == "document" else ("id", False)
    assert (event[named[0]], event["allDay"], event["reference"]) == (identity, named[1], "K0")
    assert publisher.call("GET", "/apiv2/event/K0") == 404
    found = situation(vendor_id=identity)
    assert publisher.bring(Step.FIND, found) == Exists(identity)


def test_one_event_is_read_by_reference_only_where_that_is_configured() -> None:
    publisher = Publisher(get_by_reference=True)
    (identity,) = filled(publisher, 1)
    assert publisher.call("GET", "/apiv2/event/K0")["eventId"] == identity


@pytest.mark.parametrize("answers", ["document", "newer"])
def test_a_list_comes_in_pages_and_ends_with_204(answers: str) -> None:
    publisher = Publisher(answers=answers)
    filled(publisher)
    asked = {"ecal_id": PERSON, "type": "private", "limit": "2"}
    pages = [publisher.call("GET", "/apiv2/event", page=page, **asked) for page in ("1", "2", "3")]
    events = [page["data"] if answers == "newer" else page for page in pages[:2]]
    assert [[event["reference"] for event in page] for page in events] == [["K0", "K1"], ["K2"]]
    assert pages[2] == 204


@pytest.mark.parametrize(("answers", "limit"), [("document", 1000), ("newer", 100)])
def test_a_page_has_a_most(answers: str, limit: int) -> None:
    publisher = Publisher(answers=answers)
    filled(publisher, 1)
    assert publisher.call("GET", "/apiv2/event", limit=str(limit)) not in (204, 400)
    assert publisher.call("GET", "/apiv2/event", limit=str(limit + 1)) == 400


def test_the_newer_list_hides_what_is_past_and_filters_by_date() -> None:
    publisher = Publisher(answers="newer")
    filled(publisher, 1)
    filled_past = {**FIELDS_OF_ONE, "reference": "P", "startDate": "2026-01-02", "endDate": "2026-01-02"}
    publisher.call("POST", "/apiv2/event", filled_past, ecal_id=PERSON)

    def listed(**query: str) -> list[str]:
        answer = publisher.call("GET", "/apiv2/event", **query)
        return [] if answer == 204 else [event["reference"] for event in answer["data"]]

    assert listed() == ["K0"]
    assert listed(showPastEvents="1") == ["K0", "P"]
    assert listed(startDate="2026-01-01", endDate="2026-01-31") == ["P"]


def test_a_list_is_of_calendars_with_drafts_and_in_a_zone_on_request() -> None:
    publisher = Publisher()
    public = {**FIELDS_OF_ONE, "type": "fixture", "calendarId": "c1"}
    publisher.call("POST", "/apiv2/event", {**public, "reference": "A"})
    publisher.call("POST", "/apiv2/event", {**public, "reference": "B", "draft": 1, "calendarId": "c2"})
    listed = publisher.call("GET", "/apiv2/event", calendarIds="c1,c2")
    drafts = publisher.call("GET", "/apiv2/event", calendarIds="c1,c2", showDraft="1")
    assert [[event["reference"] for event in page] for page in (listed, drafts)] == [["A"], ["A", "B"]]
    (moved,) = publisher.call("GET", "/apiv2/event", tz="Asia/Tokyo")
    assert (moved["startDate"], moved["startTime"], moved["timezone"]) == ("2026-12-24", "17:00", "Asia/Tokyo")
    assert publisher.call("GET", "/apiv2/event", tz="Nowhere") == 400


def test_one_event_is_read_in_a_zone_on_request() -> None:
    publisher = Publisher()
    fixture = {**FIELDS_OF_ONE, "type": "fixture", "calendarId": "c1", "reference": "A"}
    made = publisher.call("POST", "/apiv2/event", fixture)
    moved = publisher.call("GET", f"/apiv2/event/{made['eventId']}", tz="Asia/Tokyo")
    assert (moved["startDate"], moved["startTime"], moved["timezone"]) == ("2026-12-24", "17:00", "Asia/Tokyo")


def test_an_unknown_calendar_is_404_and_a_known_one_takes_an_event_over() -> None:
    publisher = Publisher(calendars=["c1", "c2"])
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True, "collection": "c9"}
    assert publisher.bring(Step.CREATE, situation(PUBLIC, wanted=content)) == Rejected("not_found", "http_404")
    publisher.bring(Step.CREATE, situation(PUBLIC, wanted={**content, "collection": "c1"}))
    assert publisher.call("PUT", f"/apiv2/event/{KEY}", {"calendarId": "c9"}) == 404
    publisher.call("PUT", f"/apiv2/event/{KEY}", {"calendarId": "c2"})
    assert [entry["calendar"] for entry in publisher.simulator.entries()] == ["c2"]


def test_an_unknown_subscriber_is_404() -> None:
    publisher = Publisher(subscribers={"somebody": "a@b.example"})
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    assert publisher.bring(Step.CREATE, situation(wanted=content)) == Rejected("unknown_subscriber", "http_404")


# Event, lines 201-228 and 230-234.
BULK = {
    "alert": "15M",
    "alert2": "-",
    "details": "This is a test event",
    "social": {
        "facebook": "http://www.facebook.com/ECALWORLD",
        "twitter": "@ECAL",
        **dict.fromkeys(
            ("google", "pinterest", "linkedin", "myspace", "podcast", "blog", "foursquare", "youtube", "instagram",
             "flickr", "iphone", "ipad", "android", "blackberry", "stackla", "soundcloud", "vimeo"), ""
        ),
    },
    "sponsored_message": "",
    "referenceType": "",
}  # fmt: skip


def test_the_sample_of_a_bulk_update_is_taken_and_answered_as_documented() -> None:
    publisher = Publisher()
    filled(publisher, 2, referenceType="dunning")
    answer = publisher.call("PUT", "/apiv2/events/dunning", BULK)
    assert answer == {"affected_rows": 2, "status": "200", "statusLong": "OK"}
    assert heard(publisher.call("GET", "/apiv2/event/K1"))["description"] == "This is a test event"
    assert publisher.call("PUT", "/apiv2/events/dunning", {"name": "x"}) == 400
    assert publisher.call("PUT", "/apiv2/event/dunning", BULK) == 404


def test_a_batch_is_made_listed_searched_and_deleted() -> None:
    publisher = Publisher()
    one = {**FIELDS_OF_ONE, "reference": "A", "referenceType": "dunning"}
    made = publisher.call(
        "POST", "/apiv2/batch/events", {"events": [one, {**one, "reference": "B", "ecal_id": "other"}]}, ecal_id=PERSON
    )
    ids = [item["eventId"] for item in made["data"]]
    assert [entry["calendar"] for entry in publisher.simulator.entries()] == [PERSON, "other"]
    mine = publisher.call("GET", "/apiv2/batch/events", type="private", ecal_id=PERSON)
    assert [event["reference"] for event in mine["data"]] == ["A"]
    kind = publisher.call("GET", "/apiv2/batch/events", referenceType="dunning")
    assert [event["reference"] for event in kind["data"]] == ["A", "B"]
    found = publisher.call("POST", "/apiv2/batch/events/search", {"ids": ids[1:]})
    assert [event["reference"] for event in found["data"]] == ["B"]
    assert publisher.call("DELETE", "/apiv2/batch/events", {"ids": ids}) == {"status": 200, "statusLong": "OK"}
    assert publisher.simulator.items() == []


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], 400),
        ([{**FIELDS_OF_ONE, "reference": "A"}, {**FIELDS_OF_ONE, "reference": "B", "name": ""}], 400),
        ([{**FIELDS_OF_ONE, "reference": "A"}, {**FIELDS_OF_ONE, "reference": "A"}], 409),
    ],
)
def test_a_batch_is_taken_whole_or_not_at_all(events: list[Any], status: int) -> None:
    publisher = Publisher()
    assert publisher.call("POST", "/apiv2/batch/events", {"events": events}, ecal_id=PERSON) == status
    assert publisher.simulator.items() == []


def test_a_subscriber_is_found_and_takes_and_leaves_calendars() -> None:
    publisher = Publisher(subscribers={PERSON: "Ann@example.com"})
    path = f"/apiv2/subscriber/{PERSON}"
    publisher.call("POST", f"{path}/subscriptions/add", {"calendarIds": ["c1", "c2"]})
    publisher.call("POST", f"{path}/subscriptions/remove", {"calendarIds": ["c1"]})
    record = {"data": {"id": PERSON, "email": "Ann@example.com", "data": {"calIds": ["c2"]}}}
    assert publisher.call("GET", path) == record
    assert publisher.call("GET", "/apiv2/subscriber/ann%40example.com") == record
    publisher.call("POST", f"{path}/unsubscribe")
    assert publisher.call("GET", path)["data"]["data"]["calIds"] == []
    assert publisher.call("GET", "/apiv2/subscriber/nobody") == 404


def test_the_body_of_a_delete_is_not_signed() -> None:
    """Authentication, step 3: only that of a POST or PUT."""
    unsigned = Request("DELETE", "/apiv2/batch/events")
    bare, full = (VENDOR.sign(one, CREDENTIAL, None) for one in (unsigned, replace(unsigned, body=b'{"ids":["e1"]}')))
    assert bare.query == full.query
