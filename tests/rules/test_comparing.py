"""`<` and its like compare numbers with numbers and texts with texts; all else fails, as with any filter."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.comparing import with_calls
from pipeline.rules.render import RenderError, Scope, Template, compile_template

DATA = {
    "n": 5, "f": 5.5, "t": "5", "d": "2026-12-24", "none": None, "yes": True, "l": [1, 2], "m": {"a": 1},
    "in": 7, "big": 1 << 60,
}  # fmt: skip
ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
NUMBERS = st.integers(-(1 << 62), 1 << 62) | st.floats(-1e20, 1e20)


def value(source: str, data: Any = DATA) -> Any:
    template = compile_template(source)
    assert isinstance(template, Template)
    return template.render(Scope({"data": data}))


def failure(source: str) -> tuple[str, str]:
    with pytest.raises(RenderError) as error:
        value(source)
    return error.value.code, error.value.explanation


@pytest.mark.parametrize(
    ("expression", "kinds"),
    [
        ("data.t > 100", "> compares two numbers or two texts, not a text and an integer"),
        ("data.none < 1", "< compares two numbers or two texts, not null and an integer"),
        ("[1] > 0", "> compares two numbers or two texts, not a list and an integer"),
        ("data.l >= data.l", ">= compares two numbers or two texts, not a list and a list"),
        ("data.m <= 'x'", "<= compares two numbers or two texts, not a map and a text"),
        ("data.yes > 0", "> compares two numbers or two texts, not a bool and an integer"),
        ("data.yes > false", "> compares two numbers or two texts, not a bool and a bool"),
        ("data.miss | default('0') > 3", "> compares two numbers or two texts, not a text and an integer"),
        ("not data.t > data.n", "> compares two numbers or two texts, not a text and an integer"),
        ("data.n == 5 and (data.t > 3)", "> compares two numbers or two texts, not a text and an integer"),
        ("(1 if data.t > 3 else 2) == 1", "> compares two numbers or two texts, not a text and an integer"),
        ("data.l[1 if data.t > 3 else 0]", "> compares two numbers or two texts, not a text and an integer"),
    ],
)  # fmt: skip
def test_values_of_unlike_kinds_fail(expression: str, kinds: str) -> None:
    assert failure(f"{{{{ {expression} }}}}") == ("type", kinds)
    assert failure(f"{{% if {expression} %}}x{{% endif %}}") == ("type", kinds)
    assert failure(f"{{% if false %}}{{% elif {expression} %}}x{{% endif %}}") == ("type", kinds)


@pytest.mark.parametrize("expression", ["data.miss > 3", "3 > data.miss", "data.n > 3 and data.miss < 1"])
def test_a_missing_field_is_told_as_missing(expression: str) -> None:
    assert failure(f"{{{{ {expression} }}}}")[0] == "missing"
    assert failure(f"a {{% if {expression} %}}x{{% endif %}}")[0] == "missing"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("data.n > 3", True),
        ("data.n < data.f", True),
        ("data.f >= 5.5", True),
        ("-data.n < 0", True),
        ("data.t < 'x'", True),
        ("data.d >= '2026-12-01'", True),
        ("data.d | date < '2026'", False),
        ("data.in > 6 and data.n in [5]", True),
        ("data.n not in [6] and not data.n > 6", True),
        ("data.n is not none and data.n > 1", True),
        ("data.t is not number or data.t > 1", True),
        ("data.l.0 < data.l[1]", True),
        ("data.l[:2] | length > 1", True),
        ("'<' < \"a > b\"", True),
        ("data.n + 1 > data.n", True),
        ("data.big > 3", True),
        ("(data.n > 3) == true", True),
        ("'a' if data.n > 3 else 'b'", "a"),
    ],
)
def test_values_of_like_kinds_compare(expression: str, expected: Any) -> None:
    assert value(f"{{{{ {expression} }}}}") == expected
    assert value(f"{{{{- {expression} -}}}}") == expected


def test_texts_around_stay_as_they_are() -> None:
    source = "-> } data.n > 3 {% if data.n > 3 -%}\n <b> {{ data.n }}%} {%- else %} > {% endif %} <-\n"
    assert value(source) == "-> } data.n > 3 <b> 5%} <-\n"
    assert with_calls("a > {{ data.n }}\n> b") == "a > {{ data.n }}\n> b"


@given(NUMBERS, NUMBERS, st.sampled_from(sorted(ORDERINGS)))
def test_numbers_compare_as_numbers_in_both_ways(a: float, b: float, mark: str) -> None:
    data = {"a": a, "b": b}
    expected = ORDERINGS[mark](a, b)
    assert value(f"{{{{ data.a {mark} data.b }}}}", data) == expected
    assert value(f"{{% if data.a {mark} data.b %}}True{{% else %}}False{{% endif %}}", data) == str(expected)


@given(st.text(max_size=3), st.text(max_size=3), st.sampled_from(sorted(ORDERINGS)))
def test_texts_compare_as_texts_in_both_ways(a: str, b: str, mark: str) -> None:
    data = {"a": a, "b": b}
    expected = ORDERINGS[mark](a, b)
    assert value(f"{{{{ data.a {mark} data.b }}}}", data) == expected
    assert value(f"{{% if data.a {mark} data.b %}}True{{% else %}}False{{% endif %}}", data) == str(expected)
