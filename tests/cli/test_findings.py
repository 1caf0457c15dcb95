"""What `calends check` finds, in the forms that other programs read, and what it only warns of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.findings import as_github, as_sarif
from pipeline.rules.problem import Problem

ERROR = Problem("rules/a.yaml", 3, "an unknown key: x", "wehn", "when, 100%", "did you mean when?", 5)
NOWHERE = Problem("environment variable CALENDS_X", 0, "cannot be read")
SETTINGS = """\
kafka: {topics: [orders]}
layers: [never]
accounts:
  a: {vendor: ecal, credential: {api_key: {env: CHECK_KEY}, api_secret: {env: CHECK_KEY}}}
  b: {vendor: ecal, credential: {api_key: {env: CHECK_KEY}, api_secret: {env: CHECK_KEY}}}
destinations:
  one: {account: a}
  two: {account: a}
rules:
  - name: gone
    from: [ordres]
    on: order.gonne
    send: {to: one, key: K, cancel: true}
  - name: made
    from: [orders]
    on: order.made
    send: {to: one, key: K, subscriber: S, entry: {title: THE_TITLE, location: l, start: "2026-12-24", all_day: true}}
tests:
  - given: [{type: order.gone, topic: orders}]
    expect: []
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHECK_KEY", "a-secret-of-ours")
    file = tmp_path / "calends.yaml"
    head, rules = SETTINGS.split("rules:\n")
    (tmp_path / "rules.yaml").write_text("rules:\n" + rules)
    file.write_text(head + "rules: rules.yaml\n")
    return file


def checked(settings: Path) -> dict[str, Any]:
    """What check says of it, as programs read it."""
    found: dict[str, Any] = json.loads(CliRunner().invoke(app, ["check", str(settings), "--format", "json"]).stdout)
    return found


def warned_of(settings: Path, place: str, said: str) -> list[tuple[int, str]]:
    """The line and message of each warning, once this is said there, beside those of what is said in vain."""
    for file in (settings, settings.parent / "rules.yaml"):
        file.write_text(file.read_text().replace(place, said))
    in_vain = ("no rule", "no destination", "nobody reads", "no test of")
    found = [(one["line"], one["message"]) for one in checked(settings)["warnings"]]
    return [(line, message) for line, message in found if not message.startswith(in_vain)]


def test_github_annotates_the_line_and_escapes_its_marks() -> None:
    assert list(as_github([ERROR], [NOWHERE])) == [
        "::error file=rules/a.yaml,line=3,col=5,title=an unknown key%3A x"
        "::an unknown key: x; found wehn; expected when, 100%25; did you mean when?",
        "::warning title=cannot be read::cannot be read",
    ]


def test_sarif_names_the_place_and_groups_by_what_is_wrong() -> None:
    (run,) = json.loads(as_sarif([ERROR, ERROR], [NOWHERE]))["runs"]
    assert run["tool"]["driver"]["rules"] == [{"id": "an-unknown-key"}, {"id": "cannot-be-read"}]
    assert [(one["ruleId"], one["ruleIndex"], one["level"]) for one in run["results"]] == [
        ("an-unknown-key", 0, "error"),
        ("an-unknown-key", 0, "error"),
        ("cannot-be-read", 1, "warning"),
    ]
    assert run["results"][0]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "rules/a.yaml"},
                "region": {"startLine": 3, "startColumn": 5},
            }
        }
    ]
    assert "locations" not in run["results"][2]


