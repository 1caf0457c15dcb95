"""One row of the ledger as facts, and every transition of it as a pure function followed by `place`.

Nothing else ever assigns a state. Times are seconds since 1970 by the database's clock, the only clock there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from pipeline.model.change import BASE, Change, merge
from pipeline.model.entry import Content, content_hash
from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Outcome,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
)

NOTHING = ""
"""The hash of an entry that is not there."""
UNSURE = "?"
"""The hash of an entry of which an answer was lost."""
END = "!end"
"""The layer that holds the newest cancel or delete."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the transitions must know of a destination; times in seconds."""

    destination: str
    account: str
    layers: tuple[str, ...] = (BASE,)
    desired: Callable[[Sequence[Mapping[str, Any]]], Content] = merge
    """Layers in order → content as this destination can say it."""
    problems: Callable[[Content], Sequence[str]] = lambda content: ()
    says_cancelled: bool = False
    needs_identity: bool = True
    recover_at_once: bool = False
    """A call that a late twin makes fail exists, so recovery need not wait for the quiet time."""
    settle_time: float = 30.0
    max_attempts: int = 8
    patience: float = 86_400.0
    """How long an entry waits before it is as urgent as one that matters now."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of `entries`. Field names are column names."""

    destination: str
    key: str = field(repr=False)
    # wanted
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    raws: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    desired: Content | None = field(default=None, repr=False)
    desired_hash: str = NOTHING
    event_time: float | None = None
    subscriber: str | None = field(default=None, repr=False)
    identity: str | None = field(default=None, repr=False)
    linked: bool = False
    skip_unsent: bool = False
    wait_until: float | None = None
    deliver_at: float | None = None
    expires_at: float | None = None
    rank: float = 0.0
    # known of the vendor
    observed: Content | None = field(default=None, repr=False)
    observed_hash: str = NOTHING
    observed_identity: str | None = field(default=None, repr=False)
    vendor_id: str | None = None
    # may still happen
    quiet_until: float | None = None
    quiet_hash: str | None = None
    absent: bool = False
    # under way
    epoch: int = 0
    lease_owner: str | None = None
    lease_until: float | None = None
    sent_hash: str | None = None
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
    """Derives `state` and `wake_at` from the facts: the first line that fits."""
    state, wake_at = _placed(facts, now, policy)
    return replace(facts, state=state, wake_at=wake_at)


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


# wanted ------------------------------------------------------------------------------------------------------------


def apply(facts: Facts, change: Change, raw: Mapping[str, Any], now: float, policy: Policy) -> Facts | None:
    """The row with one change in it; None where the change is a repeat or older than what its layer holds."""
    name = change.layer if change.kind == "upsert" else END
    held = facts.layers.get(name)
    if held is not None and tuple(change.version) <= tuple(held["version"]):
        return None
    layers = {**facts.layers, name: _layer(change, now)}
    return want(replace(facts, layers=layers, raws={**facts.raws, name: raw}), now, policy)


def _layer(change: Change, now: float) -> dict[str, Any]:
    def seconds(at: Any) -> float | None:
        return None if at is None else at.timestamp()

    return {
        "version": list(change.version),
        "kind": change.kind,
        "rule": change.rule,
        "content": dict(change.content),
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
        subscriber=last["subscriber"],
        identity=identity,
        skip_unsent=any(layer["skip"] for layer in layers),
        wait_until=last["wait_until"],
        deliver_at=last["deliver_at"],
        expires_at=last["expires_at"],
        event_time=max((layer["at"] for layer in facts.layers.values() if layer["at"] is not None), default=None),
        rank=min(max(last["matters_at"] or now, now), now + policy.patience),
    )
    return place(_with_desired(facts, layers, policy), now, policy)


