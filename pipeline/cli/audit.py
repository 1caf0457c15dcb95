"""`calends audit`: what people did by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.configured import sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, AsJson, Config
from pipeline.cli.words import moment, table

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="How many at the most.")]


def audit(config: Config = HERE, limit: Limit = 50, as_json: AsJson = False) -> None:
    """Show what people did by hand, the newest first."""
    report = sound_settings(config)
    with opened(report.usable) as ledger:
        acts = ledger.acts(limit)
    if as_json:
        typer.echo(json.dumps([asdict(act) for act in acts], ensure_ascii=False, indent=2))
        return
    rows = [(moment(act.at), act.actor, act.action, act.destination, act.outcome, act.detail) for act in acts]
    typer.echo("\n".join(table(("when", "who", "what", "destination", "outcome", "detail"), rows)))
