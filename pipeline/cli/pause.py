"""`calends pause DESTINATION`: nothing is sent there until it is resumed."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.configured import known_destination, sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, Config
from pipeline.operate.call import actor
from pipeline.operate.halting import pause as stop

Where = Annotated[str, typer.Argument(metavar="DESTINATION", help="To which nothing is to be sent.")]
Reason = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why, for whoever looks at the status.")]


def pause(destination: Where, config: Config = HERE, reason: Reason = "") -> None:
    """Send nothing to a destination until it is resumed. Every worker obeys within a quarter of a second."""
    report = sound_settings(config)
    known_destination(report.usable, destination)
    with opened(report.usable) as ledger:
        done = stop(ledger, destination, actor(), reason)
    words = "paused" if done else "was paused already"
    typer.echo(f"{destination} {words}; events are still read. calends resume {destination} lets it go on")
