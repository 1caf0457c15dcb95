"""`calends test`: the tests that rules carry, and what they cover."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import HERE, PROBLEMS, USAGE, AsJson, Config, give_up, tell, write
from pipeline.operate.testing import Case, Suite, junit, run_suite, settings_files
from pipeline.operate.watching import watched
from pipeline.rules.coverage import Coverage, RuleCoverage
from pipeline.rules.selftest import Difference

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Settings files, or folders with such in them. Default: that of -c.", metavar="[PATH]..."),
]
Wanted = Annotated[str, typer.Option("--only", "-k", help="Only tests whose name holds this.", metavar="TEXT")]
Junit = Annotated[Path | None, typer.Option("--junit", help="Also write JUnit's XML.", metavar="FILE")]
Cov = Annotated[bool, typer.Option("--cov", help="Show which rules, and which sides of their when, the tests reach.")]
FailUnder = Annotated[float, typer.Option(help="End with 1 below this coverage, in percent.", min=0, max=100)]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Run again at each change of a file, until Ctrl-C.")]


def run_tests(
    paths: Paths = None,
    config: Config = HERE,
    only: Wanted = "",
    junit_file: Junit = None,
    cov: Cov = False,
    fail_under: FailUnder = 0.0,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Run the tests that rule files carry: events in several orders, and what must come of them. Sends nothing."""
    files = _files(paths or [config])

    def once() -> bool:
        suites = [run_suite(file, only) for file in files]
        if junit_file is not None:
            write(junit(suites), junit_file)
        covered = sum((suite.coverage for suite in suites), Coverage())
        if as_json:
            typer.echo(json.dumps(_json(suites, covered), ensure_ascii=False, indent=2))
        else:
            _print(suites, covered, cov or fail_under > 0)
        for warning in (one for suite in suites for one in suite.warnings):
            typer.echo(f"warning: {warning}", err=True)
        none = _nothing_ran(suites, only)
        if none:
            typer.echo(f"calends: {none}", err=True)
        low = covered.percent < fail_under
        if low:
            typer.echo(f"coverage is {covered.percent:.0f} %, less than {fail_under:g} %", err=True)
        return not (none or low) and not any(suite.problems or suite.failed for suite in suites)

    fine = once()
    if watch:
        _watch(files, once)
    raise typer.Exit(0 if fine else PROBLEMS)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        found = settings_files(path) if path.exists() else []
        if not found:
            words = "has no settings file in it" if path.is_dir() else "no such file or folder"
            give_up(f"{path}: {words}; name one, or the folder of calends.yaml", USAGE)
        files += found
    return files


def _nothing_ran(suites: Sequence[Suite], only: str) -> str:
    """Why there is nothing to be green about; empty: a test ran, or problems say why none did."""
    if any(suite.cases or suite.problems for suite in suites):
        return ""
    names = ", ".join(str(suite.file) for suite in suites)
    return (
        f"{names}: no test has {only!r} in its name"
        if only
        else f"{names}: there are no tests: write some under tests:"
    )


def _watch(files: Sequence[Path], once: Callable[[], object]) -> None:
    from watchfiles import watch as changes  # only this option needs it

    while True:
        seen = watched(files)
        typer.echo(f"watching {', '.join(map(str, seen.around()))}; Ctrl-C ends", err=True)
        for _ in changes(*seen.around(), watch_filter=seen.heeds, debounce=200):
            typer.echo("")
            once()
            if watched(files) != seen:
                break


def _print(suites: Sequence[Suite], covered: Coverage, cov: bool) -> None:
    for suite in suites:
        if suite.problems:
            tell(suite.problems)
        for case in suite.cases:
            for line in _case(case):
                typer.echo(line)
    if cov and covered.rules:
        for rule in covered.rules:
            typer.echo(_covered(rule))
        typer.echo(
            f"coverage: {covered.matched} of {len(covered.rules)} rules, {covered.percent:.0f} % of the branches"
        )
    failed, total = sum(suite.failed for suite in suites), sum(len(suite.cases) for suite in suites)
    if not total:
        typer.echo("no test was run")
        return
    typer.echo(f"{total - failed} passed" + (f", {failed} failed" if failed else ""))


def _case(case: Case) -> Iterator[str]:
    test = case.result.test
    if case.result.passed:
        yield f"✔ {test.file}:{test.line} {case.name}"
        return
    yield f"✘ {test.file}:{test.line} {case.name}"
    orders = {difference.order for difference in case.result.differences}
    for difference in case.result.differences:
        yield f"    {difference.message}"
        yield from (f"      {line}" for line in _difference(difference))
        if len(orders) > 1 or difference.order != tuple(sorted(difference.order)):
            yield f"      in the order {', '.join(map(str, difference.order))}"


def _difference(one: Difference) -> Iterator[str]:
    """Expected with -, found with +; of maps and lists only what differs, and what stands beside it."""
    expected, found = _lines(one.expected), _lines(one.found)
    if len(expected) > 1 or len(found) > 1:
        yield from list(difflib.unified_diff(expected, found, "expected", "found", lineterm="", n=2))[2:]
        return
    if one.expected:
        yield f"- {one.expected}"
    if one.found:
        yield f"+ {one.found}"


def _lines(value: str) -> list[str]:
    try:
        parsed = json.loads(value)
    except ValueError:
        return [value]
    return json.dumps(parsed, indent=2, ensure_ascii=False).splitlines()


def _covered(rule: RuleCoverage) -> str:
    missing = rule.missing()
    sides = f"true {rule.true}, false {rule.false}" if rule.conditional else f"matched {rule.true}"
    return f"{'✘' if missing else '✔'} {rule.file}:{rule.line} {rule.rule}: {missing or sides}"


def _json(suites: Sequence[Suite], covered: Coverage) -> dict[str, object]:
    tests = [
        {
            "file": case.result.test.file,
            "line": case.result.test.line,
            "name": case.name,
            "passed": case.result.passed,
            "differences": [
                {"message": one.message, "found": one.found, "expected": one.expected, "order": list(one.order)}
                for one in case.result.differences
            ],
        }
        for suite in suites
        for case in suite.cases
    ]
    rules = [
        {"rule": r.rule, "file": r.file, "line": r.line, "true": r.true, "false": r.false, "missing": r.missing()}
        for r in covered.rules
    ]
    problems = [{"where": problem.where, "message": str(problem)} for suite in suites for problem in suite.problems]
    ok = bool(tests) and not problems and all(test["passed"] for test in tests)
    coverage = {"percent": round(covered.percent, 1) if covered.rules else None, "rules": rules}
    return {"ok": ok, "tests": tests, "problems": problems, "coverage": coverage}


test = run_tests
"""The command: pytest takes a function of this name, with defaults, for a test of its own."""
