"""What the ledger is told of each kind of vendor, and what it keeps of an entry that died."""

from __future__ import annotations

from pipeline import wording
from pipeline.ledger import Message
from pipeline.model.change import BASE
from pipeline.model.facts import Facts, Policy
from pipeline.vendors.contract import Situation
from tests.protocol.memory import Kind

SETTLE_TIME = 30.0
NOTE = "note"
LAYERS = (BASE, NOTE)
ATTEMPTS = 6


def policy_of(kind: Kind) -> Policy:
    def situation(facts: Facts) -> Situation:
        return Situation.of(facts, facts.key, kind.options)

    return Policy(
        kind.name,
        kind.name,
        LAYERS,
        needs_identity=lambda content: kind.identified,
        recover_at_once=kind.vendor.defaults.recover_at_once,
        together=lambda facts: kind.vendor.plan(situation(facts)) if kind.batch > 1 else None,
        batch=kind.batch,
        cost=lambda facts: wording.cost(kind.vendor, situation(facts)),
        settle_time=SETTLE_TIME,
        max_attempts=ATTEMPTS,
        patience=100.0,
    )


def buried(facts: Facts) -> list[Message]:
    return [Message("dead", f"{facts.destination}/{facts.key}".encode(), None, ()) for _ in facts.raws]
