"""A secret and a person, planted in whatever is read, and what must show neither; how much is tried.

`CALENDS_FUZZ_EXAMPLES` tries more than the suite does: `make fuzz EXAMPLES=5000`.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any

import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipeline.telemetry import Telemetry, configure_logging

SECRET = "hunter2-is-the-password"
PERSON = "erika.mustermann@example.org"
PLANTED = (SECRET, PERSON)


def tries(examples: int) -> Any:
    """So many examples, or as many as were asked for."""
    wanted = int(os.environ.get("CALENDS_FUZZ_EXAMPLES", "0")) or examples
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=wanted, deadline=None, suppress_health_check=slow)


def assert_shows_nothing(*shown: object) -> None:
    for text in map(str, shown):
        for planted in PLANTED:
            assert planted not in text


@dataclass
class Watched:
    """Telemetry whose log lines, at the most talkative, are kept beside its metrics."""

    telemetry: Telemetry = field(default_factory=lambda: Telemetry(b"k" * 32))
    log: io.StringIO = field(default_factory=io.StringIO)

    def told(self) -> str:
        """All that was logged or counted."""
        return self.log.getvalue() + self.telemetry.exposition()[0].decode()


@contextmanager
def watched() -> Iterator[Watched]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    watch = Watched()
    try:
        with redirect_stderr(watch.log):
            configure_logging("debug", json=True)
        yield watch
    finally:
        root.handlers[:], root.level = before
        structlog.reset_defaults()


TEXTS = st.sampled_from(PLANTED) | st.sampled_from(
    ("", "\0", "\ud800", "\ufeff", "\u202e", "x" * 70_000, "2026-12-24", "2026-12-24T09:00:00Z", "0001-01-01T00:00:00",
     "9999-12-31T23:59:59-23:59", "true", "null", "{{ data }}", "../../etc/passwd", "%00", "<b>", "'; drop table x; --")
) | st.text(max_size=20)  # fmt: skip
NUMBERS = (
    st.sampled_from((0, -1, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**4000, 1e308, float("inf"), float("nan"), -0.0))
    | st.integers()
    | st.floats()
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
"""Any value of JSON, and more than that: what Python writes for NaN, and texts that no database takes."""
