"""One row of the ledger as facts, and its transitions as pure functions followed by `place`; changes are in `wanted`,
answers in `blame`.

Nothing else ever assigns a state. Times are seconds since 1970 by the database's clock, the only clock there is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from pipeline.model.change import BASE, merge
from pipeline.model.entry import Content
from pipeline.model.when import over_at

NOTHING = ""
"""The hash of an entry that is not there."""
UNSURE = "?"
"""The hash of an entry of which an answer was lost."""
KEEP = 90 * 86_400.0
"""Seconds for which what has ended is remembered, unless somebody says otherwise."""
LOST_CLAIMS = 1000
"""More claims than one entry can have had that an older copy of the ledger does not know of."""
END = "!end"
"""The layer that holds the newest cancel or delete."""
GROUP = "!group"
"""The layer that holds what the newest roster of its group says of an entry that it does not name: cancel."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the transitions must know of a destination; times in seconds."""

    destination: str
    account: str
    layers: tuple[str, ...] = (BASE,)
    desired: Callable[[Sequence[Mapping[str, Any]]], Content] = merge
    """Layers in order → content as this destination can say it."""
    problems: Callable[[Content], Sequence[str]] = lambda content: ()
    answers_for: int = 0
    """Events of which it is remembered that they await an outcome; 0: nobody is told of outcomes."""
    says_cancelled: bool = False
    needs_identity: Callable[[Content], bool] = lambda content: True
    recover_at_once: bool = False
    """A call that a late twin makes fail exists, so recovery need not wait for the quiet time."""
    together: Callable[[Facts], Hashable | None] = lambda facts: None
    """Entries with equal values may share a call; None: alone."""
    batch: int = 1
    """Entries in one call at most."""
    cost: Callable[[Facts], float] = lambda facts: 0.0
    """Credits that the entry's next call uses up."""
    settle_time: float = 30.0
    max_attempts: int = 8
    patience: float = 86_400.0
    """How long an entry waits before it is as urgent as one that matters now."""
    keep: float = KEEP
    """How long a row stays after its entry has ended: so long is a late older event known to be stale."""


class Facts(msgspec.Struct, frozen=True):
    """A row of `entries`. Field names are column names."""

    destination: str
    key: str
    # wanted
    layers: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    raws: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    group_name: str | None = None
    """Of the newest base."""
    events: list[Mapping[str, Any]] | None = None
    """Those that await an outcome, newest last."""
    desired: Content | None = None
    desired_hash: str = NOTHING
    event_time: float | None = None
    subscriber: str | None = None
    identity: str | None = None
    linked: bool = False
    skip_unsent: bool = False
    wait_until: float | None = None
    deliver_at: float | None = None
    expires_at: float | None = None
    rank: float = 0.0
    # known of the vendor
    observed: Content | None = None
    observed_hash: str = NOTHING
    observed_identity: str | None = None
    vendor_id: str | None = None
    # may still happen
    quiet_until: float | None = None
    quiet_hash: str | None = None
    absent: bool = False
    candidates: list[str] | None = None
    # under way
    epoch: int = 0
    lease_owner: str | None = None
    lease_until: float | None = None
    sent_hash: str | None = None
    sent: Content | None = None
    """What the call under way carries, once something else is wanted."""
    batch_limit: int | None = None
    # failing
    attempts: int = 0
    failures: int = 0
    failed_at: float | None = None
    first_failed_at: float | None = None
    expiries: int = 0
    retry_at: float | None = None
    rejected_hash: str | None = None
    error: str | None = None
    # placed
    state: str = "idle"
    wake_at: float | None = None
    prune_at: float | None = None
    """When the row may go, unless something happens to it."""

    def __repr__(self) -> str:
        """Names nobody and quotes nothing: only where it stands."""
        return f"Facts({self.destination!r}, state={self.state!r}, epoch={self.epoch}, attempts={self.attempts})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """A struct would show all its fields there."""
        return []

    @property
    def wanted_hash(self) -> str:
        """What should be there: a change that must not create an entry wants nothing where nothing ever was."""
        return NOTHING if self.skip_unsent and self.never_created else self.desired_hash

    @property
    def never_created(self) -> bool:
        return self.observed_hash == NOTHING and self.vendor_id is None

    @property
    def complete(self) -> bool:
        """A base, or an end, has been read: before that nothing is known to be wanted."""
        return BASE in self.layers or END in self.layers


def place(facts: Facts, now: float, policy: Policy) -> Facts:
    """Derives `state` and `wake_at` from the facts, the first line that fits; and `prune_at` from the state."""
    state, wake_at = _placed(facts, now, policy)
    return replace(facts, state=state, wake_at=wake_at, prune_at=_prune_at(facts, state, now, policy))


def _placed(f: Facts, now: float, policy: Policy) -> tuple[str, float | None]:
    if f.lease_until is not None:
        return "sending", f.lease_until
    if not f.complete:
        return "waiting", None
    if f.observed_hash == f.wanted_hash:
        return "idle", None
    if f.rejected_hash == f.wanted_hash:
        return "dead", None
    if f.expires_at is not None and f.expires_at <= now and f.never_created:
        return "expired", None
    if not f.linked:
        return _unlinked(f, now)
    wake_at = max((at for at in _obstacles(f, policy) if at > now), default=None)
    return ("ready", None) if wake_at is None else ("held", wake_at)


def _unlinked(f: Facts, now: float) -> tuple[str, float | None]:
    if f.wait_until is not None and f.wait_until <= now:
        return "expired", None
    return "waiting", min((at for at in (f.wait_until, f.expires_at) if at is not None and at > now), default=None)


def _obstacles(f: Facts, policy: Policy) -> list[float]:
    times = [f.retry_at, f.deliver_at if f.never_created else None]
    if f.wanted_hash != f.quiet_hash or not policy.recover_at_once:
        times.append(f.quiet_until)
    return [at for at in times if at is not None]


# over --------------------------------------------------------------------------------------------------------------


def judged_anew(facts: Facts, policy: Policy) -> Facts:
    """When the row may go by its facts alone: a worker that did not know `prune_at` may have changed them since."""
    return replace(facts, prune_at=_prune_at(facts, facts.state, 0.0, policy))


def _prune_at(f: Facts, state: str, now: float, policy: Policy) -> float | None:
    over = _over_at(f, state, now)
    return None if over is None else over + policy.keep


def _over_at(f: Facts, state: str, now: float) -> float | None:
    """When the entry ended, `now` at the earliest; None while the row knows what may still be needed."""
    if state in ("ready", "held", "sending") or (state == "waiting" and BASE in f.layers):
        return None
    if f.never_created and f.lease_until is None:
        return now
    if f.observed_hash in (NOTHING, UNSURE):
        return None  # a call may be on its way, or the vendor may hold what nobody can name any more
    over = over_at(f.observed or {})
    return None if over is None else max(now, over)


# under way ---------------------------------------------------------------------------------------------------------


def claim(facts: Facts, owner: str, lease_until: float, now: float, policy: Policy) -> Facts:
    # What was not there while a lost call could still act is looked for again once it no longer can.
    absent = facts.absent and facts.quiet_until is not None and facts.quiet_until > now
    leased = replace(facts, lease_owner=owner, lease_until=lease_until, absent=absent, sent=None)
    return place(replace(leased, epoch=facts.epoch + 1, sent_hash=facts.wanted_hash), now, policy)


def release(facts: Facts, epoch: int, now: float, policy: Policy) -> Facts:
    """The call was never made."""
    if facts.epoch != epoch or facts.lease_until is None:
        return facts
    return place(unleased(facts), now, policy)


def postpone(facts: Facts, until: float, error: str, now: float, policy: Policy) -> Facts:
    """Not before that time, for a reason that is not the entry's own."""
    return place(replace(unleased(facts), retry_at=until, error=error), now, policy)


