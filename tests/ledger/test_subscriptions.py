"""What the making and the end of a subscription teach the directory: by what became of the entry, not by an answer."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from pipeline.ledger import Grant, Ledger, Result
from pipeline.model.change import Kind
from pipeline.model.facts import Policy
from pipeline.model.outcome import Absent, Accepted, Outcome, Unconfirmed, Unknown
from tests.ledger.acts import answer, change, claim, outcomes, take
from tests.ledger.conftest import Open

POLICIES = {
    "d": Policy(
        "d",
        "a",
        needs_identity=lambda content: content.get("kind") != "subscription",
        settle_time=0.2,
        answers_for=9,
    )
}
QUOTA = ((50, 1.0),)


def subscription(order: int, kind: Kind = "upsert", **more: Any) -> Any:
    made, raw = change("sub", order, subscriber="ann")
    return structs.replace(made, kind=kind, content={"kind": "subscription", **more} if kind == "upsert" else {}), raw


def entry(order: int, **more: Any) -> Any:
    return change("k", order, subscriber="ann", **more)


def next_of(ledger: Ledger, key: str, lease: float = 20.0) -> Grant:
    return next(grant for grant in claim(ledger, lease=lease).grants if grant.entries[0].key == key)


def settle(ledger: Ledger, grant: Grant, outcome: Outcome, step: str = "create") -> None:
    ledger.settle([Result(grant, (replace(answer(grant.entries[0], outcome, 1), step=step),), "a")])


def subscribed(opened: Open) -> Ledger:
    ledger = opened(POLICIES, QUOTA)
    take(ledger, subscription(1))
    settle(ledger, next_of(ledger, "sub"), Accepted("s1"))
    return ledger


def test_an_end_that_the_vendor_applies_later_unlinks(opened: Open) -> None:
    ledger = subscribed(opened)
    take(ledger, subscription(3, "delete"), entry(3))
    settle(ledger, next_of(ledger, "sub"), Unconfirmed(), "delete")
    assert ledger.entry("k")[0].identity is None


def test_an_end_that_is_only_known_by_absence_unlinks(opened: Open) -> None:
    ledger = subscribed(opened)
    take(ledger, subscription(3, "delete"), entry(3))
    settle(ledger, next_of(ledger, "sub"), Unknown("timeout"), "delete")
    time.sleep(1.3)
    ledger.sweep()
    settle(ledger, next_of(ledger, "sub"), Absent(), "delete")
    assert (ledger.entry("sub")[0].state, ledger.entry("k")[0].identity) == ("idle", None)


def test_a_late_answer_to_an_old_end_leaves_the_new_link(opened: Open) -> None:
    ledger = subscribed(opened)
    take(ledger, subscription(3, "delete"))
    frozen = next_of(ledger, "sub", lease=0.05)
    time.sleep(0.4)
    ledger.sweep()
    settle(ledger, next_of(ledger, "sub"), Accepted(), "delete")
    take(ledger, subscription(4))
    time.sleep(0.3)
    ledger.sweep()
    settle(ledger, next_of(ledger, "sub"), Accepted("s2"))
    take(ledger, entry(5, if_unlinked=None))
    settle(ledger, frozen, Accepted(), "delete")
    assert ledger.entry("k")[0].identity == "s2"


def test_a_subscription_that_is_replaced_keeps_its_subscriber_until_there_is_another(opened: Open) -> None:
    ledger = subscribed(opened)
    take(ledger, subscription(2, collection="other"))
    settle(ledger, next_of(ledger, "sub"), Accepted(), "delete")
    take(ledger, entry(3, if_unlinked=None))
    assert ledger.entry("k")[0].identity == "s1"
    settle(ledger, next_of(ledger, "sub"), Accepted("s2"))
    assert ledger.entry("k")[0].identity == "s2"


def test_who_is_dropped_with_a_subscription_has_an_outcome(opened: Open) -> None:
    ledger = subscribed(opened)
    take(ledger, entry(2, if_unlinked=None, deliver_at=datetime.now(UTC) + timedelta(days=1)))
    take(ledger, subscription(3, "delete"))
    outcomes(ledger)
    settle(ledger, next_of(ledger, "sub"), Accepted(), "delete")
    assert {event["subject"]: event["type"] for event in outcomes(ledger)} == {
        "k": "calends.outcome.expired",
        "sub": "calends.outcome.deleted",
    }
