"""Arguments of filters: only what every event would fail on is told."""

from __future__ import annotations

import pytest

from pipeline.rules.arguments import FORMS, misused
from pipeline.rules.kinds import ARGUMENTS, GIVEN


@pytest.mark.parametrize(
    "use",
    [
        "default('x')", "default(omit, true)", "money('EUR')", "money(data.currency)", "number", "number(digits=2)",
        "round(2)", "date", "date('%d.%m.%Y')", "plus(data.wait) | date('%d')", "minus('P1D')", "times(60)",
        "in_zone('Europe/Berlin')", "replace(',', ';')", "join", "join(\", \")", "upper", "upper()", "length",
        "replace('\\\\', '')", "times(-1)", "plus('1d' if data.a else '2d')",
    ],
)  # fmt: skip
def test_what_may_be_right_is_not_told(use: str) -> None:
    assert list(misused(f"A {{{{ data.x | {use} }}}}")) == []


def test_text_beside_a_template_is_no_filter() -> None:
    assert list(misused("a | money {{ data.x }} | upper(3)")) == []


@pytest.mark.parametrize("name", FORMS)
def test_every_form_that_is_suggested_of_a_filter_is_right(name: str) -> None:
    assert list(misused(f"{{{{ data.x | {FORMS[name]} }}}}")) == []


def test_every_filter_that_may_have_arguments_is_judged() -> None:
    assert set(ARGUMENTS) == set(FORMS) <= set(GIVEN)


def test_each_of_several_filters_that_are_wrong_is_told() -> None:
    found = [one.found for one in misused("{{ data.a | money }} {% if data.b | plus('1 day') %}x{% endif %}")]

    assert found == ["money", "plus('1 day')"]
