"""What is not in step, counted: all of it, or up to a bound and beyond it as a sample of the table has it.

What is estimated is always named as that. PostgreSQL looks at a row to know whether it counts: never at all of them
while somebody waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Text,
    TextClause,
    func,
    literal,
    select,
    tablesample,
    text,
    true,
)

from pipeline.ledger import tables as t
from pipeline.ledger.values import Backlog, Counted, Urgent

BOUND = 20_000
"""Entries of one destination in one state that are counted one by one when the answer must come at once."""
PAGES = 2_000
"""Of the table, in a sample."""
THIN = 100
"""Rows of a sample that tell no more than one digit of what there is; more of them tell two."""
STATES = ("ready", "sending", "held", "waiting", "expired", "dead")
KINDS = ((t.READY,), (t.READY, t.UNSURE), (t.HELD, t.UNSURE))
"""What is urgent: what is ready, what of that the vendor must first be asked about, and what waits to be in doubt."""

_BY_INDEX = text("select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)")
"""For this transaction: to find that there are few, the database must not look through all."""

Ranked = dict[str, list[int]]
"""Destination → how many entries matter by each horizon."""


def counted(
    connection: Connection,
    now: float,
    horizons: Sequence[float],
    destinations: Collection[str],
    bound: int,
    pages: int = PAGES,
) -> Counted:
    """The backlog of these destinations, and what of it is urgent. SQLite needs no bound: it counts its index and looks
    at no row."""
    if _is_sqlite(connection):
        exact = [_by_rank(connection, now, horizons, *which) for which in KINDS]
        return Counted(_with_age(connection, _states(connection), now), _urgent(exact, horizons))
    connection.execute(_BY_INDEX)
    states = _states_bounded(connection, destinations, bound)
    ranked = [_by_rank_bounded(connection, now, horizons, destinations, bound, *which) for which in KINDS]
    many = frozenset(place for place, n in states.items() if n > bound)
    urgently = frozenset(name for found in ranked for name, counts in found.items() if max(counts) > bound)
    if many or urgently:
        sampled, by_rank = _sampled(connection, now, horizons, pages)
        states = {place: _better(n, sampled.get(place, 0), bound) for place, n in states.items()}
        ranked = [_all_better(found, sample, bound) for found, sample in zip(ranked, by_rank, strict=True)]
    return Counted(_with_age(connection, states, now), _urgent(ranked, horizons), many, urgently)


def idle(connection: Connection, destinations: Collection[str], backlog: Backlog, bound: int) -> dict[str, int]:
    """Destination → entries that are in step: all less what is not. Of more than `bound` in all an estimate."""
    if _is_sqlite(connection):
        c = t.entries.c
        totals = dict(connection.execute(select(c.destination, func.count()).group_by(c.destination)).all())
        many = []
    else:
        connection.execute(_BY_INDEX)
        totals = _totals_bounded(connection, destinations, bound)
        many = [name for name, n in totals.items() if n > bound]
    found = dict(totals)
    for (destination, _), (n, _) in backlog.items():
        found[destination] = max(0, found.get(destination, 0) - n)
    if many:
        sampled, _ = _sampled(connection, 0.0, (), PAGES)
        found |= {name: sampled.get((name, "idle"), 0) for name in many}
    return found


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _with_age(connection: Connection, numbers: Mapping[tuple[str, str], int], now: float) -> Backlog:
    return {
        (destination, state): (n, _oldest_age(connection, destination, now) if state == "ready" else None)
        for (destination, state), n in numbers.items()
    }


def _oldest_age(connection: Connection, destination: str, now: float) -> float | None:
    """Seconds since the oldest event among the entries that are ready."""
    ready = (t.entries.c.destination == destination, t.READY, t.UNSETTLED)
    oldest = connection.execute(select(func.min(t.entries.c.event_time)).where(*ready)).scalar()
    return None if oldest is None else max(0.0, now - oldest)


def _urgent(ranked: Sequence[Ranked], horizons: Sequence[float]) -> Urgent:
    ready, looked_for, in_doubt = ranked
    none = [0] * len(horizons)
    return {
        name: [
            (max(0, sure - unsure), unsure + waits)  # estimates may be rounded past each other
            for sure, unsure, waits in zip(
                ready.get(name, none), looked_for.get(name, none), in_doubt.get(name, none), strict=True
            )
        ]
        for name in ready.keys() | in_doubt.keys()
    }


def _by_rank(connection: Connection, now: float, horizons: Sequence[float], *which: TextClause) -> Ranked:
    """How many of these entries matter by each horizon: out of an index that holds no other."""
    c = t.entries.c
    query = select(c.destination, *_within(c.rank, now, horizons)).where(*which).group_by(c.destination)
    return {destination: list(counts) for destination, *counts in connection.execute(query).all()}


def _within(rank: ColumnElement[Any], now: float, horizons: Sequence[float], *which: TextClause) -> list[Any]:
    return [func.count().filter(rank <= now + horizon, *which) for horizon in horizons]


def _each(names: Collection[str], name: str) -> Any:
    """A table of these names, to look for each of them by itself."""
    return func.unnest(literal(list(names), ARRAY(Text))).table_valued("name").render_derived(name=name)


def _totals_bounded(connection: Connection, destinations: Collection[str], bound: int) -> dict[str, int]:
    names = _each(destinations, "destinations")
    some = select(literal(1)).where(t.entries.c.destination == names.c.name).limit(bound + 1).lateral("some")
    query = select(names.c.name, func.count()).select_from(names.join(some, true())).group_by(names.c.name)
    return dict(connection.execute(query).all())


def _states(connection: Connection) -> dict[tuple[str, str], int]:
    """How many there are: out of an index that holds no other."""
    c = t.entries.c
    query = select(c.destination, c.state, func.count()).where(t.UNSETTLED).group_by(c.destination, c.state)
    return {(destination, state): n for destination, state, n in connection.execute(query).all()}


def _states_bounded(connection: Connection, destinations: Collection[str], bound: int) -> dict[tuple[str, str], int]:
    """How many there are, `bound` + 1 at most. Their order is that of the one index that will do: without it a plan
    takes a smaller one where all rows are alike, and looks at each for each state."""
    c, names, states = t.entries.c, _each(destinations, "destinations"), _each(STATES, "states")
    which = (c.destination == names.c.name, c.state == states.c.name, t.UNSETTLED)
    some = select(literal(1)).where(*which).order_by(c.event_time).limit(bound + 1).lateral("some")
    query = select(names.c.name, states.c.name, func.count()).select_from(names.join(states, true()).join(some, true()))
    found = connection.execute(query.group_by(names.c.name, states.c.name)).all()
    return {(destination, state): n for destination, state, n in found}


def _by_rank_bounded(
    connection: Connection,
    now: float,
    horizons: Sequence[float],
    destinations: Collection[str],
    bound: int,
    *which: TextClause,
) -> Ranked:
    """Of the first `bound` + 1: where a horizon has fewer, it is exactly so many."""
    c, names = t.entries.c, _each(destinations, "destinations")
    some = select(c.rank).where(c.destination == names.c.name, *which).order_by(c.rank).limit(bound + 1).lateral("some")
    query = select(names.c.name, *_within(some.c.rank, now, horizons)).select_from(names.join(some, true()))
    return {name: list(counts) for name, *counts in connection.execute(query.group_by(names.c.name)).all()}


def _sampled(
    connection: Connection, now: float, horizons: Sequence[float], pages: int
) -> tuple[dict[tuple[str, str], int], list[Ranked]]:
    """What as many pages as make a sample would have the whole table hold. The same pages each time, so that what is
    shown again moves only as the ledger does."""
    size = text("select pg_relation_size('entries') / current_setting('block_size')::int")
    share = min(1.0, pages / max(1, connection.execute(size).scalar_one()))
    sample = tablesample(t.entries, func.system(100.0 * share), "sample", seed=literal(0))
    c, many = sample.c, len(horizons)
    ranks = [*_within(c.rank, now, horizons), *_within(c.rank, now, horizons, t.UNSURE)]
    query = select(c.destination, c.state, func.count(), *ranks).group_by(c.destination, c.state)
    rows = connection.execute(query).all()
    found = {(name, state): [about(n, share) for n in counts] for name, state, *counts in rows}
    ready = {name: counts for (name, state), counts in found.items() if state == "ready"}
    held = {name: counts for (name, state), counts in found.items() if state == "held"}
    return {place: counts[0] for place, counts in found.items()}, [
        {name: counts[1 : many + 1] for name, counts in ready.items()},
        {name: counts[many + 1 :] for name, counts in ready.items()},
        {name: counts[many + 1 :] for name, counts in held.items()},
    ]


def about(sampled: int, share: float) -> int:
    """In round figures: all others would be noise."""
    all_ = round(sampled / share)
    return round(all_, (1 if sampled < THIN else 2) - len(str(all_)))


def _all_better(found: Ranked, sample: Ranked, bound: int) -> Ranked:
    none = [0] * max(map(len, found.values()), default=0)
    return {
        name: [_better(n, more, bound) for n, more in zip(counts, sample.get(name, none), strict=True)]
        for name, counts in found.items()
    }


def _better(counted: int, sampled: int, bound: int) -> int:
    """What was counted, or where that stopped beyond the bound what the sample says."""
    return counted if counted <= bound else max(bound, sampled)
