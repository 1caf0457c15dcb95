"""Problems as people and other programs read them: text, JSON, GitHub's workflow commands, SARIF 2.1.0."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.rules.problem import Problem

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Form(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def as_json(problems: Sequence[Problem], warnings: Sequence[Problem], counts: Mapping[str, int]) -> str:
    found = {"ok": not problems, **counts, "problems": [asdict(one) for one in problems]}
    return json.dumps({**found, "warnings": [asdict(one) for one in warnings]}, ensure_ascii=False, indent=2)


def as_github(problems: Sequence[Problem], warnings: Sequence[Problem]) -> Iterator[str]:
    """Annotations of a workflow run."""
    for level, one in _levelled(problems, warnings):
        place = [f"file={_property(one.file)}", f"line={one.line}"] if one.line else []
        place += [f"col={one.column}"] if one.column else []
        yield f"::{level} {','.join([*place, f'title={_property(one.message)}'])}::{_data(_words(one))}"


def as_sarif(problems: Sequence[Problem], warnings: Sequence[Problem]) -> str:
    """One run with a result for each problem; its rule is what is wrong, without the names in it."""
    levelled = list(_levelled(problems, warnings))
    ids = sorted({_rule_id(one) for _, one in levelled})
    tool = {"name": "calends check", "version": __version__, "rules": [{"id": name} for name in ids]}
    results = [_result(level, one, ids) for level, one in levelled]
    run = {"tool": {"driver": tool}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _levelled(problems: Sequence[Problem], warnings: Sequence[Problem]) -> Iterator[tuple[str, Problem]]:
    yield from (("error", one) for one in problems)
    yield from (("warning", one) for one in warnings)


def _result(level: str, one: Problem, ids: Sequence[str]) -> dict[str, Any]:
    name = _rule_id(one)
    found: dict[str, Any] = {"ruleId": name, "ruleIndex": ids.index(name), "level": level}
    found["message"] = {"text": _words(one)}
    if one.line:
        region = {"startLine": one.line} | ({"startColumn": one.column} if one.column else {})
        place = {"artifactLocation": {"uri": _uri(one.file)}, "region": region}
        found["locations"] = [{"physicalLocation": place}]
    return found


def _rule_id(one: Problem) -> str:
    """`an unknown key: kafka.x` → `an-unknown-key`."""
    words = re.sub(r"[^a-z ]+", "", one.message.partition(":")[0].lower())
    return "-".join(words.split()[:6]) or "problem"


def _uri(file: str) -> str:
    path = Path(file)
    if not path.is_absolute():
        return path.as_posix()
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_uri()


def _words(one: Problem) -> str:
    parts = [one.message, one.found and f"found {one.found}", one.expected and f"expected {one.expected}"]
    return "; ".join(part for part in (*parts, one.suggestion) if part)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
