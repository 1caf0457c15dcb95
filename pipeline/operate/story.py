"""One entry's whole story, out of its row: what is wanted, what the vendor holds, why it stands where it stands.

Content and persons appear in `Shown.data` alone, so that who prints can leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.ledger import Hold, Ledger
from pipeline.model.change import Version
from pipeline.model.facts import NOTHING, UNSURE, Facts, Policy
from pipeline.settings import Settings

WORDS = {
    "budget": "the account's credits are spent",
    "rule_held": "its rule is held: the vendor refused its entries again and again",
}
"""Error of an entry that is put off for a reason that is not its own → why."""


@dataclass(frozen=True, slots=True)
class LayerSeen:
    """One layer. `order` is the version's first part: microseconds since 1970, or the rule's own sequence."""

    name: str
    kind: str
    rule: str
    order: int
    record: str
    """topic/partition/offset of the event that wrote it."""
    revision: int
    delivered: bool
    """Whether what it asked for is at the vendor, or superseded."""


@dataclass(frozen=True, slots=True)
class Story:
    """An entry at one destination. Times are seconds since 1970 by the ledger's clock."""

    destination: str
    key: str = field(repr=False)
    state: str
    why: str
    """In a sentence; what it waits for, and until when."""
    wake_at: float | None
    layers: tuple[LayerSeen, ...]
    wanted: str
    """`nothing`, or the hash of what should be there."""
    observed: str
    """`nothing`, `unsure`, or the hash of what the vendor last acknowledged."""
    in_step: bool
    vendor_id: str | None
    attempts: int
    most_attempts: int
    failures: int
    lost_leases: int
    first_failed_at: float | None
    failed_at: float | None
    last_outcome: str
    event_time: float | None
    deliver_at: float | None
    expires_at: float | None
    linked: bool
    holds: tuple[Hold, ...]
    data: Mapping[str, Any] = field(repr=False)
    """Personal: the subscriber, the vendor's identity, desired, observed and each layer's content."""


def story(settings: Settings, ledger: Ledger, key: str) -> list[Story]:
    """Of each destination that has an entry by that key."""
    now, holds = ledger.now(), ledger.holds()
    return [
        _told(row, ledger.policies[row.destination], _holding(settings, row, holds), now)
        for row in ledger.entry(key)
        if row.destination in ledger.policies
    ]


def _holding(settings: Settings, row: Facts, holds: Sequence[Hold]) -> tuple[Hold, ...]:
    account = settings.account_of(row.destination)[0]
    rules = {layer["rule"] for layer in row.layers.values()}
    return tuple(
        hold
        for hold in holds
        if hold.account == account or (hold.destination == row.destination and hold.rule in (None, *rules))
    )


def _told(row: Facts, policy: Policy, holds: tuple[Hold, ...], now: float) -> Story:
    return Story(
        destination=row.destination,
        key=row.key,
        state=row.state,
        why=why(row, policy, now) if row.state != "ready" or not holds else _stopped(holds),
        wake_at=row.wake_at,
        layers=tuple(_layer(name, layer, row) for name, layer in row.layers.items()),
        wanted=_hash(row.wanted_hash),
        observed=_hash(row.observed_hash),
        in_step=row.wanted_hash == row.observed_hash,
        vendor_id=row.vendor_id,
        attempts=row.attempts,
        most_attempts=policy.max_attempts,
        failures=row.failures,
        lost_leases=row.expiries,
        first_failed_at=row.first_failed_at,
        failed_at=row.failed_at,
        last_outcome=_outcome(row),
        event_time=row.event_time,
        deliver_at=row.deliver_at,
        expires_at=row.expires_at,
        linked=row.linked,
        holds=holds,
        data={
            "subscriber": row.subscriber,
            "identity": row.identity,
            "desired": row.desired,
            "observed": row.observed,
            "layers": {name: layer["content"] for name, layer in row.layers.items()},
        },
    )


def _stopped(holds: Sequence[Hold]) -> str:
    return f"it could go, but {', '.join(dict.fromkeys(hold.reason for hold in holds))} keeps it: see below"


def _layer(name: str, layer: Mapping[str, Any], row: Facts) -> LayerSeen:
    version = Version(*layer["version"])
    record = f"{version.topic}/{version.partition}/{version.offset}"
    shown = "end" if name.startswith("!") else name
    return LayerSeen(shown, layer["kind"], layer["rule"], version.order, record, version.revision, name not in row.raws)


def _hash(value: str) -> str:
    return {NOTHING: "nothing", UNSURE: "unsure"}.get(value, value)


def _outcome(row: Facts) -> str:
    """What is known of the last attempt: its code, or that the vendor took it."""
    if row.error is not None and row.error not in WORDS:
        return row.error
    if row.observed_hash == UNSURE:
        return "unknown"
    return "accepted" if row.observed_hash != NOTHING or row.vendor_id else "none"


def why(row: Facts, policy: Policy, now: float) -> str:
    """Why an entry is in its state, as `place` decides it."""
    match row.state:
        case "sending":
            return f"a call is under way, by {row.lease_owner}"
        case "idle":
            return "in step: the vendor holds what is wanted" if row.desired else "in step: nothing is wanted there"
        case "dead" if row.error == "invalid" and not row.attempts:
            return "this destination cannot say what is wanted; a newer change, or calends dlq replay, revives it"
        case "dead":
            spent = f"given up after {row.attempts} attempts ({row.error})"
            return f"{spent}; a newer change, or calends dlq replay, revives it"
        case "expired":
            return "it was never sent, and no longer matters"
        case "waiting":
            return _waiting(row)
        case "held":
            return _held(row, policy, now)
        case _:
            return "it is in the queue"


def _waiting(row: Facts) -> str:
    if not row.complete:
        return "only upper layers have come; it waits for its base"
    return "its subscriber has no identity at this vendor yet; it waits for the link"


def _held(row: Facts, policy: Policy, now: float) -> str:
    if row.retry_at is not None and row.retry_at > now:
        if row.error in WORDS:
            return WORDS[row.error]
        return f"it failed ({row.error}) and is tried again; attempt {row.attempts} of {policy.max_attempts} is spent"
    if row.quiet_until is not None and row.quiet_until > now:
        return "an answer was lost; nothing is sent until the vendor cannot act on that call any more"
    if row.deliver_at is not None and row.deliver_at > now:
        return "it is to be delivered later (deliver_at)"
    return "its time has come: a worker looks at it within a second"
