"""A local time that in_zone makes in one zone and the calendar reads in another is told; what may be right is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text

RULE = """rules:
  - name: r
    from: [t]
    on: a.b
    send:
      to: acme-calreply
      key: k
      subscriber: S
      LAYER
      DELIVER
      entry: {title: x, start: "START", ZONE}
"""
NEW_YORK = "{{ data.at | in_zone('America/New_York') }}"
Check = Callable[..., list[tuple[int, str, str]]]


@pytest.fixture
def check(destinations: dict[str, DestinationView]) -> Check:
    def problems(start: str, zone: str = "", deliver: str = "", layer: str = "") -> list[tuple[int, str, str]]:
        text = RULE.replace("START", start).replace(", ZONE", f", {zone}" if zone else "")
        text = text.replace("DELIVER", f'deliver_at: "{deliver}"' if deliver else "").replace("LAYER", layer)
        found = check_rules(load_text(text, "r.yaml", ("calreply",)), destinations, ("base", "above"))
        return [(problem.line, problem.message, problem.suggestion) for problem in found]

    return problems


@pytest.mark.parametrize(
    ("start", "zone", "read", "advice"),
    [
        (NEW_YORK, "", "Europe/Berlin", "say the same time_zone: America/New_York"),
        (NEW_YORK, "time_zone: UTC", "UTC", "say the same time_zone: America/New_York"),
        (NEW_YORK.replace(" }}", " | plus('1h') | minus('2d') }}"), "", "Europe/Berlin",
         "say the same time_zone: America/New_York"),
        ("{{ data.at }}", f'end: "{NEW_YORK}"', "Europe/Berlin", "say the same time_zone: America/New_York"),
    ],
)  # fmt: skip
def test_a_local_time_that_is_read_in_another_zone_is_told(
    start: str, zone: str, read: str, advice: str, check: Check
) -> None:
    assert check(start, zone) == [(11, f"this local time is read in {read}", advice)]


def test_an_end_is_read_in_its_own_zone(check: Check) -> None:
    def end(zone: str) -> str:
        return f'end: "{NEW_YORK}", end_time_zone: {zone}'

    told = [problem for problem in check("{{ data.at }}", end("UTC")) if "local time" in problem[1]]
    assert told == [(11, "this local time is read in UTC", "say the same end_time_zone: America/New_York")]
    assert [problem for problem in check("{{ data.at }}", end("America/New_York")) if "local time" in problem[1]] == []


def test_a_delivery_at_a_local_time_of_another_zone_is_told(check: Check) -> None:
    assert check("{{ data.at }}", deliver=NEW_YORK) == [(10, "this local time is read in Europe/Berlin", "")]


@pytest.mark.parametrize(
    ("start", "zone", "layer"),
    [
        (NEW_YORK, "time_zone: America/New_York", ""),
        (NEW_YORK, "time_zone: America/Toronto", ""),
        (NEW_YORK, 'time_zone: "{{ data.zone }}"', ""),
        (NEW_YORK, "", "layer: above"),
        ("{{ data.at | in_zone('Europe/Berlin') }}", "", ""),
        ("{{ data.at | in_zone('Europe/Vienna') }}", "", ""),
        ("{{ data.at | in_zone(data.zone) }}", "", ""),
        ("{{ data.at }}", "", ""),
        ("{{ data.at | in_zone('America/New_York') | date }}", "all_day: true", ""),
    ],
)
def test_what_may_be_right_is_not_told(start: str, zone: str, layer: str, check: Check) -> None:
    assert check(start, zone, layer=layer) == []
