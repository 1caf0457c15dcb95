"""Fifty thousand entries, one in a hundred changed, deleted or doubled behind our back: all found, all put right,
nothing else touched, no call beyond the quota.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from tests.acceptance.one_vendor import begin
from tests.acceptance.test_acceptance import say
from tests.flow.assembly import PRO, Assembly, appointment, until
from tests.flow.meddling import Meddler

ENTRIES, DRIFTED, QUOTA = 50_000, 500, 1500


def test_one_in_a_hundred_is_found_and_put_right_within_the_quota(assembly: Assembly) -> None:
    begin(assembly, PRO, [(QUOTA, 1.0)], concurrency=32)
    assembly.worker()
    assembly.ready()
    assembly.publish((f"k{n:05}", appointment(f"k{n:05}", f"t{n}")) for n in range(ENTRIES))
    until(lambda: assembly.sandbox.counters(PRO)["items"] == ENTRIES and not backlog(assembly), 900, "all are there")
    ids = {entry["title"]: entry["id"] for entry in assembly.sandbox.entries(PRO)}
    expected = meddle(Meddler(assembly.sandbox.url, PRO), ids)
    before, calls = writes(assembly), assembly.sandbox.counters(PRO)["calls"]

    began = time.monotonic()
    told = reconcile(assembly, 1)
    seconds = time.monotonic() - began
    assert {(one["kind"], one["key"]) for one in told["findings"]} == expected
    assert writes(assembly) == before
    read = assembly.sandbox.counters(PRO)["calls"] - calls

    repaired = reconcile(assembly, 0, "--repair")["repaired"]
    until(lambda: not backlog(assembly), 120, "the lane has put it right")
    titles = sorted(entry["title"] for entry in assembly.sandbox.entries(PRO))
    assert titles == sorted(f"t{n}" for n in range(ENTRIES))
    after = {what: n - before[what] for what, n in writes(assembly).items()}
    counters = assembly.sandbox.counters(PRO)
    say(entries=ENTRIES, found=len(told["findings"]), seconds=f"{seconds:.1f}", reads=read, repaired=repaired,
        writes=after, refused_429=counters["refused_429"])  # fmt: skip
    third = DRIFTED // 3
    assert after == {"creates": third, "updates": DRIFTED - 2 * third, "deletes": third}
    assert counters["refused_429"] == 0
    assert all(window["worst"] <= window["calls"] for window in counters["worst_windows"])


def meddle(meddler: Meddler, ids: Mapping[str, str]) -> set[tuple[str, str]]:
    """A third each; `ids`: title → the vendor's id."""
    third, found = DRIFTED // 3, set[tuple[str, str]]()
    for place in range(DRIFTED):
        number = place * (ENTRIES // DRIFTED)
        identity = ids[f"t{number}"]
        if place < third:
            meddler.delete(identity)
        elif place < 2 * third:
            meddler.double(identity)
        else:
            meddler.change(identity, "somebody's title")
        kind = "deleted" if place < third else "doubled" if place < 2 * third else "changed"
        found.add((kind, f"k{number:05}"))
    return found


def backlog(assembly: Assembly) -> int:
    told = json.loads(assembly.calends("status", "--json").stdout)
    return sum(told["destinations"][0]["entries"].values())


def writes(assembly: Assembly) -> dict[str, int]:
    judged = assembly.sandbox.judge(PRO)
    return {what: judged[what] for what in ("creates", "updates", "deletes")}


def reconcile(assembly: Assembly, code: int, *words: str) -> dict[str, Any]:
    done = assembly.calends("reconcile", PRO, "--json", "--limit", "0", *words, seconds=900)
    assert done.returncode == code, done.stderr
    return dict(json.loads(done.stdout))
