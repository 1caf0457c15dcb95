"""Each field of an entry: sent and read back, or said to be one that the vendor cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.model.outcome import Accepted
from pipeline.vendors import vendors
from pipeline.vendors.contract import Situation, Step
from tests.vendors.add_to_calendar_pro.acts import ENTRY, NAME, OPTIONS, VENDOR, call, made, send, simulator, situation
from tests.vendors.add_to_calendar_pro.entries import EVERYTHING, check


@pytest.mark.parametrize("answers", ["old", "new"])
def test_every_field_comes_back(answers: str) -> None:
    at = simulator(answers=answers)
    prokey = made(at, EVERYTHING)
    check(at, EVERYTHING)
    _, read = call(at, "GET", f"/event/{prokey}")
    (event,) = read if isinstance(read, list) else (read,)
    said = json.loads(VENDOR.request(Step.CREATE, [situation(EVERYTHING)]).body)
    group = {"prokey": "g-1"} if answers == "old" else "g-1"
    assert {**event, **said, "event_group": group} == event
    assert event["dates"] == said["dates"]
    assert (event["dates"][0]["endTime"], event["dates"][0]["status"]) == ("11:00", "TENTATIVE")
    known = situation(EVERYTHING, EVERYTHING, vendor_id=prokey, unsure=True)
    assert isinstance(send(at, Step.FIND, known), Accepted)


def test_every_field_that_it_can_say_is_in_the_tests() -> None:
    rest = {"recurrence", "dates"}
    expression = VENDOR.express({})
    assert expression.fields - rest == EVERYTHING.keys() - {NAME}
    assert expression.own.keys() - {"new_event_group_name", "description_html"} == EVERYTHING[NAME].keys()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"title": ""}, "title"),
        ({"start": ""}, "start"),
        ({"collection": ""}, "collection"),
        ({NAME: {"new_event_group_name": "x"}}, "collection"),
        ({"start": "2026-12-24T09:00:00", "all_day": False}, "time_zone"),
        ({"start": "2026-03-29T02:30:00", "all_day": False, "time_zone": "Europe/Berlin"}, "start"),
        ({"start": "2026-12-24T09:00:30", "all_day": False, "time_zone": "Europe/Berlin"}, "start"),
        ({"start": "2026-12-24T09:00:00Z", "all_day": False, "time_zone": "Europe/Berlin"}, "start"),
        ({"start": "today+4"}, "start"),
        ({"start": "2026-12-24", "all_day": False}, "all_day"),
        ({"start": "2026-12-24T09:00:00", "time_zone": "UTC"}, "all_day"),
        ({"end": "2026-12-24"}, "end"),
        ({"end": "2026-12-25T09:00:00"}, "end"),
        ({"time_zone": "AUS Eastern Standard Time"}, "time_zone"),
        ({"time_zone": "currentBrowser"}, "time_zone"),
        ({"time_zone": "Factory"}, "time_zone"),
        ({"end_time_zone": "Europe/Paris"}, "end_time_zone"),
        ({"dates": [{"start": "2026-12-24"}, {"start": "x"}]}, "dates[1]"),
        ({"recurrence": "FREQ=DAILY", "dates": [{"start": "2026-12-24"}, {"start": "2026-12-25"}]}, "recurrence"),
        ({"recurrence": "FREQ=DAILY", NAME: {"recurrence_simple_type": "daily"}}, "recurrence"),
        ({"recurrence": "daily"}, "recurrence"),
        ({NAME: {"recurrence_count": 3}}, f"{NAME}.recurrence_count"),
        ({NAME: {"recurrence_simple_type": "hourly"}}, f"{NAME}.recurrence_simple_type"),
        ({NAME: {"rsvp": "yes"}}, f"{NAME}.rsvp"),
        ({NAME: {"iCalFileName": "mine"}}, f"{NAME}.iCalFileName"),
        ({NAME: {"description_html": "<br>"}}, f"{NAME}.description_html"),
        ({NAME: {"description_html": "<p>x"}}, f"{NAME}.description_html"),
        ({NAME: {"description_html": '<a href="javascript:x">x</a>'}}, f"{NAME}.description_html"),
        ({"description": "x", NAME: {"description_html": "<p>x</p>"}}, "description"),
        ({NAME: {"organizer_name": "Jack"}}, f"{NAME}.organizer_name"),
        ({NAME: {"organizer_name": "J" * 51, "organizer_email": "a@b.c"}}, f"{NAME}.organizer_name"),
        ({"participants": [{"name": "Santa", "email": "a@b.c"}]}, "participants"),
    ],
)
def test_it_says_which_field_it_cannot_say(said: dict[str, Any], field: str) -> None:
    (problem,) = VENDOR.problems({**ENTRY, **said}, OPTIONS)
    assert problem.split()[0].rstrip(":") == field


@pytest.mark.parametrize(
    ("people", "options", "word"),
    [
        ([{"name": "S", "email": "a@b.c"}], {}, "public"),
        ([{"name": "S", "email": "a@b.c"}] * 2, OPTIONS, "2 given"),
        ([{"name": "S", "email": "a@b.c", "phone": "1"}], OPTIONS, "phone"),
        ([{"name": "S"}], OPTIONS, "e-mail"),
        ([{"email": "a@b.c"}], OPTIONS, "name"),
    ],
)
def test_a_participant_is_sent_knowingly_and_whole(people: Any, options: Any, word: str) -> None:
    own = {"organizer_name": "Jack", "organizer_email": "jack@frost.example"}
    (problem,) = VENDOR.problems({**ENTRY, "participants": people, NAME: own}, options)
    assert word in problem


def test_who_cancels_the_entry_cancels_all_of_its_dates() -> None:
    dates = [{"start": "2027-05-03T09:00:00", "status": "confirmed"}, {"start": "2027-05-04T09:00:00"}]
    content = {"title": "t", "collection": "g", "time_zone": "Europe/Paris", "dates": dates, "status": "cancelled"}
    situation = Situation(key="k", wanted=content, observed=None, identity=None, options={})
    body = json.loads(vendors()["add_to_calendar_pro"].request(Step.CREATE, [situation]).body)
    assert [one["status"] for one in body["dates"]] == ["CANCELLED", "CANCELLED"]
