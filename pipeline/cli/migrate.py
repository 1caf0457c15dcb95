"""`calends migrate`: the ledger's tables."""

from __future__ import annotations

import typer

from pipeline.cli.configured import sound
from pipeline.cli.ledger import of_any_version
from pipeline.cli.options import HERE, Config


def migrate(config: Config = HERE) -> None:
    """Bring the ledger's tables to this version. SQLite does so by itself."""
    with of_any_version(sound(config).usable) as ledger:
        was_behind = ledger.behind()
        ledger.migrate()
    typer.echo("the ledger's tables are now up to date" if was_behind else "the ledger's tables were up to date")
