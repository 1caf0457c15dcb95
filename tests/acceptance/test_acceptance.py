"""What Calends promises at size. Each test prints the figures that it saw at the sandbox."""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from functools import partial
from itertools import pairwise
from typing import Any

from tests.acceptance.one_vendor import attempts, count_attempts
from tests.flow.assembly import Assembly, appointment, until

BOTH = ("ecal", "calreply")


def say(**figures: Any) -> None:
    print("\n   ", ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


def begin(assembly: Assembly, **options: Any) -> None:
    assembly.start(**options)
    migrated = assembly.calends("migrate")
    assert migrated.returncode == 0, migrated.stderr


def converged(assembly: Assembly, titles: dict[str, str]) -> bool:
    return all(assembly.converged(vendor, titles) for vendor in BOTH)


def called(assembly: Assembly, calls: int) -> bool:
    return bool(assembly.sandbox.counters("ecal")["calls"] > calls)


def rate_per_second(arrivals: list[list[Any]], begun: float, ended: float) -> float:
    return sum(begun <= row[0] < ended for row in arrivals) / (ended - begun)


def older_after_newer(assembly: Assembly, vendor: str) -> int:
    """Writes whose title (v0, v1, …) is below that of a write before."""
    found = 0
    for writes in assembly.sandbox.get(f"/_writes?account={vendor}").values():
        versions = [int(title[1:]) for _, _, title in writes if title.startswith("v")]
        found += sum(later < earlier for earlier, later in pairwise(versions))
    return found


def test_two_workers_one_killed_twice(assembly: Assembly) -> None:
    """20,000 events for 4,000 entries by librdkafka into 12 partitions."""
    begin(assembly, quota=(400, 1.0), concurrency=32, ecal={"quota": [[400, 1]]}, calreply={"quota": [[400, 1]]})
    now = time.time() - 60
    keys = [f"k{number}" for number in range(4000)]
    assembly.worker()
    victim = assembly.worker()
    assembly.ready(0)
    assembly.ready(1)
    for version in range(4):
        assembly.publish((key, appointment(key, f"v{version}", at=now + version)) for key in keys)
    gaps = []
    for _ in range(2):
        time.sleep(3)
        victim.kill()
        victim.wait()
        gaps.append(_gap(assembly, time.time()))
        victim = assembly.worker()
        assembly.ready()
    assembly.publish((key, appointment(key, "v4", at=now + 4)) for key in keys)
    taken = until(lambda: converged(assembly, dict.fromkeys(keys, "v4")), 240, "all 4,000 entries in their last state")
    for vendor in BOTH:
        judge, counters = assembly.sandbox.judge(vendor), assembly.sandbox.counters(vendor)
        older = older_after_newer(assembly, vendor)
        say(vendor=vendor, calls=counters["calls"], refused_429=counters["refused_429"], doubles=judge["double_count"],
            older_after_newer=older, items=judge["items"])  # fmt: skip
        assert (judge["double_count"], older, counters["refused_429"]) == (0, 0, 0)
        assert judge["items"] == 4000
    assert assembly.dead_letters(0, seconds=3) == []
    say(seconds_after_last_event=f"{taken:.1f}", held_by_the_killed=gaps)


def _gap(assembly: Assembly, killed: float) -> str:
    """Seconds until the ledger gave up the killed worker's leases, as the longest of its calls came again."""
    import psycopg

    with psycopg.connect(assembly.ledger, autocommit=True) as connection:
        query = "select destination, key, lease_owner from entries where state = 'sending'"
        owned = connection.execute(query).fetchall()
        pid = f"-{assembly.workers[-1].pid}-"
        mine = [(destination, key) for destination, key, owner in owned if pid in owner]
    if not mine:
        return "nothing held"

    def called() -> list[float]:
        first: dict[tuple[str, str], float] = {}
        # What had left the killed worker may still arrive; nobody else can call before its lease has run out.
        for vendor in BOTH:
            for at, _method, key, _status in assembly.sandbox.arrivals(vendor, since=killed + 1.0):
                first.setdefault((vendor, key), at)
        return [first[entry] - killed for entry in mine if entry in first]

    until(lambda: bool(called()), 60, "a call for what the killed worker held")
    return f"{len(mine)} entries, first call after {min(called()):.1f} s"


def test_short_lived_tokens_under_load(assembly: Assembly) -> None:
    """Access tokens of 2 s and single-use refresh tokens, 100 calls in flight, 60 s."""
    begin(
        assembly,
        quota=(100_000, 60.0),
        concurrency=100,
        calreply={"config": {"access_seconds": 2}, "faults": {"latency_ms": 400}},
    )
    count = 15_000
    titles = {f"k{number}": f"t{number}" for number in range(count)}
    assembly.publish((key, appointment(key, title)) for key, title in titles.items())
    assembly.worker()
    assembly.ready()
    until(lambda: assembly.converged("calreply", titles), 240, "all entries")
    counters = assembly.sandbox.counters("calreply")
    lasted = counters["last_arrival"] - counters["first_arrival"]
    say(seconds=f"{lasted:.1f}", in_flight_max=counters["in_flight_max"], by_status=counters["by_status"],
        token_requests=counters["token_requests"], at_once=counters["token_concurrency_max"],
        issued=counters["tokens_issued"])  # fmt: skip
    assert lasted >= 55
    assert counters["token_requests"] <= 33 * max(1.0, lasted / 60)
    assert counters["token_concurrency_max"] == 1
    assert assembly.dead_letters(0, seconds=3) == []
    assert assembly.sandbox.judge("calreply")["double_count"] == 0


def test_quota_shared_by_two_workers(assembly: Assembly) -> None:
    """50 calls in any one second; five updates of each of 500 entries published at once cost about 500 calls."""
    begin(assembly, quota=(50, 1.0), ecal={"quota": [[50, 1]]}, calreply={"quota": [[50, 1]]})
    now = time.time() - 60
    keys = [f"k{number}" for number in range(500)]
    assembly.publish((key, appointment(key, f"v{version}", at=now + version)) for version in range(5) for key in keys)
    assembly.worker()
    assembly.worker()
    until(lambda: converged(assembly, dict.fromkeys(keys, "v4")), 120, "all 500 in their last state")
    for vendor in BOTH:
        counters = assembly.sandbox.counters(vendor)
        lasted = counters["last_arrival"] - counters["first_arrival"]
        used = counters["calls"] / (lasted * 50)
        say(vendor=vendor, calls=counters["calls"], refused_429=counters["refused_429"], used=f"{used:.1%}",
            worst_window=counters["worst_window"])  # fmt: skip
        assert counters["refused_429"] == 0
        assert counters["calls"] <= 550
    used_of(assembly)


def used_of(assembly: Assembly) -> None:
    """2,000 entries more, so that there is work all the time: how much of the quota is used."""
    titles = {f"m{number}": "t" for number in range(2000)} | {f"k{number}": "v4" for number in range(500)}
    begun = time.time()
    assembly.publish((key, appointment(key, "t")) for key in titles if key.startswith("m"))
    until(lambda: converged(assembly, titles), 120, "2,000 more")
    for vendor in BOTH:
        times = [row[0] for row in assembly.sandbox.arrivals(vendor, since=begun)]
        used = (len(times) - 1) / ((times[-1] - times[0]) * 50)
        counters = assembly.sandbox.counters(vendor)
        say(vendor=vendor, used=f"{used:.1%}", refused_429=counters["refused_429"], worst=counters["worst_window"])
        assert counters["refused_429"] == 0
        assert used >= 0.90


def _sixty_seconds_of(assembly: Assembly, fault: dict[str, Any]) -> None:
    """One vendor is bad for 60 s while both have work all the time."""
    begin(assembly, quota=(40, 1.0), ecal={"quota": [[40, 1]]}, calreply={"quota": [[40, 1]]})
    count_attempts(assembly)
    titles = {f"k{number}": "t" for number in range(4000)}
    assembly.publish((key, appointment(key, "t")) for key in titles)
    assembly.worker()
    assembly.worker()
    until(lambda: assembly.sandbox.counters("calreply")["calls"] > 100, 60, "work is under way")
    time.sleep(10)
    begun = time.time()
    assembly.sandbox.fault("ecal", **fault)
    time.sleep(60)
    assembly.sandbox.fault("ecal", **dict.fromkeys(fault))
    ended = time.time()
    arrivals = assembly.sandbox.arrivals("calreply")
    before, during = rate_per_second(arrivals, begun - 10, begun), rate_per_second(arrivals, begun, ended)
    bad = [row for row in assembly.sandbox.arrivals("ecal") if begun <= row[0] < ended]
    back = until(
        lambda: any(row[0] > ended and row[3] == 200 and row[1] != "GET" for row in assembly.sandbox.arrivals("ecal")),
        40, "the vendor is called again",
    )  # fmt: skip
    until(lambda: converged(assembly, titles), 200, "everything arrived")
    say(fault=fault, calls_to_the_bad=len(bad), first_delivery_after_its_return=f"{back:.1f} s")
    say(other_rate_before=f"{before:.1f}/s", other_rate_during=f"{during:.1f}/s")
    assert assembly.dead_letters(0, seconds=3) == []
    assert during >= before * 0.95
    assert attempts(assembly) == []
    for vendor in BOTH:
        assert assembly.sandbox.judge(vendor)["double_count"] == 0


def test_a_vendor_down_for_a_minute(assembly: Assembly) -> None:
    _sixty_seconds_of(assembly, {"outage": True})


def test_a_credential_revoked_for_a_minute(assembly: Assembly) -> None:
    _sixty_seconds_of(assembly, {"revoked": True})


def test_sigterm_under_load(assembly: Assembly) -> None:
    begin(assembly, quota=(2000, 1.0), concurrency=64, ecal={"faults": {"latency_ms": 200}})
    titles = {f"k{number}": f"t{number}" for number in range(5000)}
    assembly.publish((key, appointment(key, title)) for key, title in titles.items())
    worker = assembly.worker()
    seconds = []
    for _ in range(3):
        calls = assembly.sandbox.counters("ecal")["calls"]
        until(partial(called, assembly, calls + 300), 60, "load")
        begun = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
        seconds.append(round(time.monotonic() - begun, 2))
        worker = assembly.worker()
        assembly.ready()
    until(lambda: converged(assembly, titles), 120, "all entries")
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for vendor in BOTH:
        counters = assembly.sandbox.counters(vendor)
        counts[vendor] = {"calls": counters["calls"], "items": counters["items"]}
        assert counters["calls"] == counters["items"] == 5000
    say(seconds_to_exit=seconds, **counts)
