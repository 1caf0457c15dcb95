"""The next offset of each partition: the truth of what has been read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select, tuple_, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import FOR_GOOD, LedgerWentBack, Partition
from pipeline.model.wire import Coordinates

_C = t.offsets.c
_BEHIND = select(1).where(_C.unsure_until > _C.next_offset, _C.unsure_until < FOR_GOOD).limit(1)


def every(connection: Connection) -> dict[Partition, int]:
    c = t.offsets.c
    rows = connection.execute(select(c.topic, c.partition, c.next_offset))
    return {(topic, partition): n for topic, partition, n in rows}


@dataclass(frozen=True, slots=True)
class Read:
    """How far partitions have been read."""

    next: Mapping[Partition, int] = field(default_factory=dict)
    again: bool = False
    """Any of them is still read for the second time, and entries are unsure."""

    def has(self, at: Coordinates | None) -> bool:
        """Whether the record was taken before: by this batch's first try, or by who has the partition now."""
        return at is not None and at.offset < self.next.get((at.topic, at.partition), 0)


def check(connection: Connection, partitions: Iterable[Partition], seen: Mapping[Partition, int]) -> Read:
    """Locks these partitions.

    Raises LedgerWentBack where the ledger has less than this worker has `seen` of it.
    """
    key = tuple_(t.offsets.c.topic, t.offsets.c.partition)
    query = select(t.offsets).where(key.in_(sorted(partitions))).order_by(*key.clauses).with_for_update()
    rows = {(row.topic, row.partition): row for row in connection.execute(query)}
    if any(part not in rows or rows[part].next_offset < offset for part, offset in seen.items()):
        raise LedgerWentBack
    again = any((row.unsure_until or 0) > row.next_offset for row in rows.values())
    return Read({part: row.next_offset for part, row in rows.items()}, again)


def start_at(connection: Connection, next_offsets: Mapping[Partition, int], untils: Mapping[Partition, int]) -> None:
    """In one step: who fails after it finds out of the ledger alone what is still to be marked."""
    write(connection, next_offsets, onward=False)
    unsure(connection, untils)


def unsure(connection: Connection, untils: Mapping[Partition, int]) -> None:
    """Up to these offsets what is read has been read before, by a ledger that knew more."""
    for (topic, partition), until in sorted(untils.items()):
        c = t.offsets.c
        named = (c.topic == topic, c.partition == partition, func.coalesce(c.unsure_until, 0) < until)
        connection.execute(update(t.offsets).where(*named).values(unsure_until=until))


def marked(connection: Connection, untils: Mapping[Partition, int]) -> None:
    """All entries that are unsure up to there are marked as that."""
    for (topic, partition), until in sorted(untils.items()):
        c = t.offsets.c
        named = (c.topic == topic, c.partition == partition, func.coalesce(c.marked_until, 0) < until)
        connection.execute(update(t.offsets).where(*named).values(marked_until=until))


def unmarked(connection: Connection) -> dict[Partition, int]:
    """Of those whose entries are unsure and not all marked: up to where. Who began to mark them has failed or ended."""
    c = t.offsets.c
    unsure = c.unsure_until > func.coalesce(c.marked_until, 0)
    rows = connection.execute(select(c.topic, c.partition, c.unsure_until).where(unsure))
    return {(topic, partition): until for topic, partition, until in rows}


def catching_up(connection: Connection) -> dict[Partition, int]:
    """Of those that are read for the second time: up to where."""
    c = t.offsets.c
    rows = connection.execute(select(c.topic, c.partition, c.unsure_until).where(c.unsure_until > c.next_offset))
    return {(topic, partition): until for topic, partition, until in rows}


def behind(connection: Connection) -> bool:
    """Whether anything is still read for the second time: what is wanted by now may be older than what was sent."""
    return connection.execute(_BEHIND).first() is not None


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
