"""An older copy took the ledger's place: what it calls new may be at the vendor already."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from msgspec import structs

from pipeline.ledger import FOR_GOOD, Ledger, LedgerWentBack, Listener
from pipeline.model.facts import UNSURE, Facts
from pipeline.model.outcome import Absent, Accepted, Unknown
from tests.ledger.acts import change, take
from tests.ledger.conftest import Open
from tests.ledger.test_holds import claimed, end

PART = ("topic", 0)
ROOMY = ((1000, 0.2),)


def row(ledger: Ledger, key: str) -> Facts:
    return ledger.entry(key)[0]


def read(ledger: Ledger, first: int, key: str, seen: int | None = None) -> None:
    ledger.take([change(key, first)], [], [], {PART: first + 1}, seen={} if seen is None else {PART: seen})


def test_whatever_is_not_in_step_is_looked_for_first(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    read(ledger, 1, "sent")
    end(ledger, claimed(ledger), Accepted("v"))
    read(ledger, 2, "new")
    read(ledger, 3, "under way")
    ledger.went_back({PART: 10})
    assert [row(ledger, key).observed_hash == UNSURE for key in ("sent", "new", "under way")] == [False, True, True]
    assert claimed(ledger) == [], "not before a call of the ledger that was lost can no longer act"


def test_how_many_entries_are_marked_is_told_before_and_after(opened: Open) -> None:
    ledger, told = opened(windows=ROOMY), list[object]()
    for order, key in enumerate(("a", "b", "c"), 1):
        read(ledger, order, key)

    def marked() -> list[bool]:
        return [row(ledger, key).observed_hash == UNSURE for key in ("a", "c")]

    ledger.listener = Listener(
        lambda partitions, entries: told.append((partitions, entries, marked())),
        lambda entries, seconds: told.append((entries, seconds > 0.0, marked())),
    )
    ledger.went_back({PART: 10})
    assert told == [([PART], 3, [False, False]), (3, True, [True, True])]


def test_what_changes_until_the_log_has_been_read_again_is_looked_for_first(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    read(ledger, 1, "sent")
    end(ledger, claimed(ledger), Accepted("v"))
    ledger.went_back({PART: 6})
    assert ledger.catching_up() == {PART: 6}
    read(ledger, 4, "made since the copy")
    read(ledger, 5, "sent")
    assert row(ledger, "made since the copy").observed_hash == UNSURE
    assert row(ledger, "sent").observed_hash == UNSURE
    read(ledger, 6, "after")
    assert row(ledger, "after").observed_hash != UNSURE
    assert ledger.catching_up() == {}


def test_who_is_looked_for_and_not_there_is_made(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    read(ledger, 1, "k")
    ledger.went_back({PART: 2})
    time.sleep(0.45)  # the settle time of the tests' destination, and the window
    ledger.sweep()
    end(ledger, claimed(ledger), Absent())
    assert (row(ledger, "k").state, row(ledger, "k").never_created) == ("ready", True)


def test_no_token_is_free_of_calls_that_nobody_remembers(opened: Open) -> None:
    ledger = opened(windows=((5, 60.0),))
    ledger.went_back({})
    take(ledger, change("k"))
    assert claimed(ledger) == []


def test_a_worker_that_has_written_more_than_the_ledger_holds_writes_nothing(opened: Open) -> None:
    ledger = opened()
    read(ledger, 1, "k")
    with pytest.raises(LedgerWentBack):
        read(ledger, 9, "later", seen=9)
    with pytest.raises(LedgerWentBack):
        ledger.take([], [], [], {("other", 0): 5}, seen={("other", 0): 4})
    assert (ledger.entry("later"), ledger.every_offset()) == ([], {PART: 2})
    read(ledger, 2, "next", seen=2)


def test_a_ledger_that_is_ahead_of_a_worker_is_fine(opened: Open) -> None:
    ledger = opened()
    read(ledger, 7, "k")
    read(ledger, 3, "late", seen=3)
    assert ledger.every_offset() == {PART: 8}


def test_nobody_claims_until_the_log_has_been_read_to_where_it_ended(opened: Open) -> None:
    ledger, other = opened(windows=ROOMY), opened(windows=ROOMY)
    read(ledger, 1, "k")
    ledger.went_back({PART: 6})
    time.sleep(0.45)
    ledger.sweep()
    assert (row(ledger, "k").state, claimed(ledger), claimed(other)) == ("ready", [], [])
    read(ledger, 5, "last")
    assert [grant.entries[0].key for grant in claimed(other)] == ["k"]


def test_what_begins_in_the_middle_of_a_log_is_claimed(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    ledger.start_at({PART: 5})
    ledger.went_back({PART: FOR_GOOD})
    time.sleep(0.25)
    read(ledger, 5, "k")
    time.sleep(0.25)
    ledger.sweep()
    assert [grant.entries[0].observed_hash for grant in claimed(ledger)] == [UNSURE]


def test_what_the_copy_was_looking_for_is_looked_for_anew(opened: Open) -> None:
    """It had not been there; a call that the copy does not know of may have made it."""
    ledger = opened(windows=ROOMY)
    read(ledger, 1, "k")
    end(ledger, claimed(ledger), Unknown("reset"))
    time.sleep(0.25)
    ledger.sweep()
    ledger.went_back({PART: 2})
    assert (row(ledger, "k").state, row(ledger, "k").absent) == ("held", False)


def test_an_answer_to_a_call_that_the_copy_does_not_know_of_settles_nothing(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    read(ledger, 1, "k")
    (grant,) = claimed(ledger)
    ledger.went_back({PART: 2})
    assert row(ledger, "k").epoch > grant.entries[0].epoch + 1
    end(ledger, [grant], Accepted("v"))
    assert row(ledger, "k").observed_hash == UNSURE


def test_what_had_expired_in_the_copy_is_not_looked_for(opened: Open) -> None:
    ledger = opened(windows=ROOMY)
    over, raw = change("k", 1)
    ledger.take([(structs.replace(over, expires_at=datetime(2020, 1, 1, tzinfo=UTC)), raw)], [], [], {PART: 2})
    ledger.went_back({PART: 3})
    assert (row(ledger, "k").state, row(ledger, "k").never_created) == ("expired", True)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_database_that_has_written_less_than_it_had_is_doubted_before_anything_else(opened: Open) -> None:
    """As after a failover to a standby that had not got everything: its connections are new, and its log is shorter."""
    ledger = opened(windows=ROOMY)
    read(ledger, 1, "sent")
    end(ledger, claimed(ledger), Accepted("v"))
    read(ledger, 2, "new")
    ledger.holds()
    assert ledger._database._flushed is not None
    reconnected(ledger)
    assert row(ledger, "new").observed_hash != UNSURE, "the same database, connected to again"
    ledger._database._flushed += 1 << 40
    reconnected(ledger)
    assert claimed(ledger) == []
    assert [row(ledger, key).observed_hash == UNSURE for key in ("sent", "new")] == [False, True]
    assert not ledger._database.replaced


def reconnected(ledger: Ledger) -> None:
    ledger._database.engine.dispose()
    ledger.sweep()
