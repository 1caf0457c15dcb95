"""Which quota of an account is in force while workers run with several: in a rolling update, or after a rollback.

One alone is, and only workers with its windows call. It never says what a vendor allows; no call is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update

from pipeline.ledger import tables as t
from pipeline.ledger.database import insert_into
from pipeline.ledger.values import Quota

AWAY = 10.0
"""Seconds after which a quota whose workers were not seen any more gives way to one that it had replaced."""
SEEN_EVERY = 2.0
KNOWN = 10
"""Quotas that are remembered of an account: the one in force, and those that it replaced."""
LONGEST = 3600.0
"""Seconds for which a new window begins as taken, at most: one of a day would keep everything back for a day."""


_KNOWN = select(t.accounts.c.quotas, t.accounts.c.quota_seen).where(t.accounts.c.name == bindparam("account"))


def keep(connection: Connection, quota: Quota, now: float) -> bool:
    """Says that a worker with this quota runs; whether it may call.

    A quota that is new takes the place of the one in force at once. One that was replaced, as of a worker of the
    version before that starts again, only once nobody goes by the newer one.
    """
    if _gives_way(connection, quota, now):
        _lock(connection, quota.account)
        if _gives_way(connection, quota, now):
            _replace(connection, quota, now)
    known, seen = _known(connection, quota.account)
    if known[0] == _spelled(quota) and seen < now - SEEN_EVERY:
        c = t.accounts.c
        still = (c.name == quota.account, c.quotas == json.dumps(known))
        connection.execute(update(t.accounts).where(*still).values(quota_seen=now))
    return in_force(connection, quota)


def in_force(connection: Connection, quota: Quota) -> bool:
    """Whether its windows are those in force. How many calls they hold is the ledger's, whatever this worker was told.

    To be asked once the tokens are locked: who declares another one waits for them.
    """
    known, _ = _known(connection, quota.account)
    mine = sorted(window_name(window) for window in quota.windows)
    # None is known where only a version before this one has declared any.
    return not known or mine == sorted(one.partition("/")[2] for one in known[0].split())


def declare(connection: Connection, quota: Quota, now: float, first: bool = True) -> None:
    """Makes the tokens of its windows, and of no others. A window that is there keeps what is taken of it; a new one
    begins as taken, unless it is the `first`: what has been called lately counts."""
    c = t.tokens.c
    known: dict[str, list[float]] = {}
    for name, free_at in connection.execute(select(c.quota_window, c.free_at).where(c.account == quota.account)):
        known.setdefault(name, []).append(free_at)
    wanted = {window_name(window): window for window in quota.windows}
    for name in known.keys() - wanted.keys():
        connection.execute(delete(t.tokens).where(c.account == quota.account, c.quota_window == name))
    for name, (calls, seconds) in wanted.items():
        if name in known:
            free = sorted(known[name], reverse=True)[:calls] + [0.0] * (calls - len(known[name]))
        else:
            free = [0.0 if first and not known else _last(known, now) + min(seconds, LONGEST)] * calls
        if len(known.get(name, ())) != calls:
            _write(connection, quota.account, name, free)


def window_name(window: tuple[int, float]) -> str:
    return f"{window[1]:g}s"


def seconds_of(name: str) -> float:
    return float(name.removesuffix("s"))


def _last(known: Mapping[str, Sequence[float]], now: float) -> float:
    """When the last of the calls that hold these tokens may arrive at the vendor."""
    return max([now, *(at - seconds_of(name) for name, free in known.items() for at in free)])


def _write(connection: Connection, account: str, name: str, free: Sequence[float]) -> None:
    c = t.tokens.c
    connection.execute(delete(t.tokens).where(c.account == account, c.quota_window == name))
    rows = [{"account": account, "quota_window": name, "slot": slot, "free_at": at} for slot, at in enumerate(free)]
    if rows:
        connection.execute(insert_into(connection, t.tokens).on_conflict_do_nothing(), rows)


def _known(connection: Connection, account: str) -> tuple[list[str], float]:
    """The account's quotas, the one in force first, and when a worker that goes by it was last seen."""
    row = connection.execute(_KNOWN, {"account": account}).first()
    return (json.loads(row[0] or "[]"), row[1] or 0.0) if row is not None else ([], 0.0)


def _gives_way(connection: Connection, quota: Quota, now: float) -> bool:
    """Whether this quota takes the place of the one in force."""
    known, seen = _known(connection, quota.account)
    mine = _spelled(quota)
    return known[:1] != [mine] and (mine not in known or seen < now - AWAY)


def _replace(connection: Connection, quota: Quota, now: float) -> None:
    known, _ = _known(connection, quota.account)
    mine = _spelled(quota)
    declare(connection, quota, now, first=not known)
    values = {"quotas": json.dumps([mine, *(one for one in known if one != mine)][:KNOWN]), "quota_seen": now}
    connection.execute(update(t.accounts).where(t.accounts.c.name == quota.account).values(**values))


def _lock(connection: Connection, account: str) -> None:
    """Tokens before accounts, as everybody does."""
    tokens = select(t.tokens.c.slot).where(t.tokens.c.account == account).order_by(*t.tokens.primary_key)
    connection.execute(tokens.with_for_update()).all()
    row = {"name": account, "probes": 0, "failures": 0}
    connection.execute(insert_into(connection, t.accounts).on_conflict_do_nothing(), [row])
    connection.execute(select(t.accounts.c.name).where(t.accounts.c.name == account).with_for_update()).all()


def _spelled(quota: Quota) -> str:
    return " ".join(sorted(f"{window[0]}/{window_name(window)}" for window in quota.windows))
