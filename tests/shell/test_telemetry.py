"""Each event is one line and one metric; nothing secret gets into either."""

from __future__ import annotations

import json
import logging
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, NodeNotReadyError

from pipeline.certificates import ends_at
from pipeline.model.wanted import Due
from pipeline.telemetry import GaugeRow, Telemetry, configure_logging
from tests.services.certificates import Authority


@pytest.fixture
def telemetry() -> Telemetry:
    made = Telemetry(b"k" * 32, wall=lambda: 1000.0)
    made.declare([("acme-ecal", "ecal", "acme"), ("acme-apptoto", "apptoto", "acme2")])
    return made


def page(telemetry: Telemetry) -> dict[str, float]:
    lines = telemetry.exposition()[0].decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_counters_of_known_destinations_stand_at_zero(telemetry: Telemetry) -> None:
    figures = page(telemetry)
    assert figures['calends_calls_total{destination="acme-ecal",outcome="accepted",vendor="ecal"}'] == 0
    assert figures['calends_lanes_held{destination="acme-apptoto"}'] == 0


def test_a_call_is_counted_and_timed(telemetry: Telemetry) -> None:
    telemetry.call_finished("acme-ecal", "ecal", "create", "accepted", 0.2, 1)
    figures = page(telemetry)
    assert figures['calends_calls_total{destination="acme-ecal",outcome="accepted",vendor="ecal"}'] == 1
    assert figures['calends_call_duration_seconds_sum{destination="acme-ecal",vendor="ecal"}'] == 0.2


@pytest.mark.parametrize(("due", "urgent", "late"), [(Due(4990.0, True), "yes", 10.0), (Due(9000.0, False), "no", 0.0)])
def test_an_entry_is_late_by_when_it_matters_and_old_by_its_event(
    telemetry: Telemetry, due: Due, urgent: str, late: float
) -> None:
    telemetry.entry_settled("acme-ecal", "accepted", 5000.0, 1000.0, due)
    figures, lane = page(telemetry), 'destination="acme-ecal"'
    assert figures[f'calends_freshness_seconds_sum{{{lane},vendor="ecal"}}'] == 4000
    assert figures[f'calends_lateness_seconds_count{{{lane},urgent="{urgent}",vendor="ecal"}}'] == 1
    assert figures[f'calends_lateness_seconds_sum{{{lane},urgent="{urgent}",vendor="ecal"}}'] == late


