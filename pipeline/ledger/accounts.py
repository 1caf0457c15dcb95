"""An account's own facts: paused, held, failing, good since. One row, obeyed by every worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, assert_never

from sqlalchemy import Connection, bindparam, case, func, select, update

from pipeline.ledger import tables as t
from pipeline.ledger.quota import free_tokens, is_declared, take_tokens
from pipeline.ledger.values import STRAY, Grant, Hold, Quota, Result, Stopped
from pipeline.model.blame import verdict
from pipeline.model.outcome import Accepted, Rejected, Retry, Split, Throttled, Unauthorized, Unconfirmed, Unknown
from pipeline.model.pause import Pause
from pipeline.model.wire import Sent

HOLD_AFTER = 5
"""Failures in a row, with nothing accepted between, that hold an account."""
PROBE_EVERY = 4.0
"""Seconds between probes once an account has failed for a while: a vendor that is back is called within five."""
PROBE_SHARE = 0.5
"""Of the quota, at most, goes into probes: they must not use up a day's calls in an hour's outage."""

_ONE = select(t.accounts).where(t.accounts.c.name == bindparam("account"))
_LOCKED = _ONE.with_for_update()
_GOOD = select(t.accounts.c.name, t.accounts.c.good_since)


def judge(connection: Connection, quota: Quota, results: Sequence[Result], first: Collection[int], now: float) -> None:
    """What the answers say of the account: good, failing, throttled, or no longer authorized. A failure counts only
    where its result is settled for the `first` time (by `id`)."""
    answers = sorted((r for r in results if verdict(r.answers)), key=_ended)
    if not answers:
        return
    held = dict(connection.execute(_LOCKED, {"account": quota.account}).mappings().one())
    before = dict(held)
    for result in answers:
        _judged(held, quota, result, id(result) in first, now)
    changed = {name: value for name, value in held.items() if value != before[name]}
    if changed:
        connection.execute(update(t.accounts).where(t.accounts.c.name == quota.account).values(**changed))


def obstacles(connection: Connection, now: float) -> dict[str, tuple[str, float]]:
    """Accounts that must not be called now: the reason, and the seconds for which it holds (probing: unknown)."""
    found = {}
    for row in connection.execute(select(t.accounts)).mappings():
        if row["held"] is not None:
            found[row["name"]] = (row["held"], now - (row["held_since"] or now))
        elif row["paused_until"] is not None and row["paused_until"] > now:
            found[row["name"]] = ("throttled", row["paused_until"] - now)
    return found


def holds(connection: Connection, now: float) -> list[Hold]:
    """What keeps calls of accounts back; an account may be held and paused at once."""
    found: list[Hold] = []
    for row in connection.execute(select(t.accounts).order_by(t.accounts.c.name)).mappings():
        name = row["name"]
        if row["held"] is not None:
            found.append(
                Hold(row["held"], name, since=row["held_since"], until=row["probe_at"], detail=row["answer"] or "")
            )
        if (row["paused_until"] or 0.0) > now:
            found.append(Hold("throttled", name, since=row["paused_since"], until=row["paused_until"]))
        if (row["spent_until"] or 0.0) > now:
            found.append(Hold("budget", name, since=row["spent_since"], until=row["spent_until"]))
    return found


def wait(connection: Connection, account: str, now: float) -> float | None:
    """Seconds to wait before the account may be called, None where it may be now."""
    row = connection.execute(_ONE, {"account": account}).mappings().one()
    if row["held"] is not None:
        return PROBE_EVERY
    paused = row["paused_until"] is not None and row["paused_until"] > now
    return row["paused_until"] - now if paused else None


def good_since(connection: Connection) -> dict[str, float | None]:
    """Account → when the call left that it last accepted."""
    return dict(connection.execute(_GOOD).all())


def hold(connection: Connection, account: str, reason: str, now: float) -> None:
    """Nobody calls this account until a probe succeeds."""
    connection.execute(
        update(t.accounts)
        .where(t.accounts.c.name == account, t.accounts.c.held.is_(None))
        .values(held=reason, held_since=now, probe_at=now + 1.0, answer=None)
    )


def probe_due(connection: Connection, quota: Quota, lease: float, now: float) -> Grant | None:
    """The tokens, where this worker is the one to probe a held account now; the next turn comes later each time."""
    account = quota.account
    query = select(t.accounts).where(t.accounts.c.name == account).with_for_update(skip_locked=True)
    row = connection.execute(query).mappings().one_or_none()
    if row is None or row["held"] is None or max(row["probe_at"] or 0.0, row["paused_until"] or 0.0) > now:
        return None
    tokens, _ = free_tokens(connection, quota, 1, now, lease)
    if not tokens:
        return None
    granted = Grant((), tokens[0][0])
    take_tokens(connection, account, [granted])
    values = {"probe_at": now + _until_probe(row["probes"], quota), "probes": row["probes"] + 1}
    connection.execute(update(t.accounts).where(t.accounts.c.name == account).values(**values))
    return granted


def lift(connection: Connection, account: str, asked: float) -> None:
    """A probe succeeded: the account is known good since it was `asked`, unless it was held again meanwhile. How often
    it had to be probed is kept until an entry is accepted, so that a key which passes probes and nothing else is not
    tried ever faster."""
    c = t.accounts.c
    values = {"held": None, "held_since": None, "probe_at": None, "failures": 0}
    lifted = update(t.accounts).where(c.name == account, func.coalesce(c.held_since, 0.0) <= asked)
    good_since = case((func.coalesce(c.good_since, 0.0) > asked, c.good_since), else_=asked)
    connection.execute(lifted.values(**values, good_since=good_since))


def grant(connection: Connection, quota: Quota, lease: float, now: float, force: bool) -> Grant | Stopped | float:
    """Tokens for one call, or why there is none, or the seconds until it is worth asking again.

    `force` looks past a hold and a pause, never past the quota.
    """
    if not is_declared(connection, quota, now):
        return Stopped("quota", 0.0)
    stopped = obstacles(connection, now).get(quota.account)
    if stopped is not None and not force:
        return Stopped(*stopped)
    tokens, wait = free_tokens(connection, quota, 1, now, lease)
    if not tokens:
        return wait or 0.05
    granted = Grant((), tokens[0][0])
    take_tokens(connection, quota.account, [granted])
    return granted


def throttled(connection: Connection, account: str, asked_for: Throttled, jitter: float, now: float) -> None:
    """The vendor asked to be left alone just now."""
    mine = t.accounts.c.name == account
    held = dict(connection.execute(select(t.accounts).where(mine).with_for_update()).mappings().one())
    paused = _paused(held, asked_for, (now, now, jitter), now)
    connection.execute(update(t.accounts).where(mine).values(**paused))


def arrived(result: Result) -> float:
    """When the call had reached its vendor at the latest, by the database's clock; 0.0 where it never left."""
    return arrived_at(_ended(result), result.sent)


