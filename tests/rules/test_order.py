"""For any order and any repetition of a set of events, and any way to cut them into batches, the ledger ends alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.ledger import Ledger, Quota
from pipeline.model.event import DomainEvent, decode
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.adapt import DestinationView
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.reading import load_inline
from pipeline.rules.selftest import policy_of, state_of, states_of
from tests.rules.conftest import RICH

START = datetime(2026, 1, 1, tzinfo=UTC)
GROUP = "{{ data.booking }}"
KEY = "{{ data.booking }}-{{ item }}"
RULES: list[dict[str, Any]] = [
    {"name": "booked", "on": "booked", "send": {"each": "data.segments", "group": GROUP, "complete": True, "key": KEY}},
    {"name": "added", "on": "added", "send": {"group": GROUP, "key": "{{ data.booking }}-{{ data.one }}"}},
    {"name": "moved", "on": "moved", "send": {"group": "{{ data.to }}", "key": "{{ data.booking }}-{{ data.one }}"}},
    {"name": "alone", "on": "alone", "send": {"key": "{{ data.booking }}-{{ data.one }}"}},
    {"name": "noted", "on": "noted", "send": {"key": "{{ data.booking }}-{{ data.one }}", "layer": "note"}},
    {"name": "off", "on": "off", "send": {"group": GROUP, "cancel": True}},
    {"name": "gone", "on": "gone", "send": {"key": "{{ data.booking }}-{{ data.one }}", "delete": True}},
    {"name": "kept", "on": "kept", "send": {"key": "{{ data.booking }}-{{ data.one }}", "cancel": True}},
]
VIEW = DestinationView("d", RICH)
SEGMENTS = st.lists(st.sampled_from("abc"), max_size=3, unique=True)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from([rule["name"] for rule in RULES]),
            "at": st.integers(0, 4),
            "booking": st.sampled_from("XY"),
            "to": st.sampled_from("XY"),
            "one": st.sampled_from("abc"),
            "segments": SEGMENTS,
        }
    ),
    min_size=1,
    max_size=9,
)
serial = count()


def rules() -> RuleSet:
    entry = {"title": "{{ event.type }} {{ data.n }}"}
    loaded = []
    for rule in RULES:
        ends = rule["send"].keys() & {"cancel", "delete"}
        loaded.append({**rule, "from": "t", "send": {"to": "d", **rule["send"], **({} if ends else {"entry": entry})}})
    return RuleSet(load_inline(loaded, "f", 1, ()), {"d": VIEW}, ("base", "note"))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path: Path = tmp_path_factory.mktemp("order")
    policy = policy_of(VIEW, ("base", "note"))
    made = Ledger(f"sqlite:///{path}/ledger.db", {"d": policy}, {"d": Quota("d", ((5, 1.0),))}, lambda facts: [])
    made.migrate()
    made.declare()
    yield made
    made.close()


def event(number: int, said: dict[str, Any], prefix: str) -> DomainEvent:
    """`prefix` keeps the bookings of one run apart from those of another in the same ledger."""
    named = {name: prefix + said[name] for name in ("booking", "to")}
    time = (START + timedelta(seconds=said["at"])).isoformat()
    body = {"type": said["type"], "time": time, "data": {**said, **named, "n": number}}
    return decode(Record(Coordinates("t", 0, number), None, json.dumps(body).encode(), (), START))


def delivered(events: list[DomainEvent], ledger: Ledger, random: Random) -> None:
    while events:
        batch = [rules_of_all.evaluate(events.pop(0)) for _ in range(random.randint(1, len(events)))]
        changes = [(change, {"raw": 1}) for one in batch for change in one.changes]
        ledger.take(changes, [], [], {}, [(roster, {"raw": 1}) for one in batch for roster in one.rosters])


rules_of_all = rules()


def states(ledger: Ledger, prefix: str) -> dict[str, Any]:
    keys = [f"{prefix}{booking}-{one}" for booking in "XY" for one in "abc"]
    return {key.removeprefix(prefix): state_of(row) for key in keys for row in ledger.entry(key)}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS, st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_changes_the_end(ledger: Ledger, said: list[dict[str, Any]], random: Random) -> None:
    ends = []
    for shuffled in (False, True):
        prefix = f"p{next(serial)}."
        events = [event(number, one, prefix) for number, one in enumerate(said)]
        if shuffled:
            events += random.choices(events, k=3)
            random.shuffle(events)
        delivered(events, ledger, random)
        ends.append(states(ledger, prefix))
    assert ends[0] == ends[1]
    evaluations = [rules_of_all.evaluate(event(number, one, "")) for number, one in enumerate(said)]
    changes = [change for one in evaluations for change in one.changes]
    told = states_of(changes, rules_of_all, [roster for one in evaluations for roster in one.rosters])
    assert {key: state for (_, key), state in told.items()} == ends[0]


@given(EVENTS)
def test_evaluation_never_changes_the_event(said: list[dict[str, Any]]) -> None:
    for number, one in enumerate(said):
        given_ = event(number, one, "")
        before = deepcopy((given_.attributes, given_.data))
        rules_of_all.evaluate(given_)
        assert (given_.attributes, given_.data) == before
