"""Starts with something missing, and stops that leave work to others."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import Assembly, appointment, free_port, until
from tests.flow.test_flow import arrive, clean, titles


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker()
    yield made
    made.close()


def assembled(folder: Path, bootstrap: str, ledger: str, quota: tuple[int, float] = (20, 10.0)) -> Assembly:
    made = Assembly(folder, bootstrap, ledger, True, "")
    made.start(quota=quota)
    return made


def waits(assembly: Assembly, part: str) -> None:
    """Alive, not started, and it says for what it waits."""
    until(lambda: f'"part": "{part}"' in assembly.log(), 30, f"it says that it waits for {part}")
    assert assembly.status(assembly.ports[-1], "startupz") == 503
    assert assembly.status(assembly.ports[-1], "livez") == 200
    assert assembly.workers[-1].poll() is None


def test_without_kafka_it_waits_and_says_so(tmp_path: Path) -> None:
    assembly = assembled(tmp_path, f"127.0.0.1:{free_port()}", f"sqlite:///{tmp_path}/ledger.db")
    try:
        assembly.worker()
        waits(assembly, "kafka")
    finally:
        assembly.close()


def test_without_a_ledger_it_waits_and_says_so_and_stops_when_told(tmp_path: Path, broker: EmbeddedBroker) -> None:
    address = f"127.0.0.1:{free_port()}/none"
    assembly = assembled(tmp_path, broker.bootstrap, f"postgresql://ann:s3cret@{address}")
    try:
        worker = assembly.worker()
        waits(assembly, "ledger")
        (line, *_) = [json.loads(line) for line in assembly.log().splitlines() if '"part": "ledger"' in line]
        said = (line["address"], line["reason"], line["advice"])
        assert said == (address, "refused", "start the database, or correct host and port in ledger.url")
        assert not {"ann", "s3cret"} & set(assembly.log().replace(":", " ").replace("@", " ").split())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    finally:
        assembly.close()


def test_a_worker_newer_than_the_tables_waits_for_the_migration(
    tmp_path: Path, broker: EmbeddedBroker, postgres_url: str
) -> None:
    assembly = assembled(tmp_path, broker.bootstrap, postgres_url)
    try:
        assembly.worker()
        waits(assembly, "ledger")
        assert "run_calends_migrate" in assembly.log()
        assert assembly.calends("migrate").returncode == 0
        assembly.publish([("k", appointment("k", "t"))])
        arrive(assembly, {"k": "t"})
        assert assembly.status(assembly.ports[-1], "startupz") == 200
    finally:
        assembly.close()


def test_what_a_stopping_worker_has_claimed_and_not_sent_is_free_at_once(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    """Two calls a second leave; what waits for its turn when the signal comes must not wait for a lease to run out."""
    assembly = assembled(tmp_path, broker.bootstrap, f"sqlite:///{tmp_path}/ledger.db")
    try:
        worker = assembly.worker()
        assembly.publish((key, appointment(key, title)) for key, title in titles(30).items())
        until(lambda: assembly.sandbox.counters("ecal")["calls"] >= 3, 30, "it sends")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        states = [one["entries"] for one in json.loads(assembly.calends("status", "--json").stdout)["destinations"]]
        assert [entries["sending"] for entries in states] == [0, 0]
        assert all(entries["ready"] > 0 for entries in states)
        clean(assembly)
    finally:
        assembly.close()


def test_a_paused_destination_gets_no_call_until_resumed_and_the_other_goes_on(
    tmp_path: Path, broker: EmbeddedBroker
) -> None:
    assembly = assembled(tmp_path, broker.bootstrap, f"sqlite:///{tmp_path}/ledger.db", quota=(100, 1.0))
    try:
        assembly.worker()
        assembly.publish((key, appointment(key, title)) for key, title in titles(5).items())
        arrive(assembly, titles(5))
        assert assembly.calends("pause", "ecal").returncode == 0
        assembly.publish((key, appointment(key, title)) for key, title in titles(10).items())
        arrive(assembly, titles(10), vendors=("calreply",))
        assert assembly.sandbox.counters("ecal")["calls"] == 5
        assert 'calends_hold_start_seconds{destination="ecal",reason="paused"}' in assembly.metrics()
        assert "calends resume DESTINATION" in assembly.log()
        assert assembly.calends("resume", "ecal").returncode == 0
        arrive(assembly, titles(10))
    finally:
        assembly.close()
