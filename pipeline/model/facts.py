"""One row of the ledger as facts, and its transitions as pure functions followed by `place`; answers are in `blame`.

Nothing else ever assigns a state. Times are seconds since 1970 by the database's clock, the only clock there is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from pipeline.model.change import BASE, Change, merge
from pipeline.model.entry import Content, content_hash
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


# wanted ------------------------------------------------------------------------------------------------------------


def apply(facts: Facts, change: Change, raw: Mapping[str, Any], now: float, policy: Policy) -> Facts | None:
    """The row with one change in it; None where the change is a repeat or older than what its layer holds."""
    name = change.layer if change.kind == "upsert" else END
    held = facts.layers.get(name)
    if held is not None and tuple(change.version) <= tuple(held["version"]):
        return None
    return want(overlaid(facts, name, change, raw, now, policy), now, policy)


def overlaid(
    facts: Facts, name: str, change: Change, raw: Mapping[str, Any] | None, now: float, policy: Policy
) -> Facts:
    """The row with this layer, not yet worked out. `raw` None: its record is not at hand."""
    layers = {**facts.layers, name: _layer(change, now)}
    events = [*(facts.events or ()), _event(change)][-policy.answers_for :] if policy.answers_for else None
    return replace(facts, layers=layers, raws=facts.raws if raw is None else {**facts.raws, name: raw}, events=events)


def holds(facts: Facts, change: Change) -> bool:
    """Whether this very change is the newest of its layer."""
    held = facts.layers.get(change.layer if change.kind == "upsert" else END)
    return held is not None and tuple(held["version"]) == tuple(change.version)


def revive(facts: Facts, now: float, policy: Policy) -> Facts:
    """A dead entry is tried again: what was in its way may be put right. It dies again where nothing was."""
    fresh = replace(facts, rejected_hash=None, attempts=0, failures=0, failed_at=None, first_failed_at=None)
    return want(replace(fresh, retry_at=None, error=None, batch_limit=None), now, policy)


def _event(change: Change) -> dict[str, Any]:
    source, identifier = change.event
    at = change.version
    return {"source": source, "id": identifier, "topic": at.topic, "partition": at.partition, "offset": at.offset}


def _layer(change: Change, now: float) -> dict[str, Any]:
    def seconds(at: Any) -> float | None:
        return None if at is None else at.timestamp()

    return {
        "version": list(change.version),
        "kind": change.kind,
        "rule": change.rule,
        "content": dict(change.content),
        "group": change.group,
        "subscriber": change.subscriber,
        "identity": change.identity,
        "skip": change.if_unsent == "skip",
        "wait_until": now if change.if_unlinked is None else now + change.if_unlinked,
        "matters_at": seconds(change.matters_at),
        "deliver_at": seconds(change.deliver_at),
        "expires_at": seconds(change.expires_at),
        "at": seconds(change.event_time),
    }


def want(facts: Facts, now: float, policy: Policy) -> Facts:
    """Works out the wanted side anew from the layers and the identity, and places the row."""
    layers = [facts.layers[name] for name in policy.layers if name in facts.layers]
    last = _last_of(layers)
    identity = last["identity"] or (facts.identity if last["subscriber"] == facts.subscriber else None)
    facts = replace(
        facts,
        observed_identity=facts.observed_identity if facts.lease_until is None else _whose(facts, facts.identity),
        # Should the answer be lost, what the call under way carries may be there.
        sent=facts.sent if facts.lease_until is None else facts.sent or facts.desired,
        group_name=facts.layers.get(BASE, {}).get("group"),
        subscriber=last["subscriber"],
        identity=identity,
        skip_unsent=any(layer["skip"] for layer in layers),
        # As long as any of its changes says to: a newer one must not find the entry given up for an older one's sake.
        wait_until=max((layer["wait_until"] for layer in layers), default=None),
        deliver_at=last["deliver_at"],
        expires_at=last["expires_at"],
        event_time=max((layer["at"] for layer in facts.layers.values() if layer["at"] is not None), default=None),
        rank=_rank(facts, last["matters_at"], now, policy),
    )
    return place(_with_desired(facts, layers, policy), now, policy)


def _rank(facts: Facts, matters_at: float | None, now: float, policy: Policy) -> float:
    """The soonest first; but who keeps changing while it waits is no less urgent for it, or it might wait for ever."""
    rank = min(max(matters_at or now, now), now + policy.patience)
    return min(rank, facts.rank) if facts.state in ("ready", "held") else rank


def _last_of(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each property of the entry, what the uppermost layer says that says anything."""
    names = ("subscriber", "identity", "matters_at", "deliver_at", "expires_at")
    return {name: next((la[name] for la in reversed(layers) if la.get(name) is not None), None) for name in names}


