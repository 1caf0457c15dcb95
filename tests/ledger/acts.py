"""What tests of the ledger do: write a change, claim, answer, and read what is to be told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.ledger import Claim, Grant, Ledger, Message, Posted, Result
from pipeline.model.blame import Answer
from pipeline.model.change import Change, Link, Version
from pipeline.model.facts import Facts, Policy
from pipeline.model.outcome import Outcome

RAW: dict[str, Any] = {"value": "x"}


LINKED = {"d": Policy("d", "a")}


def change(key: str, order: int = 1, title: str = "t", **more: Any) -> tuple[Change, dict[str, Any]]:
    version = Version(order, "topic", 0, order, 1)
    return Change("d", key, "upsert", version, "rule", content={"title": title}, **more), RAW


def take(ledger: Ledger, *changes: tuple[Change, dict[str, Any]], links: Iterable[Link] = ()) -> Any:
    return ledger.take(changes, list(links), [], {})


def claim(ledger: Ledger, limit: int = 10, lease: float = 20.0) -> Claim:
    return ledger.claim("d", "worker", limit, lease)


def posted(ledger: Ledger, refused: Iterable[str] = ()) -> list[Message]:
    """What a Kafka is given that takes everything but what lies under these keys."""
    seen: list[Message] = []

    def send(messages: Sequence[Message]) -> Posted:
        seen.extend(messages)
        bad = {m.id: "TooLarge" for m in messages if m.key is not None and m.key.decode() in refused}
        return Posted([m.id for m in messages if m.id not in bad], bad)

    while ledger.outbox(send):
        pass
    return seen


def result(grant: Grant, outcome: Outcome, **more: Any) -> Result:
    facts = grant.entries[0]
    answer = Answer(
        epoch=facts.epoch, outcome=outcome, step="create", sent=facts.desired, sent_hash=facts.sent_hash or "",
        identity=facts.identity, asked=time.monotonic(), at=time.monotonic(), jitter=0.0,
    )  # fmt: skip
    return Result(grant, (answer,), "a", **more)


BATCHED = {"d": Policy("d", "a", needs_identity=lambda content: False, settle_time=0.2, batch=4,
                       together=lambda facts: (facts.desired or {}).get("title"))}  # fmt: skip


def answer(facts: Facts, outcome: Outcome, together: int) -> Answer:
    now = time.monotonic()
    return Answer(
        epoch=facts.epoch, outcome=outcome, step="create", sent=facts.desired, sent_hash=facts.sent_hash or "",
        identity=None, asked=now, at=now, jitter=0.0, together=together,
    )  # fmt: skip


def told(grant: Grant, outcome: Outcome) -> Result:
    entries = grant.entries
    return Result(grant, tuple(answer(facts, outcome, len(entries)) for facts in entries), "a")


def sizes(found: Claim) -> list[int]:
    return [len(grant.entries) for grant in found.grants]


TOLD = {"d": Policy("d", "a", needs_identity=lambda content: False, answers_for=3)}


def outcomes(ledger: Ledger) -> list[dict[str, Any]]:
    """What the outbox holds, oldest first; it is emptied."""
    found: list[dict[str, Any]] = []

    def send(messages: Sequence[Message]) -> Posted:
        found.extend(json.loads(message.value or b"{}") for message in messages)
        return Posted([message.id for message in messages])

    ledger.outbox(send)
    return found


def unlinked(order: int, ended: str, subscriber: str | None = None) -> Link:
    return Link("d", subscriber, None, Version(order, "t", 0, order, 1), ended)
