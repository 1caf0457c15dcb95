"""What the ledger says of one destination's entries beside what a vendor's lists show, in a temporary SQLite file.

So memory does not grow with either. Nothing outlives it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.vendors.contract import Item

CHUNK = 200
"""Entries that are judged together."""
_PRAGMAS = ("journal_mode = off", "synchronous = off", "cache_size = -32768", "locking_mode = exclusive")
_TABLES = (
    "create table entries (place text, key text, mark text, places integer, epoch integer, row text, "
    "primary key (place, key)) without rowid",
    "create index entries_mark on entries (mark)",
    "create table known (id text primary key) without rowid",
    "create table strange (id text primary key, mark text) without rowid",
    "create table items (place text, n integer, id text, mark text, content text, primary key (place, n)) "
    "without rowid",
    "create index items_id on items (place, id)",
    "create index items_mark on items (place, mark)",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the ledger had it before anything was read."""

    key: str
    mark: str
    """What a read shows of its key."""
    places: int
    """In how many lists it stands."""
    epoch: int
    row: Mapping[str, Any]
    """What is known of the vendor: names and values of the situation."""


class Standing:
    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for statement in (*(f"pragma {pragma}" for pragma in _PRAGMAS), *_TABLES):
            self._connection.execute(statement)

    def close(self) -> None:
        self._connection.close()

    def add(self, rows: Iterable[tuple[str, Entry]]) -> None:
        """Entries, each with a place that it stands in."""
        values = ((place, e.key, e.mark, e.places, e.epoch, json.dumps(e.row)) for place, e in rows)
        self._many("insert into entries values (?, ?, ?, ?, ?, ?)", values)

    def know(self, ids: Iterable[str]) -> None:
        """Ids of the vendor that stand in the ledger, also for other destinations of the account."""
        self._many("insert or ignore into known values (?)", ((one,) for one in ids))

    def shows(self, place: str, items: Iterable[Item]) -> None:
        """What a place's list showed."""
        (count,) = self._one("select count(*) from items where place = ?", place)
        rows = (
            (place, count + n, one.id, one.mark, None if one.content is None else json.dumps(dict(one.content)))
            for n, one in enumerate(items)
        )
        self._many("insert into items values (?, ?, ?, ?, ?)", rows)

    def forget(self, place: str) -> None:
        self._connection.execute("delete from items where place = ?", (place,))

    def total(self) -> int:
        return int(self._one("select count(*) from entries")[0])

    def places(self, after: str) -> Iterator[tuple[str, int]]:
        """The places beyond this one, in order, each with its entries."""
        query = "select place, count(*) from entries where place > ? group by place order by place limit ?"
        while found := self._connection.execute(query, (after, CHUNK)).fetchall():
            yield from found
            after = found[-1][0]

    def entries(self, place: str, after: str) -> list[Entry]:
        """The next of a place, by key."""
        query = "select key, mark, places, epoch, row from entries where place = ? and key > ? order by key limit ?"
        return [_entry(row) for row in self._connection.execute(query, (place, after, CHUNK))]

    def of_mark(self, mark: str) -> Entry | None:
        query = "select key, mark, places, epoch, row from entries where mark = ? limit 1"
        row = self._connection.execute(query, (mark,)).fetchone()
        return None if row is None else _entry(row)

    def items(self, place: str, identity: str | None, mark: str) -> list[Item]:
        """What the place's list shows under this id, or this mark; each id once."""
        query = (
            "select id, mark, content from items where place = ?1 and id = ?2 "
            "union select id, mark, content from items where place = ?1 and mark = ?3"
        )
        found = [_item(row) for row in self._connection.execute(query, (place, identity, mark))]
        several = {one.id: one for one in found if one.id is not None}
        return [*several.values(), *(one for one in found if one.id is None)]

    def nameless(self, place: str) -> list[Item]:
        """Items with content that show nothing of a key."""
        query = "select id, mark, content from items where place = ? and mark is null and content is not null"
        return [_item(row) for row in self._connection.execute(query, (place,))]

    def strangers(self, place: str, after: str) -> list[Item]:
        """The next items, by id, that no entry of the ledger accounts for, each id once."""
        query = (
            "select id, mark, max(content) from items i where place = ? and id > ? and not exists "
            "(select 1 from known where known.id = i.id) and not exists "
            "(select 1 from entries e where e.place = i.place and e.mark = i.mark) group by id order by id limit ?"
        )
        return [_item(row) for row in self._connection.execute(query, (place, after, CHUNK))]

    def strange(self, item: Item) -> None:
        """An item that no entry accounted for when the reading began."""
        self._many("insert or ignore into strange values (?, ?)", ((item.id, item.mark),))

    def has_strange(self) -> bool:
        return bool(self._one("select exists (select 1 from strange)")[0])

    def acquaint(self, ids: Iterable[str], marks: Iterable[str]) -> int:
        """How many of them the ledger knows by now, by these ids and marks: they are strange no longer."""
        (before,) = self._one("select count(*) from strange")
        self._many("delete from strange where id = ?", ((one,) for one in ids))
        self._many("delete from strange where mark = ?", ((one,) for one in marks))
        return int(before - self._one("select count(*) from strange")[0])

    def _one(self, query: str, *values: Any) -> Sequence[Any]:
        row: Sequence[Any] = self._connection.execute(query, values).fetchone()
        return row

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.execute("begin")
        self._connection.executemany(statement, rows)
        self._connection.execute("commit")


def _entry(row: Sequence[Any]) -> Entry:
    key, mark, places, epoch, told = row
    return Entry(key, mark, places, epoch, json.loads(told))


def _item(row: Sequence[Any]) -> Item:
    identity, mark, content = row
    return Item(identity, mark, None if content is None else json.loads(content))
