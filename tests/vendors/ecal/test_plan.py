"""Which call comes next, and what an update carries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.outcome import Unauthorized
from pipeline.vendors.contract import Situation, Step
from pipeline.vendors.ecal import VENDOR, payload
from tests.vendors.ecal.publisher import PRIVATE, PUBLIC, Publisher, situation

CONTENT = st.fixed_dictionaries(
    {
        "title": st.sampled_from(("A", "B")),
        "location": st.sampled_from(("L", "M")),
        "start": st.sampled_from(("2026-12-24T09:00:00", "2026-12-24T10:00:00", "2026-12-25T09:00:00")),
        "time_zone": st.just("Europe/Berlin"),
    },
    optional={
        "description": st.sampled_from(("", "D")),
        "end": st.just("2026-12-26T09:00:00"),
        "alerts": st.lists(st.sampled_from((5, 15, 30, 60, 1440)), max_size=2),
        "links": st.lists(
            st.sampled_from(("n", "m")).map(lambda n: {"name": n, "url": f"https://{n}.example"}), max_size=6
        ),
        "ecal": st.fixed_dictionaries({}, optional={"social": st.just({"twitter": "@x"}), "draft": st.just(1)}),
    },
)


@given(before=CONTENT, after=CONTENT)
def test_an_update_carries_what_changed_and_no_more(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new, said = payload.event(before), payload.event(after), payload.changes(before, after)
    held = {**old, **{name: value for name, value in said.items() if name != "social"}}
    emptied = {name for name, value in held.items() if value in ("", "-") and name not in new}
    assert {name: value for name, value in held.items() if name not in emptied | {"social"}} == {
        name: value for name, value in new.items() if name != "social"
    }
    idle = {name for name, value in said.items() if old.get(name) == value}
    assert idle <= {"endDate", "endTime"} or said.keys() == {"name"}
    assert not {"type", "reference", "calendarId"} & said.keys()
    if {"startDate", "startTime"} & said.keys():
        assert {"endDate", "endTime"} <= said.keys()


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.UPDATE),
        ({"observed": None}, Step.CREATE),
        ({"wanted": None}, Step.DELETE),
        ({"observed_identity": "s2"}, Step.DELETE),
        ({"unsure": True}, Step.WRITE),
        ({"unsure": True, "absent": True}, Step.CREATE),
        ({"unsure": True, "observed": None}, Step.DELETE),
        ({"unsure": True, "wanted": None}, Step.DELETE),
        ({"unsure": True, "observed_identity": "s2"}, Step.DELETE),
    ],
)
def test_it_plans(changed: dict[str, Any], step: Step) -> None:
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    given = {"key": "K", "wanted": content, "observed": content, "identity": "s1", "observed_identity": "s1"}
    assert VENDOR.plan(Situation(**{**given, **changed})) == step


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize(
    "before", [{"ecal": {"objective": "tune_in"}}, {"time_zone": "Europe/Berlin"}, {"collection": "c2"}]
)
def test_it_replaces_what_no_put_is_sure_to_change(before: dict[str, Any], unsure: bool) -> None:
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True, "collection": "c1"}
    # While unsure, what was there and what a lost call carried may be mixed.
    mixed = {**content, "start": "2026-12-24T09:00:00", **before}
    assert VENDOR.plan(situation(PUBLIC, wanted=content, observed=mixed, unsure=unsure)) == Step.DELETE


def test_an_entry_of_the_other_kind_is_replaced() -> None:
    """The destination's `api` was changed: a type cannot be updated."""
    private = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    public = {**private, "collection": "c1"}
    for options, wanted, observed in ((PUBLIC, public, private), (PRIVATE, private, public)):
        assert VENDOR.plan(situation(options, wanted=wanted, observed=observed)) == Step.DELETE


def test_a_public_event_is_not_replaced_for_its_subscriber() -> None:
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True, "collection": "c1"}
    given = situation(PUBLIC, wanted=content, observed=content, identity="s1")
    assert VENDOR.plan(replace(given, observed_identity="s2")) == Step.UPDATE


def test_a_403_is_the_credentials_failure() -> None:
    publisher = Publisher()
    publisher.simulator.revoke(0.0)
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    for step in Step:
        assert publisher.bring(step, situation(wanted=content, observed=content)) == Unauthorized()
