"""The events of a rule set: what came of each reading of the files."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from pipeline.telemetry.metrics import Metrics

FIX = "fix the files: the rules that ran before go on"
RESTART = "restart the worker: only then it takes other settings; the rules that ran before go on"


class RuleEvents:
    """What a worker says of the rules that it runs; `revision` is always the one that runs now."""

    def __init__(self, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._metrics = metrics
        self._log = log

    def loaded(self, revision: int) -> None:
        self._count("loaded", revision)
        self._log.info("rules loaded", revision=revision)

    def unchanged(self, revision: int) -> None:
        self._count("unchanged", revision)
        self._log.info("rules unchanged", revision=revision)

    def refused(self, revision: int, where: str, message: str, problems: int, advice: str = FIX) -> None:
        """The files have a problem, the first of them here: `revision` goes on."""
        self._count("refused", revision)
        self._log.error(
            "rules refused", revision=revision, where=where, problem=message, problems=problems, advice=advice
        )

    def held(self, revision: int, reason: str) -> None:
        """The rules of the files wait for a person: `revision` goes on."""
        self._count("held", revision)
        words = "look at calends diff, then run calends approve, or put the old rules back"
        self._log.warning("rules held", revision=revision, reason=reason, advice=words)

    def _count(self, outcome: str, revision: int) -> None:
        self._metrics.reloads.labels(outcome).inc()
        self._metrics.rules_revision.set(revision)
        self._metrics.rules_refused.set(outcome == "refused")
        self._metrics.rules_held.set(outcome == "held")
