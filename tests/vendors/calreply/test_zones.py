"""CalReply's zone ids: on its own list, and right at both ends of the entry, or UTC."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from tzlocal.windows_tz import tz_win

from pipeline.vendors.calreply import zones
from pipeline.vendors.calreply.payload import problems, request
from pipeline.vendors.contract import Situation, Step

SUMMER, WINTER = datetime(2026, 7, 1, 12), datetime(2026, 12, 1, 12)


def event(**content: Any) -> dict[str, Any]:
    one = Situation("K", {"title": "T", **content}, None, "s1", options={"account_code": "a"})
    return dict(json.loads(request(Step.CREATE, [one]).body)["event"])


def test_the_documents_list_has_109_ids() -> None:
    assert len(zones.IDS) == 109


@pytest.mark.parametrize("name", sorted(zones.IDS))
def test_every_id_has_a_zone_behind_it(name: str) -> None:
    assert zones.behind(name) is not None


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("Australia/Melbourne", "AUS Eastern Standard Time"),
        ("Europe/Berlin", "W. Europe Standard Time"),
        ("America/New_York", "Eastern Standard Time"),
        ("Asia/Kolkata", "India Standard Time"),
        ("Asia/Kamchatka", "Russia Time Zone 11"),
        ("Etc/UTC", "UTC"),
        ("Australia/Lord_Howe", None),
        ("America/Havana", None),
    ],
)
def test_a_zone_has_the_id_that_fits_all_year(zone: str, name: str | None) -> None:
    assert zones.fitting(zone, SUMMER, WINTER) == name


def test_an_id_of_other_offsets_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tz_win, "America/Vancouver", "Mountain Standard Time")
    assert zones.fitting("America/Vancouver", SUMMER) is None


def test_a_timed_entry_without_an_id_is_said_in_utc() -> None:
    said = event(start="2026-07-01T09:00:00", end="2026-07-01T10:00:00", time_zone="Australia/Lord_Howe")
    assert (said["start"], said["end"], said["timezone"]) == ("2026-06-30T22:30:00", "2026-06-30T23:30:00", "UTC")


def test_an_all_day_entry_without_an_id_is_a_problem() -> None:
    content = {"title": "T", "start": "2026-07-01", "all_day": True, "time_zone": "Australia/Lord_Howe"}
    assert len(problems(content, {})) == 1


def test_an_end_in_another_zone_is_said_in_the_starts() -> None:
    said = event(
        start="2026-07-01T16:00:00",
        time_zone="Australia/Sydney",
        end="2026-07-02T06:30:00",
        end_time_zone="Europe/London",
    )
    assert (said["end"], said["timezone"]) == ("2026-07-02T15:30:00", "AUS Eastern Standard Time")


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Mid-Atlantic Standard Time", "Etc/GMT+2"),
        ("Kamchatka Standard Time", "Asia/Kamchatka"),
        ("AUS Eastern Standard Time", "Australia/Sydney"),
        ("Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_a_windows_id_leads_back_to_its_zone(name: str, zone: str) -> None:
    found = zones.behind(name)
    assert found is not None
    assert found.key == zone


@pytest.mark.parametrize("name", sorted(zones.IDS))
def test_an_id_of_the_list_is_its_own_name(name: str) -> None:
    assert zones.named(name) == name


@pytest.mark.parametrize(
    ("zone", "name"),
    [("GMT", "UTC"), ("US/East-Indiana", "US Eastern Standard Time"), ("Europe/Uzhgorod", "FLE Standard Time"),
     ("Asia/Kolkata", "India Standard Time"), ("America/Havana", None), ("Nowhere", None)],
)  # fmt: skip
def test_a_zone_has_the_name_of_its_list(zone: str, name: str | None) -> None:
    assert zones.named(zone) == name
