"""Secrets that stand where none belongs. What is found is never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.rules.masking import MASK, secret_in
from pipeline.rules.problem import Problem, Where
from pipeline.rules.schema import Rules, Sourced

_NAMED = re.compile(r"(^|_)(password|passwd|secret|api_?key|access_?token|private_?key|authorization)$", re.IGNORECASE)
_LEAST = 8
"""Characters of a credential below which it may stand in a text by chance."""


def secret_problems(rules: Rules, known: Mapping[str, str]) -> Iterator[Problem]:
    """`known`: the secrets that the settings name → their names."""
    held = {secret: name for secret, name in known.items() if len(secret) >= _LEAST}
    for sourced in rules.rules:
        for at, text in _texts(sourced):
            kind = next((name for secret, name in held.items() if secret in text), None) or secret_in(text)
            if kind is None and _NAMED.search(str(at[-1])) and "{{" not in text and len(text) >= _LEAST:
                kind = f"a {at[-1]}"
            if kind is not None:
                advice = "take it out and have it changed: whoever reads this file knows it"
                yield sourced.problem(at, "a secret in the rules", f"{kind} ({MASK})", "no secret", advice)


def secrets_in_tests(rules: Rules, known: Mapping[str, str]) -> Iterator[Problem]:
    """The same of tests: a sample of a real event may hold one."""
    held = {secret: name for secret, name in known.items() if len(secret) >= _LEAST}
    for sourced in rules.tests:
        for at, text in _walk(sourced.test.model_dump(by_alias=True, exclude_unset=True), ()):
            kind = next((name for secret, name in held.items() if secret in text), None) or secret_in(text)
            if kind is not None:
                found, place = f"{kind} ({MASK})", ".".join(map(str, at))
                expected, advice = f"no secret at {place}", "write another text, and have this one changed"
                yield Problem(sourced.file, sourced.line, "a secret in a test", found, expected, advice)


def _texts(sourced: Sourced) -> Iterator[tuple[Where, str]]:
    return _walk(sourced.rule.model_dump(by_alias=True, exclude_unset=True), ())


def _walk(node: Any, at: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(node, str):
        yield at, node
    elif isinstance(node, Mapping):
        for name, value in node.items():
            # In the file a vendor's section stands beside the other keys.
            yield from _walk(value, at if name == "own" and len(at) == 2 else (*at, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, (*at, index))
