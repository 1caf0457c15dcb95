"""Puts right what a wrong rule did: the records of a range are read again under the rules as they are now.

What the rule asks for now is written over what it asked for then; what it should never have asked for is taken back.
Both carry the version of the record that did it, with the newer revision: so what came after it stands.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from msgspec.structs import replace

from pipeline.dead_letters import keep
from pipeline.ledger import Ledger
from pipeline.model import wanted
from pipeline.model.change import BASE, Change, Version
from pipeline.model.event import Undecodable, decode
from pipeline.model.facts import END, GROUP, NOTHING, Facts
from pipeline.model.wire import Record
from pipeline.operate.spill import sortable
from pipeline.rules.evaluate import RuleSet
from pipeline.stream import Bounds, KafkaConfig, Partition
from pipeline.stream.ranges import read

CHUNK = 200
_TABLES = """
create table suspects (
    topic, partition, number, destination, key, primary key (topic, partition, number, destination, key)
) without rowid;
create table touched (destination, key, primary key (destination, key)) without rowid;
create table wanted (destination, key, slot, version, change, raw, primary key (destination, key, slot)) without rowid;
create table raws (topic, partition, number, raw, primary key (topic, partition, number)) without rowid;
create table extras (links, rosters, raw);
"""
_WANTED = """
insert into wanted values (?, ?, ?, ?, ?, ?) on conflict do update
set version = excluded.version, change = excluded.change, raw = excluded.raw where excluded.version > version
"""
Repair = tuple[Change, Mapping[str, Any]]


@dataclass(slots=True)
class Reapplied:
    """What would be done, or was: what → entries, and some of their names."""

    records: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, str, str]] = field(default_factory=list)
    """(what, destination, key)"""
    left: Counter[str] = field(default_factory=Counter)
    """A destination that the settings no longer have → entries of the rule that stay there."""


@dataclass(slots=True)
class Reapplying:
    """`rules` carry the active revision. All that is seen lies in a temporary database."""

    rule: str
    rules: RuleSet
    ledger: Ledger
    bounds: Mapping[Partition, Bounds] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    seen: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect("", isolation_level=None))

    def __post_init__(self) -> None:
        self.seen.executescript(_TABLES)
        self.seen.create_function("inside", 3, self._inside)

    def gather(self) -> set[str]:
        """Goes through the whole ledger for what the rule wrote, and keeps it for `look`. Returns the topics of the
        records by which it did: today's rules may read others."""
        self.seen.execute("begin")
        for row in self.ledger.rules.entries_of(self.rule):
            written = [layer["version"][1:4] for slot, layer in row.layers.items() if self._is_mine(slot, layer)]
            named = [(*at, row.destination, row.key) for at in written]
            self.seen.executemany("insert or ignore into suspects values (?, ?, ?, ?, ?)", named)
        self.seen.execute("commit")
        return {topic for (topic,) in self.seen.execute("select distinct topic from suspects")}

    async def look(
        self, kafka: KafkaConfig, bounds: Mapping[Partition, Bounds], progress: Callable[[int, int], None]
    ) -> Reapplied:
        """After `gather`: reads the range and tells what would become of the entries; writes nothing. Raises
        StreamError."""
        self.bounds = bounds
        self._narrow()
        total, done = sum(bound.end - bound.begin for bound in self.bounds.values()), 0
        async for records in read(kafka, self.bounds):
            self.seen.execute("begin")
            for record in records:
                self._take(record)
            self.seen.execute("commit")
            done += len(records)
            progress(done, total)
        return self._told(done)

    def write(self) -> None:
        """Does what `look` has told. What it has done already does nothing again."""
        for rows in self._rows():
            self.ledger.take([one for row in rows for one in self._repairs(row)], [], [], {})
        for links, rosters, raw in self.seen.execute("select links, rosters, raw from extras"):
            named = [(roster, _unpickled(raw)) for roster in _unpickled(rosters)]
            self.ledger.take([], _unpickled(links), [], {}, named)

    def _narrow(self) -> None:
        """Only what a record of the range wrote, at a destination that there is, is looked at any further."""
        self.seen.execute("delete from suspects where not inside(topic, partition, number)")
        found = self.seen.execute("select destination, count(distinct key) from suspects group by destination")
        self.left.update({name: n for name, n in found if name not in self.ledger.policies})
        self.seen.executemany("delete from suspects where destination = ?", [(name,) for name in self.left])
        self.seen.execute("insert into touched select distinct destination, key from suspects")

    def _take(self, record: Record) -> None:
        at = record.at
        try:
            found = self.rules.evaluate(decode(record))
        except Undecodable:
            return
        suspect = self.seen.execute(
            "select 1 from suspects where topic = ? and partition = ? and number = ?",
            (at.topic, at.partition, at.offset),
        )
        raw = pickle.dumps(keep(record)) if found.changes or found.links or found.rosters or suspect.fetchone() else b""
        if raw:
            self.seen.execute(
                "insert or replace into raws values (?, ?, ?, ?)", (at.topic, at.partition, at.offset, raw)
            )
        for change in found.changes:
            name = (change.destination, change.key)
            slot = change.layer if change.kind == "upsert" else END
            self.seen.execute(_WANTED, (*name, slot, sortable(change.version), pickle.dumps(change), raw))
            if change.rule == self.rule:
                self.seen.execute("insert or ignore into touched values (?, ?)", name)
        mine = any(match.rule == self.rule for match in found.matched)
        if mine and (found.links or found.rosters):
            self.seen.execute(
                "insert into extras values (?, ?, ?)", (pickle.dumps(found.links), pickle.dumps(found.rosters), raw)
            )

    def _rows(self) -> Iterator[list[Facts]]:
        """The entries that the rule touches, then or now; one that is not there yet is blank."""
        names = self.seen.execute("select destination, key from touched order by 1, 2")
        while chunk := names.fetchmany(CHUNK):
            there = self.ledger.rules.entries(chunk)
            yield [there.get(name, Facts(*name)) for name in chunk]

    def _told(self, records: int) -> Reapplied:
        told = Reapplied(records, left=self.left)
        for row in (row for rows in self._rows() for row in rows):
            policy = self.ledger.policies[row.destination]
            changes = (change for change, _ in self._repairs(row))
            after = reduce(lambda facts, one: wanted.apply(facts, one, {}, 0.0, policy) or facts, changes, row)
            what = _what(row.desired_hash, after.desired_hash)
            told.counts[what] += 1
            if what != "unchanged" and len(told.examples) < 20:
                told.examples.append((what, row.destination, row.key))
        return told

    def _repairs(self, row: Facts) -> Iterator[Repair]:
        """The changes that put the entry right, the upper layers' last."""
        query = "select slot, change, raw from wanted where destination = ? and key = ?"
        found = self.seen.execute(query, (row.destination, row.key)).fetchall()
        wanted: dict[str, Repair] = {slot: (_unpickled(change), _unpickled(raw)) for slot, change, raw in found}
        for slot in sorted({*row.layers, *wanted} - {GROUP}):
            held, right = row.layers.get(slot), wanted.get(slot)
            if right is not None and (held is None or tuple(right[0].version) > tuple(held["version"])):
                yield right
            elif held is not None and self._is_suspect(slot, held):
                order, topic, partition, offset, _ = held["version"]
                at = Version(order, topic, partition, offset, self.rules.revision)
                if right is not None and tuple(right[0].version)[:4] != at[:4]:
                    yield replace(right[0], version=at), right[1]
                elif right is None:
                    yield from self._taken_back(row, slot, at, wanted)

    def _taken_back(self, row: Facts, slot: str, at: Version, wanted: Mapping[str, Repair]) -> Iterator[Repair]:
        """What no record asks for any more: the entry itself, its end, or one layer of it."""
        raw = self._raw(at)
        if raw is None:
            return
        blank = Change(row.destination, row.key, "upsert", at, self.rule, layer=slot)
        if slot == BASE:
            yield replace(blank, kind="delete"), raw
        elif slot != END:
            yield blank, raw
        elif BASE in wanted:
            yield replace(wanted[BASE][0], version=at), raw
        elif BASE in row.layers:
            yield _written_again(row, at), raw

    def _raw(self, at: Version) -> Mapping[str, Any] | None:
        query = "select raw from raws where topic = ? and partition = ? and number = ?"
        found = self.seen.execute(query, (at.topic, at.partition, at.offset)).fetchone()
        return _unpickled(found[0]) if found else None

    def _is_mine(self, slot: str, layer: Mapping[str, Any]) -> bool:
        return slot != GROUP and layer["rule"] == self.rule

    def _is_suspect(self, slot: str, layer: Mapping[str, Any]) -> bool:
        """Whether the rule wrote this layer, by a record of the range."""
        return self._is_mine(slot, layer) and self._inside(*layer["version"][1:4])

    def _inside(self, topic: str, partition: int, offset: int) -> bool:
        bound = self.bounds.get((topic, partition))
        return bound is not None and bound.begin <= offset < bound.end


def _what(before: str, after: str) -> str:
    if before == after:
        return "unchanged"
    return "created" if before == NOTHING else "cancelled" if after == NOTHING else "changed"


def _written_again(row: Facts, at: Version) -> Change:
    """The entry's base as the ledger has it: its end was wrong."""
    layer = row.layers[BASE]

    def moment(name: str) -> datetime | None:
        return None if layer.get(name) is None else datetime.fromtimestamp(layer[name], UTC)

    return Change(
        row.destination,
        row.key,
        "upsert",
        at,
        layer["rule"],
        group=layer.get("group"),
        content=layer["content"],
        subscriber=layer["subscriber"],
        identity=layer["identity"],
        if_unsent="skip" if layer["skip"] else "create",
        event_time=moment("at"),
        matters_at=moment("matters_at"),
        deliver_at=moment("deliver_at"),
        expires_at=moment("expires_at"),
    )


def _unpickled(raw: bytes) -> Any:
    """What this very process has pickled, out of a temporary file that its user alone may write."""
    return pickle.loads(raw)  # nosec B301 # see above
