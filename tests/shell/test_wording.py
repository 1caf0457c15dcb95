"""One request for many entries, and whoever cannot be worded fails alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.model.outcome import Rejected
from pipeline.model.wire import Request
from pipeline.vendors import vendors
from pipeline.vendors.contract import Situation, Step, Vendor
from pipeline.wording import Worded, cost, together, worded


def given(key: str, observed: bool = False) -> Situation:
    content = {"title": key}
    return Situation(key=key, wanted=content, observed=content if observed else None, identity=None)


def plan(situation: Situation) -> Step | Rejected:
    if situation.key == "unplannable":
        raise KeyError(situation.key)
    if situation.key == "impossible":
        return Rejected("unsupported", "create")
    return Step.UPDATE if situation.observed else Step.CREATE


def request(step: Step, situations: Sequence[Situation]) -> Request:
    if any(situation.key == "unwordable" for situation in situations):
        raise ValueError("unwordable")
    return Request("PUT", f"/{step}", body=",".join(situation.key for situation in situations).encode())


def shared(step: Step, situation: Situation) -> str | None:
    if situation.key == "unshareable":
        raise ValueError(situation.key)
    return None if situation.key == "loner" else "all"


def price(step: Step, situation: Situation) -> float:
    if situation.key == "unshareable":
        raise ValueError(situation.key)
    return 2.0 if step is Step.CREATE else 1.0


VENDOR: Vendor = replace(vendors()["ecal"], plan=plan, request=request, together=shared, cost=price)


def said(*situations: Situation) -> tuple[Worded, list[str]]:
    errors: list[str] = []
    return worded(VENDOR, situations, lambda error: errors.append(type(error).__name__)), errors


def test_entries_of_one_step_are_one_request() -> None:
    call, errors = said(given("a"), given("b"))
    assert (call.step, call.request, dict(call.refused), errors) == (
        Step.CREATE, Request("PUT", "/create", body=b"a,b"), {}, [],
    )  # fmt: skip
    assert call.request is not None
    assert (list(call.situations), call.request.body) == ([0, 1], b"a,b")


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        ("impossible", Rejected("unsupported", "create")),
        ("unplannable", Rejected("invalid", "KeyError")),
        ("unwordable", Rejected("invalid", "ValueError")),
    ],
)
def test_who_cannot_be_worded_fails_alone(key: str, refusal: Rejected) -> None:
    call, _ = said(given("a"), given(key), given("c"))
    assert call.request is not None
    assert (dict(call.refused), list(call.situations), call.request.body) == ({1: refusal}, [0, 2], b"a,c")


def test_where_nobody_can_be_worded_there_is_no_request() -> None:
    call, _ = said(given("unwordable"), given("impossible"))
    assert (call.request, set(call.refused), dict(call.situations)) == (None, {0, 1}, {})


def test_another_step_than_the_first_waits() -> None:
    call, _ = said(given("a"), given("b", observed=True))
    assert (list(call.situations), dict(call.refused)) == ([0], {})


def test_entries_of_one_step_may_share_a_call() -> None:
    new, other, known = given("a"), given("b"), given("c", observed=True)
    assert together(VENDOR, new) == together(VENDOR, other) != together(VENDOR, known)
    assert None not in (together(VENDOR, new), together(VENDOR, known))


@pytest.mark.parametrize("key", ["loner", "impossible", "unplannable", "unshareable"])
def test_who_shares_with_nobody_is_alone(key: str) -> None:
    assert together(VENDOR, given(key)) is None


def test_a_call_costs_what_its_step_costs() -> None:
    assert (cost(VENDOR, given("a")), cost(VENDOR, given("a", observed=True))) == (2.0, 1.0)


@pytest.mark.parametrize("key", ["impossible", "unplannable", "unshareable"])
def test_what_will_not_be_called_costs_nothing(key: str) -> None:
    assert cost(VENDOR, given(key)) == 0.0
