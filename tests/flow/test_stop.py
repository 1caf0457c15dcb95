"""A stop while Kafka or the ledger is gone: dead, or frozen with its connections open."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import Assembly, appointment, until
from tests.services import PostgresService, fresh_database, postgres

BROKER = """
import signal
from pipeline.embedded import EmbeddedBroker
broker = EmbeddedBroker()
print(broker.bootstrap, flush=True)
signal.pause()
"""
GRACE, SMALL = 2.0, 3.0
ENDED = 0.3
"""Seconds for the admin port to close."""


@pytest.fixture
def broker() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", BROKER], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def assembly(broker: subprocess.Popen[str], tmp_path: Path) -> Iterator[Assembly]:
    assert broker.stdout is not None
    bootstrap = broker.stdout.readline().strip()
    made = Assembly(tmp_path, bootstrap, f"sqlite:///{tmp_path}/ledger.db", True, "")
    yield made
    made.close()


@pytest.mark.parametrize(("end", "busy"), [(signal.SIGKILL, False), (signal.SIGSTOP, False), (signal.SIGSTOP, True)])
def test_a_stop_without_kafka_ends_within_the_grace_period_and_a_little(
    assembly: Assembly, broker: subprocess.Popen[str], end: signal.Signals, busy: bool
) -> None:
    """`busy`: a dead letter is on its way to a Kafka that is no longer there."""
    assembly.start(extra={"grace_period": f"{GRACE:g}s"}, ecal={"faults": {"error_rate": 1.0, "error_status": 422}})
    assembly.publish([("k", appointment("k", "t"))])
    worker = assembly.worker()
    until(lambda: assembly.sandbox.counters("ecal")["calls"] > 0, 30, "an event went the whole way")
    if busy:
        assembly.publish([("k", b"no event")])
    assembly.close_producer()
    broker.send_signal(end)
    time.sleep(1.0)
    started = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert time.monotonic() - started < GRACE + SMALL


@pytest.fixture
def own_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresService]:
    """A PostgreSQL of this test alone: it is frozen."""
    monkeypatch.delenv("CALENDS_TEST_POSTGRES", raising=False)
    with postgres() as service:
        yield service


@pytest.fixture
def on_postgres(own_postgres: PostgresService, tmp_path: Path) -> Iterator[Assembly]:
    with closing(EmbeddedBroker()) as broker:
        made = Assembly(tmp_path, broker.bootstrap, fresh_database(own_postgres), True, "")
        made.start(extra={"grace_period": f"{GRACE:g}s"}, ecal={"faults": {"latency_ms": 1000}})
        assert made.calends("migrate").returncode == 0
        yield made
        own_postgres.thaw()
        made.close()


def test_a_stop_with_a_frozen_ledger_ends_as_soon_and_says_what_it_waits_for(
    on_postgres: Assembly, own_postgres: PostgresService
) -> None:
    """Calls are under way, to be settled in a ledger that is silent with its connections open."""
    worker = on_postgres.worker()
    on_postgres.publish((f"k{n}", appointment(f"k{n}", "t")) for n in range(50))
    until(lambda: on_postgres.sandbox.counters("ecal")["calls"] > 0, 30, "it sends")
    own_postgres.freeze()
    waits = '"part": "ledger", "reason": "no_answer"'
    until(lambda: waits in on_postgres.log(), 10, "it says that the ledger does not answer")
    assert (on_postgres.status(on_postgres.ports[0], "livez"), worker.poll()) == (200, None)
    started = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert time.monotonic() - started < GRACE + SMALL
    begun, ended = (_at(on_postgres.log(), event) for event in ("stopping", "stopped"))
    assert (ended - begun).total_seconds() < GRACE + ENDED


def _at(log: str, event: str) -> datetime:
    (line,) = (line for line in log.splitlines() if f'"event": "{event}"' in line)
    return datetime.fromisoformat(json.loads(line)["timestamp"])


@pytest.mark.parametrize("command", ["run", "webhooks"])
def test_told_to_stop_while_it_reads_its_settings_it_ends_at_once(tmp_path: Path, command: str) -> None:
    """Before any loop runs: as the first process of a container it would go on and be killed in the end."""
    settings = tmp_path / "calends.yaml"
    os.mkfifo(settings)
    starting = subprocess.Popen([sys.executable, "-m", "pipeline.cli", command, "-c", str(settings)])
    with settings.open("wb"):  # waits until it is being read
        starting.send_signal(signal.SIGTERM)
        assert starting.wait(30) == 0


def test_a_start_with_a_frozen_ledger_says_so_and_stops_when_told(
    on_postgres: Assembly, own_postgres: PostgresService
) -> None:
    own_postgres.freeze()
    worker = on_postgres.worker()
    until(lambda: '"part": "ledger", "reason": "no_answer"' in on_postgres.log(), 30, "it says what it waits for")
    started = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert time.monotonic() - started < GRACE + SMALL
