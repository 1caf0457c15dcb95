"""What an answer makes of a row: settle it, hold it back, or bury it. Pure, and followed by `place`.

A failure counts against an entry only once its destination has since accepted another, and only where it came alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from msgspec.structs import replace

from pipeline.model.entry import Content
from pipeline.model.facts import NOTHING, UNSURE, Facts, Policy, lost, place, unleased
from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Look,
    Outcome,
    Rejected,
    Retry,
    Split,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
)

REFUSED_CAP = 4.0
"""Seconds, at most, before a refused entry asks again: a vendor that answers need not be spared, and where nothing else
is sent these calls are all that can show whether it is the entry or the account (a hold, then a probe)."""


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
    together: int = 1
    """Entries in the call."""
    in_a_row: bool = False
    """The call that this worker heard of before had failed too: that is how an outage looks, not how an entry does."""


def verdict(answers: Sequence[Answer | None]) -> Answer | None:
    """The answer that speaks for the whole call: who accepts one entry is well. None: nobody was asked."""
    asked = [answer for answer in answers if answer is not None and not answer.certain]
    good = [answer for answer in asked if isinstance(answer.outcome, Accepted | Unconfirmed)]
    return next(iter(good or asked), None)


def settle(facts: Facts, answer: Answer, good_since: float | None, now: float, policy: Policy) -> Facts:
    """The row after an answer. `good_since`: when the call left that the account last accepted, or None."""
    if facts.epoch != answer.epoch:
        return place(_late(facts, answer), now, policy)
    facts = unleased(facts)
    match answer.outcome:
        case Accepted(vendor_id=vendor_id):
            settled = _held_there(facts, answer, vendor_id)
        case Unconfirmed(vendor_id=vendor_id):
            settled = _held_there(facts, answer, vendor_id)
            quiet_until = max(answer.at + policy.settle_time, facts.quiet_until or 0.0)
            settled = replace(settled, quiet_until=quiet_until, quiet_hash=answer.sent_hash)
        case Absent():
            settled = _not_there(facts, answer)
        case Look(candidates=candidates):
            settled = replace(facts, candidates=list(candidates))
        case Split() if answer.together > 1:
            settled = replace(facts, batch_limit=fewer(answer))
        case Split():
            settled = _refused(facts, answer, good_since, "invalid")
        case Throttled() | Unauthorized():
            settled = facts  # facts of the account, not of the entry
        case Exists() | Unknown() | Retry() | Rejected() as failure:
            settled = _failure(facts, answer, failure, good_since, policy)
        case unreachable:
            assert_never(unreachable)
    return place(settled, now, policy)


def _failure(
    facts: Facts,
    answer: Answer,
    outcome: Exists | Unknown | Retry | Rejected,
    good_since: float | None,
    policy: Policy,
) -> Facts:
    match outcome:
        case Exists(vendor_id=vendor_id):
            # So one learns that a lost call has acted. Only if that comes again, something is wrong with the entry.
            again = facts.error == "exists"
            told = _failed(facts, answer, good_since, policy, "exists", after=0.0) if again else facts
            there = vendor_id or facts.vendor_id
            return replace(
                told, observed_hash=UNSURE, absent=False, vendor_id=there, retry_at=None, candidates=None,
                error="exists",
            )  # fmt: skip
        case Unknown(detail=detail):
            unsure = facts if answer.step == "find" else _unheard(facts, answer, policy)
            return _failed(unsure, answer, good_since, policy, f"unknown {detail}".strip())
        case Retry(after=after):
            return _failed(facts, answer, good_since, policy, "retry", after)
        case Rejected(reason=reason, detail=detail):
            return _refused(facts, answer, good_since, f"{reason} {detail}".strip())


def fewer(answer: Answer) -> int:
    """Half of the call's entries: the one at fault is alone after a few halvings, the others are through."""
    return max(1, answer.together // 2)


def _unheard(f: Facts, answer: Answer, policy: Policy) -> Facts:
    replaces = answer.step == "delete" and answer.sent_hash != NOTHING
    # A call that a server breaks down under may be too large for it.
    limit = fewer(answer) if answer.together > 1 else f.batch_limit
    quiet_hash = UNSURE if replaces else answer.sent_hash
    sent = None if answer.step == "delete" else answer.sent
    return lost(replace(f, batch_limit=limit), answer.at, answer.identity, sent, quiet_hash, policy)


def _late(f: Facts, answer: Answer) -> Facts:
    """An answer to a claim that another claim has overtaken is still a fact: the vendor may hold what it says."""
    vendor_id = getattr(answer.outcome, "vendor_id", None)
    if f.lease_until is not None or not isinstance(answer.outcome, Accepted | Unconfirmed):
        return replace(f, vendor_id=f.vendor_id or vendor_id)
    return replace(f, observed_hash=UNSURE, vendor_id=f.vendor_id or vendor_id)


def _healed(f: Facts) -> Facts:
    return replace(
        f, attempts=0, failures=0, failed_at=None, first_failed_at=None, retry_at=None, error=None,
        batch_limit=None, candidates=None,
    )  # fmt: skip


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
        return replace(f, observed=None, observed_hash=NOTHING, observed_identity=None, vendor_id=None, absent=False,
                       candidates=None)  # fmt: skip
    retry_at = f.quiet_until if answer.sent_hash == NOTHING else f.retry_at
    return replace(f, observed_hash=UNSURE, vendor_id=None, absent=True, retry_at=retry_at, candidates=None)


def blamed(f: Facts, good_since: float | None) -> bool:
    """A failure is the entry's own only where its destination has accepted something since it last failed."""
    return f.failed_at is not None and good_since is not None and good_since > f.failed_at


def _failed(
    f: Facts, answer: Answer, good_since: float | None, policy: Policy, error: str, after: float | None = None
) -> Facts:
    attempts = f.attempts + (blamed(f, good_since) and not answer.in_a_row)
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
        retry_at=answer.at + backoff(f.failures, answer.jitter, cap=REFUSED_CAP),
        error=error,
    )


def backoff(failures: int, jitter: float, base: float = 1.0, cap: float = 300.0) -> float:
    """Seconds: exponential with full jitter, never under a tenth of a second."""
    return max(0.1, jitter * min(cap, base * 2.0 ** min(failures, 16)))
