"""For how long an answer asks to be left alone, and how that grows where it does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model.outcome import Throttled
from pipeline.model.pause import FIRST, MOST, Pause, asked_for, longest
from pipeline.model.wire import MAX_WAIT, Response

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "asked"),
    [
        (429, {}, Throttled()),
        (429, {"retry-after": "7"}, Throttled(7.0)),
        (503, {"retry-after": "7"}, Throttled(7.0)),
        (503, {}, None),
        (503, {"retry-after": "soon"}, None),
        (500, {"retry-after": "7"}, None),
        (302, {"retry-after": "7"}, None),
        (200, {}, None),
        (429, {"retry-after": "0"}, Throttled(0.0)),
        (503, {"retry-after": "0"}, None),
    ],
)
def test_a_429_and_a_503_ask_for_a_pause(status: int, headers: dict[str, str], asked: Throttled | None) -> None:
    assert asked_for(Response(status, headers), NOW) == asked


@pytest.mark.parametrize("wrong_by", [-5.0, 0.0, 5.0, 86_400.0])
def test_a_date_counts_from_the_servers_own_time(wrong_by: float) -> None:
    answer = Response(503, {"date": http_date(0), "retry-after": http_date(3)})
    assert asked_for(answer, NOW + timedelta(seconds=wrong_by)) == Throttled(3.0)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 22 Nov 2026 06:00:00 -0000"])
def test_a_date_counts_from_our_time_where_the_server_does_not_tell_its_own(date: str | None) -> None:
    headers = {"retry-after": http_date(3)} | ({} if date is None else {"date": date})
    assert asked_for(Response(429, headers), NOW) == Throttled(3.0)


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"ratelimit": '"default";r=0;t=30'}, 30.0),
        ({"ratelimit": '"default"; r=0; t=30'}, 30.0),
        ({"ratelimit": '"burst";r=0;t=5, "day";r=0;t=3600'}, 3600.0),
        ({"ratelimit": '"burst";r=0;t=5, "day";r=7;t=3600'}, 5.0),
        ({"ratelimit": "limit=100, remaining=0, reset=30"}, 30.0),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "0", "ratelimit-reset": "30"}, 30.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "999999999"}, MAX_WAIT),
        ({"ratelimit": '"default";r=1;t=30'}, None),
        ({"ratelimit": '"default";r=10;t=30'}, None),
        ({"ratelimit": '"default";r=0.5;t=30'}, None),
        ({"ratelimit": '"default";r=0'}, None),
        ({"ratelimit": "limit=100, remaining=1, reset=30"}, None),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "30"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "soon"}, None),
        ({"ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1790000000"}, None),
    ],
)
def test_a_quota_that_is_used_up_asks_for_a_pause_until_it_begins_anew(
    headers: dict[str, str], after: float | None
) -> None:
    assert asked_for(Response(200, headers), NOW) == (None if after is None else Throttled(after))


def test_retry_after_is_said_of_this_answer_and_goes_before_the_quotas() -> None:
    answer = Response(429, {"retry-after": "7", "ratelimit": '"default";r=0;t=30'})
    assert asked_for(answer, NOW) == Throttled(7.0)


NUMBERS = st.integers(-1, 10**10).map(str) | st.sampled_from(["0", "00", "0.0", "1e9", "٣"]) | st.text(max_size=10)
POLICIES = st.builds('"q";r={};t={}'.format, NUMBERS, NUMBERS) | st.builds(
    "remaining={}, reset={}".format, NUMBERS, NUMBERS
)


@given(st.lists(POLICIES, max_size=3).map(", ".join) | st.text(max_size=60), NUMBERS, NUMBERS)
def test_whatever_the_headers_say_the_pause_is_bounded(policy: str, left: str, reset: str) -> None:
    headers = {"ratelimit": policy, "ratelimit-remaining": left, "ratelimit-reset": reset}
    found = asked_for(Response(200, headers), NOW)
    assert found is None or 0.0 < (found.after or 0.0) <= MAX_WAIT


def test_of_two_pauses_the_longer_counts() -> None:
    assert longest(None, Throttled(2.0), Throttled(), None) == Throttled(2.0)
    assert longest(Throttled(), None) == Throttled()
    assert longest(None, None) is None


@pytest.mark.parametrize("throttled", [Throttled(), Throttled(0.0)])
def test_who_does_not_say_for_how_long_is_left_alone_twice_as_long_each_time_up_to_a_minute(
    throttled: Throttled,
) -> None:
    pause, now, waits = Pause(), 1000.0, []
    for _ in range(9):
        pause = pause.after(throttled, now, now, 0.0)
        waits.append(pause.until - now)
        now = pause.until
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_calls_that_had_left_together_count_once() -> None:
    pause = Pause()
    for answered in (10.0, 10.1, 10.2):
        pause = pause.after(Throttled(), 9.5, answered, 0.0)
    assert pause == Pause(10.2 + FIRST, 1)


def test_a_time_that_is_named_is_kept_to_and_never_shortens_a_pause() -> None:
    pause = Pause().after(Throttled(30.0), 0.0, 1.0, 0.9)
    assert pause == Pause(31.0, 0)
    assert pause.after(Throttled(1.0), 0.5, 2.0, 0.9) == pause


@given(st.integers(0, 10_000), st.floats(0.0, 1.0, exclude_max=True))
def test_no_pause_is_shorter_than_the_first_or_longer_than_the_last(refusals: int, jitter: float) -> None:
    pause = Pause(0.0, refusals).after(Throttled(), 5.0, 5.0, jitter)
    assert FIRST <= pause.until - 5.0 <= MOST
