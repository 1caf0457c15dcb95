"""The examples of the page of rules are right, and their tests pass."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text
from pipeline.vendors import vendors

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
STEPS = PAGE.partition("## Step by step")[2].partition("## What a send item")[0]
EXAMPLES = [dedent("   " + text) for text in re.findall(r"```yaml\n   (.*?)```", STEPS, re.DOTALL)]


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_of_the_steps_is_right(text: str) -> None:
    views = {"acme-ecal": DestinationView("acme-ecal", vendors()["ecal"])}
    assert check_rules(load_text(text, "rules.md", tuple(vendors())), views, ("base", "payment")) == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3
