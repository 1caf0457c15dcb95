"""Who was forgotten: a mark that keeps late events out, and what goes from every table.

A mark is a keyed hash: of the person, of who they were at a vendor, of their entries' keys and groups. It is keyed by
the key file, else by a key that the ledger made; so nobody finds out from the marks alone whom they mean.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, text, tuple_, update

from pipeline.ledger import entries, outbox
from pipeline.ledger import tables as t
from pipeline.ledger.database import Transaction, clock, insert_into
from pipeline.ledger.entries import CHUNK, Key
from pipeline.ledger.taking import Asked
from pipeline.ledger.values import Message
from pipeline.model.change import Change, Link
from pipeline.model.erasure import erased, is_erased, is_over
from pipeline.model.facts import NOTHING, Facts, Policy

LOCK = 7205759403792794
"""Intake shares it; who marks has it alone: a batch under way ends first, and the next one sees the mark."""
FORGOTTEN = "(forgotten)"
Name = tuple[str, ...]
"""What a mark stands for, e.g. ("subscriber", "42") or ("key", "acme-ecal", "INV-1")."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How far it has come."""

    gone: Mapping[str, int]
    """Destination → entries that are gone, there and here."""
    kept: Mapping[str, int]
    """Destination → entries whose rows are gone, but which the vendor keeps: no call deletes them, or it refused to."""
    waiting: Mapping[str, int]
    """Destination → entries that the lanes are still to delete."""


@dataclass(frozen=True, slots=True)
class ForgetBook:
    transaction: Transaction
    look: Transaction
    policies: Mapping[str, Policy]
    hash_keys: tuple[bytes, ...] = field(repr=False)

    def without(self, connection: Connection, asked: Asked) -> Asked:
        """What records ask for, but for what concerns somebody who was forgotten."""
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"select pg_advisory_xact_lock_shared({LOCK})"))
        if connection.execute(select(t.forgotten.c.mark).limit(1)).first() is None:
            return asked
        names = _names(asked)
        gone = self._marked(connection, names)
        strange = [(one.destination, one.key) for one, _ in asked.changes if _key(one) in gone]
        there = set(entries.locked(connection, sorted(set(strange)))) if strange else set()
        return replace(
            asked,
            changes=[(one, raw) for one, raw in asked.changes if not _is_theirs(one, gone, there)],
            links=[one for one in asked.links if not _links_them(one, gone)],
            rosters=[(one, raw) for one, raw in asked.rosters if _group(one.destination, one.group) not in gone],
        )

    def begin(self, subscriber: str) -> int:
        """Marks the person, and asks the lanes to delete what the vendors hold. How many entries there are. May be
        begun again."""

        def work(connection: Connection) -> int:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
            now = clock(connection)
            identities = _identities(connection, subscriber)
            rows = _theirs(connection, subscriber, identities)
            self._mark(connection, [("subscriber", subscriber), *identities, *_marks_of(rows)], now)
            known = [row for row in rows if row.destination in self.policies and not is_erased(row)]
            ended = [erased(row, subscriber, now, self.policies[row.destination]) for row in known]
            entries.write(connection, ended, entries.ALL)
            _forget_groups(connection, rows)
            _scrub(connection, [subscriber, *(name[-1] for name in identities)], rows)
            return len(rows)

        return self.transaction(work)

    def finish(self, subscriber: str, compacted: str | None = None) -> Erased:
        """Deletes the rows for which no call is to be made any more; and the person, once there are none. `compacted`:
        the topic of outcomes, where a null takes away what was told of an entry."""

        def work(connection: Connection) -> Erased:
            rows = _theirs(connection, subscriber, ())
            waiting = [row for row in rows if self._is_waiting(row)]
            over = [row for row in rows if not self._is_waiting(row)]
            kept = [row for row in over if row.destination not in self.policies or row.observed_hash != NOTHING]
            entries.forget(connection, [(row.destination, row.key) for row in over])
            _scrub(connection, [subscriber], over)
            if compacted is not None:
                names = (f"{row.destination}/{row.key}".encode() for row in over)
                outbox.post(connection, [Message(compacted, name, None, ()) for name in names])
            if not waiting:
                connection.execute(delete(t.directory).where(t.directory.c.subscriber == subscriber))
            gone = _by_destination(over) - _by_destination(kept)
            return Erased(gone, _by_destination(kept), _by_destination(waiting))

        return self.transaction(work)

    def count(self, subscriber: str) -> dict[str, int]:
        """Destination → entries of theirs."""

        def work(connection: Connection) -> dict[str, int]:
            c = t.entries.c
            query = select(c.destination, func.count()).where(c.subscriber == subscriber).group_by(c.destination)
            return dict(connection.execute(query).tuples().all())

        return self.look(work)

    def name(self, subscriber: str) -> str:
        """The mark that stands for the person, e.g. in the audit."""

        def work(connection: Connection) -> str:
            key = (self.hash_keys or _own_key(connection, make=True))[0]
            return _digest(key, ("subscriber", subscriber))

        return self.transaction(work)

    def is_forgotten(self, subscriber: str) -> bool:
        return self.look(lambda connection: bool(self._marked(connection, {("subscriber", subscriber)})))

    def _is_waiting(self, row: Facts) -> bool:
        return row.destination in self.policies and not is_over(row)

    # marks ---------------------------------------------------------------------------------------------------------

    def _mark(self, connection: Connection, names: Iterable[Name], now: float) -> None:
        """By the newest key."""
        key = (self.hash_keys or _own_key(connection, make=True))[0]
        rows = [{"mark": _digest(key, name), "at": now} for name in set(names)]
        connection.execute(insert_into(connection, t.forgotten).on_conflict_do_nothing(), rows)

    def _marked(self, connection: Connection, names: Collection[Name]) -> set[Name]:
        """Those of these names that have a mark, by whichever key."""
        keys = (*self.hash_keys, *_own_key(connection, make=False))
        meant = {_digest(key, name): name for key in keys for name in names}
        digests, found = sorted(meant), set[Name]()
        for start in range(0, len(digests), CHUNK):
            query = select(t.forgotten.c.mark).where(t.forgotten.c.mark.in_(digests[start : start + CHUNK]))
            found |= {meant[mark] for mark in connection.execute(query).scalars()}
        return found


