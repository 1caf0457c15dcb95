"""An event to look at: from a file, standard input, or where it lies in Kafka."""

from __future__ import annotations

import asyncio
import json
import re
from codecs import BOM_UTF8
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import USAGE, give_up, input_of
from pipeline.model.wire import TOPIC, Coordinates, Record
from pipeline.settings import Settings

Event = Annotated[
    str,
    typer.Argument(
        help="A CloudEvent or plain JSON with a type; - reads standard input; TOPIC/PARTITION@OFFSET, as `dlq` "
        "writes it, or TOPIC/PARTITION/OFFSET reads Kafka.",
        metavar="EVENT.json",
    ),
]


NOWHERE = "-"
"""The topic of an event of which none is known: no topic has this name."""


def sample(event: str, settings: Settings, now: datetime, topic: str) -> Record:
    """The record. One of a file is as if just written to this topic. Where it is not there, the command ends."""
    at = re.fullmatch(rf"({TOPIC.pattern})/(\d+)[/@](\d+)", event)
    if at and not Path(event).exists():
        return _in_kafka(Coordinates(at[1], int(at[2]), int(at[3])), settings)
    return Record(Coordinates(topic, 0, 0), None, _json_of(event), (), now)


def _json_of(name: str) -> bytes:
    """A file as it would be published: without an editor's byte order mark. Says where it is no JSON."""
    raw = input_of(name).removeprefix(BOM_UTF8)
    twice: list[str] = []

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return found

    try:
        json.loads(raw, object_pairs_hook=members)
    except json.JSONDecodeError as error:
        give_up(f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}", USAGE)
    except (ValueError, RecursionError):
        pass  # told in the words of a dead letter
    for key in twice:
        typer.echo(f"warning: {name}: the key {key!r} stands twice in one object; the last one counts", err=True)
    return raw


def _in_kafka(at: Coordinates, settings: Settings) -> Record:
    from pipeline.stream import StreamError  # only this needs Kafka's client
    from pipeline.stream.configured import kafka_config
    from pipeline.stream.ranges import record_at

    try:
        record = asyncio.run(record_at(kafka_config(settings, None), at))
    except StreamError as error:
        give_up(f"Kafka: {error}")
    if record is None:
        give_up(f"{at}: Kafka has no record there, or not any more", USAGE)
    return record
