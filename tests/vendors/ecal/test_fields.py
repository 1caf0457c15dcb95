"""Which fields ECAL cannot say, and why."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.vendors.ecal import VENDOR
from tests.vendors.ecal.publisher import PRIVATE, PUBLIC, problems


def test_it_says_why_it_cannot_say_something() -> None:
    content = {
        "title": "T",
        "start": "2026-12-24T09:00:30",
        "time_zone": "Nowhere",
        "alerts": [7, 5, 15],
        "links": [{"name": "n", "url": "u"}] * 7,
        "ecal": {"objective": "x", "draft": 2, "smartAlert": True, "social": {"mastodon": "x"}, "colour": "red"},
    }
    found = VENDOR.problems(content, {})
    assert [problem.split()[0].rstrip(":") for problem in found] == [
        "location",
        "time_zone",
        "start",
        "alerts",
        "alerts",
        "links",
        "ecal.colour",
        "ecal.draft",
        "ecal.smartAlert",
        "ecal.objective",
        "ecal.social",
    ]


WHOLE = {"title": "T", "location": "L", "all_day": True}
TIMED = {"title": "T", "location": "L", "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({**WHOLE, "start": "2026-12-24", "end": "2026-12-24"}, "end: expected after the start"),
        ({**WHOLE, "start": "2026-12-24T09:00:00"}, "start: expected a date, as all_day"),
        ({**TIMED, "start": "2026-12-24"}, "start: expected a date and time"),
        ({**TIMED, "start": "2026-12-24T09:00:00", "end": "2026-12-24T08:00:00"}, "end: expected not before"),
        (
            {**TIMED, "start": "2026-10-25T00:00:00", "end": "2026-10-25T01:30:00", "end_time_zone": "UTC"},
            "end: in the",
        ),
        ({**WHOLE, "start": "2026-12-24", "time_zone": "UTC", "end_time_zone": "Asia/Tokyo"}, "end_time_zone cannot"),
        (
            {"title": "T", "location": "L", "start": "2026-12-24T09:00:00", "end_time_zone": "UTC"},
            "end_time_zone needs",
        ),
        ({**WHOLE, "start": "2026-12-24", "ecal": {"social": {"twitter": 1}}}, "ecal.social is a map"),
        ({**WHOLE, "start": "2026-12-24", "ecal": {"referenceType": 1}}, "ecal.referenceType is a text"),
        ({**WHOLE, "start": "2026-12-24", "links": [{"name": "n"}]}, "links: each needs"),
    ],
)
def test_it_says_which_field_it_cannot_say(content: dict[str, Any], named: str) -> None:
    (problem,) = VENDOR.problems(content, PRIVATE)
    assert problem.startswith(named)


def test_a_public_event_needs_a_calendar_and_no_subscriber() -> None:
    content = {**WHOLE, "start": "2026-12-24"}
    assert VENDOR.problems(content, PUBLIC) == ["collection is required"]
    assert problems({**content, "collection": "c1"}, PRIVATE) == ["collection cannot be said"]
    assert [VENDOR.express(options).needs_identity for options in (PRIVATE, PUBLIC)] == [True, False]
