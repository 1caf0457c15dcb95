"""Kafka records that somebody may send: nearly right ones, broken ones, and bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pipeline.model.wire import Coordinates, Record
from tests.fuzz.planted import JSON, PLANTED, SCALARS, TEXTS

TOPIC = "strange"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "traceparent")
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/strange",
    "type": "strange.thing",
    "time": "2026-11-21T11:59:00Z",
    "data": {"title": PLANTED[1], "start": "2026-12-24T09:00:00", "person": "C-1"},
}


def written(value: Any) -> bytes:
    """As JSON; a lone surrogate as the escape that a careless writer makes of it."""
    return json.dumps(value).encode()


def _mixed(names: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) | TEXTS, values, max_size=6)


TIMES = st.sampled_from(
    ("2026-12-24", "2026-12-24T09:00:00", "2026-03-29T02:30:00", "2026-10-25T02:30:00", "2026-12-24T09:00:00.123456Z",
     "0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31", "9999-12-31T23:59:59",
     "9999-12-31T23:59:59-23:59", "1900-01-01T00:00:00", "2026-12-24 09:00", "2026-02-30", "24:00")
)  # fmt: skip
ZONES = st.sampled_from(("Europe/Berlin", "Pacific/Apia", "Etc/GMT+12", "UTC", "localtime", "Europe", "../x", "GMT0"))
LIKELY = {
    "start": TIMES,
    "end": TIMES,
    "expires": TIMES,
    "zone": ZONES,
    "key": st.sampled_from(("k-1", ".", "a b", "k" * 201, PLANTED[1])),
    "person": st.sampled_from((PLANTED[1], 7, "p" * 501)),
    "identity": st.sampled_from(("5924fd21608e3beb118b4567", "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3", "i" * 500)),
    "alerts": st.lists(st.sampled_from(("1d", "1h", "999999w", "-1m", "1s", 5)), max_size=3) | st.just(["1m"] * 5000),
    "links": st.lists(st.fixed_dictionaries({"name": TEXTS, "url": TEXTS}), max_size=2)
    | st.just([{"name": "n", "url": "u"}] * 3000),
    "title": TEXTS,
    "description": TEXTS,
    "location": TEXTS,
    "own": st.dictionaries(st.sampled_from(("a", "facebook", "twitter")), JSON, max_size=2),
}
DATA = st.fixed_dictionaries({}, optional={name: usual | JSON for name, usual in LIKELY.items()}) | _mixed(
    tuple(LIKELY), JSON
)
NEARLY = st.builds(
    lambda changed, gone, data: {name: one for name, one in {**GOOD, **changed, **data}.items() if name not in gone},
    _mixed(ATTRIBUTES, SCALARS),
    st.sets(st.sampled_from((*GOOD, "")), max_size=2),
    st.fixed_dictionaries({}, optional={"data": DATA, "data_base64": TEXTS | JSON}),
)
BODIES = (
    NEARLY.map(written)
    | DATA.map(lambda data: written({**GOOD, "data": data}))
    | JSON.map(written)
    | st.binary(max_size=60)
    | st.sampled_from(
        (
            b"",
            b"null",
            b"[" * 100_000,
            b'{"a":' * 60 + b"1" + b"}" * 60,
            b'{"a":' * 70 + b"1" + b"}" * 70,
            b"\xef\xbb\xbf" + written(GOOD),
            written(GOOD).decode().encode("utf-16"),
            b'{"type": "a", "type": "b", "data": {"x": 1, "x": 2}}',
            b'{"type": "a", "data": ' + b"9" * 5000 + b"}",
            b'{"type": "a", "data": 1e99999}',
            b'{"type": "a", "data": NaN}',
            b'{"type": "a", "data": "\\ud800"}',
            b'{"type": "a", "data": "\\u0000"}',
            b'{"type": "' + b"a" * 200_000 + b'"}',
            written(GOOD)[:-1] + b" " * (1 << 20) + b"}",
        )
    )
)
HEADER_NAMES = st.sampled_from(
    ("content-type", "Content-Type", "ce_id", "CE_TYPE", "ce_source", "ce_specversion", "ce_time", "ce_x",
     "traceparent", "calends-reason", "calends-stage", "calends-destination", "__connect.errors.topic", "", PLANTED[0])
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)  # fmt: skip
HEADER_VALUES = st.sampled_from(
    (b"application/json", b"application/cloudevents+json; charset=utf-8", b"application/cloudevents+json", b"text/xml",
     b"application/JSON ; x=y", b"1.0", b"strange.thing", b"%00", b"%F0%9F%98%80", b"\xff\xfe", b"2026-11-21T11:59:00Z",
     PLANTED[0].encode(), PLANTED[1].encode(), b"x" * 70_000)
) | st.binary(max_size=12)  # fmt: skip
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.none() | HEADER_VALUES), max_size=5).map(tuple)
KEYS = st.none() | st.binary(max_size=10) | st.sampled_from((b"", b"\0", PLANTED[0].encode(), b"k" * 70_000))
TIMESTAMPS = st.just(NOW) | st.sampled_from((datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))) | (
    st.integers(-(10**9), 10**11).map(lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
)  # fmt: skip


def record(value: bytes | None, offset: int = 0, **said: Any) -> Record:
    return Record(
        Coordinates(TOPIC, 0, offset), said.get("key"), value, said.get("headers", ()), said.get("timestamp", NOW)
    )


RECORDS = st.builds(
    lambda value, key, headers, timestamp: record(value, key=key, headers=headers, timestamp=timestamp),
    BODIES | st.none(),
    KEYS,
    HEADERS,
    TIMESTAMPS,
)
