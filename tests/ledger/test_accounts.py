"""What answers say of an account: paused, held, good, and whose fault a refusal is."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from pipeline.ledger import Ledger, Result
from pipeline.model.outcome import Accepted, Outcome, Rejected, Retry, Throttled, Unauthorized, Unknown
from tests.ledger.acts import change, claim, posted, result, take
from tests.ledger.conftest import Open

TICK = 0.01
"""Seconds by which the databases' clocks may differ from ours: SQLite's counts in milliseconds."""


def test_a_pause_and_a_hold_stop_every_worker(opened: Open) -> None:
    ledger, other = opened(), opened()
    take(ledger, change("k1"), change("k2"))
    (grant,) = claim(ledger, 1).grants
    ledger.settle([result(grant, Throttled(1.0))])
    assert claim(other).grants == ()
    assert other.obstacles()["a"][0] == "throttled"
    time.sleep(1.05)
    assert len(claim(other).grants) == 2
    ledger.hold("a", "unauthorized")
    take(ledger, change("k3"))
    assert claim(other).grants == ()
    assert other.obstacles()["a"][0] == "unauthorized"


def test_unauthorized_spends_no_attempt_and_holds_at_once(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    (settled,) = ledger.settle([result(claim(ledger).grants[0], Unauthorized())])
    assert (settled.after.state, settled.after.attempts) == ("ready", 0)
    assert ledger.obstacles()["a"][0] == "unauthorized"


def test_a_refusal_that_is_settled_after_a_probe_found_the_account_well_holds_nothing(opened: Open) -> None:
    ledger = opened(windows=((50, 1.0),))
    take(ledger, change("k"))
    late = result(claim(ledger).grants[0], Unauthorized())
    time.sleep(0.05)
    ledger.lift("a", time.monotonic())
    ledger.settle([late])
    assert ledger.obstacles() == {}


@pytest.mark.parametrize(
    ("outcome", "came", "detail"),
    [
        (Unknown("http_503"), {"said": "503"}, "answered 503"),
        (Unknown("timeout"), {"said": "timeout", "sent": "lost"}, "no answer: timeout"),
        (Retry(), {"said": "refused", "sent": "never"}, "cannot be reached: refused"),
        (Rejected("invalid"), {"said": "400"}, "answers, and refuses what is sent: 400"),
        (Unauthorized(), {"said": "401"}, "answered 401"),
        (Unknown("timeout"), {}, ""),
    ],
    ids=["an error", "silence", "no connection", "a refusal", "the credential", "an old worker"],
)
def test_a_hold_says_what_the_vendor_answered_to_the_call_that_brought_it_about(
    opened: Open, outcome: Outcome, came: dict[str, Any], detail: str
) -> None:
    ledger = opened(windows=((50, 1.0),))
    take(ledger, *(change(f"k{number}") for number in range(6)))
    ledger.settle([result(grant, outcome, **came) for grant in claim(ledger).grants])
    (hold,) = ledger.holds()
    assert (hold.account, hold.detail) == ("a", detail)
    ledger.lift("a", time.monotonic())
    ledger.hold("a", "token_server")
    assert [one.detail for one in ledger.holds()] == [""], "of another hold it says nothing"


def test_failures_in_a_row_hold_the_account_until_a_probe_lifts_it(opened: Open) -> None:
    ledger = opened(windows=((50, 1.0),))
    take(ledger, *(change(f"k{number}") for number in range(6)))
    failed = time.monotonic()
    ledger.settle([result(grant, Unknown("timeout")) for grant in claim(ledger).grants])
    assert ledger.obstacles()["a"][0] == "failing"
    assert all(row.attempts == 0 for number in range(6) for row in ledger.entry(f"k{number}"))
    assert probed(ledger) - failed >= 1.0 - TICK
    assert probed(ledger) - failed >= 2.0 - TICK
    ledger.lift("a", time.monotonic())
    assert ledger.obstacles() == {}


def test_refusals_in_a_row_that_do_not_say_for_how_long_pause_longer_each_time(opened: Open) -> None:
    """Seen by any worker, and back to the first pause once something was accepted."""
    ledger, other = opened(windows=((50, 1.0),)), opened(windows=((50, 1.0),))
    take(ledger, *(change(f"k{number}") for number in range(5)))
    grants = iter(claim(ledger).grants)

    def answered(worker: Ledger, left: float, outcome: Outcome, pause: float) -> None:
        """Of a call that left so many seconds from now and was answered at once; as exact as the database is quick."""
        began = time.monotonic()
        worker.settle([at(result(next(grants), outcome), began + left)])
        _, lasts = other.obstacles()["a"]
        assert lasts == pytest.approx(left + pause, abs=TICK + time.monotonic() - began)

    answered(ledger, 100.0, Throttled(), pause=1.0)
    answered(other, 200.0, Throttled(), pause=2.0)
    answered(ledger, 300.0, Throttled(), pause=4.0)
    ledger.settle([at(result(next(grants), Accepted()), time.monotonic() + 400.0)])
    answered(ledger, 500.0, Throttled(), pause=1.0)


def test_what_an_answers_headers_ask_for_pauses_the_account_whatever_it_says_of_the_entry(opened: Open) -> None:
    ledger, other = opened(), opened()
    take(ledger, change("k1"), change("k2"))
    first, second = claim(ledger).grants
    ledger.settle([result(first, Unknown("http_503"), pause=Throttled(60.0))])
    assert other.obstacles()["a"][0] == "throttled"
    (settled,) = ledger.settle([result(second, Accepted(), pause=Throttled(90.0))])
    assert (settled.after.state, other.obstacles()["a"][0]) == ("idle", "throttled")


def at(result: Result, moment: float) -> Result:
    """The same, of a call that left and was answered then, in monotonic time."""
    return replace(result, answers=tuple(one and replace(one, asked=moment, at=moment) for one in result.answers))


def test_a_probe_that_is_told_late_lifts_no_hold_that_came_since_and_calls_nothing_good_that_failed_since(
    opened: Open,
) -> None:
    """Its worker was frozen after the answer."""
    ledger, other = opened(windows=((50, 1.0),)), opened(windows=((50, 1.0),))
    ledger.hold("a", "failing")
    time.sleep(0.05)
    asked = time.monotonic()
    other.lift("a", time.monotonic())
    time.sleep(0.05)
    other.hold("a", "unauthorized")
    ledger.lift("a", asked)
    assert other.obstacles()["a"][0] == "unauthorized"


def test_a_held_account_is_not_probed_before_its_pause_has_ended(opened: Open) -> None:
    ledger = opened(windows=((50, 1.0),))
    take(ledger, change("k"))
    paused = time.monotonic()
    ledger.settle([at(result(claim(ledger).grants[0], Throttled(2.0)), paused)])
    ledger.hold("a", "failing")
    assert probed(ledger) - paused >= 2.0 - TICK


def probed(ledger: Ledger) -> float:
    """When its turn has come, in monotonic time."""
    while ledger.probe_due("a", 20.0) is None:
        time.sleep(0.02)
    return time.monotonic()


def test_a_refused_entry_dies_only_once_the_destination_was_seen_good(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("bad"))
    (settled,) = ledger.settle([result(claim(ledger).grants[0], Rejected("invalid"))])
    assert settled.after.state == "held"
    take(ledger, change("good"))
    time.sleep(0.15)
    ledger.sweep()
    grants = {grant.entries[0].key: grant for grant in claim(ledger).grants}
    ledger.settle([result(grants["good"], Accepted())])
    (settled,) = ledger.settle([result(grants["bad"], Rejected("invalid"))])
    assert settled.after.state == "dead"
    assert [message.key for message in posted(ledger)] == [b"base"]
    take(ledger, change("bad", 2, "better"))
    assert ledger.entry("bad")[0].state == "ready"
