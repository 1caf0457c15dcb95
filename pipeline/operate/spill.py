"""The changes of a range of records, kept on disk: each layer's newest, under the old rules and the new.

A temporary SQLite file, so that memory does not grow with the entries. Nothing outlives it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.model.change import BASE, Change, Roster, Version
from pipeline.model.facts import END
from pipeline.rules.adapt import DestinationView, desired

Side = Literal["both", "old", "new"]
State = tuple[str, Mapping[str, Any]]
"""absent | waiting | present | cancelled | deleted, and what should be there."""
WHOSE = ("subscriber", "identity", "deliver_at", "expires_at")
BUFFER = 20_000
"""Changes in memory before they are written."""
_PRAGMAS = ("journal_mode = off", "synchronous = off", "cache_size = -32768", "locking_mode = exclusive")
_UPSERT = """
insert into changes values (?, ?, ?, ?, ?, ?)
on conflict do update set version = excluded.version, document = excluded.document
where excluded.version > version
"""

_UPSERT_ROSTER = """
insert into rosters values (?, ?, ?, ?, ?)
on conflict do update set version = excluded.version, document = excluded.document
where excluded.version > version
"""
_ROSTERS = "select side, version, document from rosters where destination = ? and name = ?"


class Slot(NamedTuple):
    """A layer of an entry, or its end, as one side has it."""

    destination: str
    key: str
    layer: str
    side: Side


@dataclass(slots=True)
class Spill:
    file: Path
    _rows: dict[Slot, tuple[bytes, Change]] = field(default_factory=dict)
    _connection: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = sqlite3.connect(self.file, isolation_level=None)
        for pragma in _PRAGMAS:
            self._connection.execute(f"pragma {pragma}")
        self._connection.execute(
            "create table rosters (destination text, name text, side text, version blob, document text, "
            "primary key (destination, name, side)) without rowid"
        )
        self._connection.execute(
            "create table if not exists changes (destination text, key text, layer text, side text, version blob, "
            "document text, primary key (destination, key, layer, side)) without rowid"
        )

    def add(self, change: Change, side: Side) -> None:
        slot = Slot(change.destination, change.key, change.layer if change.kind == "upsert" else END, side)
        version = sortable(change.version)
        held = self._rows.get(slot)
        if held is None or held[0] < version:
            self._rows[slot] = (version, change)
        if len(self._rows) >= BUFFER:
            self.flush()

    def add_roster(self, roster: Roster, side: Side) -> None:
        """All that a group consists of, by one event; the newest of each group is kept."""
        document = json.dumps({"keys": sorted(roster.keys), "rule": roster.rule}, ensure_ascii=False)
        row = (roster.destination, roster.group, side, sortable(roster.version), document)
        self._connection.execute(_UPSERT_ROSTER, row)

    def flush(self) -> None:
        ordered = sorted(self._rows.items(), key=_slot)
        rows = ((*slot, version, _document(change)) for slot, (version, change) in ordered)
        self._connection.execute("begin")
        self._connection.executemany(_UPSERT, rows)
        self._connection.execute("commit")
        self._rows.clear()

    def close(self) -> None:
        self.flush()
        self._connection.close()


@dataclass(frozen=True, slots=True)
class Layers:
    """What one side wants of an entry: slot → (version, document)."""

    slots: Mapping[str, tuple[bytes, Mapping[str, Any]]]

    def state(self, view: DestinationView, order: Sequence[str]) -> State:
        end, base = self.slots.get(END), self.slots.get(BASE)
        if end and (base is None or base[0] < end[0]):
            return ("cancelled" if end[1]["kind"] == "cancel" else "deleted"), {}
        if base is None:
            return ("waiting" if self.slots else "absent"), {}
        contents = [self.slots[layer][1]["content"] for layer in order if layer in self.slots]
        return "present", desired(contents, view)

    def group(self) -> str | None:
        """The group that its base names."""
        base = self.slots.get(BASE)
        return None if base is None else base[1]["group"]

    def without(self, rosters: Sequence[tuple[str, bytes, str]], key: str) -> Layers:
        """As the newest of these rosters of its group leaves it."""
        base = self.slots.get(BASE)
        newest = max(rosters, key=itemgetter(1), default=None)
        if base is None or newest is None or newest[1] <= base[0]:
            return self
        said = json.loads(newest[2])
        if key in said["keys"]:
            return self
        end = {"kind": "cancel", "rule": said["rule"]}
        held = self.slots.get(END)
        return self if held is not None and held[0] > newest[1] else Layers({**self.slots, END: (newest[1], end)})

    def whose(self) -> tuple[Any, ...]:
        """What may change beside the content, in the order of `WHOSE`: the uppermost layer's that says it."""
        documents = [document for slot, (_, document) in sorted(self.slots.items()) if slot != END]
        return tuple(next((d[name] for d in reversed(documents) if d[name] is not None), None) for name in WHOSE)


