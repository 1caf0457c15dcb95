"""The examples of the page of rules are right together, with the settings that it shows, and their tests pass."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from pipeline.operate.check import Report, check

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
BLOCKS = [dedent(block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)]
SETTINGS = [block for block in BLOCKS if "destinations:\n" in block]
EXAMPLES = [block for block in BLOCKS if "rules:\n" in block]
CALREPLY = """
  acme-calreply:
    vendor: calreply
    options: {account_code: acme, api: rokt}
    credential: {client_id: {env: NOBODY}, client_secret: {env: NOBODY}}
"""


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Of all rules on the page, each example a file, and the first settings with the destinations of the others."""
    first, *others = SETTINGS
    more = "".join(other.removeprefix("destinations:") for other in others) + CALREPLY
    (tmp_path / "calends.yaml").write_text(first.replace("layers:", f"{more}\nlayers:"))
    (tmp_path / "rules").mkdir()
    for number, example in enumerate(EXAMPLES):
        (tmp_path / "rules" / f"{number}.yaml").write_text(example)
    return check(tmp_path, secrets=False)


def test_the_examples_are_right_with_the_settings_of_the_page(report: Report) -> None:
    assert report.problems == ()


def test_all_of_them_are_read(report: Report) -> None:
    assert report.settings is not None
    assert sorted(report.settings.destinations) == ["acme-calreply", "acme-ecal", "town-calendar"]
    assert (len(SETTINGS), len(EXAMPLES), len(report.rules.tests)) == (2, 8, 5)