def test_a_ledger_that_went_back_is_told_with_how_much_is_marked(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", json=True)
    telemetry.ledger_went_back([("orders", 2)], 220_000)
    telemetry.ledger_went_back([], 7)
    telemetry.entries_marked(220_000, 42.0)
    first, unread, done = lines(capsys.readouterr().err)
    assert (first["event"], first["partitions"], first["entries"]) == ("ledger went back", ["orders/2"], 220_000)
    assert ("partitions" in unread, unread["entries"]) == (False, 7)
    assert (done["event"], done["n"], done["seconds"]) == ("entries marked", 220_000, 42.0)
    assert page(telemetry)['calends_waits_total{part="ledger_went_back"}'] == 2


def test_a_hold_shows_its_reason_until_lifted(telemetry: Telemetry) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    telemetry.held("acme-ecal", "unauthorized", since)
    telemetry.held("acme-ecal", "paused", since)
    telemetry.lifted("acme-ecal", "unauthorized")
    starts = [name for name in page(telemetry) if name.startswith("calends_hold_start_seconds")]
    assert starts == ['calends_hold_start_seconds{destination="acme-ecal",reason="paused"}']
    assert page(telemetry)['calends_lanes_held{destination="acme-ecal"}'] == 1
    telemetry.lifted("acme-ecal", "paused")
    assert not [name for name in page(telemetry) if name.startswith("calends_hold_start_seconds")]
    assert page(telemetry)['calends_lanes_held{destination="acme-ecal"}'] == 0


def test_a_state_that_emptied_goes_to_zero(telemetry: Telemetry) -> None:
    telemetry.ledger_gauges([GaugeRow("acme-ecal", "ready", 5)], {"acme-ecal": 9.0}, {}, {})
    telemetry.ledger_gauges([], {}, {}, {})
    figures = page(telemetry)
    assert figures['calends_ledger_entries{destination="acme-ecal",state="ready"}'] == 0
    assert figures['calends_oldest_ready_seconds{destination="acme-ecal"}'] == 0


def test_a_topic_that_is_no_longer_read_has_no_lag(telemetry: Telemetry) -> None:
    telemetry.consumer_lag({"billing": 7, "bookings": 0})
    telemetry.consumer_lag({"bookings": 3})
    lags = {name: value for name, value in page(telemetry).items() if "_lag_records" in name}
    assert lags == {'calends_consumer_lag_records{topic="bookings"}': 3}


def test_it_is_told_since_when_no_token_is_got(telemetry: Telemetry) -> None:
    name = 'calends_token_failing_start_seconds{account="acme"}'
    telemetry.token_failed("acme", "refused", "401")
    telemetry.token_failed("acme", "unreachable", "503")
    assert page(telemetry)[name] == 1000.0
    telemetry.token_renewed("acme", "obtain", 0.1)
    assert name not in page(telemetry)


def test_the_end_of_a_certificate_is_told(telemetry: Telemetry, tmp_path: Path) -> None:
    Authority.make(tmp_path).issue(tmp_path / "client.pem")
    end = ends_at(tmp_path / "client.pem")
    assert end is not None
    telemetry.certificate_read("kafka.ssl_certfile", end)
    assert page(telemetry)['calends_certificate_end_seconds{setting="kafka.ssl_certfile"}'] == end.timestamp()
    assert [ends_at(tmp_path / "absent.pem"), ends_at(Path(__file__)), ends_at(Path("/dev/zero"))] == [None] * 3


def test_the_hash_of_a_key_depends_on_the_secret() -> None:
    one, other = Telemetry(b"a"), Telemetry(b"b")
    assert one.key_hash("INV-1") == Telemetry(b"a").key_hash("INV-1")
    assert one.key_hash("INV-1") != other.key_hash("INV-1")
    assert "INV" not in one.key_hash("INV-1")


def test_every_metric_is_named_by_the_rule(telemetry: Telemetry) -> None:
    assert all(name.startswith(("calends_", "process_")) for name in page(telemetry))


@pytest.mark.usefixtures("logging_restored")
def test_a_line_is_json_with_a_utc_time(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=True)
    telemetry.record_dead("decode", "not_json", "billing/0@17")
    telemetry.call_finished("acme-ecal", "ecal", "create", "accepted", 0.2, 1)
    (line,) = lines(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "record dead",
        "level": "warning",
        "stage": "decode",
        "reason": "not_json",
        "coordinates": "billing/0@17",
    }


@pytest.mark.usefixtures("logging_restored")
def test_unlisted_fields_urls_objects_and_texts_of_exceptions_stay_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", json=True)
    log = structlog.get_logger()
    log.info(
        "call to https://api.vendor/v?sign=s3cret", body="s3cret", reason="GET /v?sign=s3cret", part={"a": "s3cret"}
    )
    try:
        raise ValueError("s3cret")
    except ValueError:
        log.exception("failed")
        logging.getLogger("some.library").exception("failed at https://u:s3cret@host/")
        logging.getLogger("asyncio").exception("Task exception was never retrieved ValueError('s3cret')")
    logging.getLogger("httpx").info("HTTP Request: GET https://api.vendor/v?sign=s3cret")
    logging.getLogger("httpx").error("s3cret")
    logging.getLogger("aiokafka.consumer").info("chatter")
    written = capsys.readouterr().err
    assert "s3cret" not in written
    assert "chatter" not in written
    failed = lines(written)[1]
    assert failed["error"] == "ValueError"
    assert failed["where"].startswith("test_telemetry.py:")


@pytest.mark.usefixtures("logging_restored")
def test_a_reason_that_is_a_text_is_not_repeated(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", json=True)
    telemetry.waiting_for("ledger", "(psycopg.Error) key (ann@example.org) exists")
    telemetry.record_dead("rules", "no such field: ann@example.org", "t/0@1")
    assert [line["reason"] for line in lines(capsys.readouterr().err)] == ["other", "other"]
    assert page(telemetry)['calends_dead_letters_total{reason="other",stage="rules"}'] == 1


@pytest.mark.usefixtures("logging_restored")
def test_waiting_for_kafka_names_its_address(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=True)
    telemetry.declare([], kafka="broker-1:9092,broker-2:9092")
    telemetry.waiting_for("kafka", "KafkaConnectionError")
    telemetry.waiting_for("ledger", "closed")
    kafka, ledger = lines(capsys.readouterr().err)
    assert (kafka["part"], kafka["address"]) == ("kafka", "broker-1:9092,broker-2:9092")
    assert "address" not in ledger


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize(
    ("words", "cause", "told"),
    [
        ("Unable connect to %s", ConnectionRefusedError(111, "refused"), False),
        ("Unable connect to %s", TimeoutError(), False),
        ("Heartbeat send request failed: %s. Will retry.", NodeNotReadyError(), False),
        ("Failed fetch messages: %s", KafkaConnectionError(), False),
        ("Unable to update metadata from %s", "[0]", False),
        ("Unable connect to %s", socket.gaierror(-2, "Name or service not known"), True),
        ("Unable connect to %s", ssl.SSLCertVerificationError("self-signed"), True),
        ("Unable connect to %s", AuthenticationFailedError(), True),
        ("Topic %s is not authorized for this client", "billing", True),
    ],
)
def test_a_broker_that_is_away_is_our_own_line_alone(
    capsys: pytest.CaptureFixture[str], words: str, cause: object, told: bool
) -> None:
    configure_logging("info", json=True)
    logging.getLogger("aiokafka").error(words, cause)
    assert bool(capsys.readouterr().err) is told


@pytest.mark.usefixtures("logging_restored")
def test_an_error_inside_the_client_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=True)
    try:
        raise ConnectionResetError
    except ConnectionResetError:
        logging.getLogger("aiokafka.consumer").exception("Unexpected error in fetcher routine")
    assert lines(capsys.readouterr().err)[0]["error"] == "ConnectionResetError"


@pytest.mark.usefixtures("logging_restored")
def test_a_console_line_is_for_people(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=False)
    telemetry.started("0.1.0", ledger="sqlite", destinations=["acme-ecal"])
    logging.getLogger("somewhere.else").warning("odd")
    written = capsys.readouterr().err
    assert "started" in written
    assert "odd" in written
