"""`calends reapply`: the ledger after it is as if the wrong rule had never been."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as database_event
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.dead_letters import keep
from pipeline.ledger import Ledger
from pipeline.meaning import ledger_of
from pipeline.model.event import decode
from pipeline.operate.check import check
from pipeline.rules.selftest import state_of
from pipeline.stream.configured import kafka_config
from pipeline.stream.ranges import Span, bounds_of, read
from tests.cli.one_calendar import event, published

RIGHT = """
rules:
  - name: made
    from: [events]
    on: made
    send: {to: calendar, key: "{{ data.n }}", identity: A1, entry: {title: "{{ data.t }}", start: "2031-01-01"}}
  - {name: gone, from: [events], on: gone, send: {to: calendar, key: "{{ data.n }}", cancel: true}}
"""
EVENTS = [("made", "A", "a1"), ("made", "B", "b1"), ("moved", "A", "a2"), ("moved", "B", "b2"), ("lost", "C", "c1")]


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def worked(self, rules: str) -> None:
        """As a worker does it: these rules become active and read all that is there."""
        (self.folder / "rules.yaml").write_text(rules)
        report = check(self.folder, secrets=False)
        assert report.settings is not None
        ledger, found = ledger_of(report.settings), report.rule_set()
        ledger.migrate()
        ledger.declare()
        numbered = found.with_revision(ledger.rules.activate(found.digest))
        config = kafka_config(report.settings, None)

        async def all_of_it() -> None:
            async for records in read(config, await bounds_of(config, ["events"], Span())):
                for record in records:
                    made = numbered.evaluate(decode(record))
                    ledger.take([(change, keep(record)) for change in made.changes], [], [], {})

        asyncio.run(all_of_it())
        ledger.close()

    def states(self) -> dict[str, tuple[str, object]]:
        settings = check(self.folder, secrets=False).settings
        assert settings is not None
        ledger: Ledger = ledger_of(settings)
        rows = [row for key in "ABC" for row in ledger.entry(key)]
        ledger.close()
        return {row.key: (state_of(row)[0], state_of(row)[1].get("title")) for row in rows}

    def reapply(self, rules: str, *arguments: str) -> tuple[int, str]:
        """The rules have become active, and have read nothing anew."""
        (self.folder / "rules.yaml").write_text(rules)
        report = check(self.folder, secrets=False)
        assert report.settings is not None
        ledger = ledger_of(report.settings)
        ledger.rules.activate(report.rule_set().digest)
        ledger.close()
        said = ["reapply", "-c", str(self.folder), "--since", "beginning", *arguments]
        result = CliRunner().invoke(app, said)
        return result.exit_code, result.output


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    told = (
        ("events", number, event(kind, hour, {"n": number, "t": title}))
        for hour, (kind, number, title) in enumerate(EVENTS, 1)
    )
    with published(tmp_path, "note", told):
        yield Scene(tmp_path)


WRONG = {
    "a rule that took too much": (RIGHT.replace("on: made", "on: '*'"), "made"),
    "a rule that ended what it should not": (RIGHT.replace("on: gone", "on: moved"), "gone"),
    "a rule that wrote something else": (RIGHT.replace("{{ data.t }}", "x"), "made"),
    "a layer that nobody wants": (
        RIGHT + '  - {name: n, from: [events], on: moved, send: {to: calendar, key: "{{ data.n }}", layer: note, '
        "entry: {title: noted}}}\n",
        "n",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_afterwards_it_is_as_if_the_wrong_rule_had_never_been(scene: Scene, case: str) -> None:
    wrong, rule = WRONG[case]
    scene.worked(wrong)
    before = scene.states()
    right = {"A": ("present", "a1"), "B": ("present", "b1")}
    assert before != right

    assert scene.reapply(RIGHT, "--rule", rule, "--dry-run")[0] == 0
    assert scene.states() == before
    assert scene.reapply(RIGHT, "--rule", rule, "--yes")[0] == 0

    assert {key: state for key, state in scene.states().items() if state[0] == "present"} == right
    assert "nothing to put right" in scene.reapply(RIGHT, "--rule", rule, "--yes")[1]


def test_a_rule_is_put_right_also_where_nobody_reads_its_topic_any_more(scene: Scene) -> None:
    scene.worked(RIGHT)
    others = RIGHT.replace("from: [events]", "from: [others]")
    output = scene.reapply(others, "--rule", "made", "--yes")[1]

    assert "2 cancelled" in output
    assert {state for state, _ in scene.states().values()} == {"deleted"}


def test_entries_of_a_destination_that_is_gone_stay_and_are_told(scene: Scene) -> None:
    scene.worked(RIGHT)
    settings = scene.folder / "calends.yaml"
    settings.write_text(settings.read_text().replace("  calendar:", "  another:"))
    code, output = scene.reapply(RIGHT.replace("to: calendar", "to: another"), "--rule", "made", "--yes")

    assert (code, "nobody sends to calendar any more: 2 entries stay there" in output) == (0, True), output


def test_the_whole_ledger_is_gone_through_once(scene: Scene) -> None:
    scene.worked(RIGHT.replace("{{ data.t }}", "x"))
    asked: list[str] = []

    def note(*said: object) -> None:
        asked.append(str(said[2]))

    database_event.listen(Engine, "before_cursor_execute", note)
    try:
        output = scene.reapply(RIGHT, "--rule", "made", "--yes")[1]
    finally:
        database_event.remove(Engine, "before_cursor_execute", note)

    assert "2 changed" in output
    assert len([one for one in asked if "layers LIKE" in " ".join(one.split())]) == 1


def test_what_would_end_too_much_needs_a_yes(scene: Scene) -> None:
    scene.worked(RIGHT.replace("on: made", "on: '*'"))
    before = scene.states()
    code, output = scene.reapply(RIGHT, "--rule", "made")

    assert (code, scene.states()) == (1, before)
    assert "1 of 3 live entries would be cancelled or deleted" in output


def test_rules_that_no_worker_runs_are_refused(scene: Scene) -> None:
    scene.worked(RIGHT)
    (scene.folder / "rules.yaml").write_text(RIGHT.replace("2031", "2032"))
    result = CliRunner().invoke(app, ["reapply", "-c", str(scene.folder), "--since", "1d", "--rule", "made"])

    assert result.exit_code == 3
    assert "the workers run other rules than these" in result.output
