"""What is wanted of an entry: its layers, its ends and its identity, worked out into what should be there. Pure.

Each function ends in `place`: nothing else ever assigns a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from pipeline.model.change import BASE, Change
from pipeline.model.entry import Content, content_hash
from pipeline.model.facts import END, GROUP, NOTHING, Facts, Policy, place, whose


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
        observed_identity=_under_way(facts),
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


def _under_way(facts: Facts) -> str | None:
    """Whose calendar the vendor's item is in, or may be once the call under way has acted."""
    return facts.observed_identity if facts.lease_until is None else whose(facts, facts.identity)


def _rank(facts: Facts, matters_at: float | None, now: float, policy: Policy) -> float:
    """The soonest first; but who keeps changing while it waits is no less urgent for it, or it might wait for ever."""
    rank = min(max(matters_at or now, now), now + policy.patience)
    return min(rank, facts.rank) if facts.state in ("ready", "held") else rank


class Due(NamedTuple):
    """From when on an entry is late."""

    at: float
    urgent: bool
    """It matters sooner than `patience` after its event."""


def due(facts: Facts, policy: Policy) -> Due | None:
    """When the entry's newest event matters: at its start or by its rank, whichever is sooner, but not before the
    event, nor before it may be sent. None where the event's time is not known."""
    event = facts.event_time
    if event is None:
        return None
    start = _last([facts.layers[name] for name in policy.layers if name in facts.layers], "matters_at")
    earliest = max(event, facts.deliver_at or event)
    matters = max(earliest, start or earliest)
    return Due(max(earliest, min(matters, facts.rank)), urgent=matters < event + policy.patience)


def _last_of(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each property of the entry, what the uppermost layer says that says anything."""
    names = ("subscriber", "identity", "matters_at", "deliver_at", "expires_at")
    return {name: _last(layers, name) for name in names}


def _last(layers: Sequence[Mapping[str, Any]], name: str) -> Any:
    return next((layer[name] for layer in reversed(layers) if layer.get(name) is not None), None)


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
    return want(replace(facts, identity=identity, observed_identity=_under_way(facts)), now, policy)


def link(facts: Facts, identity: str | None, now: float, policy: Policy) -> Facts:
    """The directory has learnt who the subscriber is. What was dropped before stays so, until a newer change."""
    return facts if _dropped(facts, now) else identified(facts, identity, now, policy)


def _dropped(f: Facts, now: float) -> bool:
    """Nobody was linked for as long as its changes said to wait. What exists, or may, is brought up to date instead."""
    waited = f.wait_until is not None and f.wait_until <= now
    return waited and not f.linked and f.never_created and f.lease_until is None