def _own_key(connection: Connection, make: bool) -> tuple[bytes, ...]:
    """The key that the ledger made, where there is no key file, or was none."""
    query = select(t.forgetting_keys.c.key).where(t.forgetting_keys.c.id == 1)
    found = connection.execute(query).scalar_one_or_none()
    if found is None and make:
        fresh = {"id": 1, "key": secrets.token_bytes(32)}
        connection.execute(insert_into(connection, t.forgetting_keys).values(**fresh).on_conflict_do_nothing())
        found = connection.execute(query).scalar_one()
    return () if found is None else (bytes(found),)


def _digest(key: bytes, name: Name) -> str:
    return hashlib.blake2b("\0".join(name).encode(), key=key, digest_size=16).hexdigest()


# what concerns whom ------------------------------------------------------------------------------------------------


def _names(asked: Asked) -> set[Name]:
    names = {name for one, _ in asked.changes for name in _of_change(one)}
    names |= {name for one in asked.links for name in _of_link(one)}
    return names | {_group(one.destination, one.group) for one, _ in asked.rosters}


def _of_change(one: Change) -> set[Name]:
    said = {_key(one)} | ({("subscriber", one.subscriber)} if one.subscriber is not None else set())
    return said | ({("identity", one.destination, one.identity)} if one.identity is not None else set())


def _of_link(one: Link) -> set[Name]:
    said: set[Name] = {("subscriber", one.subscriber)} if one.subscriber is not None else set()
    known = [identity for identity in (one.identity, one.ended) if identity is not None]
    return said | {("identity", one.destination, identity) for identity in known}


def _key(one: Change) -> Name:
    return ("key", one.destination, one.key)


def _group(destination: str, group: str) -> Name:
    return ("group", destination, group)


def _is_theirs(one: Change, gone: set[Name], there: Collection[Key]) -> bool:
    """Of an entry that was theirs, a change that names nobody is theirs too; unless somebody else has it by now."""
    if (_of_change(one) - {_key(one)}) & gone:
        return True
    nobody = one.subscriber is None and one.identity is None
    return nobody and _key(one) in gone and (one.destination, one.key) not in there


def _links_them(one: Link, gone: set[Name]) -> bool:
    return bool(_of_link(one) & gone)


# what there is -----------------------------------------------------------------------------------------------------


