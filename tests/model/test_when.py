"""One parser for time; a skipped local time is an error, a doubled one the first."""

from datetime import UTC, date, datetime, timedelta

import pytest

from pipeline.model.when import (
    BadTime,
    instant_of,
    is_zone,
    parse_date,
    parse_duration,
    parse_instant,
    parse_moment,
    resolve,
    to_local,
    zone_problems,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1d", timedelta(days=1)),
        ("1h30m", timedelta(minutes=90)),
        ("90m", timedelta(minutes=90)),
        ("30d", timedelta(days=30)),
        ("P1DT2H", timedelta(hours=26)),
        ("PT90M", timedelta(minutes=90)),
        ("P2W", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1", "-1d", "1x", "1m1h", "١d", " 1d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadTime):
        parse_duration(text)


def test_dates_and_moments() -> None:
    assert parse_date("2026-12-24") == date(2026, 12, 24)
    assert parse_moment("2026-12-24T09:00") == datetime(2026, 12, 24, 9)
    assert parse_moment("2026-12-24T09:00:00Z") == datetime(2026, 12, 24, 9, tzinfo=UTC)
    assert parse_moment("2026-12-24T09:00:00.123456789+01:00").astimezone(UTC).microsecond == 123456
    assert parse_moment("2026-12-24t09:00:00.5z") == datetime(2026, 12, 24, 9, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-12-24T24:30", "2026-12-24T09", "20261224T090000Z", "2026-W52-4T09:00:00Z"])
def test_what_is_no_moment(text: str) -> None:
    """Also where Python would read it."""
    with pytest.raises(BadTime, match="expected a date and time"):
        parse_moment(text)


def test_a_doubled_local_time_is_the_first_whichever_was_named() -> None:
    late = datetime(2026, 10, 25, 2, 30, fold=1)
    assert resolve(late, "Europe/Berlin").utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("text", ["2026-02-30", "2026-1-1", "20261224", "24.12.2026"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(BadTime, match="expected a date"):
        parse_date(text)


@pytest.mark.parametrize("text", ["2026-12-24T09:00:00", "2026-12-24T09:00Z", "2026-12-24 09:00:00Z", "now"])
def test_an_instant_needs_seconds_and_a_zone(text: str) -> None:
    with pytest.raises(BadTime):
        parse_instant(text)


def test_a_skipped_local_time_is_an_error() -> None:
    with pytest.raises(BadTime, match="skip"):
        resolve(datetime(2026, 3, 29, 2, 30), "Europe/Berlin")


def test_a_doubled_local_time_is_the_first() -> None:
    assert resolve(datetime(2026, 10, 25, 2, 30), "Europe/Berlin").utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "x" * 300])
def test_what_names_no_zone_is_a_problem(name: str) -> None:
    entry = {"time_zone": "Europe/Berlin", "end_time_zone": name}
    assert (is_zone(name), zone_problems(entry)) == (False, ["end_time_zone is not an IANA name"])


def test_an_unknown_zone_is_an_error() -> None:
    for zone in ("Europe/Berlln", "../etc/passwd", ""):
        with pytest.raises(BadTime, match="IANA"):
            resolve(datetime(2026, 1, 1), zone)


def test_an_instant_as_local_time() -> None:
    assert to_local(datetime(2026, 7, 1, 10, tzinfo=UTC), "Europe/Berlin") == datetime(2026, 7, 1, 12)


def test_the_start_of_an_entry_as_an_instant() -> None:
    assert instant_of({}) is None
    assert instant_of({"start": "2026-12-24"}) == datetime(2026, 12, 24, tzinfo=UTC)
    berlin = {"start": "2026-12-24", "time_zone": "Europe/Berlin"}
    assert instant_of(berlin) == datetime(2026, 12, 23, 23, tzinfo=UTC)
    assert instant_of(berlin | {"start": "2026-12-24T09:00:00"}) == datetime(2026, 12, 24, 8, tzinfo=UTC)
