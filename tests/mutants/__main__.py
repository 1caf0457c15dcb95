"""`make mutants`: each patch on a copy of its own; each of its tests must go red there, and be green without it.

`--check` only looks whether all patches still apply, which takes seconds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.mutants.mutant import ROOT, DoesNotApply, Mutant, read
from tests.services import postgres

COPIED = ("pipeline", "tests", "configs", "docs", "conftest.py", "pyproject.toml", "README.md", "CHANGELOG.md")
LONGEST = 900.0
"""Seconds that one mutant's tests may take."""
EXAMPLES = "400"
"""Schedules of a state machine that has to find a mutant; it stops at the first that does."""


@dataclass(frozen=True, slots=True)
class Seen:
    mutant: Mutant
    verdict: str
    seconds: float
    output: str = ""


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these, by name or part of it.")] = None,
    check: Annotated[bool, typer.Option(help="Only look whether all patches still apply.")] = False,
    parallel: Annotated[int, typer.Option(min=1, help="Mutants at once.")] = 2,
) -> None:
    mutants = [one for one in read() if not only or any(part in one.name for part in only)]
    if not mutants:
        raise typer.BadParameter(f"no patch is called so: {', '.join(one.name for one in read())}", param_hint="--only")
    drifted = _drifted(mutants)
    for error in drifted:
        print(f"mutants: {error}", file=sys.stderr)
    if drifted or check:
        print(f"{len(mutants) - len(drifted)} of {len(mutants)} patches apply")
        raise typer.Exit(bool(drifted))
    with postgres() as service:  # one for all
        seen = _run(mutants, parallel, service.url)
    _show(seen)
    raise typer.Exit(any(one.verdict != "red" for one in seen))


def _drifted(mutants: Sequence[Mutant]) -> list[str]:
    errors = []
    for mutant in mutants:
        try:
            mutant.apply(ROOT, dry=True)
        except DoesNotApply as error:
            errors.append(str(error))
    return errors


def _run(mutants: Sequence[Mutant], parallel: int, database: str) -> list[Seen]:
    """First all tests on the code as it is, then each mutant."""
    os.environ["CALENDS_TEST_POSTGRES"] = database
    with Progress(console=Console(stderr=True)) as progress, ThreadPoolExecutor(parallel) as pool:
        bar = progress.add_task("green without", total=len(mutants) + 1)
        code, output = _tested(None, sorted({test for mutant in mutants for test in mutant.tests}))
        if code != 0:
            print(output)
            raise typer.Exit(2)
        seen = []
        progress.update(bar, advance=1, description="red with")
        for one in pool.map(_seen, mutants):
            seen.append(one)
            progress.update(bar, advance=1, description=f"red with {one.mutant.name}")
    return seen


def _seen(mutant: Mutant) -> Seen:
    """One test after the other: of several at once the first that goes red would speak for all."""
    started = time.monotonic()
    for test in mutant.tests:
        code, output = _tested(mutant, [test])
        if code != 1:
            verdict = "green" if code == 0 else f"no verdict ({code})"
            return Seen(mutant, verdict, time.monotonic() - started, f"{test}\n{output}")
    return Seen(mutant, "red", time.monotonic() - started)


def _tested(mutant: Mutant | None, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code on a copy: 0 all green, 1 some red; anything else says nothing about the tests."""
    with tempfile.TemporaryDirectory(prefix="calends-mutant-") as name:
        folder = Path(name)
        _copy(folder)
        if mutant is not None:
            mutant.apply(folder)
        env = {**os.environ, "PYTHONPATH": name, "PYTHONDONTWRITEBYTECODE": "1"}
        env |= {"CALENDS_EXAMPLES": EXAMPLES} if mutant is not None else {}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "--show-capture=no", *tests]
        try:
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return 124, "it took too long"
        return done.returncode, done.stdout + done.stderr


def _copy(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / name)


def _show(seen: Sequence[Seen]) -> None:
    table = Table("promise", "mutant", "breaks", "test", "verdict", "s")
    for one in seen:
        colour = "green" if one.verdict == "red" else "red"
        tests = "\n".join(test.removeprefix("tests/") for test in one.mutant.tests)
        verdict = f"[{colour}]{one.verdict}[/{colour}]"
        table.add_row(one.mutant.promise, one.mutant.name, one.mutant.breaks, tests, verdict, f"{one.seconds:.1f}")
    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(table)
    for one in seen:
        if one.verdict != "red":
            print(f"\n{one.mutant.name}: {one.verdict}; nobody noticed\n{one.output[-3000:]}", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
