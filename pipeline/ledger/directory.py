"""The directory: who a subscriber is at a destination.

Its rows are locked before the entries', a placeholder for a subscriber nobody knows yet, so that an entry and its link
cannot pass each other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, tuple_, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import Raw
from pipeline.model.change import Change, Link
from pipeline.model.entry import canonical

Person = tuple[str, str]
"""(destination, subscriber)."""
Known = Mapping[Person, tuple[str | None, list[Any]]]
"""Person → (identity, version of the link)."""


def link(
    connection: Connection, links: Sequence[Link], changes: Sequence[tuple[Change, Raw]]
) -> tuple[dict[Person, str | None], set[Person]]:
    """Locks the directory rows of all subscribers at hand, writes the links, and says who is who now."""
    links = _known_by_identity(connection, links)
    people = {(change.destination, change.subscriber) for change, _ in changes if change.subscriber is not None}
    people |= {(link.destination, link.subscriber) for link in links if link.subscriber is not None}
    known = lock(connection, people, shared=not links)
    written = write(connection, links, known)
    return {name: identity for name, (identity, _) in {**known, **written}.items()}, set(written)


def lock(connection: Connection, people: Collection[Person], shared: bool = False) -> Known:
    """Who these people are; nobody else links them until the transaction ends."""
    if not people:
        return {}
    names = [{"destination": d, "subscriber": s} for d, s in sorted(people)]
    connection.execute(insert_into(connection, t.directory).on_conflict_do_nothing(), names)
    key = tuple_(t.directory.c.destination, t.directory.c.subscriber)
    query = select(t.directory).where(key.in_(sorted(people))).order_by(*key.clauses)
    rows = connection.execute(query.with_for_update(read=shared)).all()
    return {(d, s): (identity, json.loads(version) if version else []) for d, s, identity, version in rows}


def write(connection: Connection, links: Sequence[Link], known: Known) -> Known:
    """Writes links of people who are locked, the newest of each; returns those that were written."""
    written = _newest_links(links, known)
    if written:
        statement = (
            update(t.directory)
            .where(t.directory.c.destination == bindparam("d"), t.directory.c.subscriber == bindparam("s"))
            .values(identity=bindparam("i"), version=bindparam("v"))
        )
        connection.execute(
            statement,
            [{"d": d, "s": s, "i": i, "v": canonical(v)} for (d, s), (i, v) in sorted(written.items())],
        )
    return written


def _newest_links(links: Sequence[Link], known: Known) -> Known:
    written: dict[Person, tuple[str | None, list[Any]]] = {}
    for link in links:
        name = (link.destination, link.subscriber or "")
        identity, version = written.get(name, known.get(name, (None, [])))
        if link.ended is not None and identity not in (None, link.ended):
            continue  # what ended was an earlier link
        if not version or tuple(link.version) > tuple(version):
            written[name] = (link.identity, list(link.version))
    return written


def _known_by_identity(connection: Connection, links: Sequence[Link]) -> list[Link]:
    """Finds the subscribers of links that only name the identity that ended; of strangers there is nothing to end."""
    nameless = [link for link in links if link.subscriber is None]
    if not nameless:
        return list(links)
    identity = tuple_(t.directory.c.destination, t.directory.c.identity)
    query = select(*identity.clauses, t.directory.c.subscriber)
    rows = connection.execute(query.where(identity.in_([(link.destination, link.ended) for link in nameless])))
    just_made = [(link.destination, link.identity, link.subscriber) for link in links if link.identity is not None]
    found: dict[tuple[str, str], set[str]] = {}
    for destination, ended, subscriber in [*rows, *just_made]:
        found.setdefault((destination, ended), set()).add(subscriber)
    named = [
        replace(link, subscriber=subscriber)
        for link in nameless
        for subscriber in sorted(found.get((link.destination, link.ended or ""), ()))
    ]
    return [*(link for link in links if link.subscriber is not None), *named]
