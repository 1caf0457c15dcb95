"""Spans by OpenTelemetry, where its libraries are installed and an endpoint is named; else nothing, at no cost.

The only module with OpenTelemetry. A span says where and what came of it; never a key, a person or a body.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pipeline import __version__

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables: where one is set, and OTEL_SDK_DISABLED is not true, tracing is on."""
FLUSH = 2000
"""Milliseconds that a stop waits for the last spans to leave."""
Say = Callable[[str, str], None]
"""Sets an attribute of the span."""


class TracingMissing(Exception):
    """Tracing is asked for and its libraries are not installed."""


def wanted(environment: Mapping[str, str]) -> bool:
    on = any(environment.get(name) for name in ENDPOINTS)
    return on and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"


def tracing() -> Tracing | None:
    """None: it is off. Raises TracingMissing."""
    if not wanted(os.environ):
        return None
    if importlib.util.find_spec("opentelemetry") is None:
        raise TracingMissing(f"{' or '.join(ENDPOINTS)} is set: pip install 'calends[tracing]', or unset it")
    return Tracing()


class Tracing:
    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME", "calends")
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": name, "service.version": __version__})
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("calends", __version__)

    @contextmanager
    def span(self, name: str, kind: str, parents: Sequence[str], said: Mapping[str, Any]) -> Iterator[Say]:
        """`kind`: `consumer` or `client`. A child of the first parent, linked to the others; those are traceparents."""
        from opentelemetry.trace import Link, SpanKind, get_current_span
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        contexts = [TraceContextTextMapPropagator().extract({"traceparent": one}) for one in dict.fromkeys(parents)]
        links = [Link(get_current_span(one).get_span_context()) for one in contexts[1:]]
        with self._tracer.start_as_current_span(
            name,
            context=contexts[0] if contexts else None,
            kind=SpanKind[kind.upper()],
            links=links,
            attributes=dict(said),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span.set_attribute

    def close(self) -> None:
        self._provider.force_flush(FLUSH)
