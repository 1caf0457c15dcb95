"""`calends explain`: what the rules make of one event, and the exact requests, without sending or reading a secret."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pipeline.cli import app

CONFIGS = Path(__file__).parents[2] / "configs"
BOOKING: dict[str, Any] = {
    "specversion": "1.0",
    "id": "b-1",
    "source": "/travel",
    "type": "com.acme.booking.made",
    "time": "2026-11-01T10:00:00Z",
    "data": {
        "booking": 7,
        "customer_id": "C-17",
        "service": "Haircut",
        "location": "Main St 1",
        "starts": "2026-12-01T09:00",
        "zone": "Europe/Berlin",
    },
}
LEG: dict[str, Any] = {
    "number": 1,
    "flight": "AC 61",
    "from": {"code": "BER", "airport": "Berlin", "zone": "Europe/Berlin", "local_time": "2031-03-01T10:00"},
    "to": {"code": "JFK", "zone": "America/New_York", "local_time": "2031-03-01T13:30"},
}


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("ECAL_API_KEY", "ECAL_API_SECRET", "CALREPLY_CLIENT_ID", "CALREPLY_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)


def explain(event: Any, *arguments: str) -> Result:
    body = event if isinstance(event, str) else json.dumps(event)
    return CliRunner().invoke(app, ["explain", "-", "-c", str(CONFIGS), *arguments], input=body)


def story(event: Any, rule: str, *arguments: str) -> dict[str, Any]:
    told = json.loads(explain(event, "--json", *arguments).stdout)
    return next(one for one in told if one["rule"] == rule)


def requests(event: Any, rule: str, *arguments: str) -> dict[str, dict[str, Any]]:
    return {change["destination"]: change["request"] for change in story(event, rule, *arguments)["changes"]}


def test_each_vendor_gets_its_own_request() -> None:
    sent = requests(BOOKING, "booking-made", "--identity", "fcaf2d43")

    ecal, calreply = sent["acme-ecal"], sent["acme-calreply"]
    assert ecal["method"] == "POST"
    assert ecal["url"] == ("http://127.0.0.1:8900/ecal/acme-ecal/apiv2/event?ecal_id=fcaf2d43&apiKey=***&apiSign=***")
    assert ecal["headers"] == {"content-type": "application/json"}
    assert ecal["body"]["startTime"] == "09:00"
    assert calreply["url"] == "http://127.0.0.1:8900/calreply/acme-calreply/v1/subscriptionevent/acme"
    assert calreply["headers"]["authorization"] == "Bearer ***"
    assert '"fcaf2d43"' in json.dumps(calreply["body"])


def test_the_text_has_the_same_request() -> None:
    text = explain(BOOKING, "--identity", "fcaf2d43").stdout

    assert "    POST http://127.0.0.1:8900/ecal/acme-ecal/apiv2/event?ecal_id=fcaf2d43&apiKey=***&apiSign=***\n" in text
    assert "    authorization: Bearer ***\n" in text
    assert '      "startTime": "09:00",\n' in text


def test_where_the_token_comes_from_is_told_in_full() -> None:
    assert "by POST http://127.0.0.1:8900/calreply/acme-calreply/oauth2/token, and kept" in explain(BOOKING).stdout


def test_a_password_in_an_address_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALENDS_ACCOUNTS__ACME-CALREPLY__BASE_URL", "https://me:s3cret@host/api")

    text = explain(BOOKING).stdout

    assert ("https://***@host/api/v1/" in text, "https://***@host/api/oauth2/token" in text) == (True, True)
    assert "s3cret" not in text


def test_a_topic_that_no_rule_reads_is_told() -> None:
    result = explain(BOOKING, "--topic", "travel.boking")

    assert result.exit_code == 1
    assert result.stderr.startswith("calends: no rule reads the topic travel.boking; the rules read travel.bookings, ")


def test_a_topic_that_a_rule_reads_is_not() -> None:
    assert explain(BOOKING, "--topic", "travel.bookings").stderr == ""


def test_a_rule_that_does_not_match_says_why() -> None:
    other = {**BOOKING, "type": "com.acme.invoice.due", "data": {"amount": 0}}

    assert story(BOOKING, "invoice-due")["why"].startswith("type: com.acme.booking.made is not")
    assert story(BOOKING, "invoice-due", "--topic", "elsewhere")["why"] == "topic: elsewhere is not billing.invoices"
    assert story(other, "invoice-due")["why"] == "when: false"


def test_a_rule_that_matches_says_why() -> None:
    assert story(BOOKING, "booking-made")["why"] == "from travel.bookings, on com.acme.booking.made"


def test_a_cancel_is_a_delete() -> None:
    cancelled = {**BOOKING, "type": "com.acme.booking.cancelled"}

    sent = requests(cancelled, "booking-cancelled")

    assert {name: request["method"] for name, request in sent.items()} == {
        "acme-ecal": "DELETE",
        "acme-calreply": "DELETE",
    }


def test_a_layer_alone_sends_nothing() -> None:
    paid = {"type": "com.acme.invoice.paid", "data": {"number": 45009}}

    (change,) = story(paid, "invoice-paid")["changes"]

    assert change["request"] is None
    assert change["notes"][0].startswith("writes the layer payment only")


def test_a_link_is_told() -> None:
    data = {"vendor": "ecal", "customer_id": "C-17", "identity": "fcaf2d43"}

    told = story({"type": "com.acme.customer.linked", "data": data}, "customer-linked-ecal")

    assert told["links"] == ["acme-ecal: subscriber C-17 is fcaf2d43"]


@pytest.mark.parametrize(
    ("event", "rule", "says"),
    [
        ({"type": "com.acme.trip.cancelled", "data": {"booking": 7}}, "trip-cancelled", "all of it"),
        (
            {"type": "com.acme.trip.changed", "data": {"booking": 7, "confirmed": True, "segments": []}},
            "trip-booked",
            "all of it",
        ),
        (
            {
                "type": "com.acme.trip.changed",
                "data": {"booking": 7, "confirmed": True, "ecal_id": "E1", "segments": [LEG]},
            },
            "trip-booked",
            "what else it has",
        ),
    ],
)
def test_what_ends_of_a_group_is_told(event: Any, rule: str, says: str) -> None:
    trips = ("-c", str(CONFIGS / "examples" / "bookings"))
    line = f"TRIP-7 at ecal: {says} is cancelled, unless something newer wrote it"

    assert story(event, rule, *trips)["groups"] == [line]
    assert f"    group {line}\n" in explain(event, *trips).stdout


def test_until_when_it_is_created_is_told() -> None:
    (change, _) = story(BOOKING, "booking-made")["changes"]
    assert "not created after 2026-12-01T08:00:00Z (expires_at)" in change["notes"]


def test_what_fails_is_named_and_ends_with_1() -> None:
    broken = {**BOOKING, "data": {"booking": 7}}

    result = explain(broken)

    assert (result.exit_code, "FAILS at send[0].subscriber" in result.stdout) == (1, True)


def test_what_a_vendor_cannot_say_is_told() -> None:
    three = {**BOOKING, "data": {**BOOKING["data"], "starts": "2026-12-01T09:00:30"}}

    ecal = next(c for c in story(three, "booking-made")["changes"] if c["destination"] == "acme-ecal")

    assert (ecal["request"], ecal["cannot_say"][0]) == (None, "start has seconds: ECAL's times are HH:MM")


def test_people_get_text() -> None:
    result = explain(BOOKING)

    assert result.exit_code == 0
    assert "✔ booking-made: from travel.bookings" in result.stdout
    assert "· invoice-due: no: type:" in result.stdout


@pytest.mark.parametrize("text", ["", "[]", "{", '{"no": "type"}'])
def test_what_is_no_event_is_wrong_usage(text: str) -> None:
    assert explain(text).exit_code == 2


def test_a_missing_file_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["explain", "no-such.json", "-c", str(CONFIGS)])

    assert (result.exit_code, result.stderr) == (2, "calends: no-such.json: No such file or directory\n")


def test_a_file_that_is_no_json_says_where(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text('{"type": "a.b",\n "data": {"n": 1,}}')
    result = CliRunner().invoke(app, ["explain", str(file), "-c", str(CONFIGS)])

    assert (result.exit_code, result.output.startswith(f"calends: {file}:2:18: not JSON: ")) == (2, True)


def test_the_mark_of_an_editor_is_no_part_of_the_event() -> None:
    assert explain("\ufeff" + json.dumps(BOOKING)).output == explain(BOOKING).output


def test_a_key_that_stands_twice_is_told() -> None:
    result = explain(json.dumps(BOOKING).replace('"zone"', '"zone": "UTC", "zone"'))

    assert "warning: -: the key 'zone' stands twice in one object; the last one counts" in result.stderr


def test_a_type_with_other_capital_letters_is_hinted_at() -> None:
    def why(kind: str) -> str:
        return str(story(BOOKING | {"type": kind}, "booking-made")["why"])

    assert why("com.acme.Booking.made").endswith("; capital letters count")
    assert "capital" not in why("com.acme.boking.made")
