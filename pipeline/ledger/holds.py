"""Holds of less than an account: a destination that a person paused, a rule whose entries are refused again and again.

A rule is held at one destination, with the revision whose entries were refused: entries of other rules, and of later
rules, go on. One entry is tried every few minutes, and lifts the hold if it is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update

from pipeline.ledger import entries
from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import Hold, Settled
from pipeline.model.facts import Facts, Policy, look_again, postpone, unsettled
from pipeline.model.outcome import Accepted, Unconfirmed

HOLD_RULE_AFTER = 10
"""Entries of a rule in a row that died at a destination known to be good, none taken between."""
TRY_EVERY = 300.0
"""Seconds between the entries of a held rule that are tried all the same."""
LOOK_AGAIN = 900.0
"""Seconds after which an entry of a held rule looks whether it still is."""
RULE = "rule_held"
"""The error of an entry whose rule is held."""
WHOLE = ""
"""In the place of a rule: the destination itself, paused by a person."""

Written = tuple[str, int]
"""A rule, and the revision that wrote."""

_KEY = tuple_(t.holds.c.destination, t.holds.c.rule, t.holds.c.revision)
_STOPPED = select(t.holds).where(t.holds.c.destination == bindparam("destination"), t.holds.c.since.is_not(None))
_COUNTED = select(*_KEY.clauses).where(t.holds.c.rule != WHOLE)


@dataclass(frozen=True, slots=True)
class Stops:
    """What of a destination must not be called. `rules`: when the next entry of each may be tried."""

    paused: bool = False
    rules: Mapping[Written, float] = field(default_factory=dict)


def pause(connection: Connection, destination: str, detail: str, now: float) -> bool:
    """False where it was paused already."""
    values = {"destination": destination, "rule": WHOLE, "revision": 0, "since": now, "refused": 0, "detail": detail}
    insert = insert_into(connection, t.holds).values(**values).on_conflict_do_nothing()
    return connection.execute(insert.returning(t.holds.c.destination)).first() is not None


def resume(connection: Connection, destination: str, rule: str | None) -> bool:
    """Lifts a person's pause, or the hold of a rule; False where there was none."""
    named = (t.holds.c.destination == destination, t.holds.c.rule == (rule or WHOLE), t.holds.c.since.is_not(None))
    return connection.execute(delete(t.holds).where(*named)).rowcount > 0


def known(connection: Connection) -> list[Hold]:
    rows = connection.execute(select(t.holds).where(t.holds.c.since.is_not(None)).order_by(*_KEY.clauses)).mappings()
    return [
        Hold("paused", None, row["destination"], since=row["since"], detail=row["detail"])
        if row["rule"] == WHOLE
        else Hold("refused", None, row["destination"], row["rule"], row["since"], row["try_at"], row["detail"])
        for row in rows
    ]


# claims ------------------------------------------------------------------------------------------------------------


def stops(connection: Connection, destination: str) -> Stops:
    rows = connection.execute(_STOPPED, {"destination": destination}).mappings().all()
    rules = {(row["rule"], row["revision"]): row["try_at"] or 0.0 for row in rows if row["rule"] != WHOLE}
    return Stops(any(row["rule"] == WHOLE for row in rows), rules)


def sift(
    connection: Connection, rows: Sequence[Facts], stopped: Stops, now: float, policy: Policy
) -> tuple[list[Facts], list[Facts]]:
    """Ready rows → those that may go, and those put off because their rule is held."""
    due = {written for written, try_at in stopped.rules.items() if try_at <= now}
    go: list[Facts] = []
    put_off: list[Facts] = []
    for row in rows:
        held = stopped.rules.keys() & written_by(row)
        if held <= due:
            go.append(row)
            due -= held
            _tried(connection, policy.destination, held, now)
        else:
            put_off.append(postpone(row, now + LOOK_AGAIN, RULE, now, policy))
    return go, put_off


def _tried(connection: Connection, destination: str, held: Iterable[Written], now: float) -> None:
    for written in held:
        named = update(t.holds).where(_KEY.in_([(destination, *written)]))
        connection.execute(named.values(try_at=now + TRY_EVERY))


def written_by(row: Facts) -> set[Written]:
    """The rules whose changes have not reached the vendor."""
    layers = [row.layers[layer] for layer, _ in unsettled(row) if layer in row.layers]
    return {(layer["rule"], layer["version"][-1]) for layer in layers}


def wake(connection: Connection, destination: str, limit: int, now: float, policy: Policy) -> int:
    """Entries that were put off look again at once; how many, `limit` at most."""
    rows = entries.put_off(connection, destination, RULE, limit)
    entries.write(connection, [look_again(row, now, policy) for row in rows], entries.CLAIM)
    return len(rows)


# settling ----------------------------------------------------------------------------------------------------------


def judge(connection: Connection, settled: Sequence[Settled], now: float) -> None:
    """Counts the deaths in a row of each rule's entries, and holds a rule that has too many."""
    died: Counter[tuple[str, str, int]] = Counter()
    codes: dict[tuple[str, str, int], str] = {}
    taken: set[tuple[str, str, int]] = set()
    for one in settled:
        names = {(one.before.destination, *written) for written in written_by(one.before)}
        if entries.died(one.before, one.after):
            died.update(names)
            codes |= dict.fromkeys(names, one.after.error or "")
        elif one.answer is not None and isinstance(one.answer.outcome, Accepted | Unconfirmed):
            taken |= names
    if taken:
        _lift(connection, taken)
    for name in sorted(died.keys() - taken):
        _count(connection, name, died[name], codes[name], now)


def _lift(connection: Connection, taken: Iterable[tuple[str, str, int]]) -> None:
    counted = {tuple(row) for row in connection.execute(_COUNTED)}
    ended = sorted(counted & set(taken))
    if ended:
        connection.execute(delete(t.holds).where(_KEY.in_(ended)))


def _count(connection: Connection, name: tuple[str, str, int], n: int, code: str, now: float) -> None:
    values = dict(zip(("destination", "rule", "revision"), name, strict=True))
    insert = insert_into(connection, t.holds).values(**values, refused=n, detail=code)
    more = {"refused": t.holds.c.refused + n, "detail": code}
    connection.execute(insert.on_conflict_do_update(index_elements=list(values), set_=more))
    many = update(t.holds).where(_KEY.in_([name]), t.holds.c.since.is_(None), t.holds.c.refused >= HOLD_RULE_AFTER)
    connection.execute(many.values(since=now, try_at=now + TRY_EVERY))
