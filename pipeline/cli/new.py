"""`calends new rule`: a first rule from a sample event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.configured import sound
from pipeline.cli.options import HERE, PROBLEMS, USAGE, Config, give_up, tell, write
from pipeline.cli.samples import Event, sample
from pipeline.model.event import Undecodable, decode
from pipeline.model.framed import Parsed
from pipeline.operate.sketch import sketch
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.language import suggest
from pipeline.rules.reading import load_text
from pipeline.settings import views_of
from pipeline.vendors import vendors

To = Annotated[str | None, typer.Option(help="The destination. Default: the first one of the settings.")]
From = Annotated[
    str | None, typer.Option("--from", help="The topic that it reads. Default: where the event lies, or events.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write there, and over nothing. Default: print.")]

new = typer.Typer(help="Make a first rule from a sample event.", no_args_is_help=True)


@new.callback()
def group() -> None:
    """Make a first rule from a sample event."""


@new.command()
def rule(event: Event, config: Config = HERE, to: To = None, topic: From = None, output: Output = None) -> None:
    """Make a commented rule, with a test that it passes, from a sample event."""
    settings = sound(config, rules=False).usable
    record = sample(event, settings, datetime.now(UTC), topic or "events")
    try:
        decoded = decode(record)
    except Undecodable as error:
        give_up(f"{event}: {error.explanation} ({error.reason_code})", USAGE)
    view = _view(views_of(settings), to)
    framed = record.content
    given = framed.value if isinstance(framed, Parsed) else json.loads(record.value or b"null")
    text = sketch(decoded, given, topic or record.at.topic, view)
    if output is None:
        typer.echo(text, nl=False)
    elif output.exists():
        give_up(f"{output} is there already: name another file", USAGE)
    else:
        write(text, output)
        typer.echo(f"wrote {output}; now: calends test", err=True)
    problems = check_rules(load_text(text, str(output or "the rule"), vendors()), {view.name: view})
    if problems:
        tell(problems)
        raise typer.Exit(PROBLEMS)


def _view(views: dict[str, DestinationView], to: str | None) -> DestinationView:
    if to is not None and to not in views:
        give_up(f"unknown destination {to}; one of {', '.join(sorted(views))} {suggest(to, views)}".strip(), USAGE)
    return views[to or next(iter(views))]
