"""The figures of a contest as tables: for the terminal, and between the marks of `docs/performance.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import ceiling, picture, start
from bench.report import markdown
from bench.surroundings import IN_FLIGHT

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"
RESULT = ROOT / "bench" / "result.json"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of the figures -->"

Runs = Sequence[Mapping[str, Any]]
SPEED = {
    "per_cpu_second": "deliveries a CPU second",
    "cpu_ms": "CPU ms a delivery",
    "cpu_whole_ms": "the same, start and all",
    "database_ms": "PostgreSQL's CPU ms a delivery",
    "per_second": "deliveries a second",
    "wall_seconds": "wall, s",
    "first_call_seconds": "of it until the first call, s",
    "cpu_start_seconds": "CPU until the first call, s",
    "memory_mb": "memory, MB",
    "most_in_flight": "calls at once",
    "calls": "calls",
    "vendor_share": "the double's share of a core",
}
CURRENT = {
    "current_seconds": "until all is current, s",
    "calls": "calls",
    "refused": "of them refused (429)",
    "early": "before a Retry-After was over",
    "cpu_ms": "CPU ms a delivery",
    "memory_mb": "memory, MB",
}


def table(runs: Runs, conditions: Mapping[str, Any]) -> str:
    """The median of each contestant's runs; in brackets the lowest and the highest, where there are three or more."""
    titles = list(dict.fromkeys(run["worker"] for run in runs))
    names = CURRENT if conditions["enforced"] else SPEED
    rows = [[title, *(_middle(runs, worker, name) for worker in titles)] for name, title in names.items()]
    if conditions["latency"]:
        rows.insert(0, _bound(runs, titles, conditions))
    head = f"{conditions['entries']:,} entries" + (f", {conditions['updates']} updates" * (conditions["updates"] > 1))
    lines = [markdown([head, *titles], rows)]
    lines += [
        f"\n{run['worker']}, round {run['round']}: not all was current at the end ({run['deliveries']:,} deliveries)."
        for run in runs
        if not run["completed"]
    ]
    return "\n".join(lines)


def _bound(runs: Runs, titles: Sequence[str], conditions: Mapping[str, Any]) -> list[str]:
    bound = IN_FLIGHT / conditions["latency"]
    shares = (median(_seen(runs, worker, "per_second") or [0.0]) / bound for worker in titles)
    return [f"of the bound of {bound:,.0f} a second", *(f"{share:.0%}" for share in shares)]


def _seen(runs: Runs, worker: str, name: str) -> list[float]:
    return sorted(run[name] for run in runs if run["worker"] == worker and run[name] is not None)


def _middle(runs: Runs, worker: str, name: str) -> str:
    figures = [run[name] for run in runs if run["worker"] == worker]
    seen, all_runs, middle = _seen(runs, worker, name), len(figures), picture.middle(figures)
    if not seen:
        return "never" if name == "current_seconds" else "–"
    if middle is None:
        return f"never in {all_runs - len(seen)} of {all_runs} runs"
    if len(seen) < all_runs:
        return f"{len(seen)} of {all_runs} runs: {middle:,}"
    spread = f" ({seen[0]:,}–{seen[-1]:,})" if len(seen) > 2 and seen[0] != seen[-1] else ""
    return f"{middle:,}{spread}"


def figures(result: Mapping[str, Any]) -> str:
    """All of a contest, in Markdown."""
    parts = [
        f"Measured on {result['machine']}.",
        ", ".join(f"{name} {version}" for name, version in result["versions"].items()) + ".",
        ceiling.table(result["ceiling"]),
    ]
    for one in result["tables"]:
        medians = f"Medians of {one['rounds']}, lowest and highest in brackets." if one["rounds"] > 2 else ""
        parts += [f"### {one['title']}", table(one["runs"], one["conditions"])] + [medians] * bool(medians)
    return "\n\n".join([*parts, "### Start", start.table(result["start"])])


def write(result: Mapping[str, Any]) -> None:
    """The result, the picture, and the page between its marks; what is written around them stays."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    PICTURE.write_text(picture.draw(result))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    image = f"![Deliveries a CPU second, and the time until all is current](images/{PICTURE.name})"
    PAGE.write_text(f"{before}{BEGIN}\n\n{image}\n\n{figures(result)}\n\n{END}{after}")
