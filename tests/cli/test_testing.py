"""`calends test`: what it prints, what it writes for other programs, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.operate.watching import watched
from tests.flow.assembly import until

SETTINGS = """
destinations:
  calendar: {vendor: apptoto, credential: {user: {env: NOBODY}, api_key: {env: NOBODY}}, defaults: {collection: C}}
rules:
  - name: made
    from: [t]
    on: made
    when: "{{ data.n > 0 }}"
    send:
      to: calendar
      key: "K-{{ data.n }}"
      entry: {title: "%s", start: "2026-02-01", all_day: true, time_zone: UTC, participants: [{name: Ann, phone: "1"}]}
tests:
  - name: one is made
    given: [{type: made, data: {n: 1}}]
    expect: [{to: calendar, key: K-1, entry: {title: Tea, participants: [{name: Ann, phone: "1"}]}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calends.yaml").write_text(SETTINGS % "Tea")
    return tmp_path


def calends(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["test", *arguments])
    return result.exit_code, result.output


def test_green_tests_name_themselves_and_need_no_credential(folder: Path) -> None:
    code, output = calends(str(folder))

    assert (code, output.splitlines()) == (0, [f"✔ {folder}/calends.yaml:14 one is made", "1 passed"])


def test_a_red_test_shows_what_was_expected_and_what_came(folder: Path) -> None:
    (folder / "calends.yaml").write_text(SETTINGS % "Coffee")
    code, output = calends(str(folder))

    assert code == 1
    assert '    title of K-1 at calendar\n      - "Tea"\n      + "Coffee"\n' in output
    assert output.endswith("0 passed, 1 failed\n")


def test_junit_names_each_test_and_its_difference(folder: Path) -> None:
    (folder / "calends.yaml").write_text(SETTINGS % "Coffee")
    calends(str(folder), "--junit", str(folder / "junit.xml"))

    suite = ElementTree.parse(folder / "junit.xml").getroot()[0]
    case = suite[0]
    assert (suite.get("tests"), suite.get("failures"), case.get("name")) == ("1", "1", "one is made")
    assert case[0].tag == "failure"
    assert "title of K-1 at calendar" in str(case[0].get("message"))


def test_a_folder_that_is_made_for_a_file_is_told_once(folder: Path) -> None:
    told = f"made the folder {folder}/reports/new\n"

    assert told in calends(str(folder), "--junit", str(folder / "reports" / "new" / "junit.xml"))[1]
    assert told not in calends(str(folder), "--junit", str(folder / "reports" / "new" / "junit.xml"))[1]


def test_junit_is_xml_whatever_a_test_is_called(folder: Path) -> None:
    (folder / "calends.yaml").write_text((SETTINGS % "Coffee").replace("one is made", '"<one> \\x01\\ufffe\\e ✔"'))
    calends(str(folder), "--junit", str(folder / "junit.xml"))

    assert ElementTree.parse(folder / "junit.xml").getroot()[0][0].get("name") == "<one> ��� ✔"


def test_coverage_below_the_mark_ends_with_one(folder: Path) -> None:
    code, output = calends(str(folder), "--cov", "--fail-under", "80")

    assert code == 1
    assert "when was never false" in output
    assert "coverage: 1 of 1 rules, 50 % of the branches" in output
    assert calends(str(folder), "--fail-under", "50")[0] == 0


@pytest.mark.parametrize("options", [(), ("--cov",), ("--fail-under", "80")])
def test_what_cannot_be_read_covers_nothing(folder: Path, options: tuple[str, ...]) -> None:
    (folder / "calends.yaml").write_text((SETTINGS % "Tea").replace("rules:", "rules: ["))
    code, output = calends(str(folder), *options)

    assert (code, "coverage" in output, output.splitlines()[-1]) == (1, False, "no test was run")
    assert json.loads(CliRunner().invoke(app, ["test", str(folder), "--json"]).stdout)["coverage"]["percent"] is None


@pytest.mark.parametrize(
    ("options", "tests", "words"),
    [
        (("-k", "zzzz"), True, "no test has 'zzzz' in its name"),
        ((), False, "there are no tests: write some under tests:"),
    ],
)
def test_no_test_at_all_is_not_green(folder: Path, options: tuple[str, ...], tests: bool, words: str) -> None:
    text = SETTINGS % "Tea"
    (folder / "calends.yaml").write_text(text if tests else text.partition("tests:")[0])
    code, output = calends(str(folder), *options)

    assert (code, output.splitlines()) == (1, ["no test was run", f"calends: {folder}/calends.yaml: {words}"])
    assert json.loads(CliRunner().invoke(app, ["test", str(folder), "--json", *options]).stdout)["ok"] is False


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{type: mdae, data: {n: 1}}", "no rule takes a given event of this type; found mdae; did you mean made?"),
        (
            "{type: made, topic: typo, data: {n: 1}}",
            "no rule reads a given event of this type from this topic; found typo; expected t",
        ),
        ("{type: made, topic: t, data: {n: 0}}", ""),
        ("{type: made, tme: x, data: {n: 0}}", "an unknown key in a given event; found tme; expected"),
        ("{type: made, tme: x, n: 0}", "an unknown key in a given event; found tme; expected"),
        ("{type: made, n: 0, titles: 0}", ""),
        ("{type: made, id: x, source: y, tenant: 7, data: {n: 0}}", ""),
    ],
)
def test_a_misspelt_given_event_is_a_warning(folder: Path, given: str, words: str) -> None:
    text = (SETTINGS % "Tea").partition("  - name: one is made")[0]
    (folder / "calends.yaml").write_text(f"{text}  - {{given: [{given}], expect: []}}\n")
    code, output = calends(str(folder))

    assert (code, "warning: " in output, words in output) == (0, bool(words), True)
    checked = CliRunner().invoke(app, ["check", str(folder)]).output
    assert ("in a given event" in checked or "a given event of" in checked) == bool(words)


