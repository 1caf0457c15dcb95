"""The twelve lines of `configs/relay.yaml`, run as they are: only addresses and secrets come from the environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.flow.assembly import ECAL, PERSON, Sandbox, publish, running, surroundings, until

RELAY = Path(__file__).parents[2] / "configs" / "relay.yaml"


def event(number: int, title: str, place: str = "Online") -> bytes:
    data = {"ecal_id": PERSON, "title": title, "place": place, "start": "2027-03-01T09:00:00"}
    envelope = {"specversion": "1.0", "id": str(number), "source": "/shop", "type": "anything", "data": data}
    return json.dumps(envelope).encode()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with closing(Sandbox(tmp_path, [{"name": "ecal", "vendor": "ecal", "config": ECAL}])) as made:
        yield made


@pytest.fixture
def worker(bootstrap: str, sandbox: Sandbox, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    own = {
        "CALENDS_DESTINATIONS__ECAL__BASE_URL": f"{sandbox.url}/ecal/ecal",
        "ECAL_API_KEY": ECAL["api_key"],
        "ECAL_API_SECRET": ECAL["api_secret"],
    }
    with running(RELAY, surroundings(bootstrap, tmp_path) | own, tmp_path) as process:
        yield process


def test_it_is_as_short_as_promised() -> None:
    assert len([line for line in RELAY.read_text().splitlines() if line.strip()]) == 12


def test_each_event_is_an_entry_and_a_redelivered_one_is_no_second(
    bootstrap: str, sandbox: Sandbox, worker: subprocess.Popen[bytes]
) -> None:
    publish(bootstrap, "appointments", event(1, "one"), event(2, "two"))
    until(lambda: len(sandbox.entries("ecal")) == 2, 30, "both entries arrive")
    publish(bootstrap, "appointments", event(1, "one"), event(2, "two"), event(3, "three"))
    until(lambda: len(sandbox.entries("ecal")) == 3, 30, "the third entry arrives")
    assert sorted(entry["title"] for entry in sandbox.entries("ecal")) == ["one", "three", "two"]
    assert sandbox.judge("ecal")["doubles"] == []
    assert sandbox.counters("ecal")["calls"] == 3
    assert worker.poll() is None
