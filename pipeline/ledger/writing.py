"""What one transaction changed, written at once: its rows, and what the end of an entry has to say to others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from sqlalchemy import Connection

from pipeline.ledger import entries, outbox
from pipeline.ledger.batch import Batch
from pipeline.ledger.database import Overtaken
from pipeline.ledger.entries import Key
from pipeline.ledger.values import Message
from pipeline.model.blame import Answer
from pipeline.model.facts import Facts

ENDED = ("idle", "dead", "expired")


@dataclass(frozen=True, slots=True)
class Words:
    """How an entry's end is told: `dead_letters` words one message for each unsettled layer, `outcome` what has become
    of it and of the events that it answers for; None: nobody wants to know."""

    dead_letters: Callable[[Facts], Sequence[Message]]
    outcome: Callable[[Facts, Answer | None], Message] | None = None

    def published(self, before: Facts, after: Facts, answer: Answer | None, messages: list[Message]) -> Facts:
        """Adds to `messages`. Of what is at the vendor as wanted, no record is kept."""
        if after.state == "idle" and after.raws:
            after = replace(after, raws={})
        if after.state == "dead":
            messages += self.dead_letters(_untold(before, after))
        if self.outcome is None or not after.events or after.state not in ENDED:
            return after
        messages.append(self.outcome(after, answer))
        return replace(after, events=None)


def _untold(before: Facts, after: Facts) -> Facts:
    """The dead entry with those of its records of which no letter tells yet: all of them, if it has died just now."""
    if entries.died(before, after):
        return after
    new = {name: raw for name, raw in after.raws.items() if before.layers.get(name) != after.layers.get(name)}
    return replace(after, raws=new)


def keep(
    connection: Connection,
    words: Words,
    batch: Batch,
    columns: tuple[str, ...],
    answers: Mapping[Key, Answer | None] | None = None,
    new: Collection[Key] = (),
) -> list[Facts]:
    """`columns`: those that may have changed. `new`: rows that were not there. Returns the changed rows.

    Raises Overtaken where somebody else has just made one of the new ones.
    """
    messages: list[Message] = []
    said = answers or {}
    changed = [
        words.published(before, after, said.get((after.destination, after.key)), messages)
        for before, after in batch.changed()
    ]
    outbox.post(connection, messages)
    entries.write(connection, [row for row in changed if (row.destination, row.key) not in new], columns)
    if not entries.add(connection, [row for row in changed if (row.destination, row.key) in new]):
        raise Overtaken
    return changed
