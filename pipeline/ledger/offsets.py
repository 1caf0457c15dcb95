"""The next offset of each partition: the truth of what has been read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import Partition


def read(connection: Connection, partitions: Iterable[Partition]) -> dict[Partition, int]:
    """Of those that have been read before."""
    wanted = set(partitions)
    rows = connection.execute(select(t.offsets))
    return {(topic, partition): n for topic, partition, n in rows if (topic, partition) in wanted}


def write(connection: Connection, next_offsets: Mapping[Partition, int], onward: bool = True) -> None:
    """`onward`: never back, so that a late batch of a partition that moved to another worker undoes nothing."""
    if not next_offsets:
        return
    statement = insert_into(connection, t.offsets)
    statement = statement.on_conflict_do_update(
        index_elements=["topic", "partition"],
        set_={"next_offset": statement.excluded.next_offset},
        where=t.offsets.c.next_offset < statement.excluded.next_offset if onward else None,
    )
    rows = [{"topic": k[0], "partition": k[1], "next_offset": n} for k, n in sorted(next_offsets.items())]
    connection.execute(statement, rows)
