"""Rules that are read anew, without a Kafka: what people and the log are told meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.meaning import ledger_of
from pipeline.model.change import Change, Version
from pipeline.operate.check import check
from pipeline.operate.reloading import JUDGED, Reloading
from pipeline.rules.evaluate import RuleSet
from pipeline.stream import StreamError
from pipeline.stream.configured import kafka_config
from pipeline.telemetry import Telemetry, configure_logging
from tests.shell.test_lane import in_place

SETTINGS = """\
ledger: {url: "URL"}
kafka: {bootstrap_servers: "127.0.0.1:1"}
accounts:
  acme: {vendor: ecal, credential: {api_key: {env: X_KEY}, api_secret: {env: X_KEY}}}
destinations: {d: {account: acme}}
rules:
  - name: r
    from: t
    send: {to: d, key: "{{ data.k }}", identity: x, entry: {title: a, location: b, start: "2026-12-24", all_day: true}}
"""
CONTENT = {"title": "a", "location": "b", "start": "2026-12-24", "all_day": True}


def reloading(file: Path) -> Reloading:
    """Of a worker that runs these rules, and has an entry at work."""
    file.write_text(SETTINGS.replace("URL", f"sqlite:///{file.parent}/ledger.db"))
    report = check(file, part="worker", secrets=False)
    assert report.settings is not None
    ledger, settings = ledger_of(report.settings), report.settings
    ledger.migrate()
    ledger.declare()
    version = Version(1, "t", 0, 0, 1)
    ledger.take([(Change("d", "k", "upsert", version, "r", content=CONTENT, identity="x"), {"value": "x"})], [], [], {})

    async def install(rules: RuleSet) -> None: ...

    telemetry, kafka = Telemetry(b"k" * 32), kafka_config(settings, None)
    ran = report.rule_set()
    return Reloading(file, settings, ledger.rules, in_place, telemetry, kafka, install, "worker", report.rules, ran)


def rewrite(worker: Reloading, old: str, new: str) -> None:
    worker.file.write_text(worker.file.read_text().replace(old, new))


async def test_while_new_rules_are_being_judged_the_reason_of_the_reading_before_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X_KEY", "k")
    worker = reloading(tmp_path / "calends.yaml")
    rewrite(worker, "title: a", "titel: a")
    await worker.reload()
    assert "an unknown key" in str(worker.book.state().readings[0].refused)

    rewrite(worker, "titel: a", "title: other")
    with pytest.raises(StreamError):
        await worker.reload()

    assert worker.book.state().readings[0].refused == JUDGED


@pytest.mark.usefixtures("logging_restored")
async def test_other_settings_ask_for_a_restart_and_wrong_rules_for_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("X_KEY", "k")
    configure_logging("info", json=True)
    worker = reloading(tmp_path / "calends.yaml")
    rewrite(worker, "title: a", "titel: a")
    await worker.reload()
    rewrite(worker, "titel: a", "title: a")
    rewrite(worker, "127.0.0.1:1", "127.0.0.1:2")
    await worker.reload()

    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["advice"].split(":")[0] for line in said if line["event"] == "rules refused"] == [
        "fix the files",
        "restart the worker",
    ]
