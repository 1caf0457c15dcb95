"""The other commands: what they print and how they end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import __version__
from pipeline.cli import app
from pipeline.cli.since import instant

SETTINGS = """\
ledger: {url: "URL"}
destinations:
  ecal: {vendor: ecal, credential: {api_key: {env: X_KEY}, api_secret: {env: X_KEY}}}
rules:
  - name: r
    from: t
    send: {to: ecal, identity: x, entry: {title: a, location: b, start: "2026-12-24", all_day: true}}
"""


def configured(folder: Path, url: str) -> Path:
    file = folder / "calends.yaml"
    file.write_text(SETTINGS.replace("URL", url))
    return file


def calends(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_the_version() -> None:
    assert calends("--version") == (0, f"calends {__version__}\n")


def test_help_tells_the_exit_codes() -> None:
    assert "Exit codes:" in calends("run", "--help")[1]


def test_migrating_twice_does_nothing_more(tmp_path: Path) -> None:
    file = configured(tmp_path, f"sqlite:///{tmp_path}/ledger.db")

    assert calends("migrate", "-c", str(file)) == (0, "the ledger's tables are now up to date\n")
    assert calends("migrate", "-c", str(file)) == (0, "the ledger's tables were up to date\n")


def test_a_ledger_that_cannot_be_used_is_told_without_its_password(tmp_path: Path) -> None:
    code, output = calends("migrate", "-c", str(configured(tmp_path, "nosuch://me:hidden@host/x")))

    assert (code, "hidden" in output) == (3, False)


@pytest.mark.parametrize("said", ["2026-11-20", "2026-11-20T00:00", "2026-11-20T00:00:00Z", "2026-11-20T01:00+01:00"])
def test_a_time_without_a_zone_is_in_utc(said: str) -> None:
    assert instant(said) == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("said", ["yesterday", "2026-11-31", "20261120", "2026-W47-5", "99999999999d", ""])
def test_a_time_that_is_none_is_wrong_usage(said: str) -> None:
    code, output = calends("dlq", "list", "--since", said)

    assert (code, "is no time: expected 1d, 90m, 2026-11-20" in " ".join(output.split())) == (2, True)


def test_both_ways_to_start_anew_exclude_each_other() -> None:
    assert calends("run", "--from-committed", "--rebuild")[0] == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"accounts": [{}]}'])
def test_sandbox_accounts_that_are_none_are_wrong_usage(tmp_path: Path, text: str) -> None:
    (tmp_path / "accounts.json").write_text(text)

    assert calends("sandbox", "--config", str(tmp_path / "accounts.json"))[0] == 2


@pytest.mark.parametrize(
    ("account", "why"),
    [
        ({"vendor": "ecal"}, "accounts[0] needs name"),
        ({"name": "a", "vendor": "ekal"}, "account a: unknown vendor ekal; one of"),
        ({"name": "a", "vendor": "ecal", "config": {"api_secret": "s"}}, "account a: its config needs api_key"),
        ({"name": "a", "vendor": "apptoto", "config": {"api_key": "k"}}, "account a: its config needs user"),
        ({"name": "a", "vendor": "calreply", "config": {"client_id": "k"}}, "account a: its config needs account_code"),
        ({"name": "a", "vendor": "add_to_calendar_pro"}, "account a: its config needs api_key"),
        (
            {"name": "a", "vendor": "add_to_calendar_pro", "config": {"api_key": "k"}, "faults": {"fire": 1}},
            "fire is no",
        ),
    ],
)
def test_a_sandbox_account_that_cannot_be_is_told_in_a_sentence(
    tmp_path: Path, account: dict[str, object], why: str
) -> None:
    (tmp_path / "accounts.json").write_text(json.dumps({"accounts": [account]}))

    code, told = calends("sandbox", "--config", str(tmp_path / "accounts.json"))

    assert (code, why in told, told.count("\n")) == (2, True, 1), told


@pytest.mark.parametrize(
    "command", [("check", "nope.yaml"), ("check", "-c", "nope.yaml"), ("explain", "-", "-c", "nope.yaml"),
                ("run", "-c", "nope.yaml"), ("migrate", "-c", "nope.yaml")],
)  # fmt: skip
def test_settings_that_are_not_there_are_wrong_usage(command: tuple[str, ...]) -> None:
    told = "calends: nope.yaml: no such file or folder: name the settings file, or the folder of calends.yaml\n"

    assert calends(*command) == (2, told)


@pytest.mark.parametrize(
    "command", [("explain", "EVENT", "--html"), ("new", "rule", "EVENT", "--output"), ("test", "SETTINGS", "--junit")]
)
def test_a_file_that_cannot_be_written_is_wrong_usage(tmp_path: Path, command: tuple[str, ...]) -> None:
    file, event = configured(tmp_path, f"sqlite:///{tmp_path}/ledger.db"), tmp_path / "event.json"
    event.write_text('{"type": "t", "data": {"a": 1}}')
    words = [{"EVENT": str(event), "SETTINGS": str(file)}.get(word, word) for word in command]
    settings = () if "SETTINGS" in command else ("-c", str(file))

    code, output = calends(*words, str(event / "below-a-file"), *settings)

    assert (code, "below-a-file: " in output) == (2, True)


def test_a_folder_without_settings_is_wrong_usage(tmp_path: Path) -> None:
    told = f"calends: {tmp_path} has no calends.yaml: name the settings file, or the folder of calends.yaml\n"

    assert calends("check", str(tmp_path)) == (2, told)
