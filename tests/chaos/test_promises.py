"""The judge itself: an observation in which all is well has no breach, and each thing that goes wrong is one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

from tests.chaos.expected import dead, expected
from tests.chaos.links import Departure
from tests.chaos.observation import AtVendor, InLedger, Letter, Observation, Replayed, Row, Spent, Stop, Stored, Struck
from tests.chaos.plan import Fault, Plan
from tests.chaos.promises import judge
from tests.chaos.story import REFUSED, Size, headers_of, story

PLAN = Plan(1, "postgres", ("ecal", "calreply"), 0.0, (), story(Random(1), Size(keys=12, versions=3)))
PLACE = ("meetings", 0)
REFUSED_EVENT = next(event for event in PLAN.events if event.data.get("title", "").startswith(REFUSED))
REFUSED_KEY = REFUSED_EVENT.key
BEATS = [number / 20 for number in range(-20, 400)]


@cache
def good() -> Observation:
    buried = [value for value, count in dead(PLAN.events, 2, 0.0).items() for _ in range(count)]
    keys = {event.value(0.0): event.key.encode() for event in PLAN.events}
    return Observation(
        plan=PLAN,
        base=0.0,
        converged=1.0,
        struck=(),
        vendors={name: _vendor(name) for name in PLAN.destinations},
        letters=[Letter(keys[value], value, headers_of(value)) for value in buried],
        published=frozenset((event.key.encode(), event.value(0.0)) for event in PLAN.events),
        ends={PLACE: 9},
        ledger=InLedger([Row("ecal", "BK-0", "idle", 0, False)], {PLACE: 9}, 0),
        departures=[Departure(float(second), 1, "POST", "/ecal/ecal/apiv2/event") for second in range(10)],
        stored=[Stored(0.0, "ecal", None, None)],
        looks=BEATS,
        beats=BEATS,
        starved=[(at, 0.0) for at in BEATS],
        stops=[Stop(30.0, 0.5, 0)],
        replayed=replayed(),
        ended={},
        spent=[Spent("ecal", REFUSED_KEY, 1.0, 2.0, "invalid")],
        memory=[(100 << 20, 110 << 20)],
        told={"worker-0.log": "nothing to see\n"},
    )


def _vendor(name: str) -> AtVendor:
    entries = [{"key": key, **fields} for key, fields in expected(PLAN.events, name).items()]
    writes = {entry["key"]: [(1.0, "create", entry["title"])] for entry in entries}
    homes = {entry["key"]: [entry["calendar"]] for entry in entries}
    return AtVendor(entries, [], writes, [(float(n), "POST", "k", 200) for n in range(10)], 0, homes)


def replayed(**changes: Any) -> Replayed:
    """ECAL's dead letters, whose entries then stood there; `changes`: otherwise in one field."""
    entries = [{"key": key, **fields, **changes} for key, fields in expected(PLAN.events, "ecal", refused=True).items()]
    assert entries != []
    return Replayed("ecal", 0, entries)


def ecal(**changes: Any) -> dict[str, Any]:
    vendors = dict(good().vendors)
    return {"vendors": vendors | {"ecal": replace(vendors["ecal"], **changes)}}


def first(**changes: Any) -> dict[str, Any]:
    """ECAL's first entry, otherwise."""
    one, *others = good().vendors["ecal"].entries
    return ecal(entries=[{**one, **changes}, *others])


def letter(**changes: Any) -> dict[str, Any]:
    one, *others = good().letters
    return {"letters": [replace(one, **changes), *others]}


def breached(**changes: Any) -> set[int]:
    return {verdict.number for verdict in judge(replace(good(), **changes)) if verdict.breaches}


def test_where_all_is_well_nothing_is_breached() -> None:
    assert breached() == set()


KEY = good().vendors["ecal"].entries[0]["key"]
HELD = [Stored(0.0, "ecal", None, None), Stored(2.5, "ecal", None, "failing"), Stored(6.5, "ecal", None, None)]
SPENT = Spent("ecal", "BK-1", 2.6, 3.0, "unknown timeout")


def struck(kind: str, target: str) -> list[Struck]:
    return [Struck(Fault(kind, 2.0, 4.0, target), 2.5, 5.9)]


OUT, PARTLY = struck("outage-503", "ecal"), struck("errors", "ecal")
IN_FOUR_SECONDS = [(n / 17, "POST", "k", 200) for n in range(68)]
"""Seventeen a second."""
WRITES = {KEY: [(1.0, "create", "x v2"), (2.0, "update", "x v1")]}


def test_a_letter_for_what_was_refused_before_something_newer_came_is_no_breach() -> None:
    newer = replace(REFUSED_EVENT, number=10_000, when=REFUSED_EVENT.when + 1.0)
    letters = [Letter(b"k", newer.value(0.0), headers_of(newer.value(0.0)))] * len(PLAN.destinations)
    plan = replace(PLAN, events=(*PLAN.events, newer))
    assert 6 not in breached(plan=plan, letters=[*good().letters, *letters])


