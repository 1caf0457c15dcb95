"""What is said of an expression without an event holds for every event; nothing that may fit is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.event import DomainEvent
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.filters import kind
from pipeline.rules.foreseen import kinds_of, kinds_of_text
from pipeline.rules.kinds import ANYTHING, INSTANT, TEXT, Impossible, Kinds
from pipeline.rules.language import FILTERS
from pipeline.rules.reading import load_text
from pipeline.rules.render import OMIT, RenderError, Scope, Template, TemplateFault, compile_template

RECORD = Record(Coordinates("t", 0, 0), None, b"", (), datetime(2026, 1, 1, tzinfo=UTC))
VALUES = st.sampled_from(
    [None, True, 0, 7, -2.5, 3.0, "", "x", "7", "1.5", "true", "2026-12-24", "2026-12-24T09:00", INSTANT, ["a"], [], {},
     "EUR", "Europe/Berlin", "%d", "3h"]
)  # fmt: skip
DATA = st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES})
LITERALS = ["1", "2.5", "'x'", "'7'", "true", "none", "'2026-12-24'", "['a']", "omit"]
ARGUMENTS = ["'EUR'", "2", "0", "'30d'", "'3h'", "'%d.%m.%Y'", "'Europe/Berlin'", "'x'", "', '", "data.b", "1.5",
             "data.b | upper", "data.b | trim", "data.b | int"]  # fmt: skip
ATOMS = st.sampled_from(["data.a", "data.b", "event.time", *LITERALS])
FILTERED = st.builds(
    lambda name, arguments: f" | {name}" + (f"({', '.join(arguments)})" if arguments else ""),
    st.sampled_from(FILTERS), st.lists(st.sampled_from(ARGUMENTS), max_size=2),
)  # fmt: skip
MARKS = st.sampled_from(["+", "-", "/", "%", "<", ">", "==", "in"])
JOINS = st.sampled_from(["and", "or", "if data.b else"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}){}".format, inner, FILTERED),
        st.builds("{}{}{}".format, inner, FILTERED, FILTERED),
        st.builds(lambda a, mark, b: f"({a}) {mark} ({b})", inner, MARKS, inner),
        st.builds(lambda a, word, b: f"({a}) {word} ({b})", inner, JOINS, inner),
        inner.map("-({})".format),
        inner.map("not ({})".format),
        inner.map("({}) is string".format),
    ),
    max_leaves=4,
)  # fmt: skip
SAME = ("a comparison", "texts are compared", "a time is compared", "true and false have no order")
"""Of these MiniJinja has a value: one that nobody can mean."""


def known(path: Any) -> Kinds:
    return Kinds((INSTANT,)) if path.parts == ("event", "time") else ANYTHING


def foreseen(expression: str) -> Kinds | str:
    """What it can come to, or why it can come to nothing."""
    try:
        return kinds_of(expression, known)
    except Impossible as error:
        return error.message


def rendered(expression: str, data: Any) -> Any:
    template = compile_template(f"{{{{ {expression} }}}}")
    assert isinstance(template, Template)
    event = DomainEvent("i", "s", "t", None, None, {"type": "t", "time": "2026-02-03T04:05:06Z"}, data, RECORD)
    return template.render(Scope.over(event))


def sort(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "omit" if value is OMIT else "a number" if number else kind(value)


@settings(max_examples=1500, deadline=None)
@given(EXPRESSIONS, DATA)
def test_what_is_known_of_an_expression_holds_for_every_event(expression: str, data: Any) -> None:
    try:
        value = rendered(expression, data)
    except (TemplateFault, RenderError):
        return
    found = foreseen(expression)
    if isinstance(found, str):
        branches = any(word in expression for word in (" and ", " or ", " if "))
        assert branches or found.startswith(SAME), (found, value)
        return
    assert not found.samples or sort(value) in set(map(sort, found.samples)), (found, value)
    assert not (found.exact and len(found.samples) == 1) or found.samples[0] == value


TEXTS = ["x", "7", "true", "2026-12-24", "2026-12-24T09:00", INSTANT, "EUR", "Europe/Berlin", "%d", "3h", ", "]


@pytest.mark.parametrize("value", ["7", "2.5", "'x'", "'2026-12-24'", "event.time", "['a']", "data.s | string"])
@pytest.mark.parametrize("name", FILTERS)
def test_what_takes_one_text_is_not_refused_for_a_text_that_only_an_event_knows(name: str, value: str) -> None:
    for arguments in ("", "(data.s | string)", "(data.s | string, data.s | string)"):
        expression = f"({value}) | {name}{arguments}"
        taken = [text for text in TEXTS if renders(expression, {"s": text})]
        assert not taken or not isinstance(foreseen(expression), str), (expression, taken)


def renders(expression: str, data: Any) -> bool:
    try:
        rendered(expression, data)
    except (TemplateFault, RenderError):
        return False
    return True


def test_a_text_of_many_choices_takes_no_time() -> None:
    assert kinds_of_text("{{ 'a' if data.a else 'b' }}" * 60, known) == TEXT
    assert kinds_of(" or ".join(["'a' if data.a else ('b' or 1)"] * 25), known) == ANYTHING


RULE = """rules:
  - name: r
    from: [t]
    on: {type: a.b, schema: {properties: {n: {type: number}, f: {type: boolean}, s: {type: string},
      m: {type: [string, integer]}}}}
    when: WHEN
    send:
      to: acme-ecal
      key: KEY
      subscriber: S
      deliver_at: DELIVER
      entry: {title: TITLE, location: x, start: START, time_zone: ZONE, all_day: ALL_DAY, alerts: ALERTS}
