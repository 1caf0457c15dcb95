"""`calends migrate`: the ledger's tables."""

from __future__ import annotations

import typer

from pipeline.cli.configured import sound
from pipeline.cli.ledger import ledger_at
from pipeline.cli.options import HERE, Config, give_up
from pipeline.ledger import LedgerUnavailable
from pipeline.telemetry.advice import of_ledger


def migrate(config: Config = HERE) -> None:
    """Bring the ledger's tables to this version. SQLite does so by itself."""
    report = sound(config)
    ledger = ledger_at(report.usable)
    try:
        was_behind = ledger.behind()
        ledger.migrate()
    except LedgerUnavailable as error:
        give_up(f"the ledger at {ledger.address} cannot be used: {of_ledger(str(error))}")
    finally:
        ledger.close()
    typer.echo("the ledger's tables are now up to date" if was_behind else "the ledger's tables were up to date")
