"""All four vendors at once, from the record to the strict simulator; and at each of them, answers that are lost.

Counted at the vendor. The embedded parts are enough: what is new here is the vendor's side.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import APPOINTMENT, PRO, Assembly, Sandbox, account, appointment, simulated, until

VENDORS = ("ecal", "calreply", "apptoto", PRO)
# Add to Calendar PRO can show a cancelled entry, and so would keep it.
RULES = APPOINTMENT.replace("cancel: true", "delete: true")


@pytest.fixture
def assembly(tmp_path: Path) -> Iterator[Assembly]:
    broker = EmbeddedBroker()
    made = Assembly(tmp_path, broker.bootstrap, f"sqlite:///{tmp_path}/ledger.db", True, "")
    try:
        yield made
    finally:
        made.close()
        broker.close()


def begin(assembly: Assembly, timeout: str = "5s") -> None:
    assembly.sandbox = Sandbox(assembly.folder, [simulated(vendor) for vendor in VENDORS])
    accounts = {v: account(assembly.sandbox, v, (500, 1.0), timeout=timeout, settle_time="2s") for v in VENDORS}
    assembly.configure(accounts, RULES)


def key_at(vendor: str, key: str) -> str:
    """Add to Calendar PRO knows our marker only: 16 hex of the key's SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if vendor == PRO else key


def holds(assembly: Assembly, vendor: str, titles: Mapping[str, str]) -> bool:
    held = sorted((entry["key"], entry["title"]) for entry in assembly.sandbox.entries(vendor))
    return held == sorted((key_at(vendor, key), title) for key, title in titles.items())


def called(assembly: Assembly, vendor: str, before: int) -> bool:
    return bool(assembly.sandbox.counters(vendor)["calls"] > before)


def arrive(assembly: Assembly, titles: Mapping[str, str], seconds: float = 45.0) -> None:
    for vendor in VENDORS:
        until(partial(holds, assembly, vendor, titles), seconds, f"{vendor} holds {titles}")


def say(assembly: Assembly, titles: Mapping[str, str], kind: str = "made") -> None:
    now = time.time()
    assembly.publish((key, appointment(key, title, at=now, kind=kind)) for key, title in titles.items())


def titles(count: int, title: str) -> dict[str, str]:
    return {f"k{number}": f"{title} {number}" for number in range(count)}


def test_one_event_is_an_entry_at_four_vendors(assembly: Assembly) -> None:
    begin(assembly)
    say(assembly, titles(60, "made"))
    assembly.worker()
    arrive(assembly, titles(60, "made"))
    assert assembly.sandbox.counters("apptoto")["calls"] <= 12, "Apptoto's entries share calls"
    say(assembly, titles(60, "moved"))
    arrive(assembly, titles(60, "moved"))
    say(assembly, titles(60, ""), "cancelled")
    arrive(assembly, {})
    assert [assembly.sandbox.judge(vendor)["doubles"] for vendor in VENDORS] == [[]] * 4


FAULTS: Mapping[str, Mapping[str, Any]] = {
    "the answer is lost after the act": {"lost_answer_rate": 1.0, "lost_answer": "close"},
    "a 5xx after the act": {"lost_answer_rate": 1.0, "lost_answer": "500"},
    "a 5xx without the act": {"error_rate": 1.0, "error_status": 502},
    "the act comes later than the time-out": {"lost_answer_rate": 1.0, "lost_answer": "hang", "late_act_ms": 1500},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_answer_ends_in_one_entry_in_its_last_state(assembly: Assembly, fault: str) -> None:
    """Create, update and delete, each while its first answers are lost."""
    begin(assembly, timeout="1s")
    assembly.worker()
    first = {"first": "first"}  # so that CalReply's token is there: what is lost is to be a write
    say(assembly, first)
    arrive(assembly, first)
    for title, kind in (("made", "made"), ("moved", "made"), ("", "cancelled")):
        before = {vendor: assembly.sandbox.counters(vendor)["calls"] for vendor in VENDORS}
        for vendor in VENDORS:
            assembly.sandbox.fault(vendor, **FAULTS[fault])
        say(assembly, titles(3, title), kind)
        for vendor in VENDORS:
            until(partial(called, assembly, vendor, before[vendor]), 20, f"{vendor} was called")
        time.sleep(0.3)
        for vendor in VENDORS:
            assembly.sandbox.fault(vendor, **dict.fromkeys(FAULTS[fault]))
        arrive(assembly, first | (titles(3, title) if kind == "made" else {}), 60)
    assert [assembly.sandbox.judge(vendor)["doubles"] for vendor in VENDORS] == [[]] * 4
    assert assembly.dead_letters(0, seconds=1) == []
