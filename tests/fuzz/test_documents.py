"""Whatever stands in a rule file or a settings file: problems at their lines, in bounded time, and no value told."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.operate.check import check
from pipeline.rules.documents import MAX_BYTES, NotYaml, load_yaml
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_text
from pipeline.vendors import vendors
from tests.fuzz.planted import JSON, SECRET, TEXTS, assert_shows_nothing, tries

EXAMPLES = Path(__file__).parents[2] / "configs"
RULES = [path.read_text("utf-8") for path in sorted((EXAMPLES / "rules").glob("*.yaml"))]
SETTINGS = [path.read_text("utf-8") for path in sorted(EXAMPLES.glob("*.yaml"))]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join([f'*{chr(97 + n)}'] * 9)}], y{n}: 1}}\n" for n in range(9)
)
ODD = (
    "",
    "~",
    "[]",
    "a: 1\n---\nb: 2",
    "rules:\n\t- x",
    "rules: " + "[" * 3000,
    "rules: " + "[" * 300 + "]" * 300,
    "rules: &a [*a]",
    "rules: &a {x: *a}",
    "rules: &a\n  <<: *a\n",
    BOMB,
    MERGES,
    "rules: *nobody",
    "rules: !!bool maybe",
    "rules: !!python/object/apply:os.system [ls]",
    "rules: !!binary '@@@'",
    "rules: !!int 1.5",
    "rules: !own {}",
    "%TAG ! tag:x,2000:\n---\nrules: !y {}",
    'rules: "\\0"',
    'rules: [{name: "\\ud800", from: a}]',
    "rules: \x07",
    "\ufeffrules: []",
    "rules: " + "9" * 5000,
    "rules: 0x" + "f" * 5000,
    "kafka: 0x" + "f" * 5000,
    "rules: .nan",
    "? [a, b]\n: 1",
    "? " + "x" * 2000 + "\n: 1",
    f"kafka: 1\nkafka: {SECRET}",
    f"a: &{SECRET} 1\nb: &{SECRET} 2",
    f"kafka: *{SECRET}",
    f"kafka: !{SECRET} x",
    "_env_file: x\n__pydantic_self__: y\n_cli_parse_args: true",
)
HUGE = ("rules: '" + "x" * 300_000 + "'",)


def _lines(text: str) -> st.SearchStrategy[str]:
    """The text with lines dropped, doubled, swapped, indented otherwise, or with something odd put in."""
    lines = text.splitlines()
    numbers = st.integers(0, len(lines) - 1)
    odd = st.sampled_from(
        ("\t", "  ", ":", "- ", "&a ", "*a ", "<<: *a", "!!set ", "{", "]", '"', "'", "|", ">", "%", "@", "`", "? ",
         "\0", "\ud800", "\u2028", "# ", "---", "...", "~", "null", ".inf", "0o7", "1_000", "2026-02-30", "1:60")
    )  # fmt: skip

    def change(kind: str, at: int, other: int, put: str) -> str:
        changed = list(lines)
        match kind:
            case "drop":
                del changed[at]
            case "double":
                changed.insert(at, changed[at])
            case "swap":
                changed[at], changed[other] = changed[other], changed[at]
            case "indent":
                changed[at] = put + changed[at]
            case "cut":
                changed[at] = changed[at][: other % (len(changed[at]) + 1)]
            case "value":
                changed[at] = re.sub(r":.*", lambda _: f": {put}", changed[at], count=1)
            case _:
                changed[at] += put
        return "\n".join(changed) + "\n"

    return st.builds(
        change, st.sampled_from(("drop", "double", "swap", "indent", "cut", "value", "append")), numbers, numbers, odd
    )


def _trees(text: str) -> st.SearchStrategy[str]:
    """The document with one value of it, anywhere, in the place of another, or anything at all there."""
    document = YAML(typ="safe").load(text)
    places = list(_places(document, ()))

    def change(place: tuple[Any, ...], name: str, kind: str, value: Any) -> str:
        changed = YAML(typ="safe").load(text)
        holder = changed
        for part in place[:-1]:
            holder = holder[part]
        old = holder.pop(place[-1])
        if kind == "rename" and isinstance(holder, dict):
            holder[name] = old
        elif kind == "replace":
            holder.insert(place[-1], value) if isinstance(holder, list) else holder.update({place[-1]: value})
        elif kind == "wrap":
            holder.insert(place[-1], [old]) if isinstance(holder, list) else holder.update({place[-1]: [old]})
        return _flow(changed)

    kinds = st.sampled_from(("drop", "rename", "replace", "replace", "wrap"))
    return st.builds(change, st.sampled_from(places), TEXTS, kinds, JSON)


def _places(value: Any, at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*at, name)
        yield from _places(member, (*at, name))


def _flow(value: Any) -> str:
    """YAML in one line, with escapes for what has no other form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(name)}: {_flow(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(_escaped(letter) for letter in value) + '"'
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _escaped(letter: str) -> str:
    return letter if letter.isalnum() and letter.isascii() else f"\\U{ord(letter):08x}"


def mutations(texts: list[str]) -> st.SearchStrategy[str]:
    return st.one_of([*map(_lines, texts), *map(_trees, texts), st.sampled_from(ODD), st.text(max_size=60)])


def assert_told(problems: tuple[Problem, ...], text: str) -> None:
    last = text.count("\n") + text.count("\r") + 2
    for problem in problems:
        assert 0 <= problem.line <= last
        assert problem.message
        assert len(str(problem)) < 10_000


@given(mutations(RULES))
@tries(40)
def test_a_rule_file_is_read_or_told_at_its_line(text: str) -> None:
    started = time.process_time()
    loaded = load_text(text, "rules.yaml", vendors())
    assert_told(loaded.problems + loaded.of_tests, text)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("text", [*ODD, *HUGE], ids=lambda text: repr(text[:24]))
def test_an_odd_text_is_yaml_or_told_without_a_value(text: str) -> None:
    try:
        load_yaml(text)
    except NotYaml as error:
        told = str(error)
    else:
        told = ""
    assert_shows_nothing(told)
    assert len(told) < 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configs")


@given(text=mutations(RULES))
@tries(40)
def test_rules_are_checked_or_told_at_their_line(folder: Path, text: str) -> None:
    (folder / "calends.yaml").write_text(SETTINGS[0].replace("rules: rules", "rules: rules.yaml"))
    (folder / "rules.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    report = check(folder, secrets=False)
    assert_told(report.problems, text + SETTINGS[0])
    if not report.problems:
        assert report.rule_set().digest


@given(text=mutations(SETTINGS))
@tries(50)
def test_settings_are_read_or_told_at_their_line(folder: Path, text: str) -> None:
    (folder / "rules.yaml").write_text(RULES[0])
    (folder / "calends.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_told(check(folder, secrets=True).problems, text + RULES[0])


def test_a_file_beyond_the_limit_is_told_and_not_read(folder: Path) -> None:
    (folder / "calends.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    [problem] = check(folder).problems
    assert (problem.line, problem.found) == (1, "more than 1 MiB")
