"""`calends vendors` says what the checks go by."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.operate.vendors import choices, described
from pipeline.rules.adapt import DestinationView
from pipeline.vendors import vendors


def told(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["vendors", *arguments])
    assert result.exit_code == 0
    return result.stdout


def as_json(name: str) -> dict[str, Any]:
    return dict(json.loads(told(name, "--json")))


def test_all_are_listed_a_line_each() -> None:
    assert [line.split()[0] for line in told().splitlines()] == ["vendor", *sorted(vendors())]
    assert [one["name"] for one in json.loads(told("--json"))] == sorted(vendors())


@pytest.mark.parametrize("name", sorted(vendors()))
def test_what_is_told_is_what_rules_are_judged_by(name: str) -> None:
    vendor = vendors()[name]
    plain = {option.name: option.default for option in vendor.options}
    for under in as_json(name)["says"]:
        view = DestinationView("d", vendor, plain | under["options"])
        for kind in ("entry", "subscription"):
            expression = view.expression(None if kind == "entry" else kind)
            said = under[kind] or {"required": [], "optional": [], "own": {}}
            assert {*said["required"], *said["optional"]} == view.sayable(None if kind == "entry" else kind)
            assert (set(said["required"]), said["own"]) == (set(expression.required), dict(expression.own))


@pytest.mark.parametrize("name", sorted(vendors()))
def test_every_field_option_secret_and_limit_is_told_to_people(name: str) -> None:
    text, one = told(name), described(vendors()[name])
    words = [option.name for option in one.options] + [secret.name for secret in one.secrets]
    words += [field for under in one.says for field in (*under.entry.required, *under.entry.optional, *under.entry.own)]
    assert [word for word in (*words, one.base_url, f"{one.settle_time:g} s") if word not in text] == []


def test_an_option_that_changes_what_can_be_said_is_shown_for_each_choice() -> None:
    assert list(choices(vendors()["apptoto"])) == [{}]
    assert [under["options"]["api"] for under in as_json("calreply")["says"]] == ["calreply", "rokt"]
    assert [under["entry"]["can_delete"] for under in as_json("calreply")["says"]] == [False, True]


def test_an_unknown_vendor_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["vendors", "ecall"])
    assert (result.exit_code, "did you mean ecal?" in result.stderr) == (2, True)


def test_what_calls_cost_is_told() -> None:
    assert "credits:     1 for a create, 0.2 for an update, 0.2 for a write" in told("add_to_calendar_pro")
    assert "credits:     none are counted" in told("ecal")
    assert as_json("add_to_calendar_pro")["credits"] == {"create": 1.0, "update": 0.2, "write": 0.2}


def test_what_a_vendor_misses_besides_is_told_in_its_words() -> None:
    subscription = as_json("calreply")["says"][0]["subscription"]
    assert [words.split()[0] for words in subscription["needs"][:2]] == ["calreply.subscriberId", "calreply.redirectTo"]
    assert "  needs:    calreply.subscriberId is required" in told("calreply")
    assert [one["entry"]["needs"] for one in as_json("ecal")["says"]] == [[], []]


def test_the_batch_and_the_types_of_own_fields_are_told() -> None:
    assert "batch:       20 entries in a call at most" in told("apptoto")
    assert "show_as (integer)" in told("apptoto")
