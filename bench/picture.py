"""The figures of a contest as one picture: bars, as SVG made by hand, so that no library is needed to draw them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 760, 180, 90
BAR, GAP, HEAD = 20, 8, 46
SHOWN = (
    ("Deliveries a CPU second of the worker, a vendor that answers at once: more is better", "fast", "per_cpu_second"),
    ("Seconds until all is current, at 100 calls a second: less is better", "quota", "current_seconds"),
)
"""Title, table, figure of each chart."""
OURS, OTHERS, INK, GROUND = "#2f6f4f", "#9aa5b1", "#1f2933", "#ffffff"


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float | None
    """None: it never came to it."""
    ours: bool

    @property
    def figure(self) -> str:
        return "never" if self.value is None else f"{self.value:,.{0 if self.value >= 100 else 1}f}"


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        return HEAD + len(self.bars) * (BAR + GAP)


def draw(result: Mapping[str, Any]) -> str:
    tables = {table["name"]: table for table in result["tables"]}
    charts = [_chart(title, tables[name], figure) for title, name, figure in SHOWN if name in tables]
    height = sum(chart.height for chart in charts) + GAP
    parts, top = [], 0
    for chart in charts:
        parts += _draw(chart, top)
        top += chart.height
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    style = f'font-family="sans-serif" font-size="13" fill="{INK}"'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="{GROUND}"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', ground, *parts, "</svg>\n"])


def _chart(title: str, table: Mapping[str, Any], figure: str) -> Chart:
    found: dict[str, list[float | None]] = {}
    for run in table["runs"]:
        if run["name"] != "two":
            found.setdefault(run["worker"], []).append(run[figure])
    return Chart(title, [Bar(name, middle(seen), name.startswith("Calends")) for name, seen in found.items()])


def middle(seen: Sequence[float | None]) -> float | None:
    """A run that never came to it is the worst one."""
    ranked = median(math.inf if value is None else value for value in seen)
    return None if math.isinf(ranked) else ranked


def _draw(chart: Chart, top: int) -> list[str]:
    most = max((bar.value or 0.0 for bar in chart.bars), default=0.0) or 1.0
    parts = [f'<text x="{GAP}" y="{top + 26}" font-weight="bold">{escape(chart.title)}</text>']
    for number, bar in enumerate(chart.bars):
        y = top + HEAD + number * (BAR + GAP) - GAP
        width = (WIDTH - LEFT - RIGHT) * (bar.value or 0.0) / most
        middle = y + BAR - 5
        parts += [
            f'<text x="{LEFT - GAP}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{OURS if bar.ours else OTHERS}"/>',
            f'<text x="{LEFT + width + GAP:.1f}" y="{middle}">{bar.figure}</text>',
        ]
    return parts
