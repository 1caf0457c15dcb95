"""The Python form of a template and MiniJinja never differ; no hostile template takes, or reads, what it may not."""

from __future__ import annotations

import json
import resource
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.event import DomainEvent, Undecodable, _inspect, _is_ordinary, _no_constant, json_value
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.filters import MAX_TEXT, OURS
from pipeline.rules.language import FILTERS
from pipeline.rules.render import OMIT, RenderError, Scope, Template, TemplateFault, compile_template

RECORD = Record(Coordinates("t", 0, 0), None, b"", (), datetime(2026, 1, 1, tzinfo=UTC))
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 63), 1 << 63), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.sampled_from(["2026-12-24", "2026-12-24T09:00:00", "true", "7", "1.50"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abx"), inner), max_leaves=5
)
DATA = st.dictionaries(st.sampled_from("abcd"), VALUES)
PATHS = st.sampled_from(["data.a", "data.b", "data.c.a", "data.d.b.x", "event.type", "data", "item", "item.a"])
LITERALS = st.sampled_from(["1", "'x'", '"b"', "true", "omit", "'30d'", "'EUR'", "2", "'%Y'", "none"])
FILTERED = st.builds(
    lambda value, name, arguments: f"{value} | {name}" + (f"({', '.join(arguments)})" if arguments else ""),
    PATHS, st.sampled_from(FILTERS), st.lists(LITERALS, max_size=2),
)  # fmt: skip
OPERANDS = st.one_of(
    PATHS, LITERALS, FILTERED, PATHS.map("-{}".format), PATHS.map(lambda path: f"{path} | default('d') | upper")
)
COMPARED = st.builds(
    lambda a, mark, b: f"{a} {mark} {b}", OPERANDS, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), OPERANDS
)
EXPRESSIONS = st.recursive(
    OPERANDS | COMPARED,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        inner.map("not {}".format),
    ),
    max_leaves=3,
)
SOURCES = st.one_of(
    EXPRESSIONS.map("{{{{ {} }}}}".format),
    EXPRESSIONS.map("100 % of %s: {{{{ {} }}}} %%\n".format),
    st.builds("T-{{{{ {} }}}}-{{{{ {} }}}} %s\n".format, EXPRESSIONS, PATHS),
)


def outcome(template: Template, data: Any) -> Any:
    event = DomainEvent("i", "s", "t", None, None, {"type": "t"}, data, RECORD)
    try:
        value = template.render(Scope.over(event))
    except RenderError as error:
        return error.code, error.explanation
    return "omit" if value is OMIT else (type(value).__name__, value)


@settings(max_examples=400, deadline=None)
@given(SOURCES, DATA)
def test_both_ways_give_the_same(source: str, data: Any) -> None:
    try:
        template = compile_template(source)
    except TemplateFault:
        return
    assert isinstance(template, Template)
    assert outcome(template, data) == outcome(Template(template.source, template.whole), data)


@pytest.mark.parametrize(
    ("source", "value"),
    [("{{ -data.a }}", -2), ("A{{ -data.a }}", "A-2"), ("{{ -data.a > 0 }}", False), ("{{-data.a-}}", 2)],
)
def test_a_minus_is_a_minus_and_one_at_the_braces_trims(source: str, value: Any) -> None:
    template = compile_template(source)
    assert isinstance(template, Template)
    assert template.render(Scope({"data": {"a": 2}})) == value


def test_the_common_forms_have_a_way_of_their_own() -> None:
    for source in ("{{ data.a }}", "INV-{{ data.a }}", "{{ data.a | plus('1d') }}", "{{ data.a > 0 and not data.b }}",
                   "{{ data.a | default(omit) }}", "{{ data.a == 'x' }}"):  # fmt: skip
        template = compile_template(source)
        assert isinstance(template, Template)
        assert template._quick is not None, source


@settings(max_examples=300)
@given(
    VALUES,
    st.sampled_from([b"", b"1" * 25, b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"-0", b"\xff", b"[" * 70]),
    st.integers(0, 60),
)
def test_both_readers_of_json_agree(value: Any, odd: bytes, at: int) -> None:
    raw = json.dumps(value).encode()
    raw = raw[:at] + odd + raw[at:]
    assert read(raw) == slowly(raw)


def read(raw: bytes) -> Any:
    try:
        return repr(json_value(raw))
    except Undecodable as error:
        return error.reason_code


def slowly(raw: bytes) -> Any:
    try:
        parsed = json.loads(raw.decode(), parse_constant=_no_constant)
        _inspect(parsed)
    except Undecodable as error:
        return error.reason_code
    except UnicodeDecodeError:
        return "encoding"
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "json"
    return repr(parsed)


def test_the_faster_reader_reads_what_is_ordinary() -> None:
    assert _is_ordinary(json.dumps({"at": "2026-01-05", "name": "Ännchen 🎉", "n": 1.5}).encode())


HOSTILE = [
    "{{ 1 }}" * 2_300,
    "{{ data.a" + " | replace('a', 'aaaaaaaaaa')" * 40 + " }}",
    "{{ data.a | join(data.a) }}",
    "{{ " + "(" * 120 + "1" + ")" * 120 + " }}",
    "{{ data.a | number(9999999) }}",
    "{{ data.a | plus('999999d') | plus('999999d') | plus('999999d') | plus('999999d') }}",
    "{% if data.a %}" * 200 + "{% endif %}" * 200,
]


@pytest.mark.parametrize("source", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_template_ends_within_its_fuel_and_memory(source: str) -> None:
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        template = compile_template(source)
        told = outcome(template, {"a": "a" * 60_000}) if isinstance(template, Template) else ("", "")
        assert len(str(told)) < MAX_TEXT + 100
    except TemplateFault:
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "source",
    [f"{{{{ {word} }}}}" for word in ("now()", "now", "env.HOME", "environ", "os.environ", "open('x')", "self",
                                     "range(9)", "data.__class__", "lipsum()", "cycler", "debug()", "namespace()")]
    + ["{% include '/etc/passwd' %}", "{% import 'x' as x %}", "{% extends 'x' %}"],
)  # fmt: skip
def test_no_template_reads_a_clock_a_file_the_environment_or_another_event(source: str) -> None:
    with pytest.raises(TemplateFault):
        compile_template(source)


def test_the_filters_are_ours_and_default() -> None:
    assert set(FILTERS) == {*OURS, "default"}