def _identities(connection: Connection, subscriber: str) -> list[Name]:
    """Who the person is at each destination, as the directory and their entries say."""
    c, d = t.entries.c, t.directory.c
    known = select(d.destination, d.identity).where(d.subscriber == subscriber, d.identity.is_not(None))
    theirs = select(c.destination, c.identity).where(c.subscriber == subscriber, c.identity.is_not(None)).distinct()
    found = {*connection.execute(known).all(), *connection.execute(theirs).all()}
    return [("identity", destination, identity) for destination, identity in sorted(map(tuple, found))]


def _theirs(connection: Connection, subscriber: str, identities: Iterable[Name]) -> list[Facts]:
    """Their entries; also those that name no person of ours but who they are at the vendor."""
    c = t.entries.c
    nameless = [and_(c.subscriber.is_(None), c.destination == name[1], c.identity == name[2]) for name in identities]
    query = (
        select(c.destination, c.key).where(or_(c.subscriber == subscriber, *nameless)).order_by(c.destination, c.key)
    )
    keys = [(destination, key) for destination, key in connection.execute(query)]
    return list(entries.locked(connection, keys).values())


def _marks_of(rows: Iterable[Facts]) -> set[Name]:
    names: set[Name] = {("key", row.destination, row.key) for row in rows}
    return names | {_group(row.destination, row.group_name) for row in rows if row.group_name is not None}


def _forget_groups(connection: Connection, rows: Sequence[Facts]) -> None:
    """Groups that only their entries were in."""
    names = sorted({(row.destination, row.group_name) for row in rows if row.group_name is not None})
    g, c = t.groups.c, t.entries.c
    others = exists().where(c.destination == g.destination, c.group_name == g.name)
    for start in range(0, len(names), CHUNK):
        named = tuple_(g.destination, g.name).in_(names[start : start + CHUNK])
        connection.execute(delete(t.groups).where(named, ~others))


def _by_destination(rows: Iterable[Facts]) -> Counter[str]:
    return Counter(row.destination for row in rows)


# what else names them ----------------------------------------------------------------------------------------------


def _scrub(connection: Connection, names: Sequence[str], rows: Sequence[Facts]) -> None:
    """What people did by hand, findings, and what waits for Kafka: nothing of it names them any more."""
    keys = [(row.destination, row.key) for row in rows]
    said = [*names, *(row.key for row in rows), *(row.vendor_id for row in rows if row.vendor_id is not None)]
    is_named = _naming(said)
    _scrub_audit(connection, is_named)
    for start in range(0, len(keys), CHUNK):
        chosen = tuple_(t.drift.c.destination, t.drift.c.key).in_(keys[start : start + CHUNK])
        connection.execute(delete(t.drift).where(chosen))
    _scrub_outbox(connection, is_named, {f"{destination}/{key}".encode() for destination, key in keys})


def _scrub_audit(connection: Connection, is_named: Callable[[str], bool]) -> None:
    rows = connection.execute(select(t.audit.c.id, t.audit.c.detail)).all()
    theirs = [number for number, detail in rows if is_named(detail)]
    if theirs:
        connection.execute(update(t.audit).where(t.audit.c.id.in_(theirs)).values(detail=FORGOTTEN))


def _scrub_outbox(connection: Connection, is_named: Callable[[str], bool], keys: Collection[bytes]) -> None:
    columns = (t.outbox.c.id, t.outbox.c.key, t.outbox.c.value, t.outbox.c.headers, t.outbox.c.sealed)
    theirs = [
        number
        for number, key, value, headers, sealed in connection.execute(select(*columns)).all()
        if value is not None  # a null is what takes an older record away
        and (
            bytes(key or b"") in keys
            or is_named(_text(key))
            or (not sealed and is_named(_text(value)))
            or any(is_named(_text(bytes.fromhex(one or ""))) for _, one in json.loads(headers))
        )
    ]
    if theirs:
        connection.execute(delete(t.outbox).where(t.outbox.c.id.in_(theirs)))


def _text(value: Any) -> str:
    return bytes(value or b"").decode("utf-8", "replace")


def _naming(said: Sequence[str]) -> Callable[[str], bool]:
    """Whether a text has one of these as a word: `42` is not in `2042`."""
    words = "|".join(re.escape(one) for one in sorted(set(said), key=len, reverse=True) if one)
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])") if words else None
    return lambda text: pattern is not None and pattern.search(text) is not None
