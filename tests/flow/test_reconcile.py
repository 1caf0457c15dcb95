"""`calends reconcile`: what was changed, deleted or doubled behind our back is found, and put right on demand.

A real worker sends, somebody else changes things over the vendor's own API, and only that is touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.acceptance.one_vendor import begin
from tests.flow.assembly import PRO, Assembly, appointment, until
from tests.flow.meddling import Meddler

ENTRIES = 120
QUOTA = [(400, 1.0)]


def prepared(assembly: Assembly, vendor: str, count: int = ENTRIES) -> dict[str, str]:
    """Entries at the vendor, and a worker that goes on: key → the vendor's id."""
    begin(assembly, vendor, QUOTA)
    assembly.worker()
    assembly.ready()
    assembly.publish((f"k{n:03}", appointment(f"k{n:03}", f"t{n}")) for n in range(count))
    until(lambda: _in_step(assembly, vendor, count), 60, "all entries are at the vendor")
    rows = {entry["title"]: entry["id"] for entry in assembly.sandbox.entries(vendor)}
    return {f"k{n:03}": rows[f"t{n}"] for n in range(count)}


def _in_step(assembly: Assembly, vendor: str, count: int = ENTRIES) -> bool:
    titles = sorted(entry["title"] for entry in assembly.sandbox.entries(vendor))
    backlog = json.loads(assembly.calends("status", "--json").stdout)["destinations"][0]["entries"]
    return titles == sorted(f"t{n}" for n in range(count)) and not any(backlog.values())


def reconcile(assembly: Assembly, vendor: str, *words: str) -> tuple[int, dict[str, Any]]:
    done = assembly.calends("reconcile", vendor, "--json", "--limit", "0", *words)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def found(told: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(one["kind"], one["key"]) for one in told["findings"]}


def writes(assembly: Assembly, vendor: str) -> dict[str, int]:
    judged = assembly.sandbox.judge(vendor)
    return {what: judged[what] for what in ("creates", "updates", "deletes")}


@pytest.mark.parametrize("vendor", ["ecal", "apptoto", PRO])
def test_what_was_done_behind_our_back_is_found_and_put_right_and_nothing_else(assembly: Assembly, vendor: str) -> None:
    ids = prepared(assembly, vendor)
    assert reconcile(assembly, vendor)[0] == 0
    meddler = Meddler(assembly.sandbox.url, vendor)
    meddler.change(ids["k003"], "somebody's title")
    meddler.delete(ids["k007"])
    expected = {("changed", "k003"), ("deleted", "k007")}
    if vendor == PRO:
        meddler.double(ids["k011"])
        expected.add(("doubled", "k011"))
    before = writes(assembly, vendor)

    code, told = reconcile(assembly, vendor)
    assert (code, found(told), told["looked"], told["unread"]) == (1, expected, ENTRIES, {})
    assert writes(assembly, vendor) == before

    code, told = reconcile(assembly, vendor, "--repair")
    assert (code, sum(told["repaired"].values()), told["calls"] < ENTRIES // 2) == (0, len(expected), True)
    until(lambda: _in_step(assembly, vendor), 30, "the lane has put it right")
    after = writes(assembly, vendor)
    assert {what: after[what] - before[what] for what in after} == {
        "creates": 1,
        "updates": 1,
        "deletes": 1 if vendor == PRO else 0,
    }
    assert reconcile(assembly, vendor)[0] == 0
    acts = json.loads(assembly.calends("audit", "--json").stdout)
    assert [act["detail"] for act in acts] == ["read", "repair", "read", "read"]
    assert assembly.sandbox.counters(vendor)["refused_429"] == 0


def test_a_reading_that_was_killed_goes_on_where_it_was(assembly: Assembly) -> None:
    many = 500
    ids = prepared(assembly, PRO, many)
    meddler = Meddler(assembly.sandbox.url, PRO)
    for key in ("k000", "k499"):
        meddler.change(ids[key], "somebody's title")
    assembly.sandbox.fault(PRO, latency_ms=50)
    begun = assembly.start_calends("reconcile", PRO)
    calls = assembly.sandbox.counters(PRO)["calls"]
    until(lambda: assembly.sandbox.counters(PRO)["calls"] > calls + 250, 30, "half of it has been read")
    begun.kill()
    begun.wait()
    assembly.sandbox.fault(PRO, latency_ms=None)

    code, told = reconcile(assembly, PRO)
    assert (code, found(told), told["looked"]) == (1, {("changed", "k000"), ("changed", "k499")}, many)
    assert told["calls"] <= many - 199
    outcomes = [act["outcome"] for act in json.loads(assembly.calends("audit", "--json").stdout)]
    assert outcomes == ["500 looked at: 2 changed, 0 deleted, 0 doubled", "under way"]


def test_many_that_seem_gone_are_not_made_again_without_a_word(assembly: Assembly) -> None:
    ids = prepared(assembly, "ecal", 20)
    meddler = Meddler(assembly.sandbox.url, "ecal")
    for n in range(5):
        meddler.delete(ids[f"k{n:03}"])
    done = assembly.calends("reconcile", "ecal", "--repair")
    assert (done.returncode, "5 of 20 entries seem gone" in done.stderr) == (3, True)
    code, told = reconcile(assembly, "ecal", "--repair", "--yes")
    assert (code, told["repaired"]) == (0, {"marked": 5})
    until(lambda: _in_step(assembly, "ecal", 20), 30, "they are there again")