def test_a_probe_of_what_is_held_is_no_breach() -> None:
    departures = [Departure(4.0, 1, "GET", "/ecal/ecal/apiv2/event?limit=1&apiSign=1")]
    assert breached(stored=HELD, departures=departures) == set()


def test_a_call_that_waited_for_a_cpu_as_long_as_it_is_late_is_no_breach() -> None:
    departures = [Departure(3.5, 1, "POST", "/ecal/ecal/apiv2/event")]
    starved = [(at, min(1.0, max(0.0, at - 2.5))) for at in BEATS]
    assert breached(stored=HELD, departures=departures, starved=starved) == set()
    departures = [Departure(4.5, 1, "POST", "/ecal/ecal/apiv2/event")]
    assert breached(stored=HELD, departures=departures, starved=starved) == {5}


def test_what_a_vendor_refuses_that_throttles_is_no_breach() -> None:
    plan = replace(PLAN, faults=(Fault("throttled-date", 1.0, 2.0, "ecal", 5),))
    assert breached(plan=plan, **ecal(refused_429=7)) == set()


def test_seventeen_calls_a_second_are_no_breach_of_one_window() -> None:
    assert breached(**ecal(arrivals=IN_FOUR_SECONDS)) == set()


def test_a_stop_without_kafka_may_take_a_little_longer() -> None:
    assert breached(stops=[Stop(5.0, 5.5, 0)], struck=struck("broker-freeze", "")) == set()


@pytest.mark.parametrize("ended", [2.6, 5.8, 7.1])
def test_an_attempt_spent_while_the_vendor_answered_some_well_and_others_badly_is_no_breach(ended: float) -> None:
    assert breached(spent=[replace(SPENT, ended=ended)], struck=PARTLY) == set()


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (1, ecal(entries=good().vendors["ecal"].entries[1:])),
        (1, {"converged": None}),
        (1, {"letters": good().letters[1:]}),
        (1, {"ended": {"worker-0.log": 1}}),
        (2, ecal(doubles=[KEY])),
        (3, ecal(writes=dict(good().vendors["ecal"].writes) | WRITES)),
        (4, ecal(arrivals=[(1.0 + n / 100, "POST", "k", 200) for n in range(60)])),
        (4, ecal(refused_429=1)),
        (4, {"plan": replace(PLAN, longer=("ecal",))} | ecal(arrivals=IN_FOUR_SECONDS)),
        (5, {"stored": HELD}),
        (5, {"stored": HELD, "departures": [Departure(4.0, 1, "GET", "/ecal/ecal/apiv2/event?reference=BK-0")]}),
        (5, {"stored": HELD, "starved": [(at, at / 10) for at in BEATS]}),
        (6, letter(value=b"of no poison", key=b"k")),
        (6, {"spent": [SPENT]}),
        (6, {"spent": [SPENT], "struck": OUT}),
        (6, {"spent": [SPENT], "struck": struck("errors", "calreply")}),
        (6, {"spent": [SPENT], "struck": struck("net-cut", "vendor/1")}),
        (6, {"spent": [replace(SPENT, ended=2.4)], "struck": PARTLY}),
        (6, {"spent": [replace(SPENT, ended=7.2)], "struck": PARTLY}),
        (7, {"struck": OUT} | {"vendors": {**good().vendors, "calreply": replace(
            good().vendors["calreply"], arrivals=[(2.0, "POST", "k", 200)])}}),
        (8, {"told": {"worker-1.log": "hello Zuleika\n"}}),
        (8, letter(headers=[*good().letters[0].headers, ("calends-reason", b"planted-api-key-5TqW")])),
        (9, letter(key=b"another")),
        (9, letter(headers=[])),
        (10, {"memory": [(100 << 20, 300 << 20)]}),
        (9, {"replayed": replace(replayed(), code=1)}),
        (9, {"replayed": replace(replayed(), entries=[])}),
        (9, {"replayed": replayed(title="another")}),
        (11, {"stops": [Stop(5.0, 30.0, 0)]}),
        (11, {"stops": [Stop(5.0, 0.5, -9)]}),
        (11, {"stops": [Stop(5.0, 5.5, 0)]}),
        (11, {"stops": [Stop(5.0, 7.5, 0)], "struck": struck("broker-freeze", "")}),
        (12, first(location="elsewhere")),
        (13, first(calendar="a stranger's")),
        (13, ecal(homes={KEY: [good().vendors["ecal"].entries[0]["calendar"], "a stranger's"]})),
    ],
)  # fmt: skip
def test_what_goes_wrong_breaches_its_promise(number: int, changes: dict[str, Any]) -> None:
    assert number in breached(**changes)
