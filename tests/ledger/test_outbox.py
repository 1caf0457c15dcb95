"""What the ledger has to say to others: dead letters and outcomes, until Kafka has them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from pipeline.ledger import Message, Posted, Result
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted
from tests.ledger.acts import TOLD, answer, change, claim, outcomes, posted, result, take
from tests.ledger.conftest import Open


def test_what_kafka_did_not_take_stays_in_the_outbox(opened: Open) -> None:
    ledger = opened()
    ledger.take([], [], [Message("t", b"k", None, (("h", b"\x00\xff"),))], {})
    assert ledger.outbox(lambda messages: Posted()) == 0
    (seen,) = posted(ledger)
    assert (seen.key, seen.value, seen.headers) == (b"k", None, (("h", b"\x00\xff"),))
    assert posted(ledger) == []


def test_what_kafka_will_not_take_stays_and_stops_no_other(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ledger.outbox.REFUSED_WAIT", 0.2)
    ledger = opened()
    ledger.take([], [], [Message("t", key, b"v", ()) for key in (b"bad", b"good")], {})
    assert [message.key for message in posted(ledger, refused=["bad"])] == [b"bad", b"good"]
    ledger.take([], [], [Message("t", b"later", b"v", ())], {})
    assert [message.key for message in posted(ledger)] == [b"later"]
    assert ledger.outbox_refused() == {"t": 1}
    time.sleep(0.25)
    assert [message.key for message in posted(ledger)] == [b"bad"]
    assert ledger.outbox_refused() == {}


def test_no_more_is_held_at_once_than_a_worker_has_memory_for(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ledger.outbox.MAX_HELD", 1000)
    ledger, held = opened(), list[list[bytes | None]]()

    def send(messages: Sequence[Message]) -> Posted:
        held.append([message.key for message in messages])
        return Posted([message.id for message in messages])

    sizes = [400, 400, 400, 5000, None, 10]
    ledger.take([], [], [Message("t", b"%d" % n, size and b"v" * size, ()) for n, size in enumerate(sizes)], {})
    while ledger.outbox(send):
        pass
    assert held == [[b"0", b"1"], [b"2"], [b"3"], [b"4", b"5"]]


def test_an_entry_that_dies_in_the_sweep_leaves_a_dead_letter(opened: Open) -> None:
    policy = Policy(
        "d",
        "a",
        needs_identity=lambda content: False,
        problems=lambda content: [] if content["title"] == "t" else ["bad"],
    )
    ledger = opened({"d": policy})
    take(ledger, change("k"))
    claim(ledger, lease=0.05)
    take(ledger, change("k", 2, "unsayable"))
    time.sleep(0.1)
    ledger.sweep()
    assert (ledger.entry("k")[0].state, len(posted(ledger))) == ("dead", 1)


def test_an_outcome_names_the_vendors_id_its_links_and_every_event_that_it_answers_for(opened: Open) -> None:
    ledger = opened(TOLD)
    for order in (1, 2):
        take(ledger, change("k", order, f"t{order}", event=("/shop", f"e{order}")))
    (grant,) = claim(ledger).grants
    ledger.settle([result(grant, Accepted("v1", {"page": "https://x"}))])
    (event,) = outcomes(ledger)
    assert event["type"] == "calends.outcome.accepted"
    assert (event["data"]["vendor_id"], event["data"]["links"]) == ("v1", {"page": "https://x"})
    assert [(told["source"], told["id"], told["offset"]) for told in event["data"]["events"]] == [
        ("/shop", "e1", 1),
        ("/shop", "e2", 2),
    ]


def test_an_outcome_is_told_once_and_only_at_the_end(opened: Open) -> None:
    ledger = opened(TOLD)
    take(ledger, change("k", 1))
    (grant,) = claim(ledger).grants
    take(ledger, change("k", 2, "newer"))
    ledger.settle([result(grant, Accepted("v1"))])
    assert outcomes(ledger) == []  # what was sent is no longer what is wanted
    (grant,) = claim(ledger).grants
    ledger.settle([result(grant, Accepted("v1"))] * 2)
    assert [len(event["data"]["events"]) for event in outcomes(ledger)] == [2]
    take(ledger, change("k", 3, "newest"))
    ledger.settle([result(grant, Accepted("v1")) for grant in claim(ledger).grants])
    assert [[told["offset"] for told in event["data"]["events"]] for event in outcomes(ledger)] == [[3]]


def test_what_need_not_be_sent_and_what_dies_have_an_outcome_too(opened: Open) -> None:
    policy = replace(TOLD["d"], problems=lambda content: ["bad"] if content["title"] == "bad" else [])
    ledger = opened({"d": policy})
    take(ledger, change("k", 1), change("dead", 1, "bad"))
    cancel, raw = change("k", 2)
    take(ledger, (structs.replace(cancel, kind="cancel"), raw))
    types = {event["subject"]: event["type"] for event in outcomes(ledger) if "subject" in event}
    assert types == {"k": "calends.outcome.unneeded", "dead": "calends.outcome.dead"}


def test_no_more_events_are_remembered_than_are_told(opened: Open) -> None:
    ledger = opened(TOLD)
    for order in range(1, 9):
        take(ledger, change("k", order, f"t{order}"))
    assert [event["offset"] for event in ledger.entry("k")[0].events or ()] == [6, 7, 8]


def test_a_subscription_links_its_subscriber_and_its_end_unlinks_them(opened: Open) -> None:
    ledger = opened({"d": Policy("d", "a", needs_identity=lambda content: content.get("kind") != "subscription")})
    subscription, raw = change("sub", 1, subscriber="ann")
    take(ledger, change("k", 1, subscriber="ann"))
    take(ledger, (structs.replace(subscription, content={"kind": "subscription"}), raw))
    (grant,) = claim(ledger).grants
    assert (grant.entries[0].key, ledger.entry("k")[0].state) == ("sub", "waiting")
    ledger.settle([result(grant, Accepted("s1"))])
    row = ledger.entry("k")[0]
    assert (row.state, row.identity) == ("ready", "s1")
    assert ledger.entry("sub")[0].state == "idle"
    ended, raw = change("sub", 2, subscriber="ann")
    take(ledger, (structs.replace(ended, kind="delete", content={}), raw))
    grant = next(grant for grant in claim(ledger).grants if grant.entries[0].key == "sub")
    ledger.settle([Result(grant, (replace(answer(grant.entries[0], Accepted(), 1), step="delete"),), "a")])
    assert ledger.entry("k")[0].identity is None
    assert ledger.entry("sub")[0].state == "idle"


def test_two_outcomes_of_equal_content_are_two(opened: Open) -> None:
    ledger = opened(TOLD)
    take(ledger, change("k", 1))
    ledger.settle([result(grant, Accepted("v")) for grant in claim(ledger).grants])
    take(ledger, change("k", 2))
    first, second = outcomes(ledger)
    assert (first["id"], first["type"]) != (second["id"], second["type"])
    assert first["id"] != second["id"]
