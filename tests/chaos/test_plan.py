"""A plan is a pure function of its seed, and over some seeds everything happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tests.chaos.expected import dead, expected
from tests.chaos.plan import CATALOGUE, WORKERS, Fault, drawn, plan
from tests.chaos.story import ROLES
from tests.chaos.strikes import HOW


def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    assert plan(7).digest() == plan(7).digest()
    assert plan(7).digest() != plan(8).digest()


def test_a_round_is_at_least_two_thousand_events_and_three_to_five_faults() -> None:
    for seed in range(50):
        assert len(plan(seed).events) >= 2000
        assert 3 <= len(plan(seed).faults) <= 5


def test_every_kind_of_fault_is_drawn_and_can_be_done() -> None:
    kinds = {fault.kind for seed in range(200) for fault in drawn(seed).faults}
    assert kinds == set(CATALOGUE) | {"ledger-restore", "ledger-failover", "disk-full"}
    assert kinds == set(HOW)


def test_every_kind_of_event_is_told() -> None:
    kinds = Counter(event.kind for event in plan(1).events)
    assert kinds.keys() == {
        "meeting.made",
        "meeting.noted",
        "meeting.cancelled",
        "meeting.deleted",
        "person.linked",
        "poison",
    }
    assert len({event.key for event in plan(1).events if event.key.startswith("BK-")}) == sum(ROLES.values())


def test_the_oracle_knows_whose_calendar_and_leaves_out_who_is_not_linked() -> None:
    events = plan(1).events
    unlinked = {event.key for event in events if event.data.get("person") == "P-unlinked"}
    assert unlinked & expected(events, "ecal").keys() == set()
    assert unlinked <= expected(events, "apptoto").keys()
    assert sum(dead(events, 3, 0.0).values()) == 24 + 4 * 3


def test_whose_line_is_hurt_goes_through_the_network_that_hurts_it() -> None:
    mended = plan(1)
    one, all_of_them = Fault("net-cut", 1.0, 2.0, "ledger/2"), Fault("net-slow", 1.0, 2.0, "kafka/all", 0.15)
    hurt = replace(mended, faults=(one, all_of_them))
    assert [number for number in range(WORKERS) if hurt.hurts_the_line(number, "ledger")] == [2]
    assert [number for number in range(WORKERS) if hurt.hurts_the_line(number, "kafka")] == [0, 1, 2]
    assert not any(replace(mended, faults=()).hurts_the_line(number, "kafka") for number in range(WORKERS))
