"""`calends status`: how each destination stands."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline.cli.configured import sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, Config
from pipeline.cli.words import moment, span, table
from pipeline.ledger import BOUND, FOR_GOOD, STATES, Hold, Ledger
from pipeline.operate.check import Report
from pipeline.operate.status import Standing, Status
from pipeline.operate.status import status as read

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for other programs; with --watch, a line each time.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show it again each second, until Ctrl-C.")]
HEAD = ("destination", *STATES, "oldest ready", "quota used", "calls/min", "drained in", "late", "hold")


def status(config: Config = HERE, as_json: AsJson = False, watch: Watch = False) -> None:
    """Show each destination's backlog, rate, quota, holds and time until drained, from the ledger alone."""
    report = sound_settings(config)
    with opened(report.usable) as ledger:
        if not watch:
            seen = _seen(report, ledger)
            typer.echo(json.dumps(plain(seen), indent=2) if as_json else "\n".join(lines(seen)))
            return
        with suppress(KeyboardInterrupt):
            _watch(report, ledger, as_json)


def _seen(report: Report, ledger: Ledger) -> Status:
    return read(report.usable, ledger, None if report.problems else report.rule_set().digest)


def _watch(report: Report, ledger: Ledger, as_json: bool) -> None:
    from rich.console import Console  # only to watch: one look comes at once
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if as_json or not console.is_terminal:
        while True:
            seen = _seen(report, ledger)
            typer.echo(json.dumps(plain(seen)) if as_json else "\n".join([*lines(seen), ""]))
            time.sleep(1.0)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(Text("\n".join(lines(_seen(report, ledger))), no_wrap=True), refresh=True)
            time.sleep(1.0)


def plain(seen: Status) -> dict[str, Any]:
    """For `--json`: times in seconds, moments in seconds since 1970."""
    told = asdict(seen)
    told["rules_taken"] = [{"revision": revision, "at": at} for revision, at in seen.rules_taken]
    for one, standing in zip(told["destinations"], seen.destinations, strict=True):
        one["rate"] = standing.rate
        for hold, of in zip(one["holds"], standing.holds, strict=True):
            hold["lifted_by"] = of.lifted_by
    return told


def lines(seen: Status) -> Iterator[str]:
    yield f"{moment(seen.at)} · {_rules(seen)}"
    yield from (f"rules {held.digest[:12]} held: {held.reason}; lifted by calends approve" for held in seen.rules_held)
    for reading in seen.rules_read:
        if reading.refused is not None:
            yield f"{reading.worker} goes on with revision {reading.revision}: {reading.refused}"
    yield from table(HEAD, [_row(standing) for standing in seen.destinations])
    if any(standing.estimated for standing in seen.destinations):
        yield f"~ an estimate: more than {BOUND} in one state are not counted one by one"
    for standing in seen.destinations:
        for hold in standing.holds:
            yield f"{standing.destination}: {told(hold, seen.at)}"
    if seen.outbox:
        yield f"{seen.outbox} dead letters or outcomes are not in Kafka yet"
    for topic, n in seen.refused.items():
        yield f"{n} records for {topic} are refused by Kafka and kept: see the log for why"
    for part, until in seen.catching_up.items():
        if until == FOR_GOOD:
            yield f"{part}: read from the middle on; for good entries are looked for at the vendor first"
        else:
            yield f"{part}: the ledger went back; nothing is sent until this is read again up to offset {until}"


def _rules(seen: Status) -> str:
    if seen.newest_rules is None:
        return "no rules have been run yet"
    if seen.these_rules == seen.newest_rules:
        return f"rules revision {seen.newest_rules}{_taken(seen)}"
    these = f"are revision {seen.these_rules}" if seen.these_rules else "have not been run, or cannot be read"
    return f"rules revision {seen.newest_rules}{_taken(seen)}; those of this configuration {these}"


def _taken(seen: Status) -> str:
    """Since when the newest rules are the active ones."""
    at = next((at for _, at in seen.rules_taken), None)
    return "" if at is None else f" since {moment(at)}"


def _row(one: Standing) -> tuple[str, ...]:
    return (
        one.destination,
        *(_about(one, state, str(one.entries[state])) for state in STATES),
        span(one.oldest_ready),
        " ".join(f"{taken.calls}/{taken.of} in {span(taken.seconds)}" for taken in one.quota) or "-",
        "-" if one.rate is None else f"{one.rate:.0f}",
        _about(one, "drained_in", span(one.drained_in)),
        _about(one, "late_when_drained", "no" if one.late_when_drained == 0 else span(one.late_when_drained)),
        ", ".join(dict.fromkeys(hold.reason for hold in one.holds)) or "-",
    )


def _about(one: Standing, figure: str, shown: str) -> str:
    return f"~{shown}" if figure in one.estimated and shown != "-" else shown


def told(hold: Hold, now: float) -> str:
    """A hold in a sentence: why, since when, and what lifts it."""
    what = f"rule {hold.rule} refused" if hold.rule else hold.reason
    since = "" if hold.since is None else f" since {moment(hold.since)} ({span(max(0.0, now - hold.since))})"
    until = (
        "" if hold.until is None else f", until {moment(hold.until)}" if hold.reason in ("throttled", "budget") else ""
    )
    detail = f" [{hold.detail}]" if hold.detail else ""
    return f"{what}{since}{until}{detail}; lifted by {hold.lifted_by}"
