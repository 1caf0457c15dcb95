"""`calends export`: what the ledger knows of entries, as lines of JSON."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.configured import known_destination, sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, USAGE, Config, Destination, give_up
from pipeline.ledger import Act
from pipeline.operate.call import actor
from pipeline.operate.exporting import told

Subscriber = Annotated[str | None, typer.Option("--subscriber", "-s", metavar="ID", help="Of this person only.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; else standard output.")]


def export(
    config: Config = HERE, destination: Destination = None, subscriber: Subscriber = None, output: Output = None
) -> None:
    """Write what the ledger knows of entries as lines of JSON, of all, a destination or a person.

    The lines hold content and persons: treat them like the events.
    """
    report = sound_settings(config)
    if destination is not None:
        known_destination(report.usable, destination)
    with opened(report.usable) as ledger:
        detail = "of one person" if subscriber is not None else "of everybody"
        act, count = ledger.begin(Act(actor(), "export", destination or "", detail)), 0
        try:
            with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8") as file:
                for row in ledger.export.every(destination, subscriber):
                    file.write(json.dumps(told(row), ensure_ascii=False, separators=(",", ":")) + "\n")
                    count += 1
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                give_up(f"{output or 'standard output'}: {error.strerror}", USAGE)
        finally:
            ledger.end(act, f"{count} entries")
