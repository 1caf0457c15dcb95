"""What the night person asks: status, entry, pause, resume, audit."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.status import lines
from pipeline.ledger import Counted, Ledger
from pipeline.meaning import ledger_of
from pipeline.model.change import Change, Version
from pipeline.model.outcome import Accepted, Retry
from pipeline.operate.check import check
from pipeline.operate.status import estimated, status
from tests.ledger.acts import result

SETTINGS = """\
ledger: {url: "URL"}
accounts:
  acme:
    vendor: ecal
    credential: {api_key: {env: X_KEY}, api_secret: {env: X_KEY}}
    quota: [{calls: 60, per: 1m}]
destinations: {there: {account: acme}, elsewhere: {account: acme}}
rules:
  - name: r
    from: t
    send:
      to: there
      key: "{{ data.k }}"
      identity: x
      entry: {title: a, location: b, start: "2026-12-24", all_day: true}
"""
CONTENT = {"title": "hidden title", "location": "Online", "start": "2026-12-24", "all_day": True}


class Night:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "calends.yaml"
        self.file.write_text(SETTINGS.replace("URL", f"sqlite:///{folder}/ledger.db"))
        report = check(self.file, secrets=False)
        assert report.settings is not None
        self.ledger: Ledger = ledger_of(report.settings)
        self.ledger.migrate()
        self.ledger.declare()
        self.digest = report.rule_set().digest

    def take(self, key: str, order: int = 1, **more: Any) -> None:
        version = Version(order, "topic", 3, order, 1)
        when = datetime(2026, 1, 1, tzinfo=UTC)
        change = Change(
            "there", key, "upsert", version, "r", content=CONTENT, identity="hidden person", event_time=when, **more
        )
        self.ledger.take([(change, {"value": "x"})], [], [], {("topic", 3): order + 1})

    def calends(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "-c", str(self.file)])
        return done.exit_code, done.output

    def json(self, *words: str) -> Any:
        code, output = self.calends(*words, "--json")
        assert code == 0, output
        return json.loads(output)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    made.ledger.close()


# status -----------------------------------------------------------------------------------------------------------


def test_status_tells_backlog_quota_rate_and_time_until_drained(night: Night) -> None:
    for number in range(120):
        night.take(f"k{number}")
    assert len(night.ledger.claim("there", "worker", 30, 20.0).grants) == 30
    there = night.json("status")["destinations"][0]
    assert (there["destination"], there["vendor"], there["account"]) == ("there", "ecal", "acme")
    assert {state: n for state, n in there["entries"].items() if n} == {"ready": 90, "sending": 30}
    assert there["quota"] == [{"calls": 30, "of": 60, "seconds": 60.0}]
    assert (there["rate"], there["drained_in"], there["late_when_drained"]) == (30.0, 90.0, 90.0)
    assert "drained in  late " in night.calends("status")[1]
    assert there["oldest_ready"] > 0


def test_an_estimate_says_that_it_is_one(night: Night) -> None:
    settings = check(night.file, secrets=False).usable
    seen = status(settings, night.ledger, None)
    assert all(standing.estimated == () for standing in seen.destinations)
    assert not [line for line in lines(seen) if "~" in line]
    there, elsewhere = seen.destinations
    much = replace(
        there,
        entries=dict(there.entries) | {"ready": 2_000_000, "held": 3},
        drained_in=90.0,
        estimated=("ready", "drained_in", "late_when_drained"),
    )
    shown = list(lines(replace(seen, destinations=(much, elsewhere))))
    assert shown[2].split()[:4] == ["there", "~2000000", "0", "3"]
    assert shown[2].split()[-4:] == ["~1", "min", "~no", "-"]
    assert ("~" in shown[3], shown[4][:13]) == (False, "~ an estimate")


def test_what_drains_with_an_estimate_is_one() -> None:
    """Two destinations share an account, a third has its own."""
    counted = Counted({}, {}, frozenset({("a", "ready")}), frozenset({"a"}))
    accounts = {"a": "one", "b": "one", "c": "another"}
    assert [estimated(name, accounts, counted) for name in accounts] == [
        ("ready", "drained_in", "late_when_drained"),
        ("drained_in", "late_when_drained"),
        (),
    ]


def test_status_tells_every_hold_with_since_when_and_what_lifts_it(night: Night) -> None:
    night.ledger.hold("acme", "unauthorized")
    night.calends("pause", "there", "--reason", "vendor asked")
    there, elsewhere = night.json("status")["destinations"]
    assert [hold["reason"] for hold in there["holds"]] == ["unauthorized", "paused"]
    assert [hold["reason"] for hold in elsewhere["holds"]] == ["unauthorized"]
    assert all(hold["since"] and hold["lifted_by"] for hold in there["holds"])
    code, shown = night.calends("status")
    assert (code, "vendor asked" in shown, "replace the secret" in shown) == (0, True, True)


def test_status_tells_whether_these_rules_are_those_that_run(night: Night) -> None:
    assert "no rules have been run yet" in night.calends("status")[1]
    assert night.ledger.rules.activate("others") == 1
    assert "those of this configuration have not been run" in night.calends("status")[1]
    assert night.ledger.rules.activate(night.digest) == 2
    assert night.json("status")["these_rules"] == 2
    assert " · rules revision 2 since 20" in night.calends("status")[1]
    assert [one["revision"] for one in night.json("status")["rules_taken"]] == [2, 1]
    assert all(one["at"] <= night.ledger.now() for one in night.json("status")["rules_taken"])


def test_a_mistake_in_the_rules_is_not_in_the_way_of_who_must_look(night: Night) -> None:
    folder = night.file.parent
    settings = night.file.read_text().partition("rules:")[0]
    (folder / "rules.yaml").write_text("rules: [{name: r, from: t, nonsense: 1}]")
    night.file.write_text(settings + "rules: rules.yaml\n")
    assert night.calends("status")[0] == 0
    assert night.calends("pause", "there")[0] == 0


# entry ------------------------------------------------------------------------------------------------------------


def test_the_story_of_an_entry_names_state_layers_and_vendors_id_and_no_person(night: Night) -> None:
    night.take("K-1")
    code, shown = night.calends("entry", "K-1")
    assert code == 0
    assert "there: ready" in shown
    assert "topic/3/1" in shown
    assert "hidden" not in shown
    assert "hidden" not in json.dumps(night.json("entry", "K-1"))
    assert "hidden title" in night.calends("entry", "K-1", "--show-data")[1]
    assert night.json("entry", "K-1", "--show-data")[0]["data"]["identity"] == "hidden person"


def why(night: Night, key: str) -> str:
    return str(night.json("entry", key)[0]["why"])


def test_the_story_says_why_an_entry_waits(night: Night) -> None:
    night.take("upper", layer="base", deliver_at=datetime(2999, 1, 1, tzinfo=UTC))
    night.take("stopped")
    assert "deliver_at" in why(night, "upper")
    assert "queue" in why(night, "stopped")
    night.calends("pause", "there")
    assert "paused keeps it" in why(night, "stopped")
    night.calends("resume", "there")
    (grant,) = night.ledger.claim("there", "somebody", 1, 20.0).grants
    assert "under way, by somebody" in why(night, "stopped")
    night.ledger.settle([replace(result(grant, Retry(60.0)), account="acme")])
    assert "failed (retry)" in why(night, "stopped")


def test_a_key_that_nobody_knows_says_so(night: Night) -> None:
    code, shown = night.calends("entry", "nope")
    assert (code, "no entry has this key" in shown) == (1, True)


# pause, resume, audit ---------------------------------------------------------------------------------------------


def test_pause_and_resume_are_told_and_written_down(night: Night) -> None:
    assert night.calends("pause", "there", "-r", "why")[0] == 0
    assert "was paused already" in night.calends("pause", "there")[1]
    assert "goes on" in night.calends("resume", "there")[1]
    assert night.calends("resume", "there")[0] == 1
    acts = night.json("audit")
    told = [(act["action"], act["destination"], act["outcome"]) for act in reversed(acts)]
    assert told == [
        ("pause", "there", "paused"),
        ("pause", "there", "was paused already"),
        ("resume", "there", "resumed"),
        ("resume", "there", "there was no hold"),
    ]
    assert "why" in night.calends("audit")[1]


def test_a_resume_says_what_still_holds(night: Night) -> None:
    night.ledger.hold("acme", "failing")
    night.calends("pause", "there")
    assert "still held: failing" in night.calends("resume", "there")[1]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_destination_that_is_not_there_is_wrong_usage(night: Night, command: str) -> None:
    code, shown = night.calends(command, "thare")
    assert (code, "did you mean there?" in shown) == (2, True)


# export -----------------------------------------------------------------------------------------------------------


def test_an_export_tells_desired_and_observed_of_all_or_of_one_person(night: Night) -> None:
    night.take("k1")
    night.take("k2", subscriber="anna")
    (grant,) = night.ledger.claim("there", "worker", 1, 20.0).grants
    night.ledger.settle([replace(result(grant, Accepted("v1")), account="acme")])
    code, shown = night.calends("export")
    assert code == 0
    lines = [json.loads(line) for line in shown.splitlines()]
    assert [line["key"] for line in lines] == ["k1", "k2"]
    assert {line["key"]: line["desired"]["title"] for line in lines} == {"k1": "hidden title", "k2": "hidden title"}
    assert [line["state"] for line in lines if line["observed"] == line["desired"]] == ["idle"]
    one = night.calends("export", "--subscriber", "anna")[1]
    assert [json.loads(line)["key"] for line in one.splitlines()] == ["k2"]
    assert night.calends("export", "-d", "elsewhere") == (0, "")
    assert [act["outcome"] for act in night.json("audit")] == ["0 entries", "1 entries", "2 entries"]


def test_an_export_holds_a_page_at_a_time_in_memory(night: Night) -> None:
    version = Version(1, "topic", 3, 1, 1)
    text = {**CONTENT, "description": "x" * 2000}
    for start in range(0, 6000, 1000):
        changes = [
            (Change("there", f"k{n:05}", "upsert", version, "r", content=text, identity="i"), {"value": "x"})
            for n in range(start, start + 1000)
        ]
        night.ledger.take(changes, [], [], {("topic", 3): start + 1})
    tracemalloc.start()
    count = sum(1 for _ in night.ledger.export.every())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6000
    assert most < 16e6  # all of them are 40 MB
