"""What becomes of a subscription teaches the directory: who its subscriber is at the vendor, or no longer is."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.ledger.entries import Key
from pipeline.ledger.values import Result, Settled
from pipeline.model.change import Link, Version
from pipeline.model.facts import NOTHING, UNSURE, Facts


def learners(result: Result) -> Iterator[Key]:
    """Those of whom the directory may learn: subscribers whose subscription this is."""
    for row in result.grant.entries:
        if row.subscriber is not None and _is_subscription(row):
            yield row.destination, row.subscriber


def _is_subscription(row: Facts) -> bool:
    return any((content or {}).get("kind") == "subscription" for content in (row.desired, row.observed))


def learnt(one: Settled, now: float) -> Iterator[Link]:
    """Who a subscriber is, where a subscription of theirs has just been made, or is gone for good: the vendor's id."""
    before, after = one.before, one.after
    if after.subscriber is None or not (_is_subscription(before) or _is_subscription(after)):
        return
    version = Version(int(now * 1e6), "", 0, 0, 0)
    if before.observed_hash != NOTHING and after.observed_hash == NOTHING and after.wanted_hash == NOTHING:
        yield Link(after.destination, after.subscriber, None, version, ended=before.vendor_id)
    is_there = after.observed_hash not in (NOTHING, UNSURE) and after.vendor_id is not None
    if is_there and (before.observed_hash in (NOTHING, UNSURE) or before.vendor_id != after.vendor_id):
        yield Link(after.destination, after.subscriber, after.vendor_id, version)
