"""As soon as the quota allows: superseded states cost no call, with one worker and with three."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.one_vendor import arrivals, begin
from tests.acceptance.test_acceptance import say
from tests.flow.assembly import Assembly, appointment, until

ENTRIES, UPDATES, CALLS = 1500, 3, 100
BOUND = ENTRIES / CALLS
"""Seconds, were not one call wasted."""


@pytest.mark.parametrize("workers", [1, 3])
def test_all_latest_states_arrive_within_the_bound(assembly: Assembly, workers: int) -> None:
    begin(assembly, "ecal", [(CALLS, 1.0)])
    for _ in range(workers):
        assembly.worker()
    for number in range(workers):
        assembly.ready(number)
    time.sleep(5)  # all have joined
    now = time.time() - 60
    keys = [f"k{number}" for number in range(ENTRIES)]
    published = time.time()
    assembly.publish((key, appointment(key, f"v{n}", at=now + n)) for n in range(UPDATES) for key in keys)
    last = dict.fromkeys(keys, f"v{UPDATES - 1}")
    until(lambda: assembly.sandbox.counters("ecal")["calls"] >= ENTRIES, 60, "as many calls as entries")
    until(lambda: assembly.converged("ecal", last), 60, "all latest states")
    counters = assembly.sandbox.counters("ecal")
    seconds = arrivals(assembly, "ecal")[-1] - published
    say(workers=workers, seconds=f"{seconds:.2f}", of_the_bound=f"{seconds / BOUND:.3f}", calls=counters["calls"],
        refused_429=counters["refused_429"])  # fmt: skip
    assert counters["refused_429"] == 0
    assert seconds <= 1.05 * BOUND
