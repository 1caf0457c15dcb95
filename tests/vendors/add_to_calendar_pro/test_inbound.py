"""What Add to Calendar PRO's webhooks tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.vendors.contract import Notice
from tests.vendors.add_to_calendar_pro.acts import PROKEY, VENDOR

EVENT_DATA = {"prokey": PROKEY, "dates": [{"name": "x"}], "date_updated": None, "status": "published"}
RSVP_DATA = {
    "status": "confirmed", "date_created": "2025-06-26T19:04:30.237Z", "date_updated": "2025-06-26T19:05:00.137Z",
    "email": "john.doe@email.com", "prokey": PROKEY, "amount": 1, "payload": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"element_data": RSVP_DATA}, "answered"),
        ({"element_data": RSVP_DATA, "trigger": "update", "trigger_element": "rsvp_answer"}, "answered"),
        ({"element_data": EVENT_DATA}, "accepted"),
        ({"element_data": {**EVENT_DATA, "date_updated": "2025-06-26T19:25:34.677Z"}}, "changed"),
        ({"element_data": EVENT_DATA, "trigger": "create", "trigger_element": "event"}, "accepted"),
        ({"element_data": EVENT_DATA, "trigger": "update", "trigger_element": "event"}, "changed"),
        ({"element_data": {"prokey": PROKEY}, "trigger": "delete", "trigger_element": "event"}, "deleted"),
        ({"element_data": {"id": PROKEY}, "trigger": "delete", "trigger_element": "event"}, "deleted"),
    ],
)
def test_a_webhook_tells(body: dict[str, Any], kind: Any) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(json.dumps(body).encode()) == [Notice(kind, entry=PROKEY, data=body)]


def test_two_answers_of_one_guest_are_two_notices() -> None:
    assert VENDOR.inbound is not None
    bodies = [{"element_data": {**RSVP_DATA, "id": "a-1", "date_updated": at}} for at in ("T1", "T2")]
    told = [notice for body in bodies for notice in VENDOR.inbound(json.dumps(body).encode()) or ()]
    assert [notice.id for notice in told] == ["a-1@T1", "a-1@T2"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"element_data": 1}', b'{"element_data": {"id": "67"}}'])
def test_a_webhook_that_cannot_be_read(body: bytes) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(body) is None


def test_a_webhook_of_another_element_tells_nothing_of_entries() -> None:
    assert VENDOR.inbound is not None
    assert (
        VENDOR.inbound(b'{"element_data": {"prokey": "g"}, "trigger": "delete", "trigger_element": "event_group"}')
        == []
    )
