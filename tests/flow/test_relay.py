"""The twelve lines of `configs/relay.yaml`, run as they are: only addresses and secrets come from the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import ECAL, PERSON, Sandbox, free_port, until

RELAY = Path(__file__).parents[2] / "configs" / "relay.yaml"
HEADERS: dict[str, str | bytes | None] = {"content-type": "application/cloudevents+json"}


def event(number: int, title: str, place: str = "Online") -> bytes:
    data = {"ecal_id": PERSON, "title": title, "place": place, "start": "2027-03-01T09:00:00"}
    envelope = {"specversion": "1.0", "id": str(number), "source": "/shop", "type": "anything", "data": data}
    return json.dumps(envelope).encode()


def publish(bootstrap: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce("appointments", value, headers=HEADERS)
    assert producer.flush(30) == 0


@pytest.fixture
def bootstrap() -> Iterator[str]:
    broker = EmbeddedBroker()
    try:
        yield broker.bootstrap
    finally:
        broker.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path, [{"name": "ecal", "vendor": "ecal", "config": ECAL}])
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def environment(bootstrap: str, sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return {
        "CALENDS_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "CALENDS_LEDGER__URL": f"sqlite:///{tmp_path}/ledger.db",
        "CALENDS_ADMIN__PORT": str(free_port()),
        "CALENDS_DESTINATIONS__ECAL__BASE_URL": f"{sandbox.url}/ecal/ecal",
        "ECAL_API_KEY": ECAL["api_key"],
        "ECAL_API_SECRET": ECAL["api_secret"],
    }


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "run", "-c", str(RELAY)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "worker.log").open("wb"),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_it_is_as_short_as_promised() -> None:
    assert len([line for line in RELAY.read_text().splitlines() if line.strip()]) == 12


def test_each_event_is_an_entry_and_a_redelivered_one_is_no_second(
    bootstrap: str, sandbox: Sandbox, worker: subprocess.Popen[bytes]
) -> None:
    publish(bootstrap, event(1, "one"), event(2, "two"))
    until(lambda: len(sandbox.entries("ecal")) == 2, 30, "both entries arrive")
    publish(bootstrap, event(1, "one"), event(2, "two"), event(3, "three"))
    until(lambda: len(sandbox.entries("ecal")) == 3, 30, "the third entry arrives")
    assert sorted(entry["title"] for entry in sandbox.entries("ecal")) == ["one", "three", "two"]
    assert sandbox.judge("ecal")["doubles"] == []
    assert sandbox.counters("ecal")["calls"] == 3
    assert worker.poll() is None
