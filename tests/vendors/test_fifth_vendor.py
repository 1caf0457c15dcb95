"""A vendor outside the tree: the example of docs/adding-a-vendor.md, from its page into a temporary folder.

Found by its entry point, held to the contract, and brought from Kafka to its simulator, with no other file touched.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

import pipeline.vendors
from pipeline.cli import app
from pipeline.embedded import EmbeddedBroker
from pipeline.sandbox import Account
from pipeline.sandbox.server import running
from tests.flow.assembly import Assembly, Sandbox, until
from tests.vendors.subjects import Unusable, missing, subject

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-vendor.md").read_text()
TEXTS = dict(re.findall(r"```(?:python|yaml|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
FOLDER = {name: text for name, text in TEXTS.items() if name.startswith("tinycal/")}
KEY = "tinycal-test-key"


class Here(Sandbox):
    """The simulated vendors in this process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def close(self) -> None:
        pass


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package and its entry point, as an installer leaves them, found by this process and those that it starts."""
    place = tmp_path / "site"
    for name, text in FOLDER.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    project = tomllib.loads(TEXTS["pyproject.toml"])["project"]
    ((group, points),) = project["entry-points"].items()
    info = place / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    lines = [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("TINYCAL_KEY", KEY)
    monkeypatch.syspath_prepend(str(place))
    forget()
    yield place / "tinycal"
    forget()


def forget() -> None:
    """The vendors are found anew, and the package is imported anew."""
    pipeline.vendors.vendors.cache_clear()
    pipeline.vendors._packages.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "tinycal"]:
        del sys.modules[name]


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


def test_it_takes_less_than_150_lines() -> None:
    assert len(FOLDER) == 8
    assert sum(len(text.splitlines()) for text in FOLDER.values()) < 150


def test_the_suite_runs_over_it(outside: Path) -> None:
    command = [sys.executable, "-m", "pytest", "tests/vendors", "--vendor", str(outside)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_missing_files_are_told_with_what_belongs_into_them(outside: Path) -> None:
    (outside / "recovery.py").unlink()
    (outside / "cases.yaml").unlink()
    with pytest.raises(Unusable) as told:
        subject(outside)
    assert str(told.value).splitlines()[1:] == [
        "  cases.yaml: entries with the request they become, and answers with their outcome, from the vendor's pages",
        "  recovery.py: plan(): the next step, also after a lost answer",
    ]


def test_what_cannot_be_imported_is_told(outside: Path) -> None:
    (outside / "payload.py").write_text("import no_such_module")
    with pytest.raises(Unusable, match="cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"):
        subject(outside)


def test_what_else_is_missing_is_told(outside: Path) -> None:
    cases = YAML(typ="safe").load(outside / "cases.yaml")
    cases["requests"].pop()
    del cases["requests"][0]["source"]
    (outside / "cases.yaml").write_text(json.dumps(cases))
    simulator = (outside / "simulator.py").read_text()
    (outside / "simulator.py").write_text(simulator.replace("def revoke(", "def revoked("))
    assert missing(subject(outside)) == [
        "cases.yaml: `requests` has no case of the step `delete`, which plan() gives",
        "cases.yaml: `an event` under `requests` does not name its `source`, a line of a page",
        "simulator.py: Simulator has no `revoke`, which the sandbox asks for",
    ]


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
    assert "calends.yaml:12: team cannot say location" in told


def test_it_is_told_of_like_any_other(outside: Path) -> None:
    assert "colour (string)" in calends("vendors", "tinycal").stdout
