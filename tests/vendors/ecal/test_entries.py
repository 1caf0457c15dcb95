"""What an entry says comes back from the simulator as it was, whatever it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from pipeline.model.entry import FIELDS
from pipeline.model.outcome import Accepted
from pipeline.vendors.contract import Step
from pipeline.vendors.ecal import VENDOR
from pipeline.vendors.ecal.simulator_checks import SOCIAL
from tests.vendors.ecal.entries import ANSWERS, APIS, EFFORT, OF_ONE_API, OF_ONE_API_TWICE, wild
from tests.vendors.ecal.publisher import PRIVATE, PUBLIC, Publisher, meant, problems, situation


@EFFORT
@given(given=OF_ONE_API, answers=ANSWERS)
def test_what_an_entry_says_comes_back(given: tuple[Mapping[str, Any], dict[str, Any]], answers: str) -> None:
    options, content = given
    publisher = Publisher(answers=answers)
    assert isinstance(publisher.bring(Step.CREATE, situation(options, wanted=content)), Accepted)
    assert publisher.held() == meant(content)


@settings(max_examples=60, deadline=None)
@given(content=wild(), options=APIS)
def test_an_entry_has_problems_or_comes_back(content: dict[str, Any], options: Mapping[str, Any]) -> None:
    found = problems(content, options)
    if found:
        named = {problem.split()[0].rstrip(":").split(".")[0] for problem in found}
        assert named <= {*FIELDS, "ecal"}
    else:
        publisher = Publisher()
        assert isinstance(publisher.bring(Step.CREATE, situation(options, wanted=content)), Accepted)
        assert publisher.held() == meant(content)


@EFFORT
@given(content=wild(), options=APIS)
def test_no_problem_quotes_a_value(content: dict[str, Any], options: Mapping[str, Any]) -> None:
    marked = {**content, "title": "", "location": "S3CRET", "description": "S3CRET", "collection": "S3CRET"}
    assert not any("S3CRET" in problem for problem in problems(marked, options))


@EFFORT
@given(given=OF_ONE_API_TWICE)
def test_an_update_leads_where_a_whole_write_leads(
    given: tuple[Mapping[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    options, before, after = given
    seen = []
    for unsure in (False, True):
        publisher = Publisher()
        publisher.bring(Step.CREATE, situation(options, wanted=before))
        there = situation(options, wanted=after, observed=before, unsure=unsure)
        step = VENDOR.plan(there)
        assert step in (Step.DELETE, Step.WRITE if unsure else Step.UPDATE)
        assert isinstance(publisher.bring(Step(step), there), Accepted)
        if step is Step.DELETE:
            publisher.bring(Step.CREATE, situation(options, wanted=after))
        seen.append(publisher.held())
    assert seen == [meant(after)] * 2


@settings(max_examples=10, deadline=None)
@given(given=OF_ONE_API)
def test_a_deleted_entry_is_gone(given: tuple[Mapping[str, Any], dict[str, Any]]) -> None:
    options, content = given
    publisher = Publisher()
    publisher.bring(Step.CREATE, situation(options, wanted=content))
    assert isinstance(publisher.bring(Step.DELETE, situation(options, observed=content)), Accepted)
    assert publisher.simulator.items() == []


def everything(options: Mapping[str, Any]) -> dict[str, Any]:
    """Every field that ECAL can say."""
    return {
        **({"collection": "c1"} if options is PUBLIC else {}),
        "title": "Flight",
        "description": "Gate 4",
        "location": "SYD",
        "start": "2026-07-01T16:00:00",
        "end": "2026-07-02T06:30:00",
        "time_zone": "Australia/Sydney",
        "end_time_zone": "Europe/London",
        "all_day": False,
        "alerts": [1440, 60],
        "links": [{"name": f"n{n}", "url": f"https://n{n}.example"} for n in range(6)],
        "ecal": {
            "objective": "tune_in",
            "smartAlert": 1,
            "smartDetails": 1,
            "social": {name: f"@{name}" for name in SOCIAL},
            "draft": 1,
            "sponsored_message": "M",
            "referenceType": "R",
        },
    }


@pytest.mark.parametrize("options", [PRIVATE, PUBLIC], ids=["private", "event"])
@pytest.mark.parametrize("answers", ["document", "newer"])
def test_an_entry_with_every_field_comes_back_with_every_field(options: Mapping[str, Any], answers: str) -> None:
    content = everything(options)
    said = VENDOR.express(options)
    assert content.keys() - {"ecal"} == said.fields
    assert content["ecal"].keys() == said.own.keys()
    assert not problems(content, options)
    publisher = Publisher(answers=answers)
    publisher.bring(Step.CREATE, situation(options, wanted=content))
    held = publisher.held()
    assert held == meant(content)
    assert all(held[name] for name in held if name not in ("all_day", "collection"))


@pytest.mark.parametrize("options", [PRIVATE, PUBLIC], ids=["private", "event"])
def test_every_field_can_go_away_again(options: Mapping[str, Any]) -> None:
    bare = {name: everything(options)[name] for name in ("title", "location", "start", "time_zone")}
    bare |= {"ecal": {"objective": "tune_in"}, **({"collection": "c1"} if options is PUBLIC else {})}
    for step, unsure in ((Step.UPDATE, False), (Step.WRITE, True)):
        publisher = Publisher()
        publisher.bring(Step.CREATE, situation(options, wanted=everything(options)))
        there = situation(options, wanted=bare, observed=everything(options), unsure=unsure)
        assert VENDOR.plan(there) == step
        publisher.bring(step, there)
        assert publisher.held() == meant(bare)
