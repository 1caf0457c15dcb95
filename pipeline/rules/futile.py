"""What a rule says that no event can make right: it compiles, and fails or never applies with every event."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.rules.arguments import misused
from pipeline.rules.compiled import CompiledRule
from pipeline.rules.paths import templates
from pipeline.rules.problem import Problem
from pipeline.rules.schema import Sourced


def futile(sourced: Sourced, rule: CompiledRule) -> Iterator[Problem]:
    """Each of them, at its place."""
    for at, template, _ in templates(rule):
        for one in misused(template.source):
            message = "a filter that cannot take its arguments"
            yield sourced.problem(at, message, one.found, one.why, f"write {one.form}")
