"""The events of webhooks: what vendors post to us, and what was made of it."""

from __future__ import annotations

from collections.abc import Iterable

from structlog.typing import FilteringBoundLogger

from pipeline.telemetry.logs import code
from pipeline.telemetry.metrics import NOTICES, Metrics


class WebhookEvents:
    """What the receiver says of notices; none of them says what stood in one."""

    def __init__(self, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._metrics = metrics
        self._log = log

    def declare(self, destinations: Iterable[str]) -> None:
        """The destinations whose vendor posts to us, so that their counters stand at zero before anything happens."""
        for name in destinations:
            self._metrics.repeats.labels(name)
            for kind in NOTICES:
                self._metrics.notices.labels(name, kind)

    def taken(self, destination: str, kind: str) -> None:
        """A vendor's notice is durable in Kafka."""
        self._metrics.notices.labels(destination, kind).inc()
        self._log.info("notice taken", destination=destination, kind=kind)

    def repeated(self, destination: str) -> None:
        self._metrics.repeats.labels(destination).inc()
        self._log.debug("notice repeated", destination=destination)

    def refused(self, destination: str, reason: str) -> None:
        """`destination` is empty where nobody proved to be one: anybody may knock, which is no reason to worry."""
        reason = code(reason)
        self._metrics.refusals.labels(destination, reason).inc()
        say = self._log.warning if destination else self._log.debug
        say("webhook refused", destination=destination, reason=reason)
