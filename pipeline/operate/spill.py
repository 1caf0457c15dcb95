"""The changes of a range of records, kept on disk: each layer's newest, under the old rules and the new.

A temporary SQLite file, so that memory does not grow with the entries. Nothing outlives it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.model.change import BASE, Change, Version
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

    def flush(self) -> None:
        rows = [
            (*slot, version, _document(change)) for slot, (version, change) in sorted(self._rows.items(), key=_slot)
        ]
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


def _rows(file: Path) -> Iterator[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
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
        "content": dict(change.content),
        "subscriber": change.subscriber,
        "identity": change.identity,
        **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
