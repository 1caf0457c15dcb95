"""`calends migrate`: the ledger's tables."""

from __future__ import annotations

import typer

from pipeline.cli.ledger import ledger_at
from pipeline.cli.options import CANNOT_GO_ON, HERE, Config, give_up, tell, there
from pipeline.ledger import LedgerUnavailable
from pipeline.operate.check import check


def migrate(config: Config = HERE) -> None:
    """Bring the ledger's tables to this version. SQLite does so by itself."""
    report = check(there(config), secrets=False, tests=False)
    if report.problems or report.settings is None:
        tell(report.problems)
        raise typer.Exit(CANNOT_GO_ON)
    ledger = ledger_at(report.settings)
    try:
        was_behind = ledger.behind()
        ledger.migrate()
    except LedgerUnavailable as error:
        give_up(f"the ledger cannot be reached, or refuses: {error}")
    finally:
        ledger.close()
    typer.echo("the ledger's tables are now up to date" if was_behind else "the ledger's tables were up to date")
