"""What a destination makes of an entry: nothing that the user wrote is dropped silently."""

from __future__ import annotations

from pipeline.rules.adapt import DestinationView, desired, problems_of
from pipeline.vendors import vendors

ECAL = vendors()["ecal"]
WHOLE = {"title": "t", "location": "Online", "start": "2027-03-01", "all_day": True}


def test_what_can_be_said_is_no_problem() -> None:
    assert problems_of(WHOLE, DestinationView("d", ECAL)) == []


def test_a_field_that_cannot_be_said_is_a_problem() -> None:
    assert problems_of({**WHOLE, "busy": True}, DestinationView("d", ECAL)) == ["busy cannot be said"]


def test_a_field_that_is_required_and_missing_is_a_problem() -> None:
    content = {name: value for name, value in WHOLE.items() if name != "location"}
    assert problems_of(content, DestinationView("d", ECAL)) == ["location is missing"]


def test_what_is_omitted_knowingly_is_left_out() -> None:
    view = DestinationView("d", ECAL, omit=frozenset({"busy"}))
    assert problems_of(desired([{**WHOLE, "busy": True}], view), view) == []


def test_links_may_go_into_the_description() -> None:
    view = DestinationView("d", ECAL, in_description=frozenset({"links"}))
    content = desired([{**WHOLE, "description": "Hello", "links": [{"name": "Pay", "url": "https://x.example"}]}], view)
    assert (content["description"], "links" in content) == ("Hello\n\nPay: https://x.example", False)
