"""The tables of docs/vendors: what they name exists, and each operation and field of the vendors' documents has a row.

The documents lie outside the repository; `documents/` lists what they have, with its lines. A field's row begins with
its section (`webhook, Test: …`); those under `anywhere` may stand in any row.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.vendors.subjects import DOCS, TREE, document

TESTS = DOCS.parents[1] / "tests"
NAMES = sorted(path.stem for path in (TESTS / "vendors" / "documents").glob("*.yaml"))
KINDS = ("requests", "responses", "signatures", "tokens", "token_responses", "calls")
every_vendor = pytest.mark.parametrize("name", NAMES)


def rows(name: str) -> list[str]:
    lines = (DOCS / f"{name}.md").read_text("utf-8").splitlines()
    return [line.strip("| ") for line in lines if line.startswith("| ")]


@cache
def listed(name: str) -> dict[str, Any]:
    return dict(YAML(typ="safe").load(TESTS / "vendors" / "documents" / f"{name}.yaml"))


@cache
def written() -> frozenset[str]:
    texts = (path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    return frozenset(name for text in texts for name in re.findall(r"def (test_\w+)\(", text))


def test_every_vendor_of_the_tree_has_a_list() -> None:
    assert sorted(path.parent.name for path in TREE.glob("*/cases.yaml")) == NAMES


@every_vendor
def test_the_tables_name_tests_that_exist(name: str) -> None:
    """A name that ends in `…` is the beginning of one."""
    named = {found for row in rows(name) for found in re.findall(r"\btest_\w+…?", row)}
    named -= {path.stem for path in TESTS.rglob("test_*.py")}
    assert sorted(one for one in named if not _is_known(one, written())) == []


@every_vendor
def test_the_tables_name_cases_that_exist(name: str) -> None:
    known = frozenset(str(case["name"]) for kind in KINDS for case in document(TREE / name).get(kind) or ())
    named = {
        found for row in rows(name) for found in re.findall(r"`case: ([^`]+)`|(?<![\w*])\*([^*`]+)\*(?![\w*])", row)
    }
    assert sorted(one for pair in named if not _is_known(one := "".join(pair), known)) == []


def _is_known(name: str, known: frozenset[str]) -> bool:
    start = name.removesuffix("…").rstrip(" ,")
    return name in known or (name.endswith("…") and any(one.startswith(start) for one in known))


@every_vendor
def test_every_operation_of_the_document_has_a_row(name: str) -> None:
    assert [
        one for one in listed(name)["operations"] if not any(one in row and _covered(row) for row in rows(name))
    ] == []


@every_vendor
def test_every_field_of_the_document_has_a_row(name: str) -> None:
    lacking = [
        f"{section}: {field} (line {line})"
        for section, fields in listed(name)["fields"].items()
        for field, line in fields.items()
        if not any(_is_about(row, section, field) and _covered(row) for row in rows(name))
    ]
    assert lacking == []


def _is_about(row: str, section: str, field: str) -> bool:
    first = row.split(" | ")[0]
    return f"`{field}`" in first and (section == "anywhere" or first.startswith(f"{section}: "))


def _covered(row: str) -> bool:
    """It names a test or a case, or says that nothing reads or sends it, and why."""
    return bool(re.search(r"test_\w|`case: |\*\S|every (case|create)|not (read|sent): \w", row.partition(" | ")[2]))
