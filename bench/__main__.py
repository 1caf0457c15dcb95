"""`python -m bench [contest|page|start|rules|…]`: figures on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench import ceiling, contest, diff, latency, page, rules, start, throughput
from bench.contestants import CONTESTANTS
from bench.environments import PEERS
from bench.report import machine
from bench.surroundings import Conditions
from tests.services import ServiceUnavailable

DESCRIPTION = "Measures Calends; real Kafka and PostgreSQL: CALENDS_TEST_KAFKA and CALENDS_TEST_POSTGRES, or its own."
PARTS = ("start", "rules", "diff", "throughput", "latency")
ENTRIES, WITH_PEERS = 5_000, 20_000
"""Of a contest; where peers take part it may take longer than ten minutes."""


def main() -> int:
    asked = _asked()
    try:
        match asked.what:
            case "contest":
                return _contest(asked)
            case "page":
                page.write(json.loads(page.RESULT.read_text()))
                return 0
            case "vendor":
                print(ceiling.table(ceiling.measure()))
                return 0
            case _:
                return _parts(PARTS if asked.what == "all" else (asked.what,), asked)
    except ServiceUnavailable as reason:
        print(reason, file=sys.stderr)
        return 3


def _contest(asked: argparse.Namespace) -> int:
    entries = asked.events or (WITH_PEERS if asked.peers else ENTRIES)
    result: dict[str, Any] = {}
    for result in contest.run(asked.peers, entries, asked.rounds, asked.bound):
        if asked.write:
            page.write(result)
    print(json.dumps(result, indent=1) if asked.json else page.figures(result))
    return 0 if all(run["completed"] for table in result["tables"] for run in table["runs"]) else 1


def _parts(names: tuple[str, ...], asked: argparse.Namespace) -> int:
    parts: dict[str, Any] = {}
    for name in names:
        parts[name], table = _part(name, asked)
        if not asked.json:
            print(table, end="\n\n", flush=True)
    print(json.dumps({"machine": machine(), **parts}, indent=2) if asked.json else f"Measured on {machine()}.")
    return 0 if all(run["completed"] for runs in parts.values() for run in runs) else 1


def _part(name: str, asked: argparse.Namespace) -> tuple[list[dict[str, Any]], str]:
    """Its runs, and their table."""
    conditions = Conditions(asked.events or WITH_PEERS, latency=asked.vendor_ms / 1000)
    match name:
        case "start":
            runs = start.measure(asked.starts)
            return runs, start.table(runs)
        case "rules":
            runs = rules.measure(asked.mapped)
            return runs, rules.table(runs)
        case "diff":
            runs = diff.measure(asked.compared)
            return runs, diff.table(runs)
        case "latency":
            runs = latency.measure(asked.samples, asked.bound)
            return runs, latency.table(runs)
        case _:
            runs = throughput.measure(asked.of, conditions, asked.rounds, asked.bound)
            return runs, page.table(runs, asdict(conditions))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=DESCRIPTION)
    parser.add_argument("what", nargs="?", default="contest", choices=("contest", "page", "vendor", *PARTS, "all"))
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="+", choices=names, default=[], help="who takes part in the contest besides")
    parser.add_argument("--write", action="store_true", help=f"write the contest's figures into {page.PAGE.name}")
    parser.add_argument("--rounds", type=_count, default=5, help="runs of each; medians are told (default 5)")
    counts: Mapping[str, tuple[int | None, str]] = {
        "events": (None, f"entries of a run (default {WITH_PEERS}; of a contest without peers {ENTRIES})"),
        "starts": (7, "starts of each kind"),
        "mapped": (100_000, "events for the rules"),
        "compared": (100_000, "records for a diff"),
        "samples": (200, "events of a latency run"),
    }
    for name, (default, told) in counts.items():
        told += f" (default {default})" * (default is not None)
        parser.add_argument(f"--{name}", type=_count, default=default, help=told)
    of = ["calends", "httpx"]
    parser.add_argument("--of", nargs="+", choices=tuple(CONTESTANTS), default=of, help="whose throughput")
    parser.add_argument("--vendor-ms", type=float, default=0.0, help="the vendor's latency for throughput (default 0)")
    parser.add_argument("--bound", type=float, default=300.0, help="seconds after which a run is ended (default 300)")
    parser.add_argument("--json", action="store_true", help="print one JSON object in the place of the tables")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


sys.exit(main())
