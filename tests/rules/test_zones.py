"""Layers that say times in zones of their own: each time stays the instant that was said, whatever lies over it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.entry import Content
from pipeline.rules.adapt import DestinationView, desired
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.reading import load_text
from pipeline.rules.selftest import run_test
from pipeline.rules.slots import instant, timed
from pipeline.vendors import vendors

ZONES = st.sampled_from(["Europe/Berlin", "Asia/Singapore", "UTC", "America/New_York"])
STARTS = st.datetimes(datetime(2027, 2, 1), datetime(2027, 2, 10)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
LASTING = st.integers(20, 40).map(lambda days: timedelta(days=days))
"""From a start to an end: long enough that an end is after each start."""
BASE = {"start": "2027-03-01T09:00:00", "end": "2027-03-01T10:00:00", "time_zone": "Asia/Singapore"}


def view_of(default: str | None) -> DestinationView:
    return DestinationView("d", vendors()["apptoto"], defaults={} if default is None else {"time_zone": default})


@st.composite
def said(draw: st.DrawFn, whole: bool) -> dict[str, Any]:
    """What a rule says of times, all of them instants; an upper layer may leave out what it likes."""
    start = draw(STARTS)
    times = {"start": start.isoformat(), "end": (start + draw(LASTING)).isoformat()}
    zones = {"time_zone": draw(ZONES), "end_time_zone": draw(ZONES)}
    kept = draw(st.sets(st.sampled_from([*times, *zones]), min_size=1))
    zone = "time_zone" in kept and ({"start", "end"} & kept)  # a zone without a time is that of other layers' times
    names = {name for name in kept if name in times or (name == "time_zone" and zone) or (zone and "end" in kept)}
    return {name: value for name, value in {**times, **zones}.items() if name in names or (whole and name in times)}


def instants(content: Content, default: str | None) -> dict[str, datetime]:
    zone = content.get("time_zone") or default or "UTC"
    zones = {"start": zone, "end": content.get("end_time_zone") or zone}
    return {name: instant(content[name], zones[name]) for name in zones if name in content}


@given(base=said(whole=True), upper=st.lists(said(whole=False), max_size=2), default=st.none() | ZONES)
def test_an_instant_stays_the_same_instant_whatever_the_zones_of_other_layers(
    base: dict[str, Any], upper: list[dict[str, Any]], default: str | None
) -> None:
    view = view_of(default)
    layers = [timed(base, view.defaults), *(timed(layer, view.defaults, over=True) for layer in upper)]
    expected = {
        name: instant(next(layer[name] for layer in reversed([base, *upper]) if name in layer), "UTC")
        for name in ("start", "end")
    }
    assert instants(desired(layers, view), default) == expected


def test_a_moved_start_leaves_the_end_when_it_was() -> None:
    moved = {"start": "2027-03-01T01:30:00", "time_zone": "UTC"}
    found = desired([BASE, moved], view_of(None))
    assert (found["end"], found["end_time_zone"]) == ("2027-03-01T10:00:00", "Asia/Singapore")


def test_a_zone_alone_is_that_of_both_times() -> None:
    found = desired([BASE, {"time_zone": "Asia/Tokyo"}], view_of(None))
    assert found == {**BASE, "time_zone": "Asia/Tokyo"}


def test_a_local_time_without_a_zone_is_in_that_of_the_layer_below() -> None:
    found = desired([BASE, {"start": "2027-03-01T08:00:00"}], view_of("Europe/Berlin"))
    assert found == {**BASE, "start": "2027-03-01T08:00:00"}


def test_a_layer_that_says_both_times_says_their_zone() -> None:
    both = {"start": "2027-03-01T08:00:00", "end": "2027-03-01T09:00:00", "time_zone": "UTC"}
    assert desired([{**BASE, "end_time_zone": "Asia/Tokyo"}, both], view_of(None)) == both


CALLS = """
rules:
  - name: announced
    from: [port.calls]
    on: announced
    send:
      to: d
      key: C
      entry: {title: T, collection: X, start: "{{ data.eta }}", end: "{{ data.etd }}", time_zone: Asia/Singapore}
  - {name: eta, from: [ais], on: eta, send: {to: d, key: C, layer: ais, entry: {start: "{{ data.eta }}"}}}
tests:
  - orders: all
    given:
      - {type: announced, data: {eta: "2026-12-01T01:00:00Z", etd: "2026-12-01T12:00:00Z"}}
      - {type: eta, data: {eta: "2026-12-01T02:00:00Z"}}
    expect:
      - to: d
        key: C
        entry:
          {start: "2026-12-01T03:00:00", time_zone: Europe/Berlin,
           end: "2026-12-01T20:00:00", end_time_zone: Asia/Singapore}
"""


def test_a_layers_instant_says_the_default_zone_as_the_entry_below_may_have_another() -> None:
    rules = RuleSet(load_text(CALLS, "rules.yaml", vendors()), {"d": view_of("Europe/Berlin")}, ("base", "ais"))
    assert run_test(rules.rules.tests[0], rules).differences == ()
