"""Rule files to rules: every problem of their shape with file, line, what was found and what was expected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import FoldedScalarString, LiteralScalarString

from pipeline.model.entry import FIELDS
from pipeline.model.wire import levels
from pipeline.rules.documents import NotYaml, load_yaml, read_file
from pipeline.rules.filters import kind
from pipeline.rules.language import nearest, suggest
from pipeline.rules.masking import shown
from pipeline.rules.misread import cut_off
from pipeline.rules.problem import Problem, Spot, Where, spot_of
from pipeline.rules.schema import SHAPES, Rule, Rules, S, Sourced, SourcedTest, Test, listed
from pipeline.rules.shape_words import in_words

LONE = dict.fromkeys(("from", "on", "to", "type"), "a text, or a list of texts") | dict.fromkeys(
    ("send", "link"), "a map, or a list of maps"
)
"""Where one item may stand alone."""
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
        if name in seen:
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
        reading = _Reading(file, ("rules", index), inner("rules", index), vendor_names)
        rule = reading.shaped(Rule, _with_schemas(_with_lists(raw), reading))
        sourced = Sourced(rule, file, reading.at, reading.spots, not reading.problems) if rule else None
        rules = (sourced,) if sourced else ()
        loaded += Rules(rules, problems=tuple(reading.problems), files=tuple(reading.schemas))
    for index, raw in enumerate(_items(parsed.get("tests"))):
        reading = _Reading(file, ("tests", index), inner("tests", index), vendor_names)
        test = reading.shaped(Test, raw)
        right = test is not None and not reading.problems
        sourced_test = SourcedTest(test, file, spot_of(spots, reading.at).line) if test and right else None
        loaded += Rules(tests=(sourced_test,) if sourced_test else (), of_tests=tuple(reading.problems))
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


def _with_schemas(raw: Any, reading: _Reading) -> Any:
    """Puts the schemas that stand in files of their own into the rule."""
    if not isinstance(raw, dict) or not isinstance(raw.get("on"), list):
        return raw
    return {**raw, "on": [_with_schema(on, ("on", index), reading) for index, on in enumerate(raw["on"])]}


def _with_schema(on: Any, at: Where, reading: _Reading) -> Any:
    if not isinstance(on, dict) or not isinstance(on.get("schema"), str):
        return on
    found, expected = on["schema"], "a JSON Schema beside the rule file, as JSON"
    path = Path(reading.file).parent / found
    reading.schemas.append(str(path))
    try:
        schema = json.loads(read_file(path))
        for _ in levels(schema):
            pass
    except NotYaml as error:
        reading.told((*at, "schema"), "the schema cannot be read", f"{found}: {error.found}", expected)
    except (ValueError, RecursionError):
        reading.told((*at, "schema"), "the schema is not JSON", found, expected)
    else:
        if isinstance(schema, dict):
            return {**on, "schema": schema}
        reading.told((*at, "schema"), "the schema is no JSON object", found, expected)
    return {name: value for name, value in on.items() if name != "schema"}


def _with_own(raw: Any, vendor_names: Collection[str]) -> Any:
    """Moves the vendors' sections of each send item under `own`."""
    if not isinstance(raw, dict) or not isinstance(raw.get("send"), list):
        return raw
    return {**raw, "send": [_own(item, vendor_names) for item in raw["send"]]}


def _own(item: Any, vendor_names: Collection[str]) -> Any:
    if not isinstance(item, dict):
        return item
    own = {name: value for name, value in item.items() if name in vendor_names}
    rest = {name: value for name, value in item.items() if name not in vendor_names}
    return {**rest, "own": own} if own else rest


