"""`calends new rule`, and events that are looked at where they lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.embedded import EmbeddedBroker

EVENT = {"type": "tea.made", "data": {"number": 7, "title": "Tea <b>", "date": "2027-01-02"}}
SETTINGS = """
kafka: {{bootstrap_servers: "{bootstrap}"}}
destinations:
  calendar:
    vendor: apptoto
    credential: {{user: {{env: NOBODY}}, api_key: {{env: NOBODY}}}}
    defaults: {{collection: C, time_zone: UTC, participants: [{{name: Ann, phone: "1"}}]}}
rules: rules
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "rules").mkdir()
    entry = '{title: x, start: "2027-01-01", all_day: true}'
    other = f"rules: [{{name: o, from: [x], on: x, send: {{to: calendar, key: x, entry: {entry}}}}}]\n"
    (tmp_path / "rules" / "other.yaml").write_text(other)
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    with closing(EmbeddedBroker()) as broker:
        (tmp_path / "calends.yaml").write_text(SETTINGS.format(bootstrap=broker.bootstrap))
        with Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"}) as producer:
            producer.produce("teas", json.dumps(EVENT).encode(), "7", partition=2)
            assert producer.flush(30) == 0
        yield tmp_path


def calends(folder: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "-c", str(folder)])
    return result.exit_code, result.output


def test_a_rule_from_kafka_is_written_tested_and_explains_its_event(folder: Path) -> None:
    code, _ = calends(folder, "new", "rule", "teas/2/0", "-o", str(folder / "rules" / "tea.yaml"))
    assert code == 0
    assert calends(folder, "test")[1].splitlines()[-1] == "1 passed"
    code, output = calends(folder, "explain", "teas/2/0", "--html", str(folder / "page.html"))
    assert code == 0
    assert "✔ tea-made: from teas, on tea.made" in output
    page = (folder / "page.html").read_text()
    assert "Tea &lt;b&gt;" in page
    assert "<b>" not in page
    assert "prevent_calendar_creation" in page


def test_a_rule_from_a_file_is_printed_and_nothing_is_written_over(folder: Path) -> None:
    code, output = calends(folder, "new", "rule", str(folder / "event.json"), "--from", "acme.teas")
    assert (code, "    from: [acme.teas]" in output) == (0, True)
    there = str(folder / "event.json")
    assert calends(folder, "new", "rule", there, "-o", there)[0] == 2
    assert calends(folder, "new", "rule", there, "--to", "calender")[1].startswith(
        "calends: unknown destination calender"
    )


@pytest.mark.parametrize("other", [None, "rules: []", "rules: ["])
def test_a_first_rule_needs_no_other(folder: Path, other: str | None) -> None:
    (folder / "rules" / "other.yaml").unlink()
    if other is None:
        (folder / "rules").rmdir()
    else:
        (folder / "rules" / "other.yaml").write_text(other)

    there = str(folder / "event.json")
    code, _ = calends(folder, "new", "rule", there, "-o", str(folder / "rules" / "tea.yaml"))

    assert (code, (folder / "rules" / "tea.yaml").exists()) == (0, True)
    if other != "rules: [":
        assert calends(folder, "test")[1].splitlines()[-1] == "1 passed"


@pytest.mark.parametrize(("event", "words"), [("teas/2/9", "Kafka has no record there"), ("no.json", "No such file")])
def test_what_is_not_there_is_told(folder: Path, event: str, words: str) -> None:
    code, output = calends(folder, "explain", event)
    assert code == 2
    assert words in output
