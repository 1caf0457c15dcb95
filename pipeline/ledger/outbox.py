"""What is to be written to Kafka, kept in the ledger until Kafka has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import accumulate

from sqlalchemy import Connection, delete, func, or_, select, text, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import clock, insert_into
from pipeline.ledger.values import Message, Posted
from pipeline.model.entry import canonical

REFUSED_WAIT = 300.0
"""Seconds after which a message that Kafka would not take is tried again."""
MAX_HELD = 8 * 1024 * 1024
"""Bytes of messages in memory at once: each may be of a mebibyte, and of more where its topic takes more."""
POSTING = text("select pg_try_advisory_xact_lock(7205759403792793)")
"""True for the one worker that may post until its transaction ends."""


def oldest(connection: Connection, limit: int, now: float) -> list[Message]:
    """What is to be sent now, of so many bytes as may be held at once; what was refused stands aside until its next
    try."""
    first = _first(connection, limit, now)
    query = select(t.outbox).where(t.outbox.c.id.in_(first)).order_by(t.outbox.c.id)
    rows = connection.execute(query).mappings() if first else ()
    return [
        Message(
            row["topic"],
            row["key"],
            row["value"],
            tuple(
                (name, None if value is None else bytes.fromhex(value)) for name, value in json.loads(row["headers"])
            ),
            row["id"],
            bool(row["sealed"]),
        )
        for row in rows
    ]


def _first(connection: Connection, limit: int, now: float) -> list[int]:
    """The oldest of MAX_HELD bytes together; one that is larger by itself."""
    c = t.outbox.c
    size = func.coalesce(func.length(c.value), 0) + func.length(c.headers)
    due = or_(c.try_at.is_(None), c.try_at <= now)
    rows = connection.execute(select(c.id, size).where(due).order_by(c.id).limit(limit)).all()
    sizes = accumulate(size for _, size in rows)
    return [number for n, ((number, _), held) in enumerate(zip(rows, sizes, strict=True)) if n == 0 or held <= MAX_HELD]


def post_alone(connection: Connection, send: Callable[[Sequence[Message]], Posted], limit: int, now: float) -> int:
    """Sends within the transaction, unless another worker is at it. How many Kafka has or refused."""
    if not connection.execute(POSTING).scalar():
        return 0
    messages = oldest(connection, limit, now)
    posted = send(messages) if messages else Posted()
    close(connection, posted, clock(connection))
    return len(posted.sent) + len(posted.refused)


def close(connection: Connection, posted: Posted, now: float) -> None:
    """Forgets what Kafka has; what it refused is tried again later, as the topic's limits may be changed."""
    if posted.sent:
        connection.execute(delete(t.outbox).where(t.outbox.c.id.in_(posted.sent)))
    for number, code in posted.refused.items():
        connection.execute(
            update(t.outbox).where(t.outbox.c.id == number).values(refused=code, try_at=now + REFUSED_WAIT)
        )


def waiting(connection: Connection) -> int:
    """Messages that Kafka does not have yet, or will not take."""
    return int(connection.execute(select(func.count()).select_from(t.outbox)).scalar_one())


def refused(connection: Connection) -> dict[str, int]:
    """Topic → messages that it would not take and that are kept."""
    query = select(t.outbox.c.topic, func.count()).where(t.outbox.c.refused.is_not(None)).group_by(t.outbox.c.topic)
    return dict(connection.execute(query).all())


def post(connection: Connection, messages: Sequence[Message]) -> None:
    rows = [
        {
            "topic": m.topic,
            "key": m.key,
            "value": m.value,
            "sealed": m.sealed,
            "headers": canonical([[name, None if value is None else value.hex()] for name, value in m.headers]),
        }
        for m in messages
    ]
    if rows:
        connection.execute(insert_into(connection, t.outbox), rows)
