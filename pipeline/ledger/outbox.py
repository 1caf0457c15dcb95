"""What is to be written to Kafka, kept in the ledger until Kafka has it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, text

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import Message
from pipeline.model.entry import canonical

POSTING = text("select pg_try_advisory_xact_lock(7205759403792793)")
"""True for the one worker that may post until its transaction ends."""


def oldest(connection: Connection, limit: int) -> list[Message]:
    rows = connection.execute(select(t.outbox).order_by(t.outbox.c.id).limit(limit)).mappings()
    return [
        Message(
            row["topic"],
            row["key"],
            row["value"],
            tuple((name, bytes.fromhex(value)) for name, value in json.loads(row["headers"])),
            row["id"],
        )
        for row in rows
    ]


def forget(connection: Connection, sent: Sequence[int]) -> None:
    if sent:
        connection.execute(delete(t.outbox).where(t.outbox.c.id.in_(sent)))


def post(connection: Connection, messages: Sequence[Message]) -> None:
    rows = [
        {
            "topic": m.topic,
            "key": m.key,
            "value": m.value,
            "headers": canonical([[name, value.hex()] for name, value in m.headers]),
        }
        for m in messages
    ]
    if rows:
        connection.execute(insert_into(connection, t.outbox), rows)
