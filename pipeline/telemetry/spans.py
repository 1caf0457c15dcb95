"""The spans there are: the reading of a record, and a call to a vendor. Without tracing they cost nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from pipeline.model.facts import Facts
from pipeline.model.trace import kept
from pipeline.model.wire import Coordinates
from pipeline.telemetry.tracing import Say, Tracing

_UNTRACED: AbstractContextManager[Say] = nullcontext(lambda name, value: None)


class Spans:
    """`vendors`: destination → vendor."""

    def __init__(self, vendors: Mapping[str, str]) -> None:
        self._vendors = vendors
        self.tracing: Tracing | None = None
        """None: nothing is traced."""

    def record(self, at: Coordinates, parent: str | None) -> AbstractContextManager[Say]:
        """The reading of one record: decoded, and through the rules."""
        if self.tracing is None:
            return _UNTRACED
        said = {
            "messaging.system": "kafka",
            "messaging.destination.name": at.topic,
            "messaging.destination.partition.id": str(at.partition),
            "messaging.kafka.offset": at.offset,
        }
        return self.tracing.span(f"process {at.topic}", "consumer", [] if parent is None else [parent], said)

    def call(self, destination: str, step: str, rows: Sequence[Facts]) -> AbstractContextManager[Say]:
        """One call to a vendor, in the traces of the records that asked for it."""
        if self.tracing is None:
            return _UNTRACED
        parents = [parent for parent in (kept(row.raws) for row in rows) if parent is not None]
        said = {"calends.destination": destination, "calends.vendor": self._vendors.get(destination, ""),
                "calends.step": step, "calends.entries": len(rows)}  # fmt: skip
        return self.tracing.span(f"{step} {destination}", "client", parents, said)

    def close(self) -> None:
        if self.tracing is not None:
            self.tracing.close()
