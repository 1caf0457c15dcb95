"""`calends check`: every mistake in one run, each at its line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.operate.check import Part, check
from pipeline.operate.reading import CHANGED
from pipeline.operate.testing import is_settings
from pipeline.rules.problem import Problem
from pipeline.settings import Settings
from pipeline.vendors import vendors

CONFIGS = Path(__file__).parents[2] / "configs"

SETTINGS = """\
kafka:
  bootstrap_server: localhost:9092  # MISSPELT
grace_period: soon                  # DURATION
layers: [payment]
accounts:
  good:
    vendor: ecal
    credential:
      api_key: {env: CHECK_KEY}
      api_secret: {env: CHECK_UNSET}  # SECRET
  strange:
    vendor: ekal                    # VENDOR
  replies:
    vendor: calreply
    credential: {client_id: {env: CHECK_KEY}, client_secret: {env: CHECK_KEY}}
    quota: {calls: 100, per: 1m}     # QUOTA
destinations:
  ecal: {account: good}
  deaf: {account: good, webhook: {secret: {env: CHECK_UNSET}}}  # HOOK
  loose: {account: good, webhook: {secret: {env: CHECK_SHORT}}}  # SHORT
  told: {account: good, webhook: {secret: a-secret-value}}  # TOLD
  lost: {account: god}              # ACCOUNT
  stranger: {account: strange}
  calreply:
    account: replies
    options: {api: rock}            # OPTION
    omit: [alarms]                  # OMIT
    defaults: {status: confirmed}   # DEFAULT
"""

WRONG = """\
rules:
  - name: one
    from: [t]
    send:
      - to: [ecla]                  # DESTINATION
        entry: {title: x}
      - to: [ecal]
        identity: x
        layer: payed                # LAYER
        entry:
          title: "{{ data.x | uper }}"  # FILTER
          busy: true                # SAY
      - to: [ecal]
        key: other
        identity: x
        entry:                      # REQUIRED
          title: x
          start: "{{ data.start }}"
  - name: two
    from: [t]
    sned: {to: [ecal], key: x, cancel: true}  # KEY
  - name: three
    from: [t]
    send: {to: [stranger], identity: x, entry: {title: x}}
"""

FAILING = """\
rules:
  - name: fine
    from: [t]
    send:
      to: [ecal]
      key: k
      identity: x
      entry: {title: "{{ data.title }}", location: x, start: "2026-12-24", all_day: true}
tests:
  - given: [{type: a, data: {title: Tea}}]  # TEST
    expect: [{to: ecal, key: k, entry: {title: Coffee}}]
"""

MISTAKES = {
    "MISSPELT": ("calends.yaml", "an unknown key: kafka.bootstrap_server", "did you mean bootstrap_servers?"),
    "DURATION": ("calends.yaml", "grace_period is not right", ""),
    "SECRET": ("calends.yaml", "api_secret: the environment variable is not set, or empty", ""),
    "VENDOR": ("calends.yaml", "an unknown vendor", "did you mean ecal?"),
    "QUOTA": ("calends.yaml", "accounts.replies.quota is not right", "put [ ] around it"),
    "HOOK": ("calends.yaml", "webhook.secret: the environment variable is not set, or empty", ""),
    "SHORT": ("calends.yaml", "webhook.secret is too short, or cannot stand in an address", ""),
    "TOLD": ("calends.yaml", "destinations.told.webhook.secret is not right", CHANGED),
    "ACCOUNT": ("calends.yaml", "an unknown account", "did you mean good?"),
    "OPTION": ("calends.yaml", "api is not right", "did you mean rokt?"),
    "OMIT": ("calends.yaml", "an unknown field in omit", "did you mean alerts?"),
    "DEFAULT": ("calends.yaml", "calreply cannot say status", ""),
    "DESTINATION": ("rules/wrong.yaml", "an unknown destination", "did you mean ecal?"),
    "LAYER": ("rules/wrong.yaml", "an unknown layer", "did you mean payment?"),
    "FILTER": ("rules/wrong.yaml", "an unknown filter", "did you mean upper?"),
    "SAY": ("rules/wrong.yaml", "ecal cannot say busy", "let the destination say omit: [busy]"),
    "REQUIRED": ("rules/wrong.yaml", "ecal needs location", "say it in the rule or in the destination's defaults"),
    "KEY": ("rules/wrong.yaml", "an unknown key", "did you mean send?"),
    "TEST": ("rules/failing.yaml", "test: title of k at ecal", ""),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHECK_KEY", "a-secret-value")
    monkeypatch.setenv("CHECK_SHORT", "a-secret-value")
    monkeypatch.delenv("CHECK_UNSET", raising=False)
    (tmp_path / "rules").mkdir()
    (tmp_path / "calends.yaml").write_text(SETTINGS)
    (tmp_path / "rules" / "wrong.yaml").write_text(WRONG)
    (tmp_path / "rules" / "failing.yaml").write_text(FAILING)
    return tmp_path


def marked(folder: Path, mark: str) -> str:
    """file:line of the line that carries the mark."""
    file = folder / MISTAKES[mark][0]
    lines = file.read_text().splitlines()
    return f"{file}:{next(n for n, line in enumerate(lines, 1) if line.endswith(f'# {mark}'))}"


def found(problem: Problem) -> tuple[str, str, str]:
    return f"{problem.file}:{problem.line}", problem.message, problem.suggestion


@pytest.mark.parametrize("mark", MISTAKES)
def test_one_run_names_each_mistake_at_its_line(folder: Path, mark: str) -> None:
    _, message, suggestion = MISTAKES[mark]

    assert (marked(folder, mark), message, suggestion) in [found(problem) for problem in check(folder).problems]


def test_one_mistake_is_not_told_as_several(folder: Path) -> None:
    told = {f"{problem.file}:{problem.line}" for problem in check(folder).problems}

    assert told == {marked(folder, mark) for mark in MISTAKES}


def test_the_command_prints_every_problem_and_no_secret(folder: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(folder)])

    assert result.exit_code == 1
    assert [mark for mark in MISTAKES if marked(folder, mark) not in result.output] == []
    assert "a-secret-value" not in result.output


def test_json_is_for_other_programs(folder: Path) -> None:
    result = CliRunner().invoke(app, ["check", "-c", str(folder), "--json"])

    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert {"file", "line", "message", "found", "expected", "suggestion", "column"} == told["problems"][0].keys()


@pytest.mark.usefixtures("credentials")
def test_the_example_is_fine() -> None:
    result = CliRunner().invoke(app, ["check", str(CONFIGS)])

    assert (result.exit_code, result.stdout.startswith("ok: ")) == (0, True), result.output


@pytest.mark.usefixtures("credentials")
def test_the_relay_has_twelve_lines_and_is_fine() -> None:
    relay = CONFIGS / "relay.yaml"

    assert (len(relay.read_text().splitlines()), check(relay).problems) == (12, ())


HOOKED = """\
kafka: {topics: [t]}
accounts:
  a: {vendor: ecal, credential: {api_key: {env: CHECK_KEY}, api_secret: {env: CHECK_KEY}}}