@dataclass(slots=True)
class _Reading:
    """One item on its way to its shape. A wrong key is told, read as what it may have meant, and the rest goes on."""

    file: str
    at: Where
    spots: dict[Where, Spot]
    vendor_names: Collection[str]
    problems: list[Problem] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    """Files that were read, or sought."""

    def told(self, place: Where, message: str, found: str, expected: str) -> None:
        spot = spot_of(self.spots, (*self.at, *place))
        self.problems.append(Problem.at(self.file, spot, message, found, expected))

    def shaped(self, shape: type[S], raw: Any) -> S | None:
        """The item, without what is wrong in it; None where nothing is left that could be judged."""
        while True:
            try:
                return shape.model_validate(_with_own(raw, self.vendor_names))
            except ValidationError as error:
                details = error.errors(include_url=False)
            strange = [detail for detail in details if detail["type"] == "extra_forbidden"]
            # Strange keys first: what they were meant to say may be what else is missing.
            for place, told in by_place(strange or details, raw).items():
                self.problems.append(self._problem(place, told))
            if not strange:
                return None
            for detail in strange:
                self._mend(raw := deepcopy(raw), _place(detail, raw))

    def _mend(self, raw: Any, place: Where) -> None:
        """Gives a strange key the name that it may have meant, or takes it out."""
        holder = raw
        for part in place[:-1]:
            holder = holder[part]
        value = holder.pop(place[-1])
        meant = nearest(str(place[-1]), self._known(place))
        if meant is None or meant == place[-1] or meant in holder:
            return
        holder[meant] = listed(value) if meant in ("send", "link") else value
        old, new = (*self.at, *place), (*self.at, *place[:-1], meant)
        moved = {(*new, *at[len(old) :]): spot for at, spot in self.spots.items() if at[: len(old)] == old}
        self.spots.update(moved)

    def _problem(self, place: Where, told: Sequence[Any]) -> Problem:
        spot = spot_of(self.spots, (*self.at, *place))
        name = self._named(place)
        match told[0]["type"]:
            case "extra_forbidden":
                known, word = self._known(place), str(place[-1])
                expected = "one of " + ", ".join(known)
                advice = _belongs(word, told[0]["input"], (*self.at, *place)) or suggest(word, known)
                return Problem.at(self.file, spot, "an unknown key", word, expected, advice)
            case "missing":
                return Problem.at(self.file, spot, f"{name} is missing", "", f"{place[-1]}:")
            case _:
                found = shown(told[0]["input"])
                wanted = " or ".join(dict.fromkeys(map(_words, told)))
                alone = LONE.get(str(place[-1]) if place else "") if wanted == "a list" else None
                return Problem.at(self.file, spot, f"{name} is not right", found, alone or wanted)

    def _named(self, place: Where) -> str:
        """The place as it is written: a lone item where a list may stand has no number."""
        stands = [(*self.at, *place[: depth + 1]) in self.spots for depth in range(len(place))]
        parts = (str(part) for part, there in zip(place, stands, strict=True) if there or part != 0)
        return ".".join(parts) or "the item"

    def _known(self, place: Where) -> tuple[str, ...]:
        return _known((*self.at, *place), self.vendor_names)


def _words(detail: Any) -> str:
    if detail["type"] == "string_pattern_mismatch":  # only a rule's name has one
        return "1 to 100 of A-Z a-z 0-9 . _ -"
    return in_words(detail)


def by_place(details: Sequence[Any], raw: Any) -> dict[Where, list[Any]]:
    """The details of each place: where several types are allowed, each of them has its own."""
    found: dict[Where, list[Any]] = {}
    for detail in details:
        found.setdefault(_place(detail, raw), []).append(detail)
    return found


def _place(detail: Any, raw: Any) -> Where:
    """Where the item itself has what a detail tells: without pydantic's names of the types that are allowed there."""
    *outer, last = detail["loc"] or ("",)
    place: Where = ()
    for part in outer:
        if _has(raw, part):
            raw, place = raw[part], (*place, part)
    stands = _has(raw, last) or detail["type"] == "missing"
    return (*place, last) if stands else place


def _has(raw: Any, part: str | int) -> bool:
    if isinstance(raw, dict):
        return part in raw
    return isinstance(raw, list) and isinstance(part, int) and 0 <= part < len(raw)


def _belongs(word: str, value: Any, at: Where) -> str:
    """Where a key has its place that stands too deep, or not deep enough."""
    holders = [part for part in at[:-1] if isinstance(part, str)]
    match holders:
        case ["rules", "send"] if word == "when" and re.search(r"\bitem\b", str(value)):
            return "each takes every item of its list: let the event hold a list of those that are wanted"
        case ["rules"] if word in SHAPES["send"]:
            return f"{word} belongs into an item of send:"
        case ["rules"] | ["rules", "send"] if word in FIELDS:
            return f"{word} belongs under entry:"
        case ["rules", "send"] if word in SHAPES["rule"]:
            return f"{word} belongs to the rule, beside send:"
        case ["rules", "send", "entry"] if word in SHAPES["send"]:
            return f"{word} belongs to the send item, beside entry:"
        case _:
            return ""


def _known(at: Where, vendor_names: Collection[str]) -> tuple[str, ...]:
    names = [part for part in at[:-1] if isinstance(part, str)]
    match names:
        case [*_, "entry"] if names[0] == "rules":
            return SHAPES["entry"]
        case ["rules", "send"]:
            return (*SHAPES["send"], *sorted(vendor_names))
        case ["rules", "link"]:
            return SHAPES["link"]
        case ["tests", "expect", "request"]:
            return SHAPES["request"]
        case ["rules", "on"]:
            return SHAPES["on"]
        case ["tests", "expect"]:
            return SHAPES["expect"]
        case ["tests"]:
            return SHAPES["test"]
        case [*_, "if_unlinked"]:
            return ("wait",)
        case _:
            return SHAPES["rule"]