def _with_desired(facts: Facts, layers: Sequence[Mapping[str, Any]], policy: Policy) -> Facts:
    desired = _desired(facts, layers, policy)
    needed = desired is not None and policy.needs_identity(desired)
    linked = facts.identity is not None or not needed
    digest = NOTHING if desired is None else content_hash([desired, facts.identity if needed else None])
    rejected = facts.rejected_hash
    if desired is not None and policy.problems(desired):
        rejected = digest
    if digest == facts.desired_hash:
        return replace(facts, linked=linked, rejected_hash=rejected)
    fresh = replace(facts, desired=desired, desired_hash=digest, linked=linked, rejected_hash=rejected)
    error = "invalid" if rejected == digest and rejected != NOTHING else None
    return replace(fresh, attempts=0, failures=0, failed_at=None, first_failed_at=None, retry_at=None, error=error)


def _desired(facts: Facts, layers: Sequence[Mapping[str, Any]], policy: Policy) -> Content | None:
    base = facts.layers.get(BASE)
    end = end_of(facts.layers)
    if base is None:
        return None
    content = policy.desired([layer["content"] for layer in layers])
    if end is None or tuple(base["version"]) > tuple(end["version"]):
        return content
    return {**content, "status": "cancelled"} if end["kind"] == "cancel" and policy.says_cancelled else None


def end_of(layers: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest of what ends the entry, unless a newer base lifts it."""
    ends = [layers[name] for name in (END, GROUP) if name in layers]
    return max(ends, key=lambda layer: tuple(layer["version"]), default=None)


def identified(facts: Facts, identity: str | None, now: float, policy: Policy) -> Facts:
    """The row with who its subscriber is, as the directory says while a change is applied."""
    return want(replace(facts, identity=identity), now, policy)


def link(facts: Facts, identity: str | None, now: float, policy: Policy) -> Facts:
    """The directory has learnt who the subscriber is. What was dropped before stays so, until a newer change."""
    return facts if _dropped(facts, now) else identified(facts, identity, now, policy)


def _dropped(f: Facts, now: float) -> bool:
    """Nobody was linked for as long as its changes said to wait. What exists, or may, is brought up to date instead."""
    waited = f.wait_until is not None and f.wait_until <= now
    return waited and not f.linked and f.never_created and f.lease_until is None


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
    unsure = lost(unleased(facts), now, facts.identity, facts.sent, UNSURE, policy)
    return place(replace(unsure, epoch=facts.epoch + LOST_CLAIMS), now, policy)


def unleased(f: Facts) -> Facts:
    f = replace(f, lease_owner=None, lease_until=None, sent=None)
    return replace(f, observed=None, observed_identity=None) if f.observed_hash == NOTHING else f


def _whose(f: Facts, identity: str | None) -> str | None:
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
        observed_identity=_whose(f, identity),
        absent=False,
        candidates=None,
        quiet_until=quiet_until,
        quiet_hash=quiet_hash,
    )


def unsettled(facts: Facts) -> list[tuple[str, Mapping[str, Any]]]:
    """The layers whose record has not reached the vendor, with that record."""
    return list(facts.raws.items())
