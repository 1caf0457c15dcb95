"""What became of dead letters: each is replayed or discarded once. The letters themselves stay in Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, or_, select

from pipeline.ledger import tables as t
from pipeline.ledger.batch import Batch
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import Partition, Replayed
from pipeline.model.facts import Facts

Place = tuple[str, int, int]
"""Topic, partition and offset of a dead letter."""


class Undone(Exception):
    """The transaction is to leave nothing behind: it was only to see what would come of it."""

    def __init__(self, came: Replayed) -> None:
        super().__init__("undone")
        self.came = came


def ended(connection: Connection, topic: str) -> dict[tuple[int, int], str]:
    """(partition, offset) → what became of the letter, of those that are not open any more."""
    query = select(t.letters.c.partition, t.letters.c.record, t.letters.c.became).where(t.letters.c.topic == topic)
    return {(partition, record): became for partition, record, became in connection.execute(query)}


def end(connection: Connection, places: Iterable[Place], became: str, now: float) -> int:
    """Marks those that are open; how many they were."""
    rows = [
        {"topic": topic, "partition": part, "record": record, "became": became, "at": now}
        for topic, part, record in places
    ]
    insert = insert_into(connection, t.letters).on_conflict_do_nothing().returning(t.letters.c.record)
    return sum(len(connection.execute(insert, [row]).all()) for row in rows)


def forget(connection: Connection, begins: Mapping[Partition, int]) -> None:
    """Letters that Kafka no longer has."""
    c = t.letters.c
    gone = [(c.topic == topic) & (c.partition == part) & (c.record < begin) for (topic, part), begin in begins.items()]
    if gone:
        connection.execute(delete(t.letters).where(or_(*gone)))


def replay(
    connection: Connection,
    place: Place,
    taken: Callable[[Connection], tuple[Batch, Sequence[Facts]]],
    links: bool,
    now: float,
    dry: bool,
) -> Replayed:
    """Does what a letter's record asks for, and marks the letter, in one transaction. Raises Undone where that is of
    no use: all of it is stale, or the entry would die again."""
    if not end(connection, [place], "replayed", now):
        return Replayed(ended=True)
    batch, rows = taken(connection)
    dead = tuple(row.error or "invalid" for row in rows if row.state == "dead")
    came = Replayed(batch.applied, batch.revived, batch.stale.total(), dead)
    if dry or dead or not (batch.applied or batch.revived or links):
        raise Undone(came)
    return came
