"""What is kept of a record until it is settled or dead: all of it, byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead_letters import keep, of_record, restore
from pipeline.model.wire import Coordinates, Record

BYTES = st.none() | st.binary(max_size=50)
HEADERS = st.lists(st.tuples(st.text(max_size=10), BYTES), max_size=3).map(tuple)
RECORDS = st.builds(
    Record,
    at=st.builds(Coordinates, st.just("events"), st.integers(0, 9), st.integers(0, 2**40)),
    key=BYTES,
    value=BYTES,
    headers=HEADERS,
    timestamp=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    ),
)


@given(RECORDS)
def test_a_record_comes_back_from_the_ledger_as_it_was(record: Record) -> None:
    assert restore(json.loads(json.dumps(keep(record)))) == record


@given(RECORDS)
def test_a_dead_letter_has_the_records_own_bytes_key_and_headers(record: Record) -> None:
    letter = of_record("dead", record, "decode", "no_type")
    assert (letter.key, letter.value) == (record.key, record.value)
    assert letter.headers[: len(record.headers)] == record.headers
