"""The example of docs/adding-a-vendor.md: from its page into a folder, with the entry point of an installer."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pipeline.vendors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-vendor.md").read_text()
TEXTS = dict(re.findall(r"```(?:python|yaml|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
FOLDER = {name: text for name, text in TEXTS.items() if name.startswith("tinycal/")}
KEY = "tinycal-test-key"


@contextmanager
def installed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package, found by this process and those that it starts."""
    for name, text in FOLDER.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    project = tomllib.loads(TEXTS["pyproject.toml"])["project"]
    ((group, points),) = project["entry-points"].items()
    info = place / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    lines = [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("TINYCAL_KEY", KEY)
    monkeypatch.syspath_prepend(str(place))
    forget()
    yield place / "tinycal"
    forget()


def forget() -> None:
    """The vendors are found anew, and the package is imported anew."""
    pipeline.vendors.vendors.cache_clear()
    pipeline.vendors._packages.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "tinycal"]:
        del sys.modules[name]