destinations:
  ecal: {account: a, webhook: {secret: {env: CHECK_HOOK}}}
  a b: {account: a, webhook: {secret: {env: CHECK_HOOK}}}
rules: [{name: r, from: t, link: {destination: ecal, subscriber: s, identity: i}}]
"""


@pytest.mark.parametrize(("variable", "part"), [("CHECK_KEY", "worker"), ("CHECK_HOOK", "webhooks")])
def test_each_process_needs_its_own_secrets_only(
    variable: str, part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "calends.yaml"
    file.write_text(HOOKED.replace("  a b: {account: a, webhook: {secret: {env: CHECK_HOOK}}}\n", ""))
    monkeypatch.setenv(variable, "a-long-enough-secret")

    found = [p.message for p in check(file, part=part).problems]

    assert [message for message in found if "variable" in message] == []


def test_a_webhook_needs_a_vendor_that_has_them_and_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ecal = vendors()["ecal"]
    monkeypatch.setitem(vendors(), "ecal", replace(ecal, inbound=None))
    file = tmp_path / "calends.yaml"
    file.write_text(HOOKED)

    found = [(p.line, p.message) for p in check(file, secrets=False).problems if p.line in (5, 6)]
    assert found == [
        (5, f"{ecal.title} has no webhooks"),
        (6, f"{ecal.title} has no webhooks"),
        (6, "a name that cannot stand in a webhook's address"),
    ]


def test_the_schema_beside_the_example_is_current() -> None:
    found = json.loads((CONFIGS / "calends.schema.json").read_text())
    assert found == Settings.model_json_schema(), "make docs"
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", sorted(path for path in CONFIGS.rglob("*.yaml") if is_settings(path)), ids=str)
def test_the_schema_takes_what_the_examples_say(file: Path) -> None:
    settings = YAML(typ="safe").load(file.read_text())

    assert list(Draft202012Validator(Settings.model_json_schema()).iter_errors(settings)) == []


def test_inline_rules_keep_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text((CONFIGS / "relay.yaml").read_text().replace("to: ecal", "to: ekal"))

    problems = check(file, secrets=False).problems

    assert [(problem.line, problem.message) for problem in problems] == [(9, "an unknown destination")]


@pytest.mark.parametrize("text", ["", "- a list", "kafka: [", "a: 1\na: 2\n", "destinations: {}", "kafka: 3", "\x00"])
def test_a_file_that_is_no_settings_is_told_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "calends.yaml"
    file.write_text(text)

    result = CliRunner().invoke(app, ["check", str(file)])

    assert (result.exit_code, str(file) in result.output) == (1, True)
    assert not result.exception or isinstance(result.exception, SystemExit)


def test_run_refuses_what_check_refuses(folder: Path) -> None:
    result = CliRunner().invoke(app, ["run", "-c", str(folder)])

    assert (result.exit_code, marked(folder, "VENDOR") in result.output) == (3, True)
