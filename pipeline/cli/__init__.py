"""The command `calends`: one module per command. They parse and print; what is done stands in `pipeline.operate`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli.call import call
from pipeline.cli.check import check
from pipeline.cli.explain import explain
from pipeline.cli.migrate import migrate
from pipeline.cli.options import give_up
from pipeline.cli.run import run
from pipeline.cli.sandbox import sandbox
from pipeline.cli.vendors import vendors
from pipeline.cli.webhooks import webhooks

EXIT_CODES = (
    "Exit codes: 0 fine; 1 problems were found, or not converged; 2 wrong usage; "
    "3 cannot go on, e.g. the settings are not valid or the ledger was lost."
)

app = typer.Typer(
    name="calends",
    help="Keeps people's calendars in step with what a business knows.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def demo() -> None:
    """See it work on this machine alone: an embedded broker, simulated vendors, sample events and a worker."""
    try:
        from pipeline.cli.demo import demo as shown
    except ModuleNotFoundError as error:
        give_up(f"the demo needs {error.name}: pip install 'calends[demo]'")
    shown()


for command in (demo, check, explain, run, webhooks, migrate, sandbox, call, vendors):
    app.command(epilog=EXIT_CODES)(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"calends {__version__}")
        raise typer.Exit


@app.callback()
def calends(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    app()
