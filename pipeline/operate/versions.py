"""Rules as they stand at a path: a whole configuration, or rules alone under another one's settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.operate.check import check
from pipeline.operate.comparing import Version
from pipeline.operate.reading import file_of
from pipeline.operate.testing import is_settings
from pipeline.rules.check import check_rules
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_paths
from pipeline.settings import Settings, views_of
from pipeline.vendors import vendors


def version_at(path: Path, config: Path | None) -> Version | tuple[Problem, ...]:
    """The rules of a path, or what is wrong with them. `config` gives the settings of rules that have none."""
    if config is None or (path.is_file() and is_settings(path)):
        return _whole(file_of(path))
    found = _whole(config)
    if not isinstance(found, Version):
        return found
    return rules_at(path, found.settings)


def rules_at(path: Path, settings: Settings) -> Version | tuple[Problem, ...]:
    """Rules alone; their tests are not run."""
    rules = replace(load_paths([path], vendors()), tests=())
    problems = check_rules(rules, views_of(settings), settings.all_layers)
    return tuple(problems) if problems else Version(settings, rules)


def _whole(file: Path) -> Version | tuple[Problem, ...]:
    report = check(file, secrets=False, tests=False)
    if report.problems or report.settings is None:
        return report.problems
    return Version(report.settings, report.rules)
