"""`calends approve`: lets rules go on that the brake holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.configured import sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, PROBLEMS, USAGE, AsJson, Config, give_up
from pipeline.ledger import Act, Ledger, RulesHold
from pipeline.operate.call import actor

Which = Annotated[str, typer.Argument(help="The rule set, by the start of its name. Needed where several wait.")]
ListOnly = Annotated[bool, typer.Option("--list", "-l", help="Show what waits and approve nothing.")]


def approve(which: Which = "", config: Config = HERE, list_only: ListOnly = False, as_json: AsJson = False) -> None:
    """Approve rules that would cancel or delete more than the brake lets pass; workers then take them."""
    with opened(sound_settings(config).usable) as ledger:
        waiting = [held for held in ledger.rules.state().holds if held.approved_by is None]
        if list_only:
            _show(waiting, as_json)
            return
        chosen = [held for held in waiting if held.digest.startswith(which)]
        if not chosen:
            give_up("no rules wait for an approval" + (f" whose name starts with {which}" if which else ""), PROBLEMS)
        if len(chosen) > 1:
            _show(chosen, as_json)
            give_up("several rule sets wait: name one", USAGE)
        _approve(ledger, chosen[0])
        _show(chosen, as_json, "approved ")


def _approve(ledger: Ledger, held: RulesHold) -> None:
    act = ledger.begin(Act(actor(), "approve", "", held.digest[:12]))
    ledger.rules.approve(held.digest, actor())
    ledger.end(act, "approved")


def _show(holds: list[RulesHold], as_json: bool, word: str = "") -> None:
    if as_json:
        typer.echo(json.dumps([asdict(held) for held in holds], indent=2))
        return
    for held in holds:
        typer.echo(f"{word}{held.digest[:12]}: {held.reason}")
