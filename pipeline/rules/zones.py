"""In which zones an entry starts and ends whose layers say times in zones of their own. Pure.

A layer's time_zone is that of the times which it says itself; where it says none, that of both. A time that it does not
say keeps its own: else a layer that moves the start alone would move the end by the difference of two zones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.model.entry import Content


def zoned(content: Content, layers: Sequence[Mapping[str, Any]], default: str | None) -> Content:
    """These layers, merged to this content, with the zones of their times. `default`: that of the destination."""
    if len(layers) < 2 or not any("time_zone" in layer for layer in layers[1:]):
        return content
    start: str | None = None
    end: str | None = None
    for layer in layers:
        start, end = _over(start, end, layer, default)
    said = {"time_zone": start, "end_time_zone": end if "end" in content and end != (start or default) else None}
    others = {name: value for name, value in content.items() if name not in said}
    return {**others, **{name: zone for name, zone in said.items() if zone is not None}}


def _over(
    start: str | None, end: str | None, layer: Mapping[str, Any], default: str | None
) -> tuple[str | None, str | None]:
    """The zones of start and end under this layer; None: for the start the default, for the end the start's."""
    says_start, says_end = layer.get("start") is not None, layer.get("end") is not None
    if "time_zone" not in layer:
        return start, layer.get("end_time_zone", end)
    said = layer["time_zone"]
    if says_end and not says_start:
        return start, layer.get("end_time_zone", said or default)
    if says_start and not says_end:
        return said, layer.get("end_time_zone", end or start or default)
    return said, layer.get("end_time_zone", None if says_end else end)
