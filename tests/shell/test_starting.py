"""Where each partition is read from, and what is refused."""

from __future__ import annotations

from typing import get_args

import pytest

from pipeline.ledger import FOR_GOOD
from pipeline.starting import Known, LedgerLost, Missing, Start, start

PART = ("t", 0)
FITS = Known(ledger=90, group=90, begin=0, end=150)
LOST = Known(ledger=None, group=120, begin=0, end=150)
EXPIRED = Known(ledger=90, group=120, begin=100, end=150)
MADE_ANEW = Known(ledger=500, group=None, begin=0, end=20)
WENT_BACK = Known(ledger=90, group=120, begin=0, end=150)


def begin(known: Known, missing: Missing = "refuse") -> Start:
    return start({PART: known}, missing)


@pytest.mark.parametrize("missing", get_args(Missing))
def test_the_ledgers_offset_is_the_truth(missing: Missing) -> None:
    assert start({PART: FITS}, missing) == Start({PART: 90})


def test_a_partition_that_nobody_has_read_begins_at_its_beginning() -> None:
    assert begin(Known(None, None, 7, 150)) == Start({PART: 7}, {PART: 7})


def test_a_group_that_is_ahead_is_a_ledger_that_went_back() -> None:
    assert begin(WENT_BACK) == Start({PART: 90}, {}, {PART: 150})


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (LOST, "ledger none, group 120, log 0 to 150: the ledger was lost, or is another one"),
        (EXPIRED, "ledger 90, group 120, log 100 to 150: 10 records have expired unread"),
        (MADE_ANEW, "ledger 500, group none, log 0 to 20: the topic was made anew, or the ledger is another one's"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_offsets_and_both_ways_on(known: Known, why: str) -> None:
    with pytest.raises(LedgerLost) as refused:
        start({PART: known, ("t", 1): FITS}, "refuse")
    told = str(refused.value)
    assert f"  t/0: {why}\n" in told
    assert ("t/1" in told, "--from-committed" in told, "--rebuild" in told) == (False, True, True)


def test_from_committed_goes_on_where_the_group_is_and_is_never_sure_of_what_came_before() -> None:
    assert begin(LOST, "committed") == Start({PART: 120}, {PART: 120}, {PART: FOR_GOOD})
    assert begin(EXPIRED, "committed") == Start({PART: 120}, {PART: 120}, {PART: FOR_GOOD})


def test_from_committed_is_refused_where_the_group_has_no_offset_inside_the_log() -> None:
    for known in (MADE_ANEW, Known(90, 95, 100, 150), Known(None, 200, 0, 150)):
        with pytest.raises(LedgerLost, match="Start with --rebuild"):
            begin(known, "committed")


def test_rebuild_is_sure_again_once_a_whole_log_has_been_read() -> None:
    assert begin(LOST, "rebuild") == Start({PART: 0}, {PART: 0}, {PART: 150})
    assert begin(MADE_ANEW, "rebuild") == Start({PART: 0}, {PART: 0}, {PART: 20})
    assert begin(EXPIRED, "rebuild") == Start({PART: 100}, {PART: 100}, {PART: FOR_GOOD})


def test_of_many_partitions_the_first_twenty_are_told() -> None:
    with pytest.raises(LedgerLost, match="and 5 partitions more"):
        start({("t", number): LOST for number in range(25)}, "refuse")
