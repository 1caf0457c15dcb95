"""`calends reapply`: puts right what a wrong rule did."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.bars import progress_bar
from pipeline.cli.configured import sound
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, PROBLEMS, AsJson, Config, give_up
from pipeline.cli.since import Since, instant
from pipeline.ledger import Act, Ledger
from pipeline.operate.call import actor
from pipeline.operate.check import Report
from pipeline.operate.comparing import Version
from pipeline.operate.reapplying import Reapplied, Reapplying
from pipeline.stream import StreamError
from pipeline.stream.configured import kafka_config
from pipeline.stream.ranges import Span, bounds_of

Rule = Annotated[
    str, typer.Option("--rule", "-r", help="The rule that was wrong: its name, also where it is gone now.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would become of the entries, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Also where more would be cancelled than the brake lets pass.")]


def reapply(
    rule: Rule, since: Since, config: Config = HERE, dry_run: DryRun = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Put right what a wrong rule did: read the records since then again, under the rules as they are now."""
    report = sound(config)
    with opened(report.usable) as ledger:
        try:
            told, refused = asyncio.run(_reapply(report, ledger, rule, since, dry_run, yes, as_json))
        except StreamError as error:
            give_up(f"Kafka: {error}")
    typer.echo(json.dumps(asdict(told), ensure_ascii=False, indent=2) if as_json else "\n".join(_lines(told, dry_run)))
    if refused:
        give_up(refused, PROBLEMS)


async def _reapply(
    report: Report, ledger: Ledger, rule: str, since: str, dry_run: bool, yes: bool, as_json: bool
) -> tuple[Reapplied, str]:
    """What was told, and why nothing was done; empty: it was, or was not meant to be."""
    settings, rules = report.usable, report.rule_set()
    active = ledger.rules.active()
    if active is None or active.digest != rules.digest:
        give_up("the workers run other rules than these: let them read these first (calends status)")
    kafka = kafka_config(settings, None)
    work = Reapplying(rule, rules.with_revision(active.revision), ledger)
    topics = {*Version(settings, report.rules).topics(), *work.gather()}
    bounds = await bounds_of(kafka, sorted(topics), Span(instant(since)))
    with progress_bar(not as_json) as progress:
        told = await work.look(kafka, bounds, progress)
    live, share = ledger.rules.live(), settings.brake.share
    if told.counts["cancelled"] > share * live and not (yes or dry_run):
        ended = told.counts["cancelled"]
        return told, f"nothing was changed: {ended} of {live} live entries would be cancelled or deleted; --yes does it"
    if not dry_run:
        act = ledger.begin(Act(actor(), "reapply", "", f"{rule} since {since}"))
        work.write()
        ledger.end(act, f"{sum(told.counts.values()) - told.counts['unchanged']} entries")
    return told, ""


def _lines(told: Reapplied, dry_run: bool) -> list[str]:
    would = "would be " if dry_run else ""
    counts = [
        f"{told.counts[what]:,} {would}{what}" for what in ("created", "changed", "cancelled") if told.counts[what]
    ]
    head = f"{told.records:,} records: {', '.join(counts) or 'nothing to put right'}"
    left = [
        f"  nobody sends to {name} any more: {n:,} entr{'y stays' if n == 1 else 'ies stay'} there"
        for name, n in sorted(told.left.items())
    ]
    return [head, *left, *(f"  {what} {key} at {destination}" for what, destination, key in told.examples)]
