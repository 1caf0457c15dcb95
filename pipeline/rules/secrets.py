"""Secrets that stand where none belongs. What is found is never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.rules.masking import MASK, secret_in
from pipeline.rules.problem import Problem, leaves
from pipeline.rules.schema import Rules

_NAMED = re.compile(r"(^|_)(password|passwd|secret|api_?key|access_?token|private_?key|authorization)$", re.IGNORECASE)
_LEAST = 8
"""Characters of a credential below which it may stand in a text by chance."""


def secret_problems(rules: Rules, known: Mapping[str, str]) -> Iterator[Problem]:
    """`known`: the secrets that the settings name → their names."""
    held = _held(known)
    for sourced in rules.rules:
        for at, text in sourced.texts():
            kind = _kind(text, held)
            if kind is None and _NAMED.search(str(at[-1])) and "{{" not in text and len(text) >= _LEAST:
                kind = f"a {at[-1]}"
            if kind is not None:
                advice = "take it out and have it changed: whoever reads this file knows it"
                yield sourced.problem(at, "a secret in the rules", f"{kind} ({MASK})", "no secret", advice)


def secrets_in_tests(rules: Rules, known: Mapping[str, str]) -> Iterator[Problem]:
    """The same of tests: a sample of a real event may hold one."""
    held = _held(known)
    for sourced in rules.tests:
        for at, text in leaves(sourced.test.model_dump(by_alias=True, exclude_unset=True)):
            kind = _kind(text, held) if isinstance(text, str) else None
            if kind is not None:
                found, place = f"{kind} ({MASK})", ".".join(map(str, at))
                expected, advice = f"no secret at {place}", "write another text, and have this one changed"
                yield Problem(sourced.file, sourced.line, "a secret in a test", found, expected, advice)


def _held(known: Mapping[str, str]) -> dict[str, str]:
    """Those that are long enough to tell from other texts."""
    return {secret: name for secret, name in known.items() if len(secret) >= _LEAST}


def _kind(text: str, held: Mapping[str, str]) -> str | None:
    """Which secret a text holds, or what it looks like."""
    return next((name for secret, name in held.items() if secret in text), None) or secret_in(text)
