"""What ECAL's webhooks tell."""

from __future__ import annotations

import json

import pytest

from pipeline.vendors.contract import Notice
from pipeline.vendors.ecal import VENDOR
from tests.vendors.ecal.publisher import PERSON


def test_a_subscription_through_the_widget_tells_who_was_seen_and_links_nobody() -> None:
    told = {"ecalId": PERSON, "email": "ann@example.com", "timestamp": 1516600000, "calendars": ["c1"]}
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(json.dumps(told).encode()) == [Notice("seen", identity=PERSON, data=told)]


@pytest.mark.parametrize(
    "body", [b"", b"U2FsdGVkX1+encrypted==", b'"text"', b"[]", b"{}", b'{"ecalId": ""}', b'{"ecalId": 5}', b"\xff"]
)
def test_what_is_encrypted_or_no_notification_cannot_be_read(body: bytes) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(body) is None
