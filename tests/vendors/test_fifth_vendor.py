"""A vendor outside the tree: the example of docs/adding-a-vendor.md, from its page into a temporary folder.

What it says comes back, and what it lacks is told. That the whole suite runs over it, that the commands know it by its
entry point, and that an entry reaches it from Kafka: `tests/flow/test_fifth_vendor.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase
from ruamel.yaml import YAML

from tests.vendors.subjects import Unusable, missing, subject
from tests.vendors.test_round_trip import check_round_trips
from tests.vendors.tinycal import FOLDER, installed

NO_SHRINKING = (Phase.generate,)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with installed(tmp_path / "site", monkeypatch) as folder:
        yield folder


def test_it_takes_less_than_150_lines() -> None:
    assert len(FOLDER) == 8
    assert sum(len(text.splitlines()) for text in FOLDER.values()) < 150


def test_what_it_says_comes_back(outside: Path) -> None:
    check_round_trips(subject(outside), max_examples=20)


@pytest.mark.parametrize(
    ("file", "honest", "lying"),
    [
        ("defaults.py", 'FIELDS = frozenset({"title",', 'FIELDS = frozenset({"location", "title",'),
        ("simulator.py", "        if self._revoked or", "        return Response(418)\n        if self._revoked or"),
        (
            "simulator.py",
            "        self._events[key] = event\n",
            "        self._events[key] = {**event, 'title': 'T'}\n",
        ),
        ("recovery.py", "Step.DELETE if", "Step.FIND if"),
    ],
    ids=["a field that is not sent", "a vendor that takes nothing", "a text that is lost", "a delete that is none"],
)
def test_what_does_not_come_back_fails(outside: Path, file: str, honest: str, lying: str) -> None:
    text = (outside / file).read_text()
    assert honest in text
    (outside / file).write_text(text.replace(honest, lying))
    with pytest.raises((AssertionError, ExceptionGroup)):
        check_round_trips(subject(outside), max_examples=20, phases=NO_SHRINKING)


def test_missing_files_are_told_with_what_belongs_into_them(outside: Path) -> None:
    (outside / "recovery.py").unlink()
    (outside / "cases.yaml").unlink()
    with pytest.raises(Unusable) as told:
        subject(outside)
    assert str(told.value).splitlines()[1:] == [
        "  cases.yaml: entries with the request they become, and answers with their outcome, from the vendor's pages",
        "  recovery.py: plan(): the next step, also after a lost answer",
    ]


def test_what_cannot_be_imported_is_told(outside: Path) -> None:
    (outside / "payload.py").write_text("import no_such_module")
    with pytest.raises(Unusable, match="cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"):
        subject(outside)


def test_what_else_is_missing_is_told(outside: Path) -> None:
    cases = YAML(typ="safe").load(outside / "cases.yaml")
    cases["requests"].pop()
    del cases["requests"][0]["source"]
    (outside / "cases.yaml").write_text(json.dumps(cases))
    simulator = (outside / "simulator.py").read_text()
    (outside / "simulator.py").write_text(simulator.replace("def revoke(", "def revoked("))
    assert missing(subject(outside)) == [
        "cases.yaml: `requests` has no case of the step `delete`, which plan() gives",
        "cases.yaml: the `source` of `an event` under `requests` is none of "
        '"<page>, line 12", "newer page: <its name>", "client: <whose>" or "none: <why>"',
        "simulator.py: Simulator has no `revoke`, which the sandbox asks for",
    ]
