"""What was read back of a destination: how far, what was found to differ, and what became of it.

An entry that drifted is marked here, once a person asks for it; the lane puts it right like any other that is not in
step. What was claimed since it was compared is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, case, delete, func, literal, or_, select, update

from pipeline.ledger import entries
from pipeline.ledger import tables as t
from pipeline.ledger.database import Transaction, clock, insert_into
from pipeline.model.drift import Drift, Kind, drifted
from pipeline.model.entry import canonical
from pipeline.model.facts import NOTHING, UNSURE, Facts, Policy

_OF = ("destination", "key", "epoch", "state", "observed", "observed_hash", "observed_identity", "identity",
       "vendor_id", "quiet_until")  # fmt: skip


class Name(NamedTuple):
    """Under which id the vendor has an entry, as far as that is known, and whether a lane is at it."""

    key: str
    vendor_id: str | None
    moving: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a reading has come. `after`: the place, the part and the name that were judged last."""

    began: float
    ended: float | None = None
    after: tuple[str, str, str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DriftBook:
    """The ledger's part of reading vendors back."""

    transaction: Transaction
    look: Transaction
    policies: Mapping[str, Policy]

    def seen(self, destination: str) -> Seen | None:
        """The reading that was begun last; None: there was none."""
        return self.look(lambda connection: _seen(connection, destination))

    def begin(self, destination: str) -> Seen:
        """A reading from the beginning; what an earlier one found is forgotten."""

        def work(connection: Connection) -> Seen:
            connection.execute(delete(t.drift).where(t.drift.c.destination == destination))
            connection.execute(delete(t.reconciliations).where(t.reconciliations.c.destination == destination))
            begun = Seen(clock(connection))
            values = {"destination": destination, "began": begun.began, "seen": _told(begun)}
            connection.execute(insert_into(connection, t.reconciliations).values(**values))
            return begun

        return self.transaction(work)

    def note(self, destination: str, seen: Seen, found: Sequence[Drift], ended: bool = False) -> int:
        """Writes how far the reading has come, and what it found; what was claimed meanwhile is not noted. How many
        of the findings stand."""

        def work(connection: Connection) -> int:
            now = clock(connection)
            rows = entries.locked(connection, sorted({(destination, one.key) for one in found}))
            good = [one for one in found if _stands(rows.get((destination, one.key)), one)]
            for one in good:
                _write(connection, destination, one, now)
            where = t.reconciliations.c.destination == destination
            at = now if ended else None
            connection.execute(update(t.reconciliations).where(where).values(seen=_told(seen), ended=at))
            return len(good)

        return self.transaction(work)

    def open(self, destination: str, limit: int = 500) -> list[Drift]:
        """Findings of which nothing has become yet, by key."""
        return self.look(lambda connection: _open(connection, destination, limit))

    def counts(self, destination: str) -> dict[tuple[str, str | None], int]:
        """(kind, what became of it) → findings."""

        def work(connection: Connection) -> dict[tuple[str, str | None], int]:
            c = t.drift.c
            mine = select(c.kind, c.became, func.count()).where(c.destination == destination)
            query = mine.group_by(c.kind, c.became)
            return {(kind, became): n for kind, became, n in connection.execute(query)}

        return self.look(work)

    def every(self, destination: str) -> Iterator[tuple[Drift, str | None]]:
        """All findings, by key, with what became of each."""
        after = ("", "")
        while True:
            page = self.look(partial(_page, destination=destination, after=after))
            yield from page
            if not page:
                return
            after = (page[-1][0].key, page[-1][0].kind)

    def mark(self, destination: str, found: Sequence[Drift], refusal: Callable[[Facts], str | None]) -> dict[str, str]:
        """Marks entries for the lane: key → `marked`; or `moved on` where the row is another one by now; `expired`
        where it would not be made any more; or what `refusal` says of the row as it would be: no call can do it."""
        policy = self.policies[destination]

        def work(connection: Connection) -> dict[str, str]:
            now = clock(connection)
            rows = entries.locked(connection, sorted({(destination, one.key) for one in found}))
            became: dict[str, str] = {}
            changed: list[Facts] = []
            for one in found:
                row = rows.get((destination, one.key))
                became[one.key] = _marked(row, one, now, policy, refusal, changed)
                _became(connection, destination, one, became[one.key])
            entries.write(connection, changed, entries.SETTLE)
            return became

        return self.transaction(work)

    def close(self, destination: str, one: Drift, became: str) -> None:
        """What became of one finding, e.g. `removed`."""
        self.transaction(lambda connection: _became(connection, destination, one, became))

    def rows(self, destination: str, after: str, limit: int = 500) -> list[Facts]:
        """The next rows by key, of which only what says where an entry stands at the vendor is read."""
        return self.look(lambda connection: _rows(connection, destination, t.entries.c.key > after, limit))

    def names(self, destination: str, after: str, limit: int = 500) -> list[Name]:
        """The next rows by key, wherever they stand: how the vendor calls them."""
        c = t.entries.c
        query = select(c.key, c.vendor_id, c.state != "idle").where(c.destination == destination, c.key > after)
        query = query.order_by(c.key).limit(limit)
        return self.look(lambda connection: [Name(*row) for row in connection.execute(query)])

    def about(self, destination: str, key: str) -> tuple[Facts | None, set[str]]:
        """One row as `rows` reads it, and which kinds of drift were found of it."""

        def work(connection: Connection) -> tuple[Facts | None, set[str]]:
            c = t.drift.c
            kinds = connection.execute(select(c.kind).where(c.destination == destination, c.key == key)).scalars()
            found = _rows(connection, destination, t.entries.c.key == key, 1)
            return next(iter(found), None), set(kinds)

        return self.look(work)

    def total(self, destination: str) -> int:
        """Entries that the vendor should hold."""

        def work(connection: Connection) -> int:
            held = _held(destination)
            return int(connection.execute(select(func.count()).select_from(t.entries).where(*held)).scalar_one())

        return self.look(work)


def _held(destination: str) -> tuple[Any, ...]:
    c = t.entries.c
    return (c.destination == destination, c.observed_hash.not_in((NOTHING, UNSURE)))


def _rows(connection: Connection, destination: str, which: ColumnElement[bool], limit: int) -> list[Facts]:
    columns = [t.entries.c[name] for name in _OF]
    query = select(*columns).where(*_held(destination), which).order_by(t.entries.c.key).limit(limit)
    return [_partial(row) for row in connection.execute(query).mappings()]


def _partial(row: RowMapping) -> Facts:
    observed = row["observed"]
    return Facts(**{**row, "observed": msgspec.json.decode(observed) if observed is not None else None})


def _seen(connection: Connection, destination: str) -> Seen | None:
    query = select(t.reconciliations).where(t.reconciliations.c.destination == destination)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    told = msgspec.json.decode(row["seen"])
    after = None if told["after"] is None else (told["after"][0], told["after"][1], told["after"][2])
    return Seen(row["began"], row["ended"], after, told["counts"])


def _told(seen: Seen) -> str:
    return canonical({"after": None if seen.after is None else list(seen.after), "counts": dict(seen.counts)})


def _stands(row: Facts | None, one: Drift) -> bool:
    return row is not None and row.epoch == one.epoch and row.state == "idle"


def _write(connection: Connection, destination: str, one: Drift, now: float) -> None:
    """Of what stands beside an entry, one part of a reading may find some and another part others."""
    c = t.drift.c
    where = (c.destination == destination, c.key == one.key, c.kind == one.kind, c.epoch == one.epoch)
    before = connection.execute(select(c.detail).where(*where)).scalar_one_or_none()
    ids = list(dict.fromkeys([*(msgspec.json.decode(before)["ids"] if before else ()), *one.ids]))
    detail = canonical({"fields": list(one.fields), "ids": ids})
    values = {"destination": destination, "key": one.key, "kind": one.kind, "detail": detail, "epoch": one.epoch}
    insert = insert_into(connection, t.drift).values(**values, at=now)
    fresh = {"detail": detail, "epoch": one.epoch, "at": now, "became": None}
    connection.execute(insert.on_conflict_do_update(index_elements=["destination", "key", "kind"], set_=fresh))


def _open(connection: Connection, destination: str, limit: int) -> list[Drift]:
    c = t.drift.c
    # What stands beside an entry goes first: the lane must not find two.
    doubled_first = case((c.kind == "doubled", 0), else_=1)
    query = select(t.drift).where(c.destination == destination, c.became.is_(None)).order_by(doubled_first, c.key)
    return [_drift(row) for row in connection.execute(query.limit(limit)).mappings()]


def _page(connection: Connection, destination: str, after: tuple[str, str]) -> list[tuple[Drift, str | None]]:
    c = t.drift.c
    later = or_(c.key > after[0], (c.key == after[0]) & (c.kind > literal(after[1])))
    query = select(t.drift).where(c.destination == destination, later).order_by(c.key, c.kind).limit(500)
    return [(_drift(row), row["became"]) for row in connection.execute(query).mappings()]


def _drift(row: RowMapping) -> Drift:
    detail = msgspec.json.decode(row["detail"])
    kind: Kind = row["kind"]
    return Drift(row["key"], kind, tuple(detail["fields"]), tuple(detail["ids"]), row["epoch"])


def _marked(
    row: Facts | None,
    one: Drift,
    now: float,
    policy: Policy,
    refusal: Callable[[Facts], str | None],
    changed: list[Facts],
) -> str:
    if row is None or not _stands(row, one):
        return "moved on"
    after = drifted(row, one.kind, now, policy)
    if after.state in ("idle", "expired"):
        return "expired"
    refused = refusal(after)
    if refused is None:
        changed.append(after)
    return refused or "marked"


def _became(connection: Connection, destination: str, one: Drift, became: str) -> None:
    c = t.drift.c
    where = (c.destination == destination, c.key == one.key, c.kind == one.kind)
    connection.execute(update(t.drift).where(*where).values(became=became))
