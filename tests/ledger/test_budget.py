"""Credits beside the quota: never overdrawn, given back where a call had no effect, full again with the period."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from pipeline.ledger import Budget
from pipeline.ledger.budget import began, ends
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted, Retry, Throttled, Unknown
from tests.ledger.acts import change, claim, result, take
from tests.ledger.conftest import Open

DAY = 86_400.0


def costly(facts: object) -> float:
    """Creates cost 1, all else a fifth."""
    return 0.2 if getattr(facts, "observed", None) else 1.0


PAID = {"d": Policy("d", "a", needs_identity=lambda content: False, settle_time=0.2, cost=costly)}
QUOTA = ((99, 60.0),)


def test_no_more_calls_are_claimed_than_there_are_credits(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 2.0, DAY))
    take(ledger, *(change(f"k{number}") for number in range(5)))
    assert len(claim(ledger).grants) == 2
    assert claim(ledger).grants == ()
    assert ledger.budget_used() == {"a": 1.0}
    assert sorted(ledger.entry(f"k{number}")[0].error or "" for number in range(5)) == ["", "", *["budget"] * 3]


def test_what_is_cheap_still_goes_where_what_is_dear_cannot(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 1.3, DAY))
    take(ledger, change("old"))
    ledger.settle([result(grant, Accepted("v")) for grant in claim(ledger).grants])
    take(ledger, change("new"), change("old", 2, "changed"))
    assert [grant.entries[0].key for grant in claim(ledger).grants] == ["old"]


def test_a_call_without_effect_gives_its_credits_back_and_a_lost_one_does_not(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 4.0, DAY))
    take(ledger, *(change(f"k{number}") for number in range(3)))
    kept, refused, lost = claim(ledger).grants
    ledger.settle([result(kept, Accepted("v")), result(lost, Unknown("timeout"))])
    ledger.settle([result(refused, Throttled(0.1))])
    assert ledger.budget_used() == {"a": 0.5}


def test_a_larger_budget_is_taken_up_at_the_next_start(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 1.0, DAY))
    take(ledger, change("k1"), change("k2"))
    assert len(claim(ledger).grants) == 1
    larger = opened(PAID, QUOTA, Budget("a", 2.0, DAY))
    larger.sweep()
    assert len(claim(larger).grants) == 1


def test_a_new_period_fills_the_budget_again(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 1.0, 2.0))
    time.sleep(2.0 - time.time() % 2.0 + 0.05)
    take(ledger, change("k1"), change("k2"))
    assert len(claim(ledger).grants) == 1
    time.sleep(2.1)
    ledger.sweep()
    assert len(claim(ledger).grants) == 1


def test_what_was_taken_from_one_period_does_not_fill_the_next(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 1.0, 2.0))
    time.sleep(2.0 - time.time() % 2.0 + 0.05)
    take(ledger, change("k1"))
    (late,) = claim(ledger).grants
    time.sleep(2.0)
    take(ledger, change("k2"))
    assert len(claim(ledger).grants) == 1
    ledger.settle([result(late, Retry())])
    take(ledger, change("k3"))
    assert claim(ledger).grants == ()


def test_settled_twice_gives_back_once(opened: Open) -> None:
    ledger = opened(PAID, QUOTA, Budget("a", 4.0, DAY))
    take(ledger, *(change(f"k{number}") for number in range(3)))
    refused = claim(ledger).grants[0]
    ledger.settle([result(refused, Retry())])
    ledger.settle([result(refused, Retry())])
    assert ledger.budget_used() == {"a": 0.5}


def test_a_month_is_a_month() -> None:
    budget = Budget("a", 1.0)
    now = datetime(2026, 12, 24, 9, tzinfo=UTC).timestamp()
    assert began(budget, now) == datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert ends(budget, now) == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