def test_what_is_said_in_vain_is_a_warning(settings: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(settings), "--format", "json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], told["problems"]) == (0, True, [])
    assert [(Path(one["file"]).name, one["line"], one["message"]) for one in told["warnings"]] == [
        ("calends.yaml", 2, "no rule writes never"),
        ("calends.yaml", 5, "no destination uses b"),
        ("calends.yaml", 8, "no rule sends to two"),
        ("rules.yaml", 3, "nobody reads the topic of this rule"),
        ("rules.yaml", 11, "no rule takes a given event of this type"),
    ]
    assert [one["suggestion"] for one in told["warnings"][3:5]] == ["did you mean orders?", "did you mean order.gonne?"]


def test_a_type_without_a_test_is_told_where_the_type_of_another_rule_is_near(settings: Path) -> None:
    rules = settings.parent / "rules.yaml"
    rules.write_text(rules.read_text().replace("on: order.made", "on: order.gone"))

    found = [(one["line"], one["message"]) for one in checked(settings)["warnings"] if one["line"] in (4, 11)]
    assert found == [(4, "no test of this file has an event of this type")]


@pytest.mark.parametrize(
    ("old", "new"), [("rules:", "rules: ["), ("    from:", "    form: [x]\n    from:"), ("to: one", "to: uno")]
)
def test_nothing_is_called_unused_beside_a_rule_that_is_wrong(settings: Path, old: str, new: str) -> None:
    rules = settings.parent / "rules.yaml"
    assert old in rules.read_text()
    rules.write_text(rules.read_text().replace(old, new, 1))

    told = checked(settings)

    unused = [one for one in told["warnings"] if one["message"].startswith(("no rule sends", "no rule writes"))]
    assert (told["ok"], unused) == (False, [])


@pytest.mark.parametrize("secret", ["{env: CHECK_NOWHERE}", "{file: nowhere}"])
def test_a_secret_that_is_not_there_hides_no_warning(settings: Path, secret: str) -> None:
    settings.write_text(settings.read_text().replace("{env: CHECK_KEY}", secret))
    rules = settings.parent / "rules.yaml"
    rules.write_text(rules.read_text().replace("{type: order.gone,", "{type: oder.made,"))

    told = checked(settings)

    assert {one["message"].partition(":")[0] for one in told["problems"]} == {"api_key", "api_secret"}
    assert "no rule takes a given event of this type" in [one["message"] for one in told["warnings"]]


def test_no_type_is_called_untested_beside_a_test_that_is_wrong(settings: Path) -> None:
    rules = settings.parent / "rules.yaml"
    rules.write_text(
        rules.read_text().rstrip() + "\n  - {given: [{type: order.gone}], expect: [{to: one, key: K, whose: x}]}\n"
    )

    told = checked(settings)

    assert [one["message"] for one in told["problems"]] == ["an unknown key"]
    assert [one["line"] for one in told["warnings"] if one["message"].startswith("no test of")] == []


def test_a_credential_that_stands_in_the_rules_is_told_and_not_shown(settings: Path) -> None:
    rules = settings.parent / "rules.yaml"
    rules.write_text(rules.read_text().replace("THE_TITLE", '"see a-secret-of-ours"'))
    for form in ("text", "json", "github", "sarif"):
        result = CliRunner().invoke(app, ["check", str(settings), "--format", form])
        assert (result.exit_code, "a secret in the rules" in result.output) == (1, True)
        assert "a-secret-of-ours" not in result.output
        assert "of account a" in result.output


def test_a_credential_that_stands_in_a_test_is_told_and_not_shown(settings: Path) -> None:
    rules = settings.parent / "rules.yaml"
    rules.write_text(rules.read_text().replace("topic: orders}", "topic: orders, data: {a: sk_live_0123456789abcdef}}"))

    result = CliRunner().invoke(app, ["check", str(settings)])

    assert (result.exit_code, "a secret in a test" in result.output) == (1, True)
    assert "0123456789abcdef" not in result.output


@pytest.mark.parametrize(
    ("title", "messages"),
    [
        ('"{{ event.tme }}"', ["no usual attribute of an event"]),
        ('"{{ event.key }}"', ["no usual attribute of an event"]),
        ('"{{ event.tenant }} {{ event.subject }}"', []),
        ('"${data.n}"', ["this is no template: it is sent as it stands"]),
        ('"{{ data.n | round(1) }} h"', ["a decimal number does not print inside a text"]),
        ('"{{ data.n | round }} h"', []),
        ('"{{ data.n | round(1) | string }}"', []),
        ('"{{ data.t if data.t is defined else 7 }}"', ["title is not right for some events"]),
        ('"{{ 7 if data.t is defined else 8 }}"', []),
    ],
)
def test_a_text_that_may_be_meant_otherwise_is_a_warning(settings: Path, title: str, messages: list[str]) -> None:
    assert warned_of(settings, "THE_TITLE", title) == [(9, message) for message in messages]


def test_a_password_in_the_settings_is_a_warning_that_does_not_show_it(settings: Path) -> None:
    found = warned_of(settings, "layers: [never]", "ledger: {url: postgresql://u:hunter2hunter2@h/d}")

    assert found == [(2, "a password in the settings")]
    assert "hunter2" not in str(checked(settings))
