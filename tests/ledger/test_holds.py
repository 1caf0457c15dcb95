"""Holds of a destination and of a rule; what is counted of a ledger however much it holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline.ledger import Budget, Grant, Hold, Ledger, Result, holds
from pipeline.ledger.draining import HORIZONS
from pipeline.model.change import Change, Version
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted, Outcome, Rejected, Retry, Throttled, Unauthorized
from tests.ledger.acts import RAW, result, take
from tests.ledger.conftest import Open

ROOMY = ((1000, 1.0),)


def made(key: str, rule: str, order: int = 1, revision: int = 1) -> tuple[Change, dict[str, Any]]:
    version = Version(order, "topic", 0, order, revision)
    return Change("d", key, "upsert", version, rule, content={"title": key}), RAW


def claimed(ledger: Ledger, limit: int = 100) -> list[Grant]:
    return list(ledger.claim("d", "worker", limit, 20.0).grants)


def keys(grants: Sequence[Grant]) -> list[str]:
    return sorted(grant.entries[0].key for grant in grants)


def end(ledger: Ledger, grants: Sequence[Grant], outcome: Outcome) -> None:
    """`certain`: refused for what they are, and known to be so at the first answer."""
    bad = isinstance(outcome, Rejected)
    results = [result(grant, outcome) for grant in grants]
    if bad:
        results = [replace(r, answers=tuple(a and replace(a, certain=True) for a in r.answers)) for r in results]
    ledger.settle(results)


def refuse(ledger: Ledger, rule: str, n: int, revision: int = 1) -> None:
    take(ledger, *(made(f"{rule}-{number}", rule, revision=revision) for number in range(n)))
    end(ledger, claimed(ledger), Rejected("invalid", "422"))


def held(ledger: Ledger) -> list[tuple[str, str | None, str]]:
    return [(hold.reason, hold.rule, hold.detail) for hold in ledger.holds()]


def at(grant: Grant, outcome: Outcome, asked: float, at: float) -> Result:
    """An answer to a call that left and came back so many seconds ago."""
    now, (answer,) = time.monotonic(), result(grant, outcome).answers
    assert answer is not None
    return Result(grant, (replace(answer, asked=now - asked, at=now - at),), "a")


def test_what_left_before_a_failure_and_is_accepted_after_it_spends_no_attempt(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    take(ledger, made("bad", "r"), made("before", "r"), made("since", "r"))
    bad, before, since = claimed(ledger)
    ledger.settle([at(bad, Retry(), asked=4.0, at=3.0)])
    ledger.settle([at(before, Accepted(), asked=3.5, at=2.5)])
    ledger.sweep()
    (again,) = claimed(ledger)
    (once,) = ledger.settle([at(again, Retry(), asked=2.0, at=2.0)])
    assert once.after.attempts == 0
    ledger.settle([at(since, Accepted(), asked=1.5, at=1.4)])
    ledger.sweep()
    (again,) = claimed(ledger)
    (twice,) = ledger.settle([at(again, Retry(), asked=1.0, at=0.0)])
    assert twice.after.attempts == 1


# a destination that a person paused -------------------------------------------------------------------------------


def test_what_a_person_paused_is_claimed_by_no_worker_until_resumed(opened: Open) -> None:
    ledger, other = opened(), opened()
    take(ledger, made("k", "r"))
    assert ledger.pause("d", "ann: vendor asked")
    assert not other.pause("d", "bob")
    assert claimed(other) == []
    assert held(other) == [("paused", None, "ann: vendor asked")]
    assert other.resume("d")
    assert keys(claimed(ledger)) == ["k"]
    assert not ledger.resume("d")


def test_a_paused_destination_still_takes_changes(opened: Open) -> None:
    ledger = opened()
    ledger.pause("d", "ann")
    take(ledger, made("k", "r"))
    assert ledger.counted(HORIZONS).backlog["d", "ready"][0] == 1


# a rule whose entries are refused ---------------------------------------------------------------------------------


def test_a_rule_that_is_refused_again_and_again_is_held_and_others_go_on(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    refuse(ledger, "bad", holds.HOLD_RULE_AFTER)
    assert held(ledger) == [("refused", "bad", "invalid 422")]
    take(ledger, *(made(f"more-{number}", "bad") for number in range(5)), made("fine", "good"))
    assert keys(claimed(ledger)) == ["fine"]
    assert ledger.counted(HORIZONS).backlog["d", "held"][0] == 5


def test_one_that_is_taken_between_begins_the_count_anew(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    refuse(ledger, "r", holds.HOLD_RULE_AFTER - 1)
    take(ledger, made("fine", "r"))
    end(ledger, claimed(ledger), Accepted("v"))
    refuse(ledger, "r2", 1)
    take(ledger, made("bad", "r"))
    end(ledger, claimed(ledger), Rejected("invalid"))
    assert held(ledger) == []


def test_a_refusal_that_is_not_proved_yet_counts_for_nothing(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    take(ledger, *(made(f"k{number}", "r") for number in range(20)))
    ledger.settle([result(grant, Rejected("invalid")) for grant in claimed(ledger)])
    assert [hold.rule for hold in ledger.holds()] == [None], "the account is held and probed, no rule is"


def test_entries_of_a_later_revision_of_the_rules_go(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    refuse(ledger, "bad", holds.HOLD_RULE_AFTER)
    take(ledger, made("old", "bad"), made("new", "bad", revision=2))
    assert keys(claimed(ledger)) == ["new"]


def test_a_resumed_rule_sends_what_had_waited(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    refuse(ledger, "bad", holds.HOLD_RULE_AFTER)
    take(ledger, made("k", "bad"))
    assert claimed(ledger) == []
    assert ledger.resume("d", "bad")
    assert (ledger.wake_rule("d"), ledger.wake_rule("d")) == (1, 0)
    assert keys(claimed(ledger)) == ["k"]


def test_of_a_held_rule_one_entry_is_tried_and_lifts_the_hold(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "TRY_EVERY", 0.0)
    ledger = opened(windows=ROOMY)
    refuse(ledger, "bad", holds.HOLD_RULE_AFTER)
    monkeypatch.setattr(holds, "TRY_EVERY", 300.0)
    take(ledger, made("a", "bad"), made("b", "bad"))
    tried = claimed(ledger)
    assert len(tried) == 1
    assert claimed(ledger) == [], "the next is tried later"
    end(ledger, tried, Accepted("v"))
    assert held(ledger) == []


def test_a_held_rule_does_not_hide_the_others_behind_its_entries(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    refuse(ledger, "bad", holds.HOLD_RULE_AFTER)
    take(ledger, *(made(f"b{number}", "bad") for number in range(300)))
    take(ledger, made("fine", "good"))
    assert keys(claimed(ledger, 2)) == ["fine"]


# all holds, with reason, since when and what lifts them -----------------------------------------------------------


def of(ledger: Ledger) -> Hold:
    (hold,) = ledger.holds()
    return hold


def test_every_hold_of_an_account_says_since_when_and_what_lifts_it(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    before = ledger.now()
    take(ledger, made("a", "r"), made("b", "r"))
    end(ledger, claimed(ledger, 1), Throttled(60.0))
    paused = of(ledger)
    assert (paused.reason, paused.account) == ("throttled", "a")
    assert before <= (paused.since or 0.0) <= ledger.now() < (paused.until or 0.0)
    ledger.hold("a", "token_server")
    assert [hold.reason for hold in ledger.holds()] == ["token_server", "throttled"]
    assert all(hold.lifted_by and hold.since for hold in ledger.holds())


def test_a_refused_credential_says_so(opened: Open) -> None:
    ledger = opened()
    take(ledger, made("a", "r"))
    end(ledger, claimed(ledger), Unauthorized())
    assert (of(ledger).reason, "replace the secret" in of(ledger).lifted_by) == ("unauthorized", True)


def test_a_spent_budget_is_a_hold_until_its_period_ends(opened: Open) -> None:
    paid = {"d": Policy("d", "a", needs_identity=lambda content: False, cost=lambda facts: 1.0)}
    ledger = opened(paid, ROOMY, Budget("a", 1.0, 86_400.0))
    take(ledger, made("a", "r"), made("b", "r"))
    assert len(claimed(ledger)) == 1
    assert (of(ledger).reason, (of(ledger).until or 0) > ledger.now()) == ("budget", True)
    larger = opened(paid, ROOMY, Budget("a", 9.0, 86_400.0))
    assert larger.holds() == []


# counting ---------------------------------------------------------------------------------------------------------


def test_what_is_in_step_is_not_in_the_backlog(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    take(ledger, made("a", "r"), made("b", "r"))
    end(ledger, claimed(ledger, 1), Accepted("v"))
    assert {place: n for place, (n, _) in ledger.counted(HORIZONS).backlog.items()} == {("d", "ready"): 1}
    assert ledger.idle(ledger.counted(HORIZONS).backlog) == {"d": 1}


def test_counting_reads_an_index_and_no_row(opened: Open, url: str) -> None:
    opened()
    plan = explained(url)
    assert "entries_unsettled" in plan, plan


def explained(url: str) -> str:
    from sqlalchemy import text

    from pipeline.ledger.database import Database

    database = Database(url)
    question = "select destination, state, count(*) from entries where state <> 'idle' group by destination, state"
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execute(text("set enable_seqscan = off"))
        rows = connection.execute(text(("explain query plan " if database.is_sqlite else "explain ") + question)).all()
    database.engine.dispose()
    return "\n".join(str(row) for row in rows)


def test_looking_does_not_wait_for_who_writes(opened: Open) -> None:
    ledger, other = opened(), opened()
    take(ledger, made("a", "r"))
    seen: list[int] = []
    ledger._transaction(lambda connection: seen.append(other.counted(HORIZONS).backlog["d", "ready"][0]))
    assert seen == [1]


def test_looking_for_what_a_rule_wrote_does_not_wait_for_who_writes(opened: Open) -> None:
    ledger, other = opened(), opened()
    take(ledger, made("a", "r"), made("b", "another"))
    seen: list[str] = []
    ledger._transaction(lambda connection: seen.extend(row.key for row in other.rules.entries_of("r")))
    assert seen == ["a"]
