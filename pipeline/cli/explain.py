"""`calends explain`: one event, the rules, and the requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.configured import sound
from pipeline.cli.options import HERE, PROBLEMS, USAGE, AsJson, Config, give_up, write
from pipeline.cli.samples import NOWHERE, Event, sample
from pipeline.model.event import Undecodable
from pipeline.model.wire import TOPIC
from pipeline.operate.explain import Explained, Explainer, RuleStory
from pipeline.operate.page import page

Topic = Annotated[str | None, typer.Option(help="Where the event was published. Default: each rule's first topic.")]
Identity = Annotated[str | None, typer.Option(help="The subscriber at the vendor, as the directory would give it.")]
Html = Annotated[Path | None, typer.Option("--html", help="Also write a page to show to others.", metavar="FILE")]


def explain(
    event: Event,
    config: Config = HERE,
    topic: Topic = None,
    identity: Identity = None,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Show which rules match an event and why, each change, and each vendor's exact request. Sends nothing."""
    if topic is not None and not TOPIC.fullmatch(topic):
        give_up(f"--topic {topic!a}: expected the name of a topic, of letters, digits, '.', '_' and '-'", USAGE)
    report = sound(config)
    record = sample(event, report.usable, datetime.now(UTC), topic or NOWHERE)
    topic = topic or (None if record.at.topic == NOWHERE else record.at.topic)
    explainer = Explainer(report.usable, report.rule_set(), identity)
    try:
        stories = explainer.stories(record, topic)
    except Undecodable as error:
        give_up(f"{event}: {error.explanation} ({error.reason_code})", USAGE)
    if html is not None:
        write(page(event if topic is None else f"{event} on {topic}", stories), html)
    if as_json:
        typer.echo(json.dumps([asdict(story) for story in stories], ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(line for story in stories for line in _story(story)))
    wrong = any(story.failures or any(change.cannot_say for change in story.changes) for story in stories)
    unread = explainer.unread(topic) if topic else None
    if unread:
        give_up(unread, PROBLEMS)
    raise typer.Exit(PROBLEMS if wrong else 0)


def _story(story: RuleStory) -> Iterator[str]:
    yield f"{'✔' if story.matched else '·'} {story.rule}: {'' if story.matched else 'no: '}{story.why}"
    yield from (f"    FAILS at {failure}" for failure in story.failures)
    yield from (f"    link {link}" for link in story.links)
    yield from (f"    group {group}" for group in story.groups)
    for change in story.changes:
        yield from (f"    {line}" if line else "" for line in _change(change))


def _change(change: Explained) -> Iterator[str]:
    layer = f", layer {change.layer}" if change.kind == "upsert" else ""
    yield f"{change.kind} {change.key} at {change.destination} ({change.vendor}{layer})"
    yield from (f"    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in change.content.items())
    yield from (f"  CANNOT SAY: {words}" for words in change.cannot_say)
    yield from (f"  note: {words}" for words in change.notes)
    if change.request:
        yield ""
        yield from (f"    {line}" if line else "" for line in change.request.text().split("\n"))
        yield ""
