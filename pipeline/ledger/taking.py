"""One batch of intake: what its records ask of entries, applied to all rows they touch at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.ledger import directory, entries, groups
from pipeline.ledger.batch import Batch
from pipeline.ledger.values import Raw
from pipeline.ledger.writing import Words, keep
from pipeline.model.change import Change, Link, Roster
from pipeline.model.facts import Facts, Policy


@dataclass(frozen=True, slots=True)
class Asked:
    """What records ask for, each with the record as it is kept."""

    changes: Sequence[tuple[Change, Raw]] = ()
    links: Sequence[Link] = ()
    rosters: Sequence[tuple[Roster, Raw]] = ()


def take(
    connection: Connection,
    policies: Mapping[str, Policy],
    words: Words,
    asked: Asked,
    now: float,
    again: bool = False,
    unsure: bool = False,
) -> tuple[Batch, list[Facts]]:
    """The batch, and the rows it changed. `again`: a change that says what a dead entry holds already tries it again.
    `unsure`: a ledger that knew more has read this before."""
    identities, relinked = directory.link(connection, asked.links, asked.changes)
    newest = groups.renew(connection, groups.of(asked.changes, asked.rosters), asked.rosters, now)
    keys = sorted({(change.destination, change.key) for change, _ in asked.changes})
    known = {(roster.destination, roster.group) for roster, _ in asked.rosters}
    over = groups.members(connection, known) if known else []
    rows = entries.locked(connection, sorted({*keys, *over}) if over else keys, sorted(relinked))
    new = {key: Facts(*key) for key in keys if key not in rows}
    batch = Batch(rows | new, policies, again)
    batch.relink(identities, relinked, now)
    for change, raw in asked.changes:
        batch.apply(change, raw, identities, now)
    batch.regroup(newest, now)
    if unsure:
        batch.doubt(now)
    return batch, keep(connection, words, batch, entries.ALL, new=new)
