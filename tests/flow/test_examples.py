"""`configs/examples/four-vendors.yaml` as it is, against the sandbox as it starts: only addresses are other ones."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.sandbox import DEMO
from pipeline.demo.example import SECRETS
from pipeline.operate.check import check
from tests.flow.assembly import PERSON, Sandbox, publish, running, surroundings, until

EXAMPLE = Path(__file__).parents[2] / "configs" / "examples" / "four-vendors.yaml"
WHEN = {"from": "2027-03-01T09:00:00", "until": "2027-03-01T10:00:00", "time_zone": "Europe/Berlin"}
APPOINTMENT = {"number": 1, "customer_id": "C1", "title": "Tea", "place": "Here", "name": "Ann", "email": "a@b.example"}
ACCOUNTS = ("acme-ecal", "acme-calreply", "acme-apptoto", "acme-pages")


def test_it_has_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    assert check(EXAMPLE).problems == ()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with closing(Sandbox(tmp_path, [asdict(account) for account in DEMO])) as made:
        yield made


@pytest.fixture
def worker(bootstrap: str, sandbox: Sandbox, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    file = tmp_path / "calends.yaml"
    file.write_text(EXAMPLE.read_text().replace("http://127.0.0.1:8900", sandbox.url))
    with running(file, surroundings(bootstrap, tmp_path) | SECRETS, tmp_path) as process:
        yield process


def say(bootstrap: str, topic: str, kind: str, data: Mapping[str, Any]) -> None:
    envelope = {"specversion": "1.0", "id": f"{kind}-1", "source": "/acme", "type": kind, "data": data}
    publish(bootstrap, topic, json.dumps(envelope).encode())


def test_every_vendor_gets_its_part_and_an_entry_waits_for_its_link(
    bootstrap: str, sandbox: Sandbox, worker: subprocess.Popen[bytes]
) -> None:
    def held() -> list[int]:
        return [len(sandbox.entries(account)) for account in ACCOUNTS]

    say(bootstrap, "customers", "com.acme.customer.linked", {"customer_id": "C1", "ecal_id": PERSON})
    say(bootstrap, "appointments", "com.acme.appointment.made", {**APPOINTMENT, **WHEN})
    say(bootstrap, "events", "com.acme.event.announced", {"number": 1, "title": "Fair", "place": "Here", **WHEN})
    until(lambda: held() == [1, 0, 1, 1], 30, "all but CalReply, where the customer has no subscription yet")
    say(bootstrap, "customers", "com.acme.customer.joined", {"customer_id": "C1"})
    until(lambda: held() == [1, 1, 1, 1], 30, "the entry that waited")

    assert [sandbox.judge(account)["doubles"] for account in ACCOUNTS] == [[]] * 4
    assert worker.poll() is None
