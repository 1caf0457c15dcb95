"""Groups: `each`, `group` and `complete`. Which entries there are depends on the newest events, not on order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.model.event import DomainEvent
from pipeline.rules.adapt import DestinationView
from pipeline.rules.changes import MAX_CHANGES
from pipeline.rules.evaluate import Evaluation, RuleSet
from pipeline.rules.reading import load_inline

SEGMENTS = {
    "to": ["acme-ecal", "acme-calreply"],
    "each": "data.segments",
    "group": "BK-{{ data.number }}",
    "complete": True,
    "key": "BK-{{ data.number }}-{{ item.flight }}",
    "entry": {"title": "{{ item.flight }} for {{ data.who }}"},
}
DATA = {"number": 7, "who": "Ann", "segments": [{"flight": "LH1"}, {"flight": "LH2"}]}
Run = Callable[..., Evaluation]


@pytest.fixture
def run(destinations: dict[str, DestinationView], event: Callable[..., DomainEvent]) -> Run:
    def evaluate(*sends: dict[str, Any], data: Any = DATA, on: Any = "*") -> Evaluation:
        rules = [{"name": f"r{n}", "from": "t", "on": on, "send": send} for n, send in enumerate(sends)]
        loaded = load_inline(rules, "f", 1, ("ecal",))
        assert loaded.problems == ()
        return RuleSet(loaded, destinations).evaluate(event("t", "booked", data, time="2026-11-20T10:00:00Z"))

    return evaluate


def test_each_item_is_an_entry_of_its_own(run: Run) -> None:
    assert [
        (change.destination, change.key, change.content["title"], change.group) for change in run(SEGMENTS).changes
    ] == [
        ("acme-ecal", "BK-7-LH1", "LH1 for Ann", "BK-7"),
        ("acme-calreply", "BK-7-LH1", "LH1 for Ann", "BK-7"),
        ("acme-ecal", "BK-7-LH2", "LH2 for Ann", "BK-7"),
        ("acme-calreply", "BK-7-LH2", "LH2 for Ann", "BK-7"),
    ]


def test_complete_names_all_that_the_group_has(run: Run) -> None:
    assert [(roster.destination, roster.group, roster.keys) for roster in run(SEGMENTS).rosters] == [
        ("acme-ecal", "BK-7", {"BK-7-LH1", "BK-7-LH2"}),
        ("acme-calreply", "BK-7", {"BK-7-LH1", "BK-7-LH2"}),
    ]
    assert run(SEGMENTS | {"complete": False}).rosters == ()


def test_a_group_may_have_become_empty(run: Run) -> None:
    result = run(SEGMENTS, data=DATA | {"segments": []})
    assert (result.changes, [roster.keys for roster in result.rosters]) == ((), [frozenset(), frozenset()])


def test_cancel_without_a_key_ends_the_group(run: Run) -> None:
    result = run({"to": "acme-ecal", "group": "BK-{{ data.number }}", "cancel": True})
    assert (result.changes, [(roster.group, roster.keys) for roster in result.rosters]) == ((), [("BK-7", frozenset())])


def test_what_another_rule_names_of_the_group_is_not_over(run: Run) -> None:
    hotel = {"to": "acme-ecal", "group": "BK-7", "key": "BK-7-H", "entry": {"title": "Hotel"}}
    assert run(SEGMENTS | {"to": "acme-ecal"}, hotel).rosters[0].keys == {"BK-7-LH1", "BK-7-LH2", "BK-7-H"}


def test_where_a_rule_of_the_group_fails_nobody_can_say_what_it_has(run: Run) -> None:
    hotel = {"to": "acme-ecal", "group": "BK-7", "key": "{{ data.hotel }}", "entry": {"title": "Hotel"}}
    alone = {"to": "acme-ecal", "key": "{{ data.hotel }}", "entry": {"title": "Hotel"}}
    assert (len(run(SEGMENTS, hotel).changes), run(SEGMENTS, hotel).rosters) == (4, ())
    assert len(run(SEGMENTS, alone).rosters) == 2


@pytest.mark.parametrize(
    ("segments", "slot", "code"),
    [
        ("LH1", "send[0].each", "type"),
        ({"flight": "LH1"}, "send[0].each", "type"),
        (None, "send[0].each", "type"),
        ([{"flight": "LH1"}, {}], "send[0][each 1].key", "missing"),
        ([{"flight": "LH1"}, {"flight": "LH1"}], "send", "duplicate"),
        ([{"flight": str(n)} for n in range(MAX_CHANGES // 2 + 1)], "send", "limit"),
    ],
)
def test_what_cannot_be_gone_through_fails_whole(run: Run, segments: Any, slot: str, code: str) -> None:
    result = run(SEGMENTS, data=DATA | {"segments": segments})
    assert [(failure.slot, failure.code) for failure in result.failures] == [(slot, code)]
    assert (result.changes, result.rosters) == ((), ())


def test_item_is_nothing_outside_each(run: Run) -> None:
    result = run({"to": "acme-ecal", "key": "{{ item.flight }}", "entry": {"title": "T"}})
    assert [failure.code for failure in result.failures] == ["missing"]


SCHEMA = {"type": "object", "required": ["number"], "properties": {"number": {"type": "integer"}}}


@pytest.mark.parametrize(("number", "codes"), [(7, []), ("7", ["schema"])])
def test_data_that_does_not_fit_its_schema_fails_first(run: Run, number: Any, codes: list[str]) -> None:
    result = run(SEGMENTS, data=DATA | {"number": number}, on={"type": "book*", "schema": SCHEMA})
    assert [failure.code for failure in result.failures] == codes
    assert all("7" not in failure.explanation for failure in result.failures)


def test_another_type_has_no_schema(run: Run) -> None:
    assert len(run(SEGMENTS, on=[{"type": "other", "schema": {"required": ["x"]}}, "booked"]).changes) == 4