def arrived_at(ended: float, sent: Sent) -> float:
    """The same of a call that ended then."""
    match sent:
        case "never":
            return 0.0
        case "lost":
            return ended + STRAY
        case "answered":
            return ended
        case unreachable:
            assert_never(unreachable)


def _ended(result: Result) -> float:
    return max((answer.at for answer in result.answers if answer is not None), default=0.0)


def _judged(held: dict[str, Any], quota: Quota, result: Result, counts: bool, now: float) -> None:
    answer = verdict(result.answers)
    assert answer is not None
    at = answer.at
    if result.throttled is not None:
        held.update(_paused(held, result.throttled, (answer.asked, at, answer.jitter), now))
    match answer.outcome:
        case Accepted() | Unconfirmed():
            # When its call left: a vendor that goes down meanwhile may still answer what it had taken.
            held.update(failures=0, good_since=max(answer.asked, held["good_since"] or 0.0), probes=0, refusals=0)
        # What was answered before a probe found it well, and is only settled now, says nothing of it.
        case Unauthorized() if not result.renewable and at > (held["good_since"] or 0.0):
            _hold(held, quota, "unauthorized", result, now)
        case Unknown() | Retry() | Rejected() | Split():
            held["failures"] += counts
            if held["failures"] >= HOLD_AFTER:
                _hold(held, quota, "failing", result, now)
        case _:
            pass


def _paused(
    held: Mapping[str, Any], asked_for: Throttled, call: tuple[float, float, float], now: float
) -> dict[str, Any]:
    """What a pause makes of the row; `call`: when it left, when its answer came, and its jitter."""
    before = held["paused_until"] or 0.0
    pause = Pause(before, held["refusals"]).after(asked_for, *call)
    since = held["paused_since"] if before > now else now
    return {"paused_since": since, "paused_until": pause.until, "refusals": pause.refusals}


def _hold(held: dict[str, Any], quota: Quota, reason: str, result: Result, now: float) -> None:
    if held["held"] is None:
        probe_at = now + _until_probe(held["probes"], quota)
        held.update(held=reason, held_since=now, probe_at=probe_at, answer=_in_words(result))


def _in_words(result: Result) -> str:
    """What the vendor answered; whether it is down, or only refuses what is sent."""
    answer = verdict(result.answers)
    if not result.said:
        return ""
    if answer is not None and isinstance(answer.outcome, Rejected | Split):
        return f"answers, and refuses what is sent: {result.said}"
    if result.said.isdecimal():
        return f"answered {result.said}"
    return f"cannot be reached: {result.said}" if result.sent == "never" else f"no answer: {result.said}"


def _until_probe(probes: int, quota: Quota) -> float:
    """Seconds; longer after each probe, up to what the quota can spare."""
    spared = max((seconds / calls for calls, seconds in quota.windows), default=0.0) / PROBE_SHARE
    return min(max(PROBE_EVERY, spared), 2.0 ** min(probes, 20))
