"""What keeps the code readable at one sitting: a module is about one thing, and a function too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES_OF_A_MODULE = 400
LINES_OF_A_FUNCTION = 50


def modules() -> Iterator[tuple[Path, str]]:
    for folder in ("pipeline", "tests", "bench", "helm"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), path.read_text("utf-8")


def test_no_module_is_past_four_hundred_lines() -> None:
    sizes = {str(path): text.count("\n") for path, text in modules()}
    assert "pipeline/lane.py" in sizes
    assert {path: lines for path, lines in sizes.items() if lines > LINES_OF_A_MODULE} == {}


def test_no_function_is_past_fifty_lines() -> None:
    sizes = [(f"{path}::{one.name}", _lines(one)) for path, text in modules() for one in _functions(text)]
    assert "pipeline/lane.py::run" in dict(sizes)
    assert [(name, lines) for name, lines in sizes if lines > LINES_OF_A_FUNCTION] == []


def _functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _lines(one: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (one.end_lineno or 0) - one.lineno + 1
