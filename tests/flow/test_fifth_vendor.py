"""The vendor of docs/adding-a-vendor.md: the suite over its folder, and an entry from Kafka to its simulator."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.embedded import EmbeddedBroker
from pipeline.sandbox import Account
from pipeline.sandbox.server import running
from tests.flow.assembly import Assembly, Sandbox, until
from tests.vendors.tinycal import KEY, ROOT, TEXTS, installed


class Here(Sandbox):
    """The simulated vendors in this process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def close(self) -> None:
        pass


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with installed(tmp_path / "site", monkeypatch) as folder:
        yield folder


@pytest.fixture
def assembly(outside: Path, tmp_path: Path) -> Iterator[Assembly]:
    broker = EmbeddedBroker()
    made = Assembly(tmp_path, broker.bootstrap, f"sqlite:///{tmp_path}/ledger.db", True, "")
    settings = YAML(typ="safe").load(TEXTS["calends.yaml"])
    with running([Account("team", "tinycal", {"api_key": KEY})]) as url:
        made.sandbox = Here(url)
        settings["destinations"]["team"]["base_url"] = f"{url}/tinycal/team"
        settings |= {"kafka": {"bootstrap_servers": broker.bootstrap}, "ledger": {"url": made.ledger}}
        (tmp_path / "calends.yaml").write_text(json.dumps(settings))
        try:
            yield made
        finally:
            made.close()
            broker.close()


def calends(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def retreat(key: str, title: str, kind: str = "planned") -> tuple[str, bytes]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9 // 1000:06d}Z"
    event = {"specversion": "1.0", "id": f"{key}-{title}", "source": "/tests", "type": f"retreat.{kind}", "time": stamp}
    return key, json.dumps(event | {"data": {"key": key, "title": title, "day": "2027-03-01"}}).encode()


def test_the_suite_runs_over_it(outside: Path) -> None:
    command = [sys.executable, "-m", "pytest", f"--vendor={outside}"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_an_entry_is_created_updated_and_deleted_at_it(assembly: Assembly) -> None:
    assert calends("check", str(assembly.folder)).output == "ok: 2 rules, 1 destination, 0 tests\n"
    assembly.worker()
    assembly.ready()

    assembly.publish([retreat("k1", "Hills"), retreat("k2", "Sea")], topic="retreats")
    until(lambda: assembly.converged("team", {"k1": "Hills", "k2": "Sea"}), 30, "two entries are there")
    assert {entry["content"]["colour"] for entry in assembly.sandbox.entries("team")} == {"green"}

    assembly.publish([retreat("k1", "Mountains")], topic="retreats")
    until(lambda: assembly.converged("team", {"k1": "Mountains", "k2": "Sea"}), 30, "one has another title")

    assembly.publish([retreat("k1", "", "dropped")], topic="retreats")
    until(lambda: assembly.converged("team", {"k2": "Sea"}), 30, "one is gone")
    judged = assembly.sandbox.judge("team")
    assert (judged["doubles"], judged["creates"], judged["updates"], judged["deletes"]) == ([], 2, 1, 1)

    words = ("PUT", "/events/k9", "-f", "title=By hand", "-f", "date=2027-03-01")
    assert calends("call", "team", *words, "-c", str(assembly.folder)).exit_code == 0
    assert assembly.converged("team", {"k2": "Sea", "k9": "By hand"})


def test_what_it_cannot_say_is_an_error_of_the_rule(outside: Path, tmp_path: Path) -> None:
    settings = TEXTS["calends.yaml"].replace("all_day: true}", "all_day: true, location: Rome}")
    (tmp_path / "calends.yaml").write_text(settings)
    told = calends("check", str(tmp_path)).stderr
    assert "calends.yaml:12:84: team cannot say location" in told


def test_it_is_told_of_like_any_other(outside: Path) -> None:
    assert "colour (string)" in calends("vendors", "tinycal").stdout
