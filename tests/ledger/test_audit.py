"""What people do by hand, on both databases: out of the same quota as everybody, and written down first."""

from __future__ import annotations

import time

from pipeline.ledger import Act, Grant, Ledger, Quota, Stopped
from pipeline.ledger.values import STRAY
from pipeline.model.outcome import Throttled
from tests.ledger.acts import change, claim, take
from tests.ledger.conftest import Open

ACT = Act("somebody", "call", "d", "GET /things")


def granted(ledger: Ledger) -> Grant:
    found = ledger.grant("a", 5.0)
    assert isinstance(found, Grant)
    return found


def test_an_act_is_written_before_it_is_done_and_its_outcome_after(opened: Open) -> None:
    ledger = opened()
    before = time.time()
    act = ledger.begin(ACT)
    (seen,) = ledger.acts()
    assert (seen.actor, seen.action, seen.destination, seen.detail, seen.outcome) == (
        *("somebody", "call", "d", "GET /things"),
        "under way",
    )
    assert abs(seen.at - before) < 60
    ledger.end(act, "200")
    assert [one.outcome for one in ledger.acts()] == ["200"]


def test_the_newest_act_comes_first(opened: Open) -> None:
    ledger = opened()
    first, second = ledger.begin(ACT), ledger.begin(ACT)
    assert [one.id for one in ledger.acts()] == [second, first]
    assert [one.id for one in ledger.acts(limit=1)] == [second]


def test_calls_by_hand_and_the_lanes_share_one_quota(opened: Open) -> None:
    ledger = opened(windows=((2, 60.0),))
    take(ledger, change("k1"), change("k2"))
    granted(ledger)
    assert len(claim(ledger).grants) == 1
    wait = ledger.grant("a", 5.0)
    assert isinstance(wait, float)
    assert wait > 0


def test_a_call_that_never_left_gives_its_token_back(opened: Open) -> None:
    ledger = opened(windows=((1, 60.0),))
    ledger.hand_back("a", granted(ledger), sent="never")
    granted(ledger)


def test_a_call_that_left_counts_for_a_whole_window(opened: Open) -> None:
    ledger = opened(windows=((1, 60.0),))
    ledger.hand_back("a", granted(ledger), sent="answered")
    wait = ledger.grant("a", 5.0)
    assert isinstance(wait, float)
    assert 55 < wait <= 60


def test_a_call_that_was_not_heard_of_counts_from_when_it_must_have_arrived(opened: Open) -> None:
    ledger = opened(windows=((1, 60.0),))
    ledger.hand_back("a", granted(ledger), sent="lost")
    wait = ledger.grant("a", 5.0)
    assert isinstance(wait, float)
    assert 60 < wait <= 60 + STRAY


def test_nobody_calls_a_held_account_but_by_force(opened: Open) -> None:
    ledger = opened(windows=((1, 60.0),))
    ledger.hold("a", "failing")
    stopped = ledger.grant("a", 5.0)
    assert isinstance(stopped, Stopped)
    assert stopped.reason == "failing"
    assert isinstance(ledger.grant("a", 5.0, force=True), Grant)
    assert isinstance(ledger.grant("a", 5.0, force=True), float)  # never past the quota


def test_what_the_vendor_asks_for_pauses_everybody(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k1"))
    ledger.hand_back("a", granted(ledger), sent="answered", throttled=Throttled(60.0))
    stopped = ledger.grant("a", 5.0)
    assert isinstance(stopped, Stopped)
    assert (stopped.reason, 55 < stopped.seconds <= 60) == ("throttled", True)
    assert claim(ledger).grants == ()


def test_a_shorter_pause_does_not_shorten_a_longer_one(opened: Open) -> None:
    ledger = opened()
    first, second = granted(ledger), granted(ledger)
    ledger.hand_back("a", first, sent="answered", throttled=Throttled(60.0))
    ledger.hand_back("a", second, sent="answered", throttled=Throttled(1.0))
    assert ledger.obstacles()["a"][1] > 50


def test_other_settings_take_no_tokens_of_the_workers_away(opened: Open, url: str) -> None:
    opened(windows=((5, 1.0),))
    other = Ledger(url, {}, {"a": Quota("a", ((1, 1.0),))}, lambda facts: [])
    assert other.grant("a", 5.0) == Stopped("quota", 0.0)
    other.close()


def test_who_comes_first_declares_the_quota(opened: Open, url: str) -> None:
    opened()
    other = Ledger(url, {}, {"b": Quota("b", ((1, 60.0),))}, lambda facts: [])
    assert isinstance(other.grant("b", 5.0), Grant)
    assert isinstance(other.grant("b", 5.0), float)
    other.close()
