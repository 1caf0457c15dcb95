"""An event to look at: from a file, standard input, or where it lies in Kafka."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import USAGE, give_up, input_of
from pipeline.model.wire import Coordinates, Record
from pipeline.settings import Settings

Event = Annotated[
    str,
    typer.Argument(
        help="A CloudEvent or plain JSON with a type; - reads standard input; TOPIC/PARTITION/OFFSET reads Kafka.",
        metavar="EVENT.json",
    ),
]


NOWHERE = "-"
"""The topic of an event of which none is known: no topic has this name."""


def sample(event: str, settings: Settings, now: datetime, topic: str) -> Record:
    """The record. One of a file is as if just written to this topic. Where it is not there, the command ends."""
    at = re.fullmatch(r"([A-Za-z0-9._-]+)/(\d+)/(\d+)", event)
    if at and not Path(event).exists():
        return _in_kafka(Coordinates(at[1], int(at[2]), int(at[3])), settings)
    return Record(Coordinates(topic, 0, 0), None, input_of(event), (), now)


def _in_kafka(at: Coordinates, settings: Settings) -> Record:
    from pipeline.stream import StreamError  # only this needs Kafka's client
    from pipeline.stream.configured import kafka_config
    from pipeline.stream.ranges import record_at

    try:
        record = asyncio.run(record_at(kafka_config(settings, None), at))
    except StreamError as error:
        give_up(f"Kafka: {error}")
    if record is None:
        give_up(f"{at.topic}/{at.partition}/{at.offset}: Kafka has no record there, or not any more", USAGE)
    return record
