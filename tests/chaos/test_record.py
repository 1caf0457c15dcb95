"""A run goes on where it stopped, and takes no round of another plan or of other code for its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import record
from tests.chaos.plan import failover, plan, restore


def told(path: Path, name: str, code: str) -> None:
    record.append(path, {"seed": 2, "plan_digest": name, "code": code})


def test_the_same_seed_of_another_scenario_or_size_is_another_round() -> None:
    plans = [plan(2), plan(3), failover(2), restore(2, 2000), restore(2, 10_000)]
    assert len({record.name(each) for each in plans}) == len(plans)
    assert record.name(plan(2)) == record.name(plan(2))


def test_a_round_that_was_played_on_this_code_is_known(tmp_path: Path) -> None:
    told(tmp_path / "rounds.jsonl", record.name(plan(2)), record.code())
    done, others = record.read(tmp_path / "rounds.jsonl")
    assert (list(done), others) == ([record.name(plan(2))], 0)


def test_a_round_of_other_code_does_not_count(tmp_path: Path) -> None:
    told(tmp_path / "rounds.jsonl", record.name(plan(2)), "0123456789 of-another")
    (tmp_path / "rounds.jsonl").open("a").write('{"seed": 2, "plan": "of before codes were kept"}\n')
    assert record.read(tmp_path / "rounds.jsonl") == ({}, 2)


def test_the_same_files_under_another_commit_are_the_same_code(tmp_path: Path) -> None:
    commit, state = record.code().split(" ")[-2:]
    told(tmp_path / "rounds.jsonl", record.name(plan(2)), f"another-than-{commit} {state}")
    assert list(record.read(tmp_path / "rounds.jsonl")[0]) == [record.name(plan(2))]


def test_what_is_changed_and_not_committed_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipeline").mkdir()
    monkeypatch.setattr(record, "ROOT", tmp_path)
    states = set()
    for text in ("one = 1", "one = 2"):
        (tmp_path / "pipeline" / "lane.py").write_text(text)
        record.code.cache_clear()
        states.add(record.state(record.code()))
    record.code.cache_clear()
    assert len(states) == 2