def test_a_misspelt_given_event_is_told_at_its_line(folder: Path) -> None:
    given = "  - given:\n      - {type: made, data: {n: 0}}\n      - {type: mdae, data: {n: 0}}\n    expect: []\n"
    (folder / "calends.yaml").write_text((SETTINGS % "Tea").partition("  - name: one is made")[0] + given)

    assert f"warning: {folder}/calends.yaml:16:10: no rule takes a given event" in calends(str(folder))[1]


def test_a_folder_of_configurations_is_tested_whole_and_others_are_told(folder: Path, tmp_path: Path) -> None:
    (folder / "calends.yaml").rename(folder / "one.yaml")
    (folder / "two.yaml").write_text("destinations: {x: {vendor: nobody}}\nrules: []\n")
    code, output = calends(str(folder), "--json")
    found = json.loads(output)

    assert (code, found["ok"], [test["name"] for test in found["tests"]]) == (1, False, ["one is made"])
    assert any("an unknown vendor" in problem["message"] for problem in found["problems"])
    assert calends(str(tmp_path / "nowhere"))[0] == 2


@contextmanager
def watching(folder: Path) -> Iterator[Path]:
    """Its output, in the folder that it watches: with what it writes it starts no run."""
    log = folder / "out.json"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pipeline.cli", "test", str(folder), "--watch"],
            stdout=sink,
            stderr=sink,
        )
    try:
        until(lambda: "watching" in log.read_text(), 30, "it watches")
        yield log
    finally:
        process.kill()
        process.wait()


def change_until(file: Path, text: str, log: Path, words: str) -> None:
    def seen() -> bool:
        file.write_text(text.replace("NOW", str(time.monotonic())))  # until it has begun to look
        time.sleep(0.2)
        return words in log.read_text()

    until(seen, 30, "it has run again")


def test_watching_runs_again_when_a_file_changes(folder: Path) -> None:
    with watching(folder) as log:
        change_until(folder / "calends.yaml", SETTINGS % "Coffee NOW", log, "1 failed")


def test_only_what_was_read_is_watched(folder: Path) -> None:
    text = (SETTINGS % "Tea").replace("on: made", "on: [{type: made, schema: made.json}]")
    settings, rules = text.split("rules:")
    (folder / "rules").mkdir()
    (folder / "rules" / "made.json").write_text("{}")
    (folder / "rules" / "made.yaml").write_text("rules:" + rules)
    (folder / "calends.yaml").write_text(settings)

    seen = watched([folder / "calends.yaml"])

    heeded = ["calends.yaml", "rules/made.yaml", "rules/made.json", "rules/more/new.yml"]
    others = ["out.json", "w.txt", "rules/made.txt", "other.yaml", "rules/other.json"]
    assert [name for name in heeded + others if seen.heeds(None, str(folder.resolve() / name))] == heeded
    assert seen.around() == [folder.resolve(), folder.resolve() / "rules"]
