"""What a vendor's reads show: a change behind our back, a deletion, a copy; and what cannot be known.

That what was acknowledged reads as acknowledged, whatever it is: `test_round_trip`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.model.wire import Response
from pipeline.vendors import vendors
from pipeline.vendors.contract import Item, Page, Situation, Unread
from tests.vendors.subjects import Subject, subjects
from tests.vendors.test_round_trip import Account

CONTENT: dict[str, Any] = {
    "title": "Check-up",
    "location": "Room 7",
    "description": "Bring your card",
    "start": "2027-03-01T09:00:00",
    "end": "2027-03-01T10:00:00",
    "time_zone": "Europe/Paris",
}
OTHER = {
    "title": "Check-up, moved",
    "location": "Room 8",
    "description": "Nothing to bring",
    "start": "2027-03-01T08:30:00",
    "end": "2027-03-01T10:30:00",
}
COLLECTIONS = {"apptoto": "Appointments", "add_to_calendar_pro": "prokey-of-event-group"}
readable = pytest.mark.parametrize(
    "one", [one for one in subjects() if one.vendor.read_back is not None], ids=lambda one: one.vendor.name
)


def content(one: Subject, **more: Any) -> dict[str, Any]:
    collection = COLLECTIONS.get(one.vendor.name)
    return {**CONTENT, **({"collection": collection} if collection else {}), **more}


@readable
@pytest.mark.parametrize("field", sorted(OTHER))
def test_a_field_that_somebody_changed_is_seen(one: Subject, field: str) -> None:
    account = Account(one)
    account.bring(content(one, **{field: OTHER[field]}))
    account.entry = replace(account.entry, observed=content(one))
    told = account.read_back()
    assert not isinstance(told, Unread)
    assert len(told[1]) == 1


@readable
def test_what_is_gone_is_not_shown(one: Subject) -> None:
    account = Account(one)
    account.bring(content(one))
    held = account.entry
    account.bring(None)
    account.entry = held
    back = one.vendor.read_back
    assert back is not None
    looked = back.look(held)
    assert account._listed(account._places(held)[0]) == ()
    assert isinstance(looked, Unread) or account._shown(looked) == Page()


@readable
@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 502, 503])
def test_an_answer_that_is_none_shows_nothing_and_hides_nothing(one: Subject, status: int) -> None:
    assert one.vendor.read_back is not None
    assert one.vendor.read_back.read(Response(status)) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"x"', b"7", b"null"])
@readable
def test_a_body_that_is_no_answer_is_not_nothing(one: Subject, body: bytes) -> None:
    assert one.vendor.read_back is not None
    assert one.vendor.read_back.read(Response(200, {}, body)) is None


def test_a_wrong_address_is_no_empty_calendar_at_add_to_calendar_pro() -> None:
    back = vendors()["add_to_calendar_pro"].read_back
    assert back is not None
    assert back.read(Response(404, {}, b"<h1>Not Found</h1>")) is None
    assert back.read(Response(404, {}, b'{"message": "No entry found"}')) == Page()


def test_a_copy_is_known_by_its_marker_at_add_to_calendar_pro() -> None:
    back = vendors()["add_to_calendar_pro"].read_back
    assert back is not None
    event = {"prokey": "p2", "iCalFileName": back.mark("K"), "dates": [{"name": "T", "startDate": "2027-03-01"}]}
    assert back.read(Response(200, {}, json.dumps(event).encode())) == Page((Item("p2", back.mark("K"), event),))


def test_calreplys_protected_feed_and_ended_subscription_are_said() -> None:
    back = vendors()["calreply"].read_back
    assert back is not None
    basic = {"www-authenticate": 'Basic realm="calendar"'}
    assert back.read(Response(401, basic)) == Unread("protected")
    assert back.read(Response(404)) == Unread("subscription_ended")
    assert back.places(Situation("K", None, {"kind": "subscription"}, "s")) == Unread("subscription")


def test_calreplys_second_item_with_one_uid_has_no_id_that_a_call_could_name() -> None:
    back = vendors()["calreply"].read_back
    assert back is not None
    lines = ["BEGIN:VCALENDAR", *["BEGIN:VEVENT", "UID:K", "SUMMARY:T", "END:VEVENT"] * 2, "END:VCALENDAR"]
    shown = back.read(Response(200, {}, "\r\n".join(lines).encode()))
    assert isinstance(shown, Page)
    assert [(item.id, item.mark) for item in shown.items] == [("K", "K"), (None, "K")]
