"""Which call comes next, and what Apptoto cannot say."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.simulator import Simulator
from pipeline.vendors.contract import Step
from tests.vendors.apptoto.acts import ACCOUNT, CREDENTIAL, PLAIN, Content, call, situation


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.UPDATE),
        ({"observed": None}, Step.CREATE),
        ({"wanted": None}, Step.DELETE),
        ({"unsure": True}, Step.WRITE),
        ({"unsure": True, "observed": None}, Step.FIND),
        ({"unsure": True, "observed": None, "absent": True}, Step.CREATE),
        ({"unsure": True, "observed": None, "vendor_id": "9"}, Step.WRITE),
        ({"unsure": True, "absent": True}, Step.CREATE),
        ({"unsure": True, "wanted": None}, Step.DELETE),
        ({"unsure": True, "candidates": ("9",)}, Step.DELETE),
        ({"observed": {**PLAIN, "collection": "Home"}}, Step.DELETE),
        ({"unsure": True, "observed": {**PLAIN, "collection": "Home"}}, Step.DELETE),
    ],
)
def test_apptoto_plans(changed: Mapping[str, Any], step: Step) -> None:
    assert VENDOR.plan(replace(situation(PLAIN, PLAIN), **changed)) == step


def test_a_time_zone_that_is_not_said_any_more_cannot_be_emptied() -> None:
    options = {"send_time_zone": "omit", "time_zone_names": {"Europe/Berlin": "Berlin"}}
    after = {**PLAIN, "time_zone": "Europe/Paris"}
    assert VENDOR.plan(situation(after, PLAIN, options=options)) is Step.DELETE
    assert VENDOR.plan(situation(PLAIN, after, options=options)) is Step.UPDATE


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"title": ""}, "title is required"),
        ({"collection": None}, "collection is required"),
        ({"time_zone": None}, "time_zone is required"),
        ({"alerts": [5]}, "alerts cannot be said"),
        ({"time_zone": "Nowhere"}, "time_zone is not an IANA name"),
        ({"end": "2026-12-25T09:00:00", "end_time_zone": "../x"}, "end_time_zone is not an IANA name"),
        (
            {"start": "2026-12-24", "all_day": True, "end_time_zone": "Asia/Tokyo"},
            "end_time_zone cannot be said of an all-day entry",
        ),
        ({"start": "2026-03-29T02:30:00"}, "start: the clocks skip this local time in its time zone"),
        ({"start": "2026-12-24"}, "start: expected a date and time such as"),
        ({"all_day": True}, "start: expected a date such as"),
        ({"start": "2026-12-24T09:00:00.5"}, "start is not a local time in whole seconds"),
        ({"start": "2026-12-24T09:00:00Z"}, "start is not a local time in whole seconds"),
        ({"start": "1900-01-01T09:00:00", "time_zone": "Africa/Monrovia"}, "start: its zone's offset had seconds then"),
        ({"end": "2026-12-24T08:59:59"}, "end is before the start"),
        ({"start": "9999-12-31", "all_day": True}, "end is out of range"),
        ({"participants": [{}]}, "participants: each needs one of name, email, phone"),
        ({"participants": [{"name": ""}]}, "participants: each needs one of name, email, phone"),
        ({"participants": [{"email": "nobody"}]}, "participants: an email is no address"),
        ({"participants": [{"contact_id": 5}]}, "participants: each has no more than name, email, phone"),
        (
            {"apptoto": {"participants": [{"contact_id": 5, "name": "A"}]}},
            "apptoto.participants: a contact_id goes without name, email and phone",
        ),
        (
            {"apptoto": {"participants": [{"contact_id": "5"}]}},
            "apptoto.participants: a value is of another type than Apptoto's",
        ),
        ({"apptoto": {"participants": ["Ann"]}}, "apptoto.participants is not a list of people"),
        ({"apptoto": {"show_as": 5}}, "apptoto.show_as is 0 to 4"),
        ({"apptoto": {"show_as": True}}, "apptoto.show_as is 0 to 4"),
        ({"apptoto": {"show_as": 0}, "busy": True}, "apptoto.show_as says something else than busy"),
        ({"apptoto": {"show_as": 3}, "busy": False}, "apptoto.show_as says something else than busy"),
        ({"apptoto": {"custom_data": []}}, "apptoto.custom_data is not a map"),
        ({"apptoto": {"colour": "red"}}, "apptoto.colour is not a field of Apptoto"),
    ],
)
def test_apptoto_says_why_it_cannot_say_something(changed: Content, problem: str) -> None:
    content = {name: value for name, value in {**PLAIN, **changed}.items() if value is not None}
    (found,) = VENDOR.problems(content, {})
    assert found.startswith(problem)


def test_a_calendar_by_id_has_digits_only() -> None:
    assert VENDOR.problems(PLAIN, {"collection_is": "id"}) == ["collection is not a calendar's id"]
    assert VENDOR.problems({**PLAIN, "collection": "7"}, {"collection_is": "id"}) == []
    assert VENDOR.problems(PLAIN, {"time_zone_names": "Berlin"}) == ["option time_zone_names is not a map of names"]


def test_the_credential_is_basic() -> None:
    signed = VENDOR.sign(VENDOR.probe({}), CREDENTIAL, None)
    assert dict(signed.headers)["authorization"] == "Basic " + base64.b64encode(b"me@example.com:k3y").decode()
    assert call(Simulator(ACCOUNT), VENDOR.probe({})).status == 200
