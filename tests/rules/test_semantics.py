"""The six terms on which expressions are evaluated, each shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.model.event import DomainEvent
from pipeline.model.wire import Coordinates, Record
from pipeline.rules import slots
from pipeline.rules.adapt import DestinationView
from pipeline.rules.evaluate import Evaluation, RuleSet, RulesInvalid
from pipeline.rules.filters import MAX_TEXT
from pipeline.rules.reading import load_inline
from pipeline.rules.render import OMIT, RenderError, Scope, TemplateFault, compile_template
from pipeline.rules.views import view

RECORD = Record(Coordinates("t", 0, 0), None, b"", (), datetime(2026, 1, 1, tzinfo=UTC))
DATA = {
    "x": 1, "s": "ab", "null": None, "f": 1.5, "b": True, "no": "false", "l": [1, 2], "m": {"a": "b"},
    "amount": 1250.505, "due": "2026-12-24", "at": "2026-07-01T10:00:00Z", "long": "a" * 60_000,
}  # fmt: skip


def value(source: str) -> Any:
    template = compile_template(source)
    return (
        template
        if isinstance(template, str)
        else template.render(Scope.over(DomainEvent("i", "s", "t", None, None, {}, DATA, RECORD)))
    )


def code(source: str) -> str:
    with pytest.raises(RenderError) as caught:
        value(source)
    return caught.value.code


def refused(source: str) -> str:
    with pytest.raises(TemplateFault) as caught:
        compile_template(source)
    return caught.value.fault.message


class TestOneRootsAndLimits:
    @pytest.mark.parametrize(
        "call",
        ["data.pop('x')", "data.l.append (3)", "data['pop']('x')", "(data.pop)('x')", "data.not ('x')", "range(9)"],
    )
    def test_nothing_can_be_called(self, call: str) -> None:
        assert refused(f"{{{{ {call} }}}}") == ("a call" if call != "range(9)" else "an unknown root")

    @pytest.mark.parametrize("name", ["values", "items", "keys", "get", "_view"])
    def test_a_view_has_no_methods(self, name: str) -> None:
        assert code(f"{{{{ data['{name}'] }}}}") == "missing"

    def test_a_view_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            view(DATA).anything = 1

    def test_private_names_are_refused(self) -> None:
        assert refused("{{ data.__class__ }}") == "a private name"
        assert code("{{ data['__class__'] }}") == "missing"

    @pytest.mark.parametrize(
        "source",
        ["{% for a in data.l %}{% endfor %}", "{% set a = 1 %}", "{% include 'x' %}", "{% raw %}", "{%- macro a() %}"],
    )
    def test_no_statement_but_if(self, source: str) -> None:
        assert refused(source) == "a statement that rules do not have"

    def test_if(self) -> None:
        assert value("a{% if data.b %}b{% else %}c{% endif %}") == "ab"

    @pytest.mark.parametrize("root", ["now", "env", "self", "loop", "debug", "dict"])
    def test_no_other_root(self, root: str) -> None:
        assert refused(f"{{{{ {root}.x }}}}") == "an unknown root"

    @pytest.mark.parametrize("filter_", ["indent(300000000)", "pprint", "tojson", "map('upper')", "safe"])
    def test_no_other_filter(self, filter_: str) -> None:
        assert refused(f"{{{{ data.s | {filter_} }}}}") == "an unknown filter"

    def test_output_is_bounded(self) -> None:
        assert code("{{ data.long | replace('a', 'aa') }}") == "type"
        assert code("{{ data.long }}{{ data.long }}") == "limit"
        assert refused("{{ 'a' * 1000000000 }}") == "* has no bound"
        assert len(value("{{ data.long }}")) < MAX_TEXT

    def test_fuel_is_bounded(self) -> None:
        assert code("{{ 1 }}" * 2_300) == "limit"

    def test_length_is_bounded_as_a_long_sum_would_end_the_process(self) -> None:
        assert refused("{{ data.x %s }}" % ("+ 1 " * 3_000)) == "an expression is too long"
        assert refused("{{ data.x %s }}" % ("+ 1 " * 30_000)) == "a template is too long"

    def test_no_error_quotes_the_event(self) -> None:
        for source in ("{{ data.s + 1 }}", "{{ data.s | money('EUR') }}", "{{ data.s | int }}", "{{ data.s | date }}"):
            with pytest.raises(RenderError) as caught:
                value(source)
            assert "ab" not in caught.value.explanation.replace("table", "")


class TestTwoASlotHasAType:
    def test_a_whole_expression_keeps_its_type(self) -> None:
        assert [value(f"{{{{ data.{name} }}}}") for name in ("x", "f", "b", "l", "m")] == [
            1,
            1.5,
            True,
            [1, 2],
            {"a": "b"},
        ]

    def test_false_as_text_is_no_bool(self) -> None:
        with pytest.raises(RenderError, match="expected a bool, not a text"):
            slots.flag(value("{{ data.no }}"))
        assert value("{{ data.no | bool }}") is False

    def test_durations_become_minutes(self) -> None:
        assert slots.alerts(["1d", "1h30m"]) == [1440, 90]


class TestThreeTextPrintsTextAndIntegers:
    def test_strings_and_integers_print(self) -> None:
        assert value("INV-{{ data.x }}-{{ data.s }}") == "INV-1-ab"

    @pytest.mark.parametrize("name", ["null", "b", "f", "l", "m"])
    def test_nothing_else_prints(self, name: str) -> None:
        assert code(f"INV-{{{{ data['{name}'] }}}}") == "type"

    def test_no_way_around_it(self) -> None:
        assert refused("{{ 'INV-' ~ data.null }}") == "~ would print null as text"
        assert code("{{ data.null | string }}") == "type"

    def test_numbers_print_through_filters(self) -> None:
        assert value("{{ data.amount | money('eur') }}") == "1,250.51 EUR"
        assert value("{{ data.amount | money('JPY') }} {{ data.f | number(2) }}") == "1,251 JPY 1.50"


class TestFourMissing:
    def test_missing_is_an_error_without_default(self) -> None:
        assert code("{{ data.nope }}") == code("{{ data.nope.deeper }}") == code("a {{ data.nope }}") == "missing"
        assert value("{{ data.nope | default('d') }}") == "d"

    def test_null_is_not_missing(self) -> None:
        assert value("{{ data.null }}") is None
        assert value("{{ data.null | default('d') }}") is None

    def test_omit_is_a_value(self) -> None:
        assert value("{{ data.nope | default(omit) }}") is OMIT
        assert code("a {{ omit }}") == "type"

    def test_an_if_needs_its_else(self) -> None:
        assert refused("{{ data.x if data.b }}") == "an if without its else"


Run = Callable[..., Evaluation]


@pytest.fixture
def run(destinations: dict[str, DestinationView], event: Callable[..., DomainEvent]) -> Run:
    def evaluate(*rules: dict[str, Any], data: Any = None, topic: str = "t", kind: str = "due") -> Evaluation:
        full = [
            {"name": f"r{n}", "from": "t", "send": {"to": "acme-ecal", "key": f"K{n}", "entry": {"title": "T"}}} | rule
            for n, rule in enumerate(rules)
        ]
        return RuleSet(load_inline(full, "f", 1, ("ecal",)), destinations).evaluate(event(topic, kind, data or DATA))

    return evaluate


class TestFiveWhen:
    def test_when_must_yield_a_bool(self, run: Run) -> None:
        assert [failure.code for failure in run({"when": "{{ data.x }}"}).failures] == ["type"]
        assert len(run({"when": "{{ data.x == 1 }}"}).changes) == 1
        assert run({"when": "{{ data.x > 1 }}"}) == Evaluation()

    def test_text_as_when_is_refused(self, run: Run) -> None:
        with pytest.raises(RulesInvalid, match="when must yield a bool"):
            run({"when": "data.x"})

    def test_on_takes_globs(self, run: Run) -> None:
        assert len(run({"on": "com.acme.*"}, {"on": ["a", "d?e"]}).matched) == 1


class TestSixEveryRuleThatMatchesApplies:
    def test_all_apply(self, run: Run) -> None:
        assert [change.rule for change in run({}, {}).changes] == ["r0", "r1"]

    def test_one_that_fails_stops_no_other(self, run: Run) -> None:
        result = run({"when": "{{ data.nope }}"}, {})
        assert [change.rule for change in result.changes] == ["r1"]
        assert [(failure.rule, failure.slot, failure.code) for failure in result.failures] == [
            ("r0", "when", "missing")
        ]

    def test_a_type_alone_does_not_match(self, run: Run) -> None:
        assert run({}, topic="forged").matched == ()
        assert len(run({"from": ["/bill.*/"]}, topic="billing").matched) == 1
