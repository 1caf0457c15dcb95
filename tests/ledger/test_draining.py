"""Whether a backlog drains before what is in it matters, at the full rate of the quota."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.ledger import Ledger
from pipeline.ledger.draining import HORIZONS, drained_in, late_when_drained
from pipeline.model.outcome import Accepted
from tests.ledger.acts import change, claim, result, take
from tests.ledger.conftest import Open

ONE_A_MINUTE = ((1, 60.0),)


def late(ledger: Ledger) -> float:
    return late_when_drained(ledger, {"d": "a"}, ledger.counted(HORIZONS).urgent)["d"]


def heap_up(ledger: Ledger, number: int, matters_in: timedelta) -> None:
    at = datetime.now(UTC) + matters_in
    take(ledger, *(change(f"k{matters_in.total_seconds():.0f}-{n}", matters_at=at) for n in range(number)))


@pytest.mark.parametrize(
    ("number", "hours", "minutes_late"), [(60, 0.9, 0), (90, 0.9, 30), (90, 2, 0), (2000, 999, 560)]
)
def test_it_is_late_where_more_matters_by_an_hour_than_can_be_sent(
    opened: Open, number: int, hours: float, minutes_late: float
) -> None:
    ledger = opened(windows=ONE_A_MINUTE)
    heap_up(ledger, number, timedelta(hours=hours))
    assert late(ledger) == minutes_late * 60


def test_what_has_time_makes_nothing_late(opened: Open) -> None:
    ledger = opened(windows=ONE_A_MINUTE)
    heap_up(ledger, 10, timedelta(minutes=14))
    heap_up(ledger, 1000, timedelta(days=60))
    assert late(ledger) == 0


def test_what_mattered_already_is_late_by_all_that_goes_before_it(opened: Open) -> None:
    ledger = opened(windows=ONE_A_MINUTE)
    heap_up(ledger, 10, -timedelta(hours=3))
    assert late(ledger) == 600


@pytest.mark.parametrize(("matters_in", "urgent"), [(14 * 86_400, False), (-60, True)])
def test_what_is_settled_says_when_it_mattered(opened: Open, matters_in: int, urgent: bool) -> None:
    ledger, now = opened(windows=()), datetime.now(UTC)
    event = now - timedelta(hours=1)
    take(ledger, change("k", matters_at=event + timedelta(seconds=matters_in), event_time=event, identity="ann"))

    (one,) = ledger.settle([result(claim(ledger).grants[0], Accepted("id"))])

    assert one.good == event.timestamp()
    assert one.due is not None
    assert (one.due.urgent, one.due.at > now.timestamp()) == (urgent, not urgent)


def test_what_is_in_doubt_is_reckoned_in_with_two_calls_each_also_while_it_is_held(opened: Open) -> None:
    ledger = opened(windows=ONE_A_MINUTE)
    heap_up(ledger, 10, timedelta(minutes=-1))
    assert drained_in(ledger, {"d": "a"}, ledger.counted(HORIZONS).urgent) == {"d": 600}

    ledger.went_back({})

    assert ledger.counted(HORIZONS).backlog["d", "held"][0] == 10
    assert drained_in(ledger, {"d": "a"}, ledger.counted(HORIZONS).urgent) == {"d": 1200}
    assert late(ledger) == 1200


def test_without_a_quota_nothing_is_late(opened: Open) -> None:
    ledger = opened(windows=())
    heap_up(ledger, 10, -timedelta(hours=3))
    assert late(ledger) == 0