def look_again(facts: Facts, now: float, policy: Policy) -> Facts:
    """What it was postponed for has ended."""
    return place(replace(facts, retry_at=None, error=None), now, policy)


def expire(facts: Facts, now: float, policy: Policy) -> Facts:
    """Wakes a row whose time has come; a lease that ran out is an answer that was lost."""
    if facts.lease_until is None or facts.lease_until > now:
        return place(facts, now, policy)
    # Which step it was is not known: over something that is there it may have been the delete of a replacement.
    repeatable = NOTHING in (facts.observed_hash, facts.sent_hash)
    quiet_hash = facts.sent_hash if repeatable else UNSURE
    sent = facts.sent or (facts.desired if facts.sent_hash == facts.wanted_hash else None)
    unsure = lost(facts, facts.lease_until, facts.identity, sent, quiet_hash, policy)
    return place(replace(unleased(unsure), expiries=facts.expiries + 1), now, policy)


def doubt(facts: Facts, now: float, policy: Policy) -> Facts:
    """Nothing certain is known of what the vendor holds: the ledger is an older copy, or began in the middle. Also of
    what is being looked for: calls that the copy does not know of may have found it, or made it."""
    unsure = lost(unleased(facts), now, whose(facts, facts.identity), facts.sent, UNSURE, policy)
    return place(replace(unsure, epoch=facts.epoch + LOST_CLAIMS), now, policy)


def unleased(f: Facts) -> Facts:
    f = replace(f, lease_owner=None, lease_until=None, sent=None)
    return replace(f, observed=None, observed_identity=None) if f.observed_hash == NOTHING else f


def whose(f: Facts, identity: str | None) -> str | None:
    """Whose calendar the call under way is about, as far as it is not known: who was wanted when it was claimed."""
    return f.observed_identity or identity


def lost(
    f: Facts, at: float, identity: str | None, sent: Content | None, quiet_hash: str | None, policy: Policy
) -> Facts:
    """An answer is missing. `identity`: whose calendar that call was about. `sent`: what it carried. `quiet_hash`:
    what its late act cannot harm; UNSURE where that is nothing, as the delete of a replacement would take away what
    replaces."""
    quiet_until = max(at + policy.settle_time, f.quiet_until or 0.0)
    return replace(
        f,
        # Any field of either may be there; what was acknowledged is the likelier.
        observed=merge([sent or {}, f.observed or {}]) or None,
        observed_hash=UNSURE,
        observed_identity=whose(f, identity),
        absent=False,
        candidates=None,
        quiet_until=quiet_until,
        quiet_hash=quiet_hash,
    )


def unsettled(facts: Facts) -> list[tuple[str, Mapping[str, Any]]]:
    """The layers whose record has not reached the vendor, with that record."""
    return list(facts.raws.items())
