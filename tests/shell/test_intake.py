"""When the lanes learn of what was read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from pipeline.intake import BURST, Intake


@dataclass
class Reading:
    """An intake whose clock is told, and what it has told the lanes."""

    now: float = 1000.0
    woken: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        nothing = cast(Any, None)
        self.intake = Intake(nothing, nothing, nothing, nothing, "dead-letters", self.wake, monotonic=lambda: self.now)

    def wake(self, destinations: Iterable[str]) -> None:
        self.woken.append(set(destinations))

    def batch(self, more: bool) -> None:
        self.intake._woken_later = {"acme-ecal"}
        self.intake._came(self.now)
        self.intake._went_in(more)

    def nothing(self) -> None:
        self.intake._came_nothing(self.intake.in_burst())

    def quiet(self) -> None:
        self.nothing()
        self.nothing()


def test_lanes_wait_while_more_is_known_to_come_and_are_woken_at_its_end() -> None:
    reading = Reading()
    reading.batch(more=True)
    assert (reading.intake.in_burst(), reading.woken) == (True, [])
    reading.batch(more=False)
    assert (reading.intake.in_burst(), reading.woken) == (False, [{"acme-ecal"}])


def test_a_burst_that_does_not_end_keeps_no_lane_waiting() -> None:
    reading = Reading()
    reading.batch(more=True)
    reading.now += BURST
    assert not reading.intake.in_burst()
    reading.batch(more=True)
    assert (reading.intake.in_burst(), reading.woken) == (False, [{"acme-ecal"}])


def test_a_steady_flow_keeps_no_lane_waiting_again_and_again() -> None:
    reading = Reading()
    for _ in range(20):
        for more in (True, True, False):
            reading.batch(more)
            reading.now += 0.1
    assert not reading.intake.in_burst()
    reading.batch(more=True)
    assert not reading.intake.in_burst()


def test_a_burst_ends_where_nothing_more_comes_and_the_next_is_none_until_it_was_quiet() -> None:
    reading = Reading()
    reading.batch(more=True)
    reading.nothing()
    assert (reading.intake.in_burst(), reading.woken) == (False, [{"acme-ecal"}])
    reading.now += BURST
    reading.batch(more=True)
    assert not reading.intake.in_burst()


def test_after_a_quiet_time_a_burst_is_waited_for_again() -> None:
    reading = Reading()
    reading.batch(more=True)
    reading.now += 10 * BURST
    reading.quiet()
    reading.batch(more=True)
    assert reading.intake.in_burst()
