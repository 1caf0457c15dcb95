"""When the lanes learn of what was read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, cast

from pipeline.intake import BURST, Intake


def intake(woken: list[set[str]]) -> Intake:
    def wake(destinations: Iterable[str]) -> None:
        woken.append(set(destinations))

    nothing = cast(Any, None)
    made = Intake(nothing, nothing, nothing, nothing, "dead-letters", wake)
    made._woken_later = {"acme-ecal"}
    return made


def test_lanes_wait_while_more_is_known_to_come_and_are_woken_at_its_end() -> None:
    woken: list[set[str]] = []
    reading = intake(woken)
    reading._burst(True, time.monotonic())
    assert (reading.in_burst(), woken) == (True, [])
    reading._burst(False, time.monotonic())
    assert (reading.in_burst(), woken) == (False, [{"acme-ecal"}])


def test_a_burst_that_does_not_end_keeps_no_lane_waiting() -> None:
    woken: list[set[str]] = []
    reading = intake(woken)
    reading._burst(True, time.monotonic() - BURST)
    assert (reading.in_burst(), woken) == (False, [{"acme-ecal"}])
