"""What becomes of dead letters and outcomes on their way to Kafka: the log line and the metric together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from structlog.typing import FilteringBoundLogger

from pipeline.advice import OUTBOX
from pipeline.telemetry.logs import code
from pipeline.telemetry.metrics import Metrics


class OutboxEvents:
    def __init__(self, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._metrics = metrics
        self._log = log
        self._kept: set[str] = set()

    def sent(self, topic: str, n: int) -> None:
        self._metrics.sent.labels(topic).inc(n)
        self._log.debug("outbox sent", topic=topic, n=n)

    def refused(self, topic: str, reason: str, sizes: Sequence[int]) -> None:
        """Kafka will not take records for what they, or their topic, are: they stand aside and are tried again later.

        `sizes`: of each, in bytes; the largest is told.
        """
        self._log.error(
            "outbox records refused",
            topic=topic,
            reason=code(reason),
            n=len(sizes),
            bytes=max(sizes),
            advice=OUTBOX.get(reason, "let the user of the settings write to this topic"),
        )

    def kept(self, records: Mapping[str, int]) -> None:
        """Topic → records that it would not take and that the ledger keeps."""
        for topic in self._kept - records.keys():
            self._metrics.refused.labels(topic).set(0)
        for topic, n in records.items():
            self._kept.add(topic)
            self._metrics.refused.labels(topic).set(n)
