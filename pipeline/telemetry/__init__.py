"""What Calends says of itself: each event is one function that writes the log line and the metric together.

The only package that knows structlog and prometheus-client. No body, URL, key or name of a person gets in: `logs`
passes only the fields it lists.
"""

from pipeline.telemetry.events import GaugeRow, Telemetry
from pipeline.telemetry.logs import configure_logging

__all__ = ["GaugeRow", "Telemetry", "configure_logging"]
