"""A dead letter is read again as it was written: bytes, key, headers, coordinates and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead_letters import NoLetter, of_record, read
from pipeline.model.wire import Coordinates, KafkaHeaders, Record

NAMES = st.text(max_size=8) | st.sampled_from(
    ["calends-reason", "calends-headers", "calends-topic", "__connect.errors"]
)
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=8)), max_size=4).map(tuple)
TIMES = st.integers(0, 4_000_000_000_000_000).map(
    lambda n: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
)


@given(HEADERS, st.none() | st.binary(max_size=8), st.none() | st.binary(max_size=8), TIMES)
def test_what_was_written_is_read_again(
    headers: KafkaHeaders, key: bytes | None, value: bytes | None, at: datetime
) -> None:
    original = Record(Coordinates("t", 3, 42), key, value, headers, at)
    message = of_record("dead", original, "rule", "missing", "r")
    letter = read(Record(Coordinates("dead", 0, 7), message.key, message.value, message.headers, at))
    assert letter.record == original
    assert (letter.name, letter.stage, letter.reason, letter.rule) == ("0:7", "rule", "missing", "r")


@pytest.mark.parametrize(
    "headers",
    [(), (("calends-reason", b"x"),), (("calends-headers", b"9"),), (("calends-headers", b"x"),),
     (("calends-headers", None),), (("calends-stage", b"rule"), ("calends-headers", b"0"))],
)  # fmt: skip
def test_what_is_no_letter_is_told_apart(headers: KafkaHeaders) -> None:
    with pytest.raises(NoLetter):
        read(Record(Coordinates("dead", 0, 0), None, b"", headers, datetime.now(UTC)))
