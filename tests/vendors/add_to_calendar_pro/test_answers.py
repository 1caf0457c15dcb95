"""What an answer is read as: links, costs, faults, and lists that cannot be read."""

from __future__ import annotations

import json

from pipeline.model.outcome import Accepted, Rejected, Retry, Unknown
from pipeline.model.wire import Response
from pipeline.vendors.contract import Step
from tests.vendors.add_to_calendar_pro.acts import ENTRY, NAME, NOW, PROKEY, VENDOR, made, send, simulator, situation


def test_an_event_that_is_no_form_has_a_page_a_file_and_direct_links() -> None:
    content = {
        **ENTRY,
        "dates": [{"start": "2026-12-24"}, {"start": "2026-12-25"}],
        NAME: {"organizer_name": "J", "organizer_email": "j@f.example"},
    }
    body = json.dumps({"status": "success", "message": "created", "prokey": PROKEY}).encode()
    (outcome,) = VENDOR.read(Step.CREATE, [situation(content)], Response(200, body=body), NOW)
    assert isinstance(outcome, Accepted)
    file = f"https://event.caldn.net/{PROKEY}/5d680fd5a927d4aa"
    kinds = ("ical", "apple", "google", "ms365", "outlookcom", "msteams", "yahoo")
    assert outcome.links == {
        "landing_page": f"https://caldn.net/{PROKEY}",
        "ics": f"{file}.ics",
        "ics_2": f"{file}-2.ics",
        **{kind: f"https://caldn.net/{PROKEY}/o/{kind}" for kind in kinds},
    }


def test_the_links_come_with_every_write_and_find() -> None:
    at = simulator()
    vendor_id = made(at, ENTRY)
    one = situation(ENTRY, ENTRY, vendor_id=vendor_id)
    found = [send(at, step, one) for step in (Step.UPDATE, Step.WRITE, Step.FIND)]
    assert [outcome.links["landing_page"] for outcome in found if isinstance(outcome, Accepted)] == [
        f"https://caldn.net/{vendor_id}"
    ] * 3


def test_a_create_costs_a_credit_and_an_update_a_fifth() -> None:
    assert [VENDOR.cost(step, situation(ENTRY)) for step in Step] == [1.0, 0.2, 0.2, 0.0, 0.0]


def test_a_list_that_cannot_be_read_is_asked_for_again() -> None:
    one = situation(ENTRY, ENTRY, unsure=True)
    for body in (b"{}", b"", b'[{"label": "x"}]', b'[{"id": "../x"}]'):
        assert VENDOR.read(Step.FIND, [one], Response(200, body=body), NOW) == [Retry()]


def test_a_servers_fault_says_nothing() -> None:
    one = situation(ENTRY, ENTRY, vendor_id=PROKEY)
    assert VENDOR.read(Step.CREATE, [one], Response(502), NOW) == [Unknown("http_502")]
    assert VENDOR.read(Step.CREATE, [one], Response(413), NOW) == [Rejected("too_large", "http_413")]
