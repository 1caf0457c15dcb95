"""`calends resume DESTINATION`: what a person, or a rule's refusals, stopped goes on."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.configured import known_destination, sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, PROBLEMS, Config, give_up
from pipeline.ledger import Hold
from pipeline.operate.call import actor
from pipeline.operate.halting import resume as lift

Where = Annotated[str, typer.Argument(metavar="DESTINATION", help="What was paused, or where a rule is held.")]
Rule = Annotated[str | None, typer.Option("--rule", metavar="NAME", help="Lift the hold of this rule there.")]


def resume(destination: Where, config: Config = HERE, rule: Rule = None) -> None:
    """Lift a pause of `calends pause`, or with --rule the hold of a rule that the vendor refused."""
    report = sound_settings(config)
    known_destination(report.usable, destination)
    account = report.usable.account_of(destination)[0]
    with opened(report.usable) as ledger:
        done = lift(ledger, destination, actor(), rule)
        left = [hold for hold in ledger.holds() if destination == hold.destination or account == hold.account]
    if not done:
        what = f"rule {rule} is not held there" if rule else "it was not paused"
        give_up(f"{destination}: {what}{_others(left)}", PROBLEMS)
    typer.echo(f"{destination}: {f'rule {rule}' if rule else 'it'} goes on{_others(left)}")


def _others(left: list[Hold]) -> str:
    named = [f"{f'rule {hold.rule} ' if hold.rule else ''}{hold.reason}: {hold.lifted_by}" for hold in left]
    return "; still held: " + "; ".join(named) if named else ""
