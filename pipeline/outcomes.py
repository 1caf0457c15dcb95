"""How the end of an entry's work is worded for the upstream systems: a CloudEvent on the outcome topic."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.ledger import Message
from pipeline.model.blame import Answer
from pipeline.model.entry import canonical
from pipeline.model.facts import NOTHING, Facts
from pipeline.model.outcome import Accepted, Unconfirmed
from pipeline.sealing import Seal

CONTENT_TYPE = (("content-type", b"application/cloudevents+json"),)


def of_entry(topic: str, facts: Facts, answer: Answer | None, now: float, seal: Seal | None) -> Message:
    """What became of an entry, with the vendor's id and links, and all the events that it answers for. Links with a
    password are encrypted for as long as the ledger keeps them; without a key they are left out.

    `accepted`: the vendor holds it; `unconfirmed`: it took it and applies it later; `deleted`: it is not there any
    more; `dead`, `expired`: nobody tries any more; `unneeded`: it was never sent, and need not be.
    """
    became = _became(facts, answer)
    is_secret = answer is not None and isinstance(answer.outcome, Accepted) and answer.outcome.secret
    event = {
        "specversion": "1.0",
        "id": f"{facts.destination}/{facts.key}/{_newest(facts)}/{became}",
        "source": f"/calends/{facts.destination}",
        "type": f"calends.outcome.{became}",
        "subject": facts.key,
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": {
            "destination": facts.destination,
            "key": facts.key,
            "subscriber": facts.subscriber,
            "vendor_id": facts.vendor_id,
            "links": {} if is_secret and seal is None else _links(answer),
            "reason": facts.error if became == "dead" else None,
            "events": list(facts.events or ()),
        },
    }
    key, value = f"{facts.destination}/{facts.key}".encode(), canonical(event).encode()
    if is_secret and seal is not None:
        return Message(topic, key, seal.close(value), CONTENT_TYPE, sealed=True)
    return Message(topic, key, value, CONTENT_TYPE)


def _newest(facts: Facts) -> str:
    """The newest event names the outcome: two of equal content are told apart, and one that is told again is not."""
    event = (facts.events or ({},))[-1]
    return f"{event.get('topic')}/{event.get('partition')}/{event.get('offset')}"


def _became(facts: Facts, answer: Answer | None) -> str:
    if facts.state != "idle":
        return facts.state
    if facts.observed_hash == NOTHING:
        return "deleted" if answer is not None else "unneeded"
    return "unconfirmed" if answer is not None and isinstance(answer.outcome, Unconfirmed) else "accepted"


def _links(answer: Answer | None) -> dict[str, str]:
    return dict(answer.outcome.links) if answer is not None and isinstance(answer.outcome, Accepted) else {}
