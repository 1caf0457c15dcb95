"""A first rule out of a sample event passes check and its own test, whatever the sample and the vendor."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.event import decode
from pipeline.model.wire import Coordinates, Record
from pipeline.operate.sketch import sketch
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text
from pipeline.vendors import vendors

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OPTIONS = {"calreply": {"account_code": "acme", "api": "rokt"}, "ecal": {"api": "private"}}
SAMPLES = [
    {"appointment": {"number": 12, "title": "Check-up", "startsAt": "2027-02-01T09:00"}, "patient": {"id": "P-7"}},
    {"invoice": "4 5", "due_date": "2027-02-01", "amount": 12.5},
    {"from": "2027-02-01T09:00:00Z", "until": "2027-02-01T10:00:00Z", "zone": "Europe/Paris", "name": "Reds: Blues #1"},
    {"begin": "2027-02-01", "end": "2027-01-01", "title": "", "id": True, "place": None, "list": [1]},
    {"title": "“{{ x }}”\n{% y %}", "odd name": 1, "number": "a/b"},
    {},
    7,
]


def view(vendor: str) -> DestinationView:
    return DestinationView(vendor, vendors()[vendor], OPTIONS.get(vendor, {}))


def problems(data: Any, vendor: str, kind: str = "com.acme.thing.made") -> list[str]:
    return problems_of({"type": kind, "time": "2026-11-01T00:00:00Z", "data": data}, vendor)


def problems_of(body: dict[str, Any], vendor: str) -> list[str]:
    event = decode(Record(Coordinates("t", 0, 0), None, json.dumps(body).encode(), (), NOW))
    text = sketch(event, body, "acme.things", view(vendor))
    loaded = load_text(text, "new.yaml", vendors())
    assert (len(loaded.rules), len(loaded.tests)) == (1, 1)
    return [f"{problem}\n{text}" for problem in check_rules(loaded, {vendor: view(vendor)})]


@pytest.mark.parametrize("vendor", ["ecal", "calreply", "apptoto", "add_to_calendar_pro"])
@pytest.mark.parametrize("data", SAMPLES)
def test_the_rule_of_a_sample_is_fine(data: Any, vendor: str) -> None:
    assert problems(data, vendor) == []


def subscriber(data: dict[str, Any]) -> str:
    body = {"type": "pet.seen", "time": "2026-11-01T00:00:00Z", "data": data}
    event = decode(Record(Coordinates("t", 0, 0), None, json.dumps(body).encode(), (), NOW))
    (line,) = [line for line in sketch(event, body, "pets", view("ecal")).splitlines() if " subscriber: " in line]
    return line.strip()


@pytest.mark.parametrize("name", ["owner_id", "ownerId", "employee", "guest_id", "tenant_number"])
def test_whoever_the_sample_is_about_is_the_subscriber(name: str) -> None:
    assert subscriber({"id": "V-1", "date": "2027-02-01", name: "O-12"}) == f'subscriber: "{{{{ data.{name} }}}}"'


def test_a_subscriber_that_is_not_found_is_said_to_be_the_same_for_all() -> None:
    assert subscriber({"id": "V-1", "date": "2027-02-01"}) == (
        "subscriber: somebody  # not found in the sample: put the path of your own id here, or all are one person's"
    )


@pytest.mark.parametrize("kind", ["a*b [x]", "a.+?", "(a|b)$\\", "two\nlines", "a: b # c", "[!a]", "é"])
def test_the_rule_of_any_type_is_fine(kind: str) -> None:
    assert problems(SAMPLES[0], "ecal", kind) == []


@pytest.mark.parametrize("framed", [False, True])
def test_the_rule_of_a_change_event_of_debezium_is_fine(framed: bool) -> None:
    source = {"connector": "postgresql", "name": "shop", "ts_ms": 1763640000000, "schema": "public", "table": "teas"}
    change = {"before": None, "after": {"id": 7, "title": "Tea", "at": "2026-12-24T09:00"}, "op": "c", "source": source}

    assert problems_of({"schema": {"type": "struct"}, "payload": change} if framed else change, "ecal") == []


NAMES = st.sampled_from(["title", "id", "start", "ends_at", "zone", "customer", "place", "x y", "note", "until"])
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    st.integers(0, 10**6),
    st.none(),
    st.booleans(),
    st.dates().map(str),
)


@settings(max_examples=40)
@given(st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=6))
def test_the_rule_of_any_sample_is_fine(data: dict[str, Any]) -> None:
    assert problems(data, "ecal", "a") == []


def test_what_the_fields_are_is_guessed_by_their_names() -> None:
    body = {"type": "com.acme.appointment.made", "data": SAMPLES[0]}
    event = decode(Record(Coordinates("t", 0, 0), None, json.dumps(body).encode(), (), NOW))
    (sourced,) = load_text(sketch(event, body, "acme", view("ecal")), "new.yaml", vendors()).rules
    (send,) = sourced.rule.send

    assert (send.key, send.subscriber) == ("APP-{{ data.appointment.number }}", "{{ data.patient.id }}")
    assert send.entry is not None
    assert (send.entry.title, send.entry.start) == (
        "{{ data.appointment.title }}",
        "{{ data.appointment.startsAt }}",
    )


def test_what_looks_like_a_secret_is_not_copied() -> None:
    body = {"type": "a.b", "data": {"title": "Tea", "api": {"token": "sk_live_0123456789abcdef"}}}

    event = decode(Record(Coordinates("t", 0, 0), None, json.dumps(body).encode(), (), NOW))

    assert "0123456789abcdef" not in sketch(event, body, "acme.things", view("ecal"))
