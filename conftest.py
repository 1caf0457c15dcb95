"""`pytest --vendor=FOLDER`: the vendors' suite over one folder and nothing else, for whoever writes a vendor.

It stands here, as pytest reads this file before it knows its arguments, wherever in the repository they point to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendors import subjects

SUITE = ("test_contract.py", "test_round_trip.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "a vendor's folder, in the tree or outside: runs the vendors' suite over it, and nothing else"
    parser.addoption("--vendor", metavar="FOLDER", help=words)


def pytest_configure(config: pytest.Config) -> None:
    given = config.getoption("--vendor")
    if given is None:
        return
    subjects.named = Path(given).resolve()
    try:
        subjects.subjects()
    except subjects.Unusable as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> str | None:
    return None if subjects.named is None else f"vendor: {subjects.named}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With one vendor, only its suite."""
    other = collection_path.suffix == ".py" and collection_path.name not in SUITE
    return True if subjects.named is not None and other else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With one vendor, what others need is out of place: their own tests, and kinds of cases that it has not."""
    if subjects.named is None:
        return
    out = [item for item in items if item.path.name not in SUITE or _of_another(item) or _without_a_case(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def _of_another(item: pytest.Item) -> bool:
    names = [path.parent.name for path in subjects.TREE.glob("*/__init__.py")]
    return any(f"_{name}_" in item.name for name in names)


def _without_a_case(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("skip")
    return mark is not None and str(mark.kwargs.get("reason", "")).startswith("got empty parameter set")
