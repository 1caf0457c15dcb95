"""The quota: N tokens an account and window, each held by a call from its claim to a window after it must have arrived.

An arrival at the vendor lies between claim and answer, so no window ever holds more than N. Where no answer came, it is
counted on that the network keeps no call for longer than STRAY after we gave it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, func, select, text, update

from pipeline.ledger import bulk, declaring
from pipeline.ledger import tables as t
from pipeline.ledger.declaring import seconds_of, window_name
from pipeline.ledger.values import Grant, Quota, Taken, Tokens

_TOKEN = ("account", "quota_window", "slot")
_C = t.tokens.c
_WINDOW = (_C.account == bindparam("account"), _C.quota_window == bindparam("window"))
_FREE = (
    select(_C.free_at, _C.slot)
    .where(*_WINDOW, _C.free_at <= bindparam("by"))
    .limit(bindparam("wanted"))
    .with_for_update(skip_locked=True)
)
_SOONEST = select(func.min(_C.free_at)).where(*_WINDOW)


def is_declared(connection: Connection, quota: Quota, now: float) -> bool:
    """Whether the ledger's quota is this one. Only the first to come declares it here: other settings than the
    workers' must not take their tokens away."""
    c = t.tokens.c
    query = select(c.quota_window, func.count()).where(c.account == quota.account).group_by(c.quota_window)
    known: Sequence[tuple[str, int]] = [(name, count) for name, count in connection.execute(query)]
    if not known:
        return declaring.keep(connection, quota, now)
    return sorted(known) == sorted((window_name(window), window[0]) for window in quota.windows)


def free_tokens(
    connection: Connection, quota: Quota, wanted: int, now: float, lease: float, ahead: float = 0.0
) -> tuple[list[tuple[Tokens, float]], float | None]:
    """Up to `wanted` sets of one token of each window, each with the seconds until it is free, soonest first: at most
    `ahead`. And the seconds until there is one where there is none; None: another quota is in force."""
    columns: list[list[tuple[float, int]]] = []
    wait = 0.0
    for window in quota.windows:
        free = _free(connection, quota.account, window_name(window), wanted, now + ahead)
        if not free:
            wait = max(wait, _until_token(connection, quota.account, window_name(window), now + ahead))
        columns.append(free)
    sets = [
        (_taken(quota, free, now + lease), max(0.0, *(at - now for at, _ in free)))
        for free in zip(*columns, strict=False)
    ]
    if not declaring.in_force(connection, quota):
        return [], None
    return sets if quota.windows else [((), 0.0)] * wanted, wait or None


def _taken(quota: Quota, free: Sequence[tuple[float, int]], leased: float) -> Tokens:
    return tuple((window_name(w), slot, leased + w[1]) for w, (_, slot) in zip(quota.windows, free, strict=True))


def _free(connection: Connection, account: str, name: str, wanted: int, by: float) -> list[tuple[float, int]]:
    """(when it is free, slot) of tokens that are free `by` then."""
    asked = {"account": account, "window": name, "by": by, "wanted": wanted}
    return sorted((at, slot) for at, slot in connection.execute(_FREE, asked))


def _until_token(connection: Connection, account: str, name: str, by: float) -> float:
    free_at = connection.execute(_SOONEST, {"account": account, "window": name}).scalar()
    return 1.0 if free_at is None else max(0.002, free_at - by)


def take_tokens(connection: Connection, account: str, grants: Sequence[Grant]) -> None:
    rows = sorted((account, window, slot, until) for grant in grants for window, slot, until in grant.tokens)
    bulk.update(connection, t.tokens, _TOKEN, ("free_at",), rows)


def give_back(connection: Connection, account: str, held: Iterable[tuple[Grant, float]], now: float) -> None:
    """Gives tokens back: each free a window after its call had `arrived` (0.0: never sent, free as it was)."""
    rows = sorted(
        (account, name, slot, until, arrived + seconds_of(name) if arrived else max(now, grant.free))
        for grant, arrived in held
        for name, slot, until in grant.tokens
    )
    # Only where it is still held by that claim: what another has taken since is not ours to free.
    bulk.update(connection, t.tokens, (*_TOKEN, "free_at"), ("free_at",), rows)


def forgotten(connection: Connection, now: float, longest: float) -> None:
    """Calls may have been made that this ledger does not know of: no token is free before its window has passed. Not
    of windows that are longer than that: they would keep everything back for as long."""
    for (name,) in connection.execute(select(t.tokens.c.quota_window).distinct()).all():
        if seconds_of(name) <= longest:
            free = update(t.tokens).where(t.tokens.c.quota_window == name, t.tokens.c.free_at < now + seconds_of(name))
            connection.execute(free.values(free_at=now + seconds_of(name)))


def taken(connection: Connection, now: float) -> dict[str, list[Taken]]:
    """Account → what of each of its windows is taken now."""
    busy = func.sum(text("case when free_at <= :now then 0 else 1 end").bindparams(now=now))
    query = select(t.tokens.c.account, t.tokens.c.quota_window, busy, func.count()).group_by(
        t.tokens.c.account, t.tokens.c.quota_window
    )
    found: dict[str, list[Taken]] = {}
    for account, name, calls, total in connection.execute(query):
        found.setdefault(account, []).append(Taken(int(calls), total, seconds_of(name)))
    return found
