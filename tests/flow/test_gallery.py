"""Each example of the gallery, as it stands, in the demo: it converges, and the demo ends with 0."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.demo.example import names


@pytest.mark.parametrize("name", names())
def test_an_example_converges_in_the_demo(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "demo", "--example", name],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (ended.returncode, "0 missing, 0 wrong" in ended.stdout) == (0, True), ended.stdout + ended.stderr
