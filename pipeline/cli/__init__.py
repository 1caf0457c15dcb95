"""The command `calends`: one module per command. They parse and print; what is done stands in `pipeline.operate`.

Only the module of the command that was chosen is imported: the help, and a command that needs little, start at once.
"""

from __future__ import annotations

import gc
import signal
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from pipeline import __version__

EXIT_CODES = (
    "Exit codes: 0 fine; 1 problems were found, or not converged; 2 wrong usage; "
    "3 cannot go on, e.g. the settings are not valid or the ledger was lost."
)

COMMANDS = {
    "demo": "See it work on this machine alone: an embedded broker, simulated vendors, sample events and a worker.",
    "check": "Read settings, rules and credentials, run the rules' tests, and tell every problem. Sends nothing.",
    "test": "Run the tests that rule files carry: events in several orders, and what must come of them. Sends nothing.",
    "explain": "Show which rules match an event and why, each change, and each vendor's exact request. Sends nothing.",
    "new": "Make a first rule from a sample event.",
    "diff": "Run two rule sets over the same records and show which entries would differ. Reads only, in no group.",
    "run": "Read events from Kafka and keep the calendars in step, until SIGTERM or Ctrl-C.",
    "reapply": "Put right what a wrong rule did: read the records since then again, under the rules as they are now.",
    "approve": "Approve rules that would cancel or delete more than the brake lets pass; workers then take them.",
    "webhooks": "Take what vendors post at POST /DESTINATION/SECRET and write it to Kafka, until SIGTERM or Ctrl-C.",
    "migrate": "Bring the ledger's tables to this version. SQLite does so by itself.",
    "sandbox": "Simulate the calendar vendors, as strict as their documents, with a page that shows every calendar.",
    "status": "Show each destination's backlog, rate, quota, holds and time until drained, from the ledger alone.",
    "entry": "Show the whole story of one entry: what is wanted, what the vendor holds, and what it waits for.",
    "pause": "Send nothing to a destination until it is resumed. Every worker obeys within a quarter of a second.",
    "resume": "Lift a pause of `calends pause`, or with --rule the hold of a rule that the vendor refused.",
    "reconcile": "Read a vendor back and report what differs from what it acknowledged; put it right with --repair.",
    "forget": "Erase a person at the vendors and in the ledger; a late event does not bring them back.",
    "export": "Write what the ledger knows of entries as lines of JSON, of all, a destination or a person.",
    "dlq": "List, show, replay or discard dead letters.",
    "audit": "Show what people did by hand, the newest first.",
    "call": "Call a vendor's API: signed, inside the account's quota, and audited in the ledger.",
    "vendors": "Show what a vendor can say, its options, secrets and limits. Connects to nothing, needs no settings.",
}
"""In the order of the help, each with its docstring's first paragraph. `a-b` is `a_b` in the module `a_b`: a function,
or a `typer.Typer` where the command has commands of its own."""

SERVING = ("run", "webhooks")
"""What ends with 0 when it is told to, from its first moment on: the signal alone does not end a container's first
process."""


class OnDemand(TyperGroup):
    """Knows names and help lines; imports a command's module once the command is chosen, to be run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        if name in SERVING:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        return name, chosen(name) if name in COMMANDS else listed, rest


def chosen(name: str) -> Any:
    """The command itself, with its options."""
    found = _imported(name.replace("-", "_"))
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name, epilog=EXIT_CODES)(found)
    return get_command(alone)


def _imported(attribute: str) -> Any:
    """What is imported stays: to look through it for garbage, meanwhile and ever after, costs a fifth of a start."""
    gc.disable()
    try:
        return getattr(import_module(f"{__name__}.{attribute}"), attribute)
    finally:
        gc.freeze()
        gc.enable()


app = typer.Typer(
    name="calends",
    cls=OnDemand,
    help="Keeps people's calendars in step with what a business knows.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _listed() -> None:
    """Stands for a command in the list."""


for _name, _line in COMMANDS.items():
    app.command(_name, help=_line)(_listed)


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