"""
FINE = {
    "WHEN": "true", "KEY": "k", "DELIVER": "2026-01-01", "TITLE": "x", "START": "'{{ data.d }}'", "ZONE": "UTC",
    "ALL_DAY": "true", "ALERTS": "[1d]",
}  # fmt: skip


def problems(place: str, said: str, destinations: dict[str, DestinationView]) -> list[str]:
    text = RULE.replace(", schema: {properties: {n", ", schema: {additionalProperties: true, properties: {n")
    for name, value in {**FINE, place: said}.items():
        text = text.replace(name, value, 1)
    return [str(one) for one in check_rules(load_text(text, "r.yaml", ("ecal",)), destinations)]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("START", "\"{{ data.d | date('%d.%m.%Y') if data.f else data.d }}\""),
        ("START", "\"{{ data.d | default('soon') }}\""),
        ("START", "\"{{ data.d or 'soon' }}\""),
        ("START", "\"{{ '2026-12-24' }}\""),
        ("START", "\"{{ data.d | date('%Y-%m-%d') }}T{{ data.t }}:00\""),
        ("START", "\"{{ data.d | date }}T{{ data.n | number }}:00\""),
        ("START", "\"{{ data.d | replace('.', '-') }}\""),
        ("START", '"{{ data.d | minus([data.n, \'m\'] | join(\'\')) }}"'),
        ("START", '"{{ data.d | in_zone(data.zone) }}"'),
        ("START", '"{{ event.time }}"'),
        ("START", '"{{ data.d }}T09:00"'),
        ("START", '"{{ data.y }}-02-29 08:30:00+02:00"'),
        ("START", '"2026-12-{{ data.k }}T10:00Z"'),
        ("START", "\"{{ data.d + 'T09:00' }}\""),
        ("START", "\"{{- data.d }} \""),
        ("ALERTS", '["{{ data.k }}m", "PT{{ data.k }}M"]'),
        ("DELIVER", '"{{ omit }}"'),
        ("DELIVER", "\"{{ data.d | minus('2d') if data.f else none }}\""),
        ("TITLE", '"{{ data.m }}"'),
        ("TITLE", '"{{ data.n | string }} {{ data.n / 2 }} {{ data.n | times(2) }}"'),
        ("TITLE", '"{% if data.n %}{{ data.m }}{% else %}{{ data.s | length }}{% endif %}"'),
        ("TITLE", '"{{ data.n | money(data.s) }}"'),
        ("TITLE", '"{{ data.c | times(0.01) | money(data.c | upper) }}"'),
        ("TITLE", "\"{{ 3 | money(data.c | default('EUR') | upper) }}\""),
        ("TITLE", '"{{ data.n | times(0.01) | int | string }}"'),
        ("TITLE", "\"{{ data.s | int }} {{ data.s | float | number(data.c | int) }} {{ '7' | replace(data.s, '') }}\""),
        ("START", '"{{ event.time | in_zone(data.s) | minus(data.s | trim) | date(data.s | trim) }}"'),
        ("KEY", "\"{{ ['a', data.s] | join(data.s | lower) }}\""),
        ("TITLE", '"{{ data.h | round(1) }} h, {{ (data.n / 60) | round(1) }} or {{ data.n | float }}"'),
        ("TITLE", '"A {{ 2.0 | round(2) }}"'),
        ("KEY", "\"{{ data.k + '24h' }}\""),
        ("KEY", "\"A-{{ '24h' + data.s }}\""),
        ("KEY", "event.reminder"),
        ("ALERTS", "[\"{{ data.s + '30m' }}\"]"),
        ("START", "\"{{ data.d + ('1d' if data.f else 'T10:00') }}\""),
        ("ZONE", '"{{ data.zone | trim }}"'),
        ("KEY", "\"{{ data.n | money('EUR') | replace(' ', '-') }}\""),
        ("KEY", "\"{{ data.d | date('%B') }}-{{ data.s | length }}\""),
        ("ALL_DAY", '"{{ data.f }}"'),
        ("ALL_DAY", "\"{{ data.m | bool }}\""),
        ("ALL_DAY", "\"{{ data.d is string and 'T' not in data.d }}\""),
        ("ALERTS", "\"{{ ['1d', data.s] if data.f else [] }}\""),
        ("ALERTS", '["{{ data.n | round }}m"]'),
        ("WHEN", "\"{{ data.d | date('%H') >= '12' }}\""),
        ("WHEN", "\"{{ data.d | date('%d.%m.%Y') == '24.12.2026' }}\""),
        ("WHEN", "\"{{ event.time > '2026' and data.n > 1 and (data.m == 1 or data.m == 'x') and data.f == true }}\""),
        ("WHEN", '"{{ data.n == none or data.n is not none }}"'),
        ("WHEN", "\"{{ data.f and data.s == 'x' }}\""),
        ("WHEN", "\"{{ event.type == 'a.b' or event.type == data.t or data.d > '24' }}\""),
        ("WHEN", "\"{{ data.s | length > 1 and data.f }}\""),
        ("WHEN", '"{{ -data.n < -1 and data.n - 1 > 2 and data.a.b[0].c in [1, 2] }}"'),
    ],
)  # fmt: skip
def test_what_may_fit_is_not_told(place: str, said: str, destinations: dict[str, DestinationView]) -> None:
    assert problems(place, said, destinations) == []


@pytest.mark.parametrize(
    ("place", "said", "told"),
    [
        ("START", "\"{{ 'soon' }}\"", "found the text 'soon'; expected a date such as 2026-12-24"),
        ("START", "\"{{ '2026-02-30' }}\"", "start can never be right"),
        ("START", "\"{{ data.d | date('%d.%m.%Y') }}\"", "found a text such as 15.01.2026; expected a date"),
        ("START", "\"{{ data.d | date('%d.%m.%Y') }}T10:00\"", "write date without a format"),
        ("START", "\"{{ data.d | date('%d.%m.%Y') | plus('1d') }}\"", "let date come last"),
        ("START", '"{{ data.s | length }}"', "start can never be right; found an integer"),
        ("START", "\"{{ data.s | length if data.f else 'soon' }}\"", "found an integer or a text"),
        ("DELIVER", '"{{ true }}"', "deliver_at can never be right; found True"),
        ("TITLE", '"{{ data.s | length }}"', "expected a text, not an integer; write {{ … | string }}"),
        ("TITLE", '"{{ data.n > 1 }}"', "write {{ 'yes' if … else 'no' }}"),
        ("TITLE", '"Paid: {{ data.n > 1 }}"', "a bool does not print inside a text; found data.n > 1"),
        ("TITLE", "\"{{ data.n | money('EUR') | times(2) }}\"", "times can never take this"),
        ("TITLE", "\"{{ data.d - '1d' }}\"", "- does not move a time; found - '1d'"),
        ("START", '"{{ data.d + 1 }}"', "start can never be right"),
        ("START", "\"{{ data.d + '1d' }}\"", "write … | plus('1d')"),
        ("START", "\"{{ '2026-12-24' + '1d' }}\"", "+ does not move a time; found + '1d'"),
        ("KEY", "\"{{ event.time + '1h' }}\"", "+ does not move a time; found + '1h'"),
        ("TITLE", "\"{{ data.d | date + '1w' }}\"", "write … | plus('1w')"),
        ("TITLE", '"A {{ 1e999 }}"', "a decimal number does not print inside a text"),
        ("TITLE", '"A {{ 1e999 | int }}"', "int can never take this"),
        ("START", '"{{ data.d }}T9:00"', "start can never be right; found '…T9:00'; expected a date"),
        ("ALERTS", '["{{ data.k }} minutes"]', "found '… minutes'; expected a duration such as 1d"),
        ("ZONE", "\"{{ 'Berlin' }}\"", "did you mean Europe/Berlin?"),
        ("TITLE", '"{{ data.d | date + 1 }}"', "+ cannot be computed; found a text + an integer"),
        ("ZONE", "\"{{ 'CEST' }}\"", "time_zone can never be right"),
        ("KEY", "\"{{ data.n | money('EUR') }}\"", "key can never be right"),
        ("KEY", "\"A-{{ data.n | money('EUR') }}\"", "such as A-1.00 EUR"),
        ("KEY", "\"A-{{ data.d | date('%d %B') }}\"", "such as A-15 January"),
        ("ALL_DAY", "\"{{ data.n | money('EUR') }}\"", "all_day can never be right"),
        ("ALL_DAY", '"{% if data.f %}true{% else %}false{% endif %}"', "write {{ true if … else false }}"),
        ("ALL_DAY", "\"{{ 'yes' }}\"", "write true"),
        ("ALERTS", "[\"{{ 'soon' }}\"]", "alerts can never be right"),
        ("ALERTS", "\"{{ ['1d', 'soon'] }}\"", "expected a duration"),
        ("WHEN", '"{{ 1 }}"', "expected a bool, not an integer; write a comparison"),
        ("WHEN", "\"{{ 'yes' }}\"", "found the text 'yes'; expected a bool, not a text; write true"),
        ("WHEN", '"{{ data.s | length }}"', "when can never be right"),
        ("WHEN", "\"{{ data.n > '5' }}\"", "a comparison that fails: these have no order"),
        ("WHEN", "\"{{ data.d | date('%d.%m.%Y') > '01.02.2026' }}\"", "letter by letter"),
        ("WHEN", "\"{{ event.time > 'soon' }}\"", "a time is compared with a text that is none"),
        ("WHEN", "\"{{ data.d > '24.12.2026' }}\"", "letter by letter"),
        ("WHEN", "\"{{ data.a == 'x' and data.s | length }}\"", "when can never be right"),
        ("WHEN", "\"{{ event.type == 'a.c' }}\"", "a comparison that is the same for every event"),
        ("WHEN", "\"{{ data.n is number > 1 }}\"", "true and false have no order"),
    ],
)  # fmt: skip
def test_what_can_never_be_right_is_told(
    place: str, said: str, told: str, destinations: dict[str, DestinationView]
) -> None:
    (problem,) = problems(place, said, destinations)
    assert told in problem