@dataclass(frozen=True, slots=True)
class Pair:
    """An entry under both sides."""

    destination: str
    key: str
    old: Layers
    new: Layers
    same: bool
    """No record asked anything else of it under the new rules than under the old."""


def pairs(files: Sequence[Path]) -> Iterator[Pair]:
    """Every entry of these files, in order of destination and key."""
    with ExitStack() as stack:
        rosters = [stack.enter_context(closing(_reading(file))) for file in files]
        for pair in _pairs(files):
            yield _rostered(pair, rosters)


def _rostered(pair: Pair, rosters: Sequence[sqlite3.Connection]) -> Pair:
    """The entry is over where the newest roster of its group, on that side, is newer than its base and has it not."""
    groups = {layers.group() for layers in (pair.old, pair.new)} - {None}
    if not groups:
        return pair
    found = [row for group in groups for one in rosters for row in one.execute(_ROSTERS, (pair.destination, group))]
    same = pair.same and all(side == "both" for side, _, _ in found)
    old, new = (
        layers.without([row for row in found if row[0] in ("both", side)], pair.key)
        for side, layers in (("old", pair.old), ("new", pair.new))
    )
    return replace(pair, old=old, new=new, same=same)


def _pairs(files: Sequence[Path]) -> Iterator[Pair]:
    for (destination, key), rows in groupby(merge(*map(_rows, files)), itemgetter(0, 1)):
        sides: dict[str, dict[str, tuple[bytes, str]]] = {"old": {}, "new": {}}
        same = True
        for _, _, layer, side, version, document in rows:
            same = same and side == "both"
            for one in ("old", "new") if side == "both" else (side,):
                held = sides[one].get(layer)
                if held is None or held[0] < version:
                    sides[one][layer] = (version, document)
        old, new = (Layers({k: (v, json.loads(d)) for k, (v, d) in sides[one].items()}) for one in ("old", "new"))
        yield Pair(destination, key, old, new, same)


def sortable(version: Version) -> bytes:
    """Bytes in the order of the versions, without the rules' revision."""
    topic = version.topic.encode() + b"\0"
    order = (version.order + (1 << 63)).to_bytes(9, "big")
    return order + topic + version.partition.to_bytes(4, "big") + version.offset.to_bytes(8, "big")


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)


def _rows(file: Path) -> Iterator[tuple[Any, ...]]:
    connection = _reading(file)
    try:
        query = "select destination, key, layer, side, version, document from changes"
        yield from connection.execute(f"{query} order by destination, key, layer, side")
    finally:
        connection.close()


def _slot(row: tuple[Slot, Any]) -> Slot:
    return row[0]


def _document(change: Change) -> str:
    moments = {name: getattr(change, name) for name in ("deliver_at", "expires_at")}
    said = {
        "kind": change.kind,
        "rule": change.rule,
        "group": change.group,
        "content": dict(change.content),
        "subscriber": change.subscriber,
        "identity": change.identity,
        **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
