"""`calends forget`: a person is erased, at the vendors and in the ledger."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.bars import progress_bar
from pipeline.cli.configured import sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, PROBLEMS, USAGE, AsJson, Config, give_up, input_of
from pipeline.operate.call import actor
from pipeline.operate.forgetting import Forgotten
from pipeline.operate.forgetting import forget as forgotten

Who = Annotated[
    str, typer.Argument(metavar="SUBSCRIBER", help="Your own id of the person, as rules name them; - reads it.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count their entries.")]
Patience = Annotated[
    float, typer.Option("--timeout", min=0.0, metavar="SECONDS", help="How long to wait for the lanes to delete.")
]


def forget(
    subscriber: Who,
    config: Config = HERE,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    timeout: Patience = 60.0,
) -> None:
    """Erase a person at the vendors and in the ledger; a late event does not bring them back.

    A running worker deletes what vendors hold, inside the quota. May be run again. Ends with 1 while something is left.
    """
    person = input_of("-").decode("utf-8", "replace").strip() if subscriber == "-" else subscriber
    if not person:
        give_up("SUBSCRIBER is empty", USAGE)
    report = sound_settings(config)
    with opened(report.usable) as ledger:
        entries = ledger.forgetting.count(person)
        if dry_run:
            typer.echo(json.dumps(entries) if as_json else f"{sum(entries.values())} entries would be erased")
            return
        _confirmed(yes, sum(entries.values()))
        rules = None if report.problems else report.rule_set()
        with progress_bar(not as_json, "deleting") as progress:
            work = forgotten(report.usable, rules, ledger, person, actor(), timeout, progress)
            told = asyncio.run(work)
    typer.echo(json.dumps(asdict(told), indent=2) if as_json else "\n".join(_lines(told)))
    raise typer.Exit(PROBLEMS if told.waiting else 0)


def _confirmed(yes: bool, entries: int) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        give_up("this cannot be undone: say --yes", USAGE)
    typer.confirm(f"{entries} entries and all that is known of the person are erased. Go on?", abort=True)


def _lines(told: Forgotten) -> Iterator[str]:
    for destination, n in sorted(told.erased.items()):
        yield f"{destination}: {n} entries erased"
    for destination, n in sorted(told.kept.items()):
        yield f"{destination}: {n} entries that the vendor keeps: no call deletes them, or it refused to"
    for destination, n in sorted(told.waiting.items()):
        yield f"{destination}: {n} entries still to be deleted by the lanes: run it again (calends status says why)"
    if not (told.erased or told.kept or told.waiting):
        yield "nothing was known of this person; they are marked as forgotten all the same"
    for vendor, words in told.vendors_keep.items():
        for one in words:
            yield f"{vendor} keeps: {one}"
    for topic, until in told.topics.items():
        yield f"topic {topic}: {until}"
