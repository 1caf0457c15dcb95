"""`calends demo`: the main job on embedded parts, watched until it has converged."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.cli.options import USAGE, give_up

try:
    from pipeline.demo.example import NotAnExample
    from pipeline.demo.example import example as find
    from pipeline.demo.run import Row, State, quiet
    from pipeline.demo.run import demo as run_demo
except ModuleNotFoundError as error:
    give_up(f"the demo needs {error.name}: pip install 'calends[demo]'")

COLUMNS = ("destination", "waiting", "in flight", "delivered", "calls", "calls saved", "quota used", "oldest unsent")


Chosen = Annotated[
    str | None, typer.Option("--example", help="An example of the gallery, or a folder like one.", metavar="NAME")
]


def demo(example: Chosen = None) -> None:
    """See it work on this machine alone: an embedded broker, simulated vendors, sample events and a worker.

    In a terminal it shows a live table until Ctrl-C. Else it prints plain lines and ends once everything has converged.
    Exit codes: 0 converged, 1 not.
    """
    try:
        played = None if example is None else find(example)
    except NotAnExample as error:
        give_up(str(error), USAGE)
    console = Console()
    live = (
        Live(console=console, refresh_per_second=4, transient=False)
        if console.is_terminal and not console.is_dumb_terminal
        else None
    )
    seen: list[State] = []
    with live or nullcontext(), quiet():
        said = ""

        def show(state: State) -> None:
            nonlocal said
            seen[:] = [state]
            if live:
                live.update(_table(state))
            elif (lines := _lines(state)) != said:
                said = lines
                typer.echo(f"after {state.seconds:.1f} s\n{lines}")

        typer.echo(
            "Starting an embedded broker (it keeps little and forgets all), four simulated vendors and a worker …"
        )
        try:
            state = asyncio.run(run_demo(show, live is not None, played))
        except KeyboardInterrupt:
            state = seen[0] if seen else State("")
    _finish(state)


def _finish(state: State) -> None:
    if state.converged:
        calls, saved = (sum(row.calls for row in state.rows), sum(row.saved for row in state.rows))
        typer.echo(
            f"Converged: {state.events} domain events, {calls} calls, {saved} calls saved, "
            f"0 missing, 0 wrong, in {state.seconds:.1f} s"
        )
        return
    for row in state.rows:
        typer.echo(f"{row.destination}: {row.missing} entries missing or old, {len(row.wrong)} too many", err=True)
    typer.echo(f"Not converged: {state.ended or 'interrupted'}", err=True)
    sys.exit(1)


def _table(state: State) -> Table:
    title = f"{state.events} domain events · the vendors' page: {state.page}"
    ended = f"converged in {state.seconds:.1f} s · Ctrl-C ends" if state.converged else f"{state.seconds:.0f} s"
    table = Table(*COLUMNS, title=title, caption=ended)
    for row in state.rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.destination,
        str(row.waiting),
        str(row.in_flight),
        str(row.delivered),
        str(row.calls),
        str(row.saved),
        f"{row.quota_used:.0%}",
        f"{row.oldest:.1f} s",
    )


def _lines(state: State) -> str:
    if not any(row.calls or row.waiting for row in state.rows):
        return "  the worker starts and joins the consumer group …"
    return "\n".join(
        f"  {row.destination}: "
        + ", ".join(f"{name} {cell}" for name, cell in zip(COLUMNS[1:], _cells(row)[1:], strict=True))
        for row in state.rows
    )
