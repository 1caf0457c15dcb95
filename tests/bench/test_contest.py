"""What the figures of `make bench` stand on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import contest, page, picture, throughput
from bench.contestants import CONTESTANTS
from bench.delivery import Event, entry
from bench.double import ENTRIES, Quota, Seen
from bench.environments import PEERS, Peer
from bench.surroundings import BYTES, Conditions

LOCKED = re.compile(r"[a-z0-9-]+==[\w.]+( ; .*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")


def ecal() -> Seen:
    return Seen(b"v2", ENTRIES["ecal"])


def test_the_double_takes_no_call_more_than_the_quota_in_any_window() -> None:
    quota = Quota(2, 1.0)
    assert [quota.wait(at) for at in (0.0, 0.5, 0.9, 0.999, 1.0, 1.4, 1.5)] == [0, 0, 1, 1, 0, 1, 0]


def test_a_refused_call_closes_the_double_until_its_retry_after_is_over() -> None:
    quota = Quota(1, 1.0)
    quota.wait(10.0)
    quota.wait(10.25)
    assert quota.closed_until == 11.25


def test_an_entry_is_current_while_its_newest_state_is_the_final_one() -> None:
    seen = ecal()
    for title, at in (("v1", 1.0), ("v2", 2.0), ("v1", 3.0), ("v2", 4.0), ("v2", 5.0)):
        seen.took(b"/apiv2/event", json.dumps({"name": title, "reference": "k1"}).encode(), at)
    assert (seen.current, seen.current_at, seen.deliveries) == (1, 4.0, 5)


def test_an_update_has_its_key_in_the_path() -> None:
    seen = ecal()
    assert seen.took(b"/ecal/ecal/apiv2/event/k7", b'{"name": "v2"}', 1.0) == [b"k7"]
    assert seen.titles == {b"k7": b"v2"}


def test_each_event_of_a_batch_counts() -> None:
    seen = Seen(b"v1", ENTRIES["apptoto"])
    events = [{"external_id": f"k{n}", "title": "v1", "participants": [{"name": "Ann"}]} for n in range(25)]
    seen.took(b"/v1/events", json.dumps({"events": events}).encode(), 1.0)
    assert (seen.deliveries, seen.current) == (25, 25)


def test_an_event_has_five_hundred_bytes_and_relays_make_of_it_what_calends_does() -> None:
    ((key, value),) = Conditions(entries=1).events()
    assert len(value) == BYTES
    assert entry(Event.model_validate_json(value).data)["reference"] == key


@pytest.mark.parametrize("peers", [[], [peer.name for peer in PEERS]])
def test_all_who_are_asked_for_take_part(peers: list[str]) -> None:
    tables = contest.plan(peers, 100)
    assert {"fast", "quota"} <= {table.name for table in tables}
    assert all(name in CONTESTANTS for table in tables for name in table.contestants)
    assert all(set(peers) <= set(table.contestants) for table in tables if table.name != "batches")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_is_locked_by_versions_and_hashes_and_nothing_else(peer: Peer) -> None:
    lines = peer.lock.read_text().splitlines()
    assert [line for line in lines if not LOCKED.fullmatch(line)] == []


def _run(name: str, seconds: float | None) -> dict[str, object]:
    run = dict.fromkeys([*page.SPEED, *page.CURRENT], 1.0)
    return run | {"name": name, "worker": CONTESTANTS[name].title, "round": 1, "deliveries": 1} | {
        "current_seconds": seconds, "completed": seconds is not None}  # fmt: skip


RUNS = [_run("calends", 15.0), _run("calends", 16.0), _run("calends", 17.5), _run("aiohttp", None)]
TABLE = {
    "title": "T", "rounds": 3, "runs": RUNS,
    "conditions": {"enforced": True, "latency": 0.0, "entries": 9, "updates": 3},
}  # fmt: skip
RESULT = {
    "machine": "M", "versions": {"Kafka": "4"}, "ceiling": {"per_second": 9.0, "cpu_us": 1.0}, "start": [],
    "tables": [{"name": name, **TABLE} for name in ("fast", "quota")],
}  # fmt: skip


def test_the_table_has_the_median_and_says_who_never_came_to_it() -> None:
    table = page.table(RUNS, TABLE["conditions"])
    assert "16.0 (15.0–17.5)" in table
    assert "never" in table
    assert "by hand, aiohttp, round 1: not all was current at the end" in table
    assert "never" in picture.draw(RESULT)


@pytest.mark.parametrize(
    ("seconds", "cell", "bar"),
    [
        ([15.0, 40.0, None], "2 of 3 runs: 40.0", 40.0),
        ([15.0, None, None], "never in 2 of 3 runs", None),
        ([15.0, 40.0, 20.0], "20.0 (15.0–40.0)", 20.0),
        ([None, None, None], "never", None),
    ],
)
def test_a_run_that_never_came_to_it_is_the_worst_in_the_table_and_in_the_picture(
    seconds: list[float | None], cell: str, bar: float | None
) -> None:
    runs = [_run("calends", one) for one in seconds]
    assert f" {cell} |" in page.table(runs, TABLE["conditions"])
    assert picture.middle(seconds) == bar


@pytest.mark.parametrize("enforced", [True, False])
def test_the_doubles_share_of_a_core_is_that_of_the_contest_and_not_of_the_quiet_time_before_it(enforced: bool) -> None:
    """A call that showed that the worker had joined came three seconds before all others."""
    seen = {"deliveries": 1, "calls": 1, "refused": 0, "early": 0, "current": 0, "current_at": 0.0, "most_in_flight": 1}

    def reading(at: float, cpu: float) -> throughput.Reading:
        first = 97.0 if enforced else 100.0
        return throughput.Reading(at, seen | {"cpu": cpu, "first_arrival": first, "last_arrival": 102.0}, 0.0)

    start, first, last = reading(99.9, 1.0), reading(100.0, 1.0), reading(103.0, 2.0)
    conditions = Conditions(entries=1, enforced=enforced)
    assert throughput._judged("T", conditions, start, first, last, None, 0).vendor_share == 0.5


def test_a_page_is_made_again_and_keeps_what_is_written_around_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGE", "PICTURE", "RESULT"):
        monkeypatch.setattr(page, name, tmp_path / getattr(page, name).name)
    page.PAGE.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.write(RESULT)
    once = page.PAGE.read_text()
    page.write(json.loads(page.RESULT.read_text()))
    assert page.PAGE.read_text() == once
    assert once.startswith(f"before\n{page.BEGIN}\n")
    assert once.endswith(f"{page.END}\nafter\n")
    assert "old" not in once


def test_the_real_page_has_the_marks() -> None:
    assert page.PAGE.read_text().count(page.BEGIN) == page.PAGE.read_text().count(page.END) == 1
