"""Rule files to rules: every problem of their shape with file, line, what was found and what was expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import FoldedScalarString, LiteralScalarString

from pipeline.model.wire import levels
from pipeline.rules.documents import NotYaml, load_yaml, read_file
from pipeline.rules.filters import kind
from pipeline.rules.language import suggest
from pipeline.rules.misread import cut_off
from pipeline.rules.problem import Problem, Spot, Where, spot_of
from pipeline.rules.schema import SHAPES, Rule, Rules, Sourced, SourcedTest, Test, listed
from pipeline.rules.shaping import Shaping

BLOCK = (LiteralScalarString, FoldedScalarString)
"""Texts that begin on the line after their mark."""


def load_paths(paths: Sequence[Path], vendor_names: Collection[str]) -> Rules:
    """The rules of files, and of all `*.yaml` and `*.yml` under folders in the order of their names.

    What is hidden (a name with a dot before it) is not read: a mounted ConfigMap keeps each file twice that way.
    """
    loaded = Rules()
    for path in paths:
        if not path.exists():
            loaded += Rules(problems=(Problem(str(path), 1, "no such file or folder", "", "a rule file"),))
        for file in _files(path):
            loaded += Rules(files=(str(file),)) + _load_file(file, vendor_names)
    return loaded + Rules(problems=tuple(twice_named(loaded.rules)))


def _load_file(file: Path, vendor_names: Collection[str]) -> Rules:
    try:
        return load_text(read_file(file), str(file), vendor_names)
    except NotYaml as error:
        return Rules(problems=(error.problem(str(file), "the file cannot be read"),))


def load_text(text: str, file: str, vendor_names: Collection[str]) -> Rules:
    """The rules of one file's text."""
    try:
        document = load_yaml(text)
    except NotYaml as error:
        return Rules(problems=(error.problem(file, "not YAML"),))
    spots: dict[Where, Spot] = {(): Spot(1, 1)}
    parsed = _plain(document, (), spots)
    loaded = _read(parsed, file, spots, vendor_names)
    return loaded + Rules(problems=tuple(cut_off(parsed, spots, text, file)))


def load_inline(rules: Sequence[Any], file: str, line: int, vendor_names: Collection[str]) -> Rules:
    """Rules that stand in the settings themselves, as a list; all problems show the line of that list."""
    spots: dict[Where, Spot] = {(): Spot(line)}
    loaded = _read(_plain({"rules": list(rules)}, (), {}), file, spots, vendor_names)
    return loaded + Rules(problems=tuple(twice_named(loaded.rules)))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = (file for file in path.rglob("*") if file.suffix in (".yaml", ".yml"))
        return sorted(file for file in found if not any(p.startswith(".") for p in file.relative_to(path).parts))
    return [path] if path.exists() else []


def twice_named(rules: Sequence[Sourced]) -> Iterator[Problem]:
    seen: set[str] = set()
    for sourced in rules:
        name = sourced.rule.name
        if name in seen and not sourced.took("name"):
            yield Problem.at(sourced.file, sourced.spot("name"), "two rules have one name", name, "a name of its own")
        seen.add(name)


def _plain(node: Any, at: Where, spots: dict[Where, Spot]) -> Any:
    """The bare value of a YAML node; notes the line of every key and item."""
    if isinstance(node, Mapping):
        for name in node:
            if (spot := _spot_of_key(node, name)) is not None:
                spots[*at, name] = spot
        return {str(name): _plain(value, (*at, str(name)), spots) for name, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str):
        for index in range(len(node)):
            if isinstance(node, CommentedSeq) and index in (node.lc.data or {}):
                line, column = node.lc.item(index)
                spots[*at, index] = Spot(line + 1, column + 1, line + 1 + isinstance(node[index], BLOCK))
        return [_plain(value, (*at, index), spots) for index, value in enumerate(node)]
    if isinstance(node, date):
        return node.isoformat()
    for bare in (bool, int, float, str):
        if isinstance(node, bare):
            return bare(node)
    return node if node is None else str(node)


