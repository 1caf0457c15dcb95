"""Every entry, by its key, a page at a time: memory does not grow with the ledger, and nobody waits for a reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, Connection, literal, tuple_

from pipeline.ledger import entries
from pipeline.ledger import tables as t
from pipeline.ledger.database import Transaction
from pipeline.ledger.entries import Key
from pipeline.model.facts import Facts

PAGE = 500


@dataclass(frozen=True, slots=True)
class Exporting:
    look: Transaction

    def every(self, destination: str | None = None, subscriber: str | None = None) -> Iterator[Facts]:
        """Of all, of one destination, of one person; each page as it stands when it is read. A page is found by an
        index: of the keys, or of the person's entries."""
        after: Key = (destination or "", "")
        while True:
            page = self.look(partial(_page, after=after, destination=destination, subscriber=subscriber))
            yield from page
            if len(page) < PAGE:
                return
            after = (page[-1].destination, page[-1].key)


def _page(connection: Connection, after: Key, destination: str | None, subscriber: str | None) -> list[Facts]:
    c = t.entries.c
    beyond: list[ColumnElement[bool]] = [tuple_(literal(after[0]), literal(after[1])) < tuple_(c.destination, c.key)]
    beyond += [c.destination == destination] if destination is not None else []
    beyond += [c.subscriber == subscriber] if subscriber is not None else []
    return entries.first(connection, beyond, PAGE)
