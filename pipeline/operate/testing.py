"""The tests of rules, run for a person: which settings there are, what each test came to, and what they cover."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from pipeline.operate.check import Report, check
from pipeline.operate.unused import untaken
from pipeline.rules.coverage import Coverage, coverage_of
from pipeline.rules.documents import NotYaml, load_yaml, read_file
from pipeline.rules.problem import Problem
from pipeline.rules.selftest import TestResult, given_events, run_test

NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 may hold, escaped or not."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test, and the seconds it took."""

    result: TestResult
    seconds: float

    @property
    def name(self) -> str:
        test = self.result.test
        return test.test.name or f"line {test.line}"


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one configuration. With `problems` none of them ran."""

    file: Path
    problems: tuple[Problem, ...] = ()
    cases: tuple[Case, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    warnings: tuple[Problem, ...] = ()

    @property
    def failed(self) -> int:
        return sum(not case.result.passed for case in self.cases)


def settings_files(path: Path) -> list[Path]:
    """The settings file that is meant, or each one under a folder that is not itself a configuration."""
    if not path.is_dir():
        return [path]
    if (path / "calends.yaml").exists():
        return [path / "calends.yaml"]
    return [file for file in sorted(path.rglob("*.yaml")) if is_settings(file)]


def run_suite(file: Path, wanted: str = "") -> Suite:
    """The tests whose name holds `wanted`, whatever its case. Credentials are not looked at."""
    report = check(file, secrets=False, tests=False)
    if report.problems or report.settings is None:
        return Suite(file, report.problems)
    cases = tuple(_cases(report, wanted.lower()))
    rules = report.rule_set()
    own = {sourced.rule.name for sourced in report.rules.rules}
    events = [event for case in cases for event in given_events(case.result.test, rules)]
    covered = coverage_of(rules, events)
    return Suite(
        file,
        (),
        cases,
        Coverage(tuple(rule for rule in covered.rules if rule.rule in own)),
        tuple(untaken(report.rules)),
    )


def junit(suites: Sequence[Suite]) -> str:
    """JUnit's XML: a suite for each configuration, a case for each test, named by the file that it stands in."""
    root = ElementTree.Element("testsuites", _counts(suites))
    for suite in suites:
        element = ElementTree.SubElement(root, "testsuite", {"name": str(suite.file)} | _counts([suite]))
        for problem in suite.problems:
            case = ElementTree.SubElement(element, "testcase", {"classname": problem.where, "name": "check"})
            ElementTree.SubElement(case, "error", {"message": problem.message}).text = str(problem)
        for one in suite.cases:
            test = one.result.test
            said = {"classname": test.file, "name": one.name, "file": test.file, "line": str(test.line)}
            case = ElementTree.SubElement(element, "testcase", said | {"time": f"{one.seconds:.4f}"})
            for problem in one.result.problems():
                ElementTree.SubElement(case, "failure", {"message": problem.message}).text = str(problem)
    ElementTree.indent(root)
    written = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    return NOT_IN_XML.sub("\ufffd", written) + "\n"


def _counts(suites: Sequence[Suite]) -> dict[str, str]:
    seconds = sum(case.seconds for suite in suites for case in suite.cases)
    return {
        "tests": str(sum(len(suite.cases) + len(suite.problems) for suite in suites)),
        "failures": str(sum(suite.failed for suite in suites)),
        "errors": str(sum(len(suite.problems) for suite in suites)),
        "time": f"{seconds:.4f}",
    }


def _cases(report: Report, wanted: str) -> Iterator[Case]:
    rules = report.rule_set()
    for test in report.rules.tests:
        if wanted in test.test.name.lower():
            started = time.monotonic()
            result = run_test(test, rules)
            yield Case(result, time.monotonic() - started)


def is_settings(file: Path) -> bool:
    """Whether it is a settings file, which names destinations, and not one of rules."""
    try:
        document = load_yaml(read_file(file))
    except NotYaml:
        return True  # told by the check of it
    return isinstance(document, dict) and "destinations" in document
