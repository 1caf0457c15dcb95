"""What Apptoto's webhooks tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.inbound import TRIGGERS
from tests.vendors.apptoto.acts import Content


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("spell", [str.capitalize, lambda name: name.replace(" ", "_")])
def test_every_trigger_is_known_by_its_name(trigger: str, spell: Any) -> None:
    assert VENDOR.inbound is not None
    body = json.dumps({"trigger": spell(trigger), "event": {"id": 123, "external_id": "K"}}).encode()
    (notice,) = VENDOR.inbound(body) or ()
    assert (notice.kind, notice.entry, notice.subscriber, notice.identity) == (TRIGGERS[trigger], "K", None, None)
    assert len(TRIGGERS) == 20


@pytest.mark.parametrize(
    ("body", "kind", "entry"),
    [
        ({"trigger": "Participant reminder state changed (any state)", "id": 3}, "answered", None),
        ({"trigger": "Participant check-in state changed (any state)"}, "answered", None),
        ({"id": 123, "start_time": "x", "is_deleted": False}, "changed", "123"),
        ({"id": 123, "external_id": "K", "is_deleted": True}, "deleted", "K"),
        ({"participant": {"state": "confirmed"}, "event": {"id": 9}}, "answered", "9"),
        ({"participant": {"state": "not_coming_needs_reschedule"}}, "answered", None),
        ({"participant": {"state": "initial"}}, "changed", None),
        ({"something": "else"}, "changed", None),
        ({"participant": [], "event": 5}, "changed", None),
    ],
)
def test_a_body_of_another_shape_is_read_as_far_as_it_goes(body: Content, kind: str, entry: str | None) -> None:
    assert VENDOR.inbound is not None
    (notice,) = VENDOR.inbound(json.dumps(body).encode()) or ()
    assert (notice.kind, notice.entry, notice.data) == (kind, entry, body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'"x"', b"\xff"])
def test_what_is_no_object_cannot_be_read(body: bytes) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(body) is None
