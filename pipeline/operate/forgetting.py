"""Forgets a person: the lanes delete what the vendors hold, the ledger erases the rest and keeps a mark.

What stays elsewhere is told: with a vendor, and in topics until they compact or expire.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.ledger import Act, Ledger
from pipeline.rules.evaluate import RuleSet
from pipeline.settings import Settings
from pipeline.stream import StreamError
from pipeline.stream.configured import kafka_config
from pipeline.stream.retention import Kept, retention

LOOK_EVERY = 0.25


@dataclass(slots=True)
class Forgotten:
    """Destination → entries: erased; kept by the vendor; not yet deleted there."""

    erased: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    vendors_keep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Vendor → what stays with it, in words."""
    topics: Mapping[str, str] = field(default_factory=dict)
    """Topic → until when it holds what was written of the person."""


async def forget(
    settings: Settings,
    rules: RuleSet | None,
    ledger: Ledger,
    subscriber: str,
    who: str,
    patience: float,
    progress: Callable[[int, int], None],
) -> Forgotten:
    """Waits up to `patience` seconds for the lanes; what is then left goes when it is run again."""
    told = Forgotten(vendors_keep=_vendors_keep(settings))
    name = await asyncio.to_thread(ledger.forgetting.name, subscriber)
    act = await asyncio.to_thread(ledger.begin, Act(who, "forget", "", f"mark {name}"))
    outcome = "broken off"
    try:
        kept = await _retention(settings, rules)
        told.topics = _topics(settings, kept)
        total = await asyncio.to_thread(ledger.forgetting.begin, subscriber)
        await _finish(settings, ledger, subscriber, kept, patience, told, lambda left: progress(total - left, total))
        outcome = "; ".join(_counted(told)) or "nothing was known"
        return told
    finally:
        await asyncio.to_thread(ledger.end, act, outcome)


async def _finish(
    settings: Settings,
    ledger: Ledger,
    subscriber: str,
    kept: Mapping[str, Kept] | None,
    patience: float,
    told: Forgotten,
    left: Callable[[int], None],
) -> None:
    topic = settings.kafka.outcome_topic
    compacted = topic if topic and kept and topic in kept and kept[topic].compacted else None
    deadline = time.monotonic() + patience
    while True:
        step = await asyncio.to_thread(ledger.forgetting.finish, subscriber, compacted)
        told.erased = dict(Counter(told.erased) + Counter(step.gone))
        told.kept = dict(Counter(told.kept) + Counter(step.kept))
        told.waiting = step.waiting
        left(sum(step.waiting.values()))
        if not step.waiting or time.monotonic() >= deadline:
            return
        await asyncio.sleep(LOOK_EVERY)


def _counted(told: Forgotten) -> list[str]:
    what = (("erased", told.erased), ("kept by the vendor", told.kept), ("still to be deleted", told.waiting))
    return [f"{sum(counts.values())} {name}" for name, counts in what if counts]


def _vendors_keep(settings: Settings) -> dict[str, tuple[str, ...]]:
    vendors = {vendor.name: vendor for vendor in map(settings.vendor_of, settings.destinations)}
    return {name: vendor.keeps for name, vendor in sorted(vendors.items()) if vendor.keeps}


async def _retention(settings: Settings, rules: RuleSet | None) -> Mapping[str, Kept] | None:
    """None: Kafka does not tell."""
    config = kafka_config(settings, rules)
    own = (settings.kafka.dead_letter_topic, settings.kafka.outcome_topic, settings.kafka.inbound_topic)
    try:
        return await retention(config, sorted({*config.topics, *(topic for topic in own if topic)}))
    except StreamError:
        return None


def _topics(settings: Settings, kept: Mapping[str, Kept] | None) -> dict[str, str]:
    if kept is None:
        return {"(unknown)": "Kafka does not tell: look at cleanup.policy and retention.ms of each topic"}
    return {topic: _words(topic == settings.kafka.outcome_topic, one) for topic, one in sorted(kept.items())}


def _words(is_outcomes: bool, kept: Kept) -> str:
    if kept.compacted and is_outcomes:
        return "compacted: nulls take the outcomes of these entries away, at its next compaction"
    expires = f"expires {kept.seconds / 86_400.0:g} days after it was written" if kept.seconds is not None else ""
    compacted = "compacted: goes once its producer writes a null under the same key" if kept.compacted else ""
    return "; ".join(filter(None, (compacted, expires))) or "kept for ever: neither compacted nor expired"
