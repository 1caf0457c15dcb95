"""When lanes rest for what is being read, and how large its batches are."""

from __future__ import annotations

from pipeline.burst import BATCH, LARGE_BATCH, LONGEST, MANY, OVER_MS, QUIET_MS, Burst

FEW, LOTS = MANY, MANY + 1


def after(*polls: tuple[float, int]) -> Burst:
    """What is known after these polls: (when, records)."""
    burst = Burst()
    for now, records in polls:
        burst.came(records, now)
    return burst


def test_lanes_rest_while_many_records_come() -> None:
    assert after((0.0, LOTS), (0.2, LOTS)).resting(0.3)


def test_few_records_keep_nobody_waiting() -> None:
    assert not after((0.0, FEW)).resting(0.0)


def test_a_burst_is_over_with_the_first_poll_that_brings_few_or_none() -> None:
    assert not after((0.0, LOTS), (0.2, FEW)).resting(0.2)
    assert not after((0.0, LOTS), (0.2, 0)).resting(0.2)


def test_a_burst_that_does_not_end_keeps_no_lane_waiting() -> None:
    assert not after((0.0, LOTS), (LONGEST, LOTS)).resting(LONGEST)


def test_a_steady_flow_keeps_no_lane_waiting_again_and_again() -> None:
    polls = [(number / 10, (LOTS, LOTS, FEW, LOTS)[number % 4]) for number in range(40)]
    assert not after(*polls).resting(4.0)


def test_a_burst_that_is_over_is_no_quiet_time_after_which_there_may_be_another() -> None:
    assert not after((0.0, LOTS), (0.2, 0), (LONGEST + 0.1, LOTS)).resting(LONGEST + 0.1)


def test_after_a_quiet_time_a_burst_is_waited_for_again() -> None:
    assert after((0.0, LOTS), (0.2, 0), (0.4, 0), (9.0, LOTS)).resting(9.0)


def test_batches_are_large_only_while_lanes_rest() -> None:
    assert after().asks_for(0.0) == (BATCH, QUIET_MS)
    assert after((0.0, LOTS)).asks_for(0.1) == (LARGE_BATCH, OVER_MS)
    assert after((0.0, LOTS)).asks_for(LONGEST) == (BATCH, QUIET_MS)
