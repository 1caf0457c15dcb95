"""What became of dead letters: each is replayed or discarded once. The letters themselves stay in Kafka.

A replay never writes what is older than the ledger has, and never what would only die again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, or_, select

from pipeline.ledger import tables as t
from pipeline.ledger import taking
from pipeline.ledger.database import Transaction, clock, insert_into
from pipeline.ledger.forgetting import ForgetBook
from pipeline.ledger.taking import Asked
from pipeline.ledger.values import Partition, Raw, Replayed
from pipeline.ledger.writing import Words
from pipeline.model.change import Change, Link, Roster
from pipeline.model.facts import Policy

Place = tuple[str, int, int]
"""Topic, partition and offset of a dead letter."""


@dataclass(frozen=True, slots=True)
class LetterBook:
    """What the ledger knows of dead letters. Every method raises LedgerUnavailable where the database is away."""

    transaction: Transaction
    forgetting: ForgetBook
    policies: Mapping[str, Policy]
    words: Words

    def replay(
        self,
        place: Place,
        changes: Sequence[tuple[Change, Raw]],
        links: Sequence[Link] = (),
        rosters: Sequence[tuple[Roster, Raw]] = (),
        dry: bool = False,
    ) -> Replayed:
        """Does what a dead letter's record asks for by today's rules, and marks the letter; or nothing, where it is
        stale or would die again. The lanes send it, inside the quota."""

        def work(connection: Connection) -> Replayed:
            now, asked = clock(connection), self.forgetting.without(connection, Asked(changes, links, rosters))
            if not _end(connection, [place], "replayed", now):
                return Replayed(ended=True)
            came = self._taken(connection, asked, now)
            if dry or came.dead or not (came.applied or came.revived or links or rosters):
                raise _Undone(came)
            return came

        try:
            return self.transaction(work)
        except _Undone as undone:
            return undone.came

    def discard(self, places: Sequence[Place]) -> int:
        """Nobody is to look at these dead letters again; how many were open."""
        return self.transaction(lambda connection: _end(connection, places, "discarded", clock(connection)))

    def ended(self, topic: str, begins: Mapping[Partition, int]) -> dict[tuple[int, int], str]:
        """(partition, offset) → what became of a letter that is not open any more. Those before `begins` are
        forgotten: Kafka has them no longer."""

        def work(connection: Connection) -> dict[tuple[int, int], str]:
            _forget(connection, begins)
            return _ended(connection, topic)

        return self.transaction(work)

    def _taken(self, connection: Connection, asked: Asked, now: float) -> Replayed:
        batch, rows = taking.take(connection, self.policies, self.words, asked, now, again=True)
        dead = tuple(row.error or "invalid" for row in rows if row.state == "dead")
        return Replayed(batch.applied, batch.revived, batch.stale.total(), dead)


class _Undone(Exception):
    """The transaction is to leave nothing behind: it was only to see what would come of it."""

    def __init__(self, came: Replayed) -> None:
        super().__init__("undone")
        self.came = came


def _ended(connection: Connection, topic: str) -> dict[tuple[int, int], str]:
    query = select(t.letters.c.partition, t.letters.c.record, t.letters.c.became).where(t.letters.c.topic == topic)
    return {(partition, record): became for partition, record, became in connection.execute(query)}


def _end(connection: Connection, places: Iterable[Place], became: str, now: float) -> int:
    """Marks those that are open; how many they were."""
    rows = [
        {"topic": topic, "partition": part, "record": record, "became": became, "at": now}
        for topic, part, record in places
    ]
    insert = insert_into(connection, t.letters).on_conflict_do_nothing().returning(t.letters.c.record)
    return sum(len(connection.execute(insert, [row]).all()) for row in rows)


def _forget(connection: Connection, begins: Mapping[Partition, int]) -> None:
    """Letters that Kafka no longer has."""
    c = t.letters.c
    gone = [(c.topic == topic) & (c.partition == part) & (c.record < begin) for (topic, part), begin in begins.items()]
    if gone:
        connection.execute(delete(t.letters).where(or_(*gone)))
