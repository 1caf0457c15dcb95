"""`calends entry KEY`: the whole story of one entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pipeline.cli.configured import sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.options import HERE, PROBLEMS, AsJson, Config, Destination, give_up
from pipeline.cli.status import told
from pipeline.cli.words import moment, span, table
from pipeline.operate.story import Story, story

Key = Annotated[str, typer.Argument(metavar="KEY", help="The entry's key, as the rule makes it.")]
ShowData = Annotated[bool, typer.Option("--show-data", help="Show content and persons too: treat it like the event.")]


def entry(
    key: Key, config: Config = HERE, destination: Destination = None, as_json: AsJson = False, show: ShowData = False
) -> None:
    """Show the whole story of one entry: what is wanted, what the vendor holds, and what it waits for."""
    report = sound_settings(config)
    with opened(report.usable) as ledger:
        found = [one for one in story(report.usable, ledger, key) if destination in (None, one.destination)]
        now = ledger.now()
    if not found:
        give_up("no entry has this key: keys are exact, with capitals; calends explain shows an event's", PROBLEMS)
    if as_json:
        typer.echo(json.dumps([_plain(one, show) for one in found], ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join("\n".join(_lines(one, show, now)) for one in found))


def _plain(one: Story, show: bool) -> dict[str, Any]:
    told = asdict(one)
    return told if show else {name: value for name, value in told.items() if name != "data"}


def _lines(one: Story, show: bool, now: float) -> Iterator[str]:
    yield f"{one.destination}: {one.state}"
    yield f"  why           {one.why}"
    if one.wake_at is not None:
        yield f"  until         {moment(one.wake_at)} (in {span(max(0.0, one.wake_at - now))})"
    step = "in step" if one.in_step else "not in step"
    yield f"  wanted        {one.wanted[:16]}"
    yield f"  observed      {one.observed[:16]} ({step})"
    yield f"  vendor's id   {one.vendor_id or '-'}"
    yield f"  last outcome  {one.last_outcome}"
    failed = f"; failed first {moment(one.first_failed_at)}, last {moment(one.failed_at)}" if one.failed_at else ""
    yield f"  attempts      {one.attempts} of {one.most_attempts}{failed}"
    for name in ("event_time", "deliver_at", "expires_at"):
        if getattr(one, name) is not None:
            yield f"  {name.replace('_', ' '):<13} {moment(getattr(one, name))}"
    yield f"  linked        {'yes' if one.linked else 'no'}"
    for hold in one.holds:
        yield f"  hold          {told(hold, now)}"
    rows = [
        (layer.name, layer.kind, layer.rule, layer.record, str(layer.revision), "yes" if layer.delivered else "no")
        for layer in one.layers
    ]
    for line in table(("layer", "kind", "rule", "topic/partition/offset", "rules", "delivered"), rows):
        yield f"  {line}"
    if show:
        yield json.dumps(one.data, ensure_ascii=False, indent=2)