def _spot_of_key(node: Any, name: Any) -> Spot | None:
    """Where a key stands, also where it comes by `<<` from another map."""
    if not isinstance(node, CommentedMap):
        return None
    if name in (node.lc.data or {}):
        (line, column), text = node.lc.key(name), node.lc.value(name)[0]
        return Spot(line + 1, column + 1, text + 1 + isinstance(node[name], BLOCK))
    merged = (_spot_of_key(below, name) for below in getattr(node, "merge", []))
    return next((spot for spot in merged if spot is not None), None)


def _read(parsed: Any, file: str, spots: Mapping[Where, Spot], vendor_names: Collection[str]) -> Rules:
    if not isinstance(parsed, dict):
        return Rules(problems=(Problem(file, 1, "not a rule file", kind(parsed), "a map with rules:"),))
    loaded = Rules(problems=tuple(_strangers(parsed, file, spots)))
    inner = _by_item(spots)
    for index, raw in enumerate(_items(parsed.get("rules"))):
        shaping = Shaping(file, ("rules", index), inner("rules", index), vendor_names)
        rule = shaping.shaped(Rule, _with_schemas(_with_lists(raw), shaping))
        taken, strange = frozenset(shaping.taken), frozenset(shaping.strange)
        rules = (Sourced(rule, file, shaping.at, shaping.spots, taken, strange),) if rule else ()
        loaded += Rules(rules, problems=tuple(shaping.problems), files=tuple(shaping.schemas))
    for index, raw in enumerate(_items(parsed.get("tests"))):
        shaping = Shaping(file, ("tests", index), inner("tests", index), vendor_names)
        test = shaping.shaped(Test, raw)
        right = test is not None and not shaping.problems
        sourced_test = SourcedTest(test, file, shaping.at, shaping.spots) if test and right else None
        loaded += Rules(tests=(sourced_test,) if sourced_test else (), of_tests=tuple(shaping.problems))
    return loaded


def _by_item(spots: Mapping[Where, Spot]) -> Callable[[str, int], dict[Where, Spot]]:
    """The lines of one item, and of what encloses it: with all lines beside each item, two thousand fill the memory."""
    items: dict[Where, dict[Where, Spot]] = {}
    for at, spot in spots.items():
        items.setdefault(at[:2], {})[at] = spot

    def inner(section: str, index: int) -> dict[Where, Spot]:
        return items[()] | items.get((section,), {}) | items.get((section, index), {})

    return inner


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strangers(parsed: Mapping[str, Any], file: str, spots: Mapping[Where, Spot]) -> Iterator[Problem]:
    known = SHAPES["file"]
    for name, value in parsed.items():
        if name.startswith("x-"):  # where anchors may stand
            continue
        if name not in known:
            spot, wanted = spot_of(spots, (name,)), " or ".join(known)
            yield Problem.at(file, spot, "an unknown key", name, wanted, suggest(name, known))
        elif not isinstance(value, list):
            yield Problem.at(file, spot_of(spots, (name,)), f"{name} is no list", kind(value), "a list")


def _with_lists(raw: Any) -> Any:
    """A lone item where a list may stand becomes a list, so that every place has its index."""
    if not isinstance(raw, dict):
        return raw
    return {name: listed(value) if name in ("send", "link", "on") else value for name, value in raw.items()}


def _with_schemas(raw: Any, shaping: Shaping) -> Any:
    """Puts the schemas that stand in files of their own into the rule."""
    if not isinstance(raw, dict) or not isinstance(raw.get("on"), list):
        return raw
    return {**raw, "on": [_with_schema(on, ("on", index), shaping) for index, on in enumerate(raw["on"])]}


def _with_schema(on: Any, at: Where, shaping: Shaping) -> Any:
    if not isinstance(on, dict) or not isinstance(on.get("schema"), str):
        return on
    found, expected = on["schema"], "a JSON Schema beside the rule file, as JSON"
    path = Path(shaping.file).parent / found
    shaping.schemas.append(str(path))
    try:
        schema = json.loads(read_file(path))
        for _ in levels(schema):
            pass
    except NotYaml as error:
        shaping.tell((*at, "schema"), "the schema cannot be read", f"{found}: {error.found}", expected)
    except (ValueError, RecursionError):
        shaping.tell((*at, "schema"), "the schema is not JSON", found, expected)
    else:
        if isinstance(schema, dict):
            return {**on, "schema": schema}
        shaping.tell((*at, "schema"), "the schema is no JSON object", found, expected)
    return {name: value for name, value in on.items() if name != "schema"}
