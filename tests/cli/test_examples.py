"""The gallery: every example's tests are green and reach every rule, and every one is told of in its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.demo.example import NotAnExample, example, names

ROOT = Path(__file__).parents[2]


def test_the_gallery_is_tested_wholly() -> None:
    result = CliRunner().invoke(app, ["test", str(ROOT / "configs" / "examples"), "--json", "--fail-under", "100"])
    found = json.loads(result.stdout)

    assert (result.exit_code, found["ok"], found["coverage"]["percent"]) == (0, True, 100.0)
    assert {Path(test["file"]).parent.name for test in found["tests"]} == {"examples", *names()}


@pytest.mark.parametrize("name", names())
def test_an_example_has_something_to_converge_to(name: str) -> None:
    played = example(name)

    assert len(played.events) >= 4
    assert sum(len(titles) for titles in played.titles.values()) >= 2
    assert f"`{name}`" in (ROOT / "docs" / "examples.md").read_text()


def test_what_is_no_example_is_told_with_those_that_are() -> None:
    with pytest.raises(NotAnExample, match="one of appointments, bookings, invoices, league, subscription"):
        example("nothing")
