"""The nearest right name of a time zone, and none where a guess would be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.rules.zone_names import zone_meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("Amerika/Los_Angeles", "America/Los_Angeles"),
        ([{"start": "2026-12-24", "time_zone": "Europe/Pariss"}], "Europe/Paris"),
        ({"title": "Berln", "end_time_zone": "Asia/Tokio"}, "Asia/Tokyo"),
    ],
)
def test_a_misspelt_zone_gets_the_nearest_name(written: Any, meant: str) -> None:
    assert zone_meant(written) == meant


@pytest.mark.parametrize(
    "written", ["CEST", "PST", "GMT+1", "+01:00", "", "W. Europe Standard Time", 7, "Europe/Berlin"]
)
def test_no_zone_is_guessed_where_a_guess_may_be_wrong(written: Any) -> None:
    assert zone_meant(written) is None