def _last_of(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each property of the entry, what the uppermost layer says that says anything."""
    names = ("subscriber", "identity", "wait_until", "matters_at", "deliver_at", "expires_at")
    return {name: next((la[name] for la in reversed(layers) if la.get(name) is not None), None) for name in names}


def _with_desired(facts: Facts, layers: Sequence[Mapping[str, Any]], policy: Policy) -> Facts:
    desired = _desired(facts, layers, policy)
    linked = facts.identity is not None or not policy.needs_identity or desired is None
    digest = NOTHING if desired is None else content_hash([desired, facts.identity])
    rejected = facts.rejected_hash
    if desired is not None and policy.problems(desired):
        rejected = digest
    if digest == facts.desired_hash:
        return replace(facts, linked=linked, rejected_hash=rejected)
    fresh = replace(facts, desired=desired, desired_hash=digest, linked=linked, rejected_hash=rejected)
    error = "invalid" if rejected == digest and rejected != NOTHING else None
    return replace(fresh, attempts=0, failures=0, failed_at=None, first_failed_at=None, retry_at=None, error=error)


def _desired(facts: Facts, layers: Sequence[Mapping[str, Any]], policy: Policy) -> Content | None:
    base, end = facts.layers.get(BASE), facts.layers.get(END)
    if base is None:
        return None
    content = policy.desired([layer["content"] for layer in layers])
    if end is None or tuple(base["version"]) > tuple(end["version"]):
        return content
    return {**content, "status": "cancelled"} if end["kind"] == "cancel" and policy.says_cancelled else None


def link(facts: Facts, identity: str | None, now: float, policy: Policy) -> Facts:
    """The directory says who the subscriber is."""
    return want(replace(facts, identity=identity), now, policy)


# under way ---------------------------------------------------------------------------------------------------------


def claim(facts: Facts, owner: str, lease_until: float, now: float, policy: Policy) -> Facts:
    # What was not there while a lost call could still act is looked for again once it no longer can.
    absent = facts.absent and facts.quiet_until is not None and facts.quiet_until > now
    leased = replace(facts, lease_owner=owner, lease_until=lease_until, absent=absent)
    return place(replace(leased, epoch=facts.epoch + 1, sent_hash=facts.wanted_hash), now, policy)


def release(facts: Facts, epoch: int, now: float, policy: Policy) -> Facts:
    """The call was never made."""
    if facts.epoch != epoch or facts.lease_until is None:
        return facts
    return place(_unleased(facts), now, policy)


def expire(facts: Facts, now: float, policy: Policy) -> Facts:
    """Wakes a row whose time has come; a lease that ran out is an answer that was lost."""
    if facts.lease_until is None or facts.lease_until > now:
        return place(facts, now, policy)
    # Which step it was is not known: over something that is there it may have been the delete of a replacement.
    repeatable = NOTHING in (facts.observed_hash, facts.sent_hash)
    lost = _lost(facts, facts.lease_until, facts.identity, facts.sent_hash if repeatable else UNSURE, policy)
    return place(replace(_unleased(lost), expiries=facts.expiries + 1), now, policy)


def _unleased(f: Facts) -> Facts:
    observed_identity = None if f.observed_hash == NOTHING else f.observed_identity
    return replace(f, lease_owner=None, lease_until=None, observed_identity=observed_identity)


def _whose(f: Facts, identity: str | None) -> str | None:
    """Whose calendar the call under way is about, as far as it is not known: who was wanted when it was claimed."""
    return f.observed_identity or identity


def _lost(f: Facts, at: float, identity: str | None, quiet_hash: str | None, policy: Policy) -> Facts:
    """An answer is missing. `identity`: whose calendar that call was about. `quiet_hash`: what its late act cannot
    harm; UNSURE where that is nothing, as the delete of a replacement would take away what replaces."""
    quiet_until = max(at + policy.settle_time, f.quiet_until or 0.0)
    return replace(
        f,
        observed_hash=UNSURE,
        observed_identity=_whose(f, identity),
        absent=False,
        quiet_until=quiet_until,
        quiet_hash=quiet_hash,
    )


# settled -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worker brings back from one call for one entry."""

    epoch: int
    outcome: Outcome
    step: str
    """`create`, `update`, `write`, `delete` or `find`."""
    sent: Content | None = field(repr=False)
    sent_hash: str
    identity: str | None = field(repr=False)
    asked: float
    """When the call may have left, at the earliest."""
    at: float
    """When the answer came."""
    jitter: float
    """A random number in [0, 1) for the backoff."""
    certain: bool = False
    """Refused before anything was sent: no vendor's health is in question."""


def settle(facts: Facts, answer: Answer, good_since: float | None, now: float, policy: Policy) -> Facts:
    """The row after an answer. `good_since`: when the account last accepted something (a time, or None)."""
    if facts.epoch != answer.epoch:
        return place(_late(facts, answer), now, policy)
    facts = _unleased(facts)
    match answer.outcome:
        case Accepted(vendor_id=vendor_id):
            settled = _held_there(facts, answer, vendor_id)
        case Unconfirmed(vendor_id=vendor_id):
            settled = _held_there(facts, answer, vendor_id)
            quiet_until = max(answer.at + policy.settle_time, facts.quiet_until or 0.0)
            settled = replace(settled, quiet_until=quiet_until, quiet_hash=answer.sent_hash)
        case Absent():
            settled = _not_there(facts, answer)
        case Exists(vendor_id=vendor_id):
            settled = _failed(facts, answer, good_since, policy, "exists", after=0.0)
            settled = replace(
                settled, observed_hash=UNSURE, absent=False, vendor_id=vendor_id or facts.vendor_id, retry_at=None
            )
        case Unknown(detail=detail):
            lost = facts if answer.step == "find" else _unheard(facts, answer, policy)
            settled = _failed(lost, answer, good_since, policy, f"unknown {detail}".strip())
        case Retry(after=after):
            settled = _failed(facts, answer, good_since, policy, "retry", after)
        case Rejected(reason=reason, detail=detail):
            settled = _refused(facts, answer, good_since, f"{reason} {detail}".strip())
        case Throttled() | Unauthorized():
            settled = facts  # facts of the account, not of the entry
        case unreachable:
            assert_never(unreachable)
    return place(settled, now, policy)


def _unheard(f: Facts, answer: Answer, policy: Policy) -> Facts:
    replaces = answer.step == "delete" and answer.sent_hash != NOTHING
    return _lost(f, answer.at, answer.identity, UNSURE if replaces else answer.sent_hash, policy)


def _late(f: Facts, answer: Answer) -> Facts:
    """An answer to a claim that another claim has overtaken is still a fact: the vendor may hold what it says."""
    vendor_id = getattr(answer.outcome, "vendor_id", None)
    if f.lease_until is not None or not isinstance(answer.outcome, Accepted | Unconfirmed):
        return replace(f, vendor_id=f.vendor_id or vendor_id)
    return replace(f, observed_hash=UNSURE, vendor_id=f.vendor_id or vendor_id)


def _healed(f: Facts) -> Facts:
    return replace(f, attempts=0, failures=0, failed_at=None, first_failed_at=None, retry_at=None, error=None)


def _held_there(f: Facts, answer: Answer, vendor_id: str | None) -> Facts:
    """The vendor holds what was sent; compared against what is wanted *now* by `place`."""
    if answer.sent_hash == NOTHING or answer.step == "delete":
        return replace(_healed(f), observed=None, observed_hash=NOTHING, observed_identity=None, vendor_id=None,
                       absent=False)  # fmt: skip
    return replace(
        _healed(f),
        observed=answer.sent,
        observed_hash=answer.sent_hash,
        observed_identity=answer.identity,
        vendor_id=vendor_id or f.vendor_id,
        absent=False,
        rejected_hash=None,
    )


def _not_there(f: Facts, answer: Answer) -> Facts:
    """Not there, asked while a lost call may still act, is not yet *will not be there*."""
    if f.quiet_until is None or f.quiet_until <= answer.asked:
        return replace(f, observed=None, observed_hash=NOTHING, observed_identity=None, vendor_id=None, absent=False)
    retry_at = f.quiet_until if answer.sent_hash == NOTHING else f.retry_at
    return replace(f, observed_hash=UNSURE, vendor_id=None, absent=True, retry_at=retry_at)


def blamed(f: Facts, good_since: float | None) -> bool:
    """A failure is the entry's own only where its destination has accepted something since it last failed."""
    return f.failed_at is not None and good_since is not None and good_since > f.failed_at


def _failed(
    f: Facts, answer: Answer, good_since: float | None, policy: Policy, error: str, after: float | None = None
) -> Facts:
    attempts = f.attempts + blamed(f, good_since)
    wait = max(after or 0.0, backoff(f.failures, answer.jitter))
    return replace(
        f,
        attempts=attempts,
        failures=f.failures + 1,
        failed_at=answer.at,
        first_failed_at=f.first_failed_at or answer.at,
        retry_at=answer.at + wait,
        error=error,
        rejected_hash=f.wanted_hash if attempts >= policy.max_attempts else f.rejected_hash,
    )


def _refused(f: Facts, answer: Answer, good_since: float | None, error: str) -> Facts:
    """Dead at once where the destination is known good; else it waits until the destination has shown that it is."""
    if answer.certain or blamed(f, good_since):
        return replace(f, rejected_hash=answer.sent_hash, attempts=f.attempts + 1, error=error)
    return replace(
        f,
        failures=f.failures + 1,
        failed_at=f.failed_at or answer.at,
        first_failed_at=f.first_failed_at or answer.at,
        retry_at=answer.at + backoff(f.failures, answer.jitter),
        error=error,
    )


def backoff(failures: int, jitter: float, base: float = 1.0, cap: float = 300.0) -> float:
    """Seconds: exponential with full jitter, never under a tenth of a second."""
    return max(0.1, jitter * min(cap, base * 2.0 ** min(failures, 16)))


def unsettled(facts: Facts) -> list[tuple[str, Mapping[str, Any]]]:
    """The layers whose record has not reached the vendor, with that record."""
    return list(facts.raws.items())
