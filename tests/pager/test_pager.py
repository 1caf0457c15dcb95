"""Each alert fires from its fault on real workers, reaches who is woken, and resolves; its runbook's commands run.

`make pager`: a quarter of an hour. A minute of the rules is a second here; see `speed`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from helm.dashboards import DASHBOARDS
from tests.chart.test_alerts import ALERTS
from tests.flow.assembly import until
from tests.pager.faults import LANES, PARTS, Fault, letter
from tests.pager.panels import Board
from tests.pager.runbook import DOING, ELSEWHERE, SEEING, commands
from tests.pager.stage import Stage, stage

EARLY = LANES[:2]
"""What takes four hours, or five minutes that are not sped up: begun before the rest."""
HOUR = 60.0
"""Seconds of an hour of the rules."""


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("pager")) as made:
        yield made


def named(faults: tuple[Fault, ...]) -> list[object]:
    return [pytest.param(fault, id=fault.alert) for fault in faults]


def test_every_alert_has_a_fault() -> None:
    assert sorted(fault.alert for fault in LANES + PARTS) == sorted(ALERTS)


def test_nothing_fires_in_an_hour_of_healthy_load_nor_in_a_rolling_update(on: Stage) -> None:
    time.sleep(HOUR)
    assert on.watch.query("sum(calends_entries_settled_total)")[0]["value"][1] > "100", "the load is on"
    assert on.watch.firing() == []

    on.roll()
    time.sleep(HOUR / 3)
    assert on.watch.firing() == []
    assert on.watch.webhook.told == []


def test_vendors_tell_something(on: Stage) -> None:
    on.take_notices()


def test_what_takes_long_begins(on: Stage) -> None:
    for fault in EARLY:
        begin(on, fault)


@pytest.mark.parametrize("fault", named(PARTS))
def test_what_all_share_fails_wakes_somebody_and_comes_back(on: Stage, fault: Fault) -> None:
    begin(on, fault)
    try:
        fires(on, fault)
        see(on, fault)
    finally:
        fault.end(on)
    do(on, fault)
    resolves(on, fault)


def test_what_concerns_one_destination_begins(on: Stage) -> None:
    for fault in LANES[len(EARLY) :]:
        begin(on, fault)


@pytest.mark.parametrize("fault", named(LANES))
def test_an_alert_fires_and_its_runbook_shows_it(on: Stage, fault: Fault) -> None:
    fires(on, fault)
    see(on, fault)


@pytest.mark.parametrize("fault", named(LANES))
def test_what_the_runbook_says_ends_it(on: Stage, fault: Fault) -> None:
    fault.end(on)
    do(on, fault)


@pytest.mark.parametrize("fault", named(LANES))
def test_an_alert_resolves(on: Stage, fault: Fault) -> None:
    resolves(on, fault)


def begin(on: Stage, fault: Fault) -> None:
    on.begun[fault.alert] = len(on.watch.webhook.told)
    fault.begin(on)


def fires(on: Stage, fault: Fault) -> None:
    since = on.begun[fault.alert]
    took = until(lambda: on.watch.fired(fault.alert, fault.labels, since), 180, f"{fault.alert} fires")
    print(f"{fault.alert} fired in {took:.1f} s")


def resolves(on: Stage, fault: Fault) -> None:
    took = until(lambda: not on.watch.fires(fault.alert, fault.labels), 480, f"{fault.alert} resolves")
    print(f"{fault.alert} resolved in {took:.1f} s")


def see(on: Stage, fault: Fault) -> None:
    typed = commands(fault.alert, SEEING)
    assert typed
    for command in typed:
        carry_out(on, fault, command, fault.codes)


def do(on: Stage, fault: Fault) -> None:
    for command in commands(fault.alert, DOING):
        carry_out(on, fault, command, {})


def carry_out(on: Stage, fault: Fault, command: str, codes: Mapping[str, tuple[int, ...]]) -> None:
    if command.startswith(ELSEWHERE):
        return
    values = dict(fault.values)
    if "LETTER" in command:
        values["LETTER"] = letter(on, values["DESTINATION"])
    ran = on.type(command, **values)
    expected = next((code for start, code in codes.items() if command.startswith(start)), (0,))
    assert (ran.code in expected, "Traceback" in ran.said) == (True, False), ran


def test_everything_is_well_again(on: Stage) -> None:
    until(lambda: on.watch.firing() == [], 480, "nothing fires")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_of_a_dashboard_returned_data_meanwhile(on: Stage, name: str) -> None:
    board = Board(name, on.watch)
    problems = list(board.problems())
    if kept := os.environ.get("CALENDS_PANELS"):
        shown = {"board": board.content, "data": board.kept, "from": on.watch.began, "to": time.time()}
        (Path(kept) / f"{name}.json").write_text(json.dumps(shown))
    assert "\n".join(problems) == ""
    assert all(board.values().values())
