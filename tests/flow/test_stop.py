"""A stop while Kafka is gone: dead, or frozen with its connections open."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.assembly import Assembly, appointment, until

BROKER = """
import signal
from pipeline.embedded import EmbeddedBroker
broker = EmbeddedBroker()
print(broker.bootstrap, flush=True)
signal.pause()
"""
GRACE, SMALL = 2.0, 3.0


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
    broker.send_signal(end)
    time.sleep(1.0)
    started = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert time.monotonic() - started < GRACE + SMALL
