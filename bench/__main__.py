"""`python -m bench [start|rules|diff|…|all]`: figures on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bench import diff, latency, rules, start, throughput
from bench.contestants import CONTESTANTS
from bench.report import machine
from tests.services import ServiceUnavailable

DESCRIPTION = "Measures Calends; real Kafka and PostgreSQL: CALENDS_TEST_KAFKA and CALENDS_TEST_POSTGRES, or its own."


def main() -> int:
    asked = _asked()
    parts: dict[str, Any] = {}
    try:
        if asked.what in ("start", "all"):
            parts["start"] = start.measure(asked.starts)
            _show(start.table(parts["start"]), asked.json)
        if asked.what in ("rules", "all"):
            parts["rules"] = rules.measure(asked.mapped)
            _show(rules.table(parts["rules"]), asked.json)
        if asked.what in ("diff", "all"):
            parts["diff"] = diff.measure(asked.compared)
            _show(diff.table(parts["diff"]), asked.json)
        if asked.what in ("throughput", "all"):
            latency_s = asked.vendor_ms / 1000
            parts["throughput"] = throughput.measure(asked.of, asked.events, asked.rounds, latency_s, asked.bound)
            _show(throughput.table(parts["throughput"], latency_s), asked.json)
        if asked.what in ("latency", "all"):
            parts["latency"] = latency.measure(asked.samples, asked.bound)
            _show(latency.table(parts["latency"]), asked.json)
    except ServiceUnavailable as reason:
        print(reason, file=sys.stderr)
        return 3
    if asked.json:
        print(json.dumps({"machine": machine(), **parts}, indent=2))
    else:
        print(f"Measured on {machine()}.")
    return 0 if all(run["completed"] for runs in parts.values() for run in runs) else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=DESCRIPTION)
    parser.add_argument(
        "what", nargs="?", default="all", choices=("start", "rules", "diff", "throughput", "latency", "all")
    )
    parser.add_argument("--starts", type=_count, default=7, help="starts of each kind (default 7)")
    parser.add_argument("--mapped", type=_count, default=100_000, help="events for the rules (default 100000)")
    parser.add_argument("--compared", type=_count, default=100_000, help="records for a diff (default 100000)")
    parser.add_argument("--events", type=_count, default=20_000, help="events of a throughput run (default 20000)")
    parser.add_argument(
        "--of", nargs="+", choices=tuple(CONTESTANTS), default=["calends", "httpx"], help="whose throughput"
    )
    parser.add_argument(
        "--rounds", type=_count, default=1, help="throughput runs of each; medians are told (default 1)"
    )
    parser.add_argument("--vendor-ms", type=float, default=0.0, help="the vendor's latency for throughput (default 0)")
    parser.add_argument("--samples", type=_count, default=200, help="events of a latency run (default 200)")
    parser.add_argument("--bound", type=float, default=300.0, help="seconds after which a run is ended (default 300)")
    parser.add_argument("--json", action="store_true", help="print one JSON object in the place of the tables")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _show(lines: str, as_json: bool) -> None:
    if not as_json:
        print(lines, end="\n\n", flush=True)


sys.exit(main())
