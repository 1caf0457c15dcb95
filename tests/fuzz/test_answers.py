"""Whatever a vendor answers: an outcome for each entry, a token or none, and nothing of it told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
import tracemalloc
import zlib
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls import BODY_LIMIT, Caller, CallFailed
from pipeline.concurrency import Concurrency
from pipeline.model.outcome import Outcome, Rejected
from pipeline.model.wire import MAX_WAIT, Credential, Request, Response, Token
from pipeline.vendors import vendors
from pipeline.vendors.contract import Situation, Step, Vendor
from tests.fuzz.planted import JSON, PLANTED, TEXTS, assert_shows_nothing, tries
from tests.vendors.subjects import situations, subjects

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OUTCOMES = get_args(Outcome)
SUBJECTS = subjects()
SAMPLES: list[tuple[Vendor, Step, list[Situation]]] = [
    (one.vendor, step, situations(case)) for one in SUBJECTS for case in one.cases("responses") for step in Step
]
BODIES = [case["body"].encode() for one in SUBJECTS for case in one.cases("responses")]

RETRY_AFTER = (
    "", "0", "-5", "5", " 5 ", "1.5", "1e9", "9" * 5000, "²", "٣", "+7", "0x10", "soon", "NaN",
    "Mon, 23 Nov 2026 12:00:00 GMT", "Mon, 23 Nov 1926 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "Mon, 23 Nov 2026 12:00:00 -0000",
    "Mon, 23 Nov 2026 12:00:00 +99999999999999", "Mon, 23 Nov 2026 99999999999999999999:00:00 GMT",
    "Mon, 32 Nov 2026 25:61:61 GMT", "Mon, 23 Nov 2026", "2026-11-23T12:00:00Z", "5, 5", "Mon,", ",,,", ":::", "\x00",
)  # fmt: skip
NAMES = st.sampled_from(
    ("status", "id", "eventId", "events", "event", "external_id", "prokey", "dates", "data", "errors", "error", "code",
     "success", "subscriptionId", "subscriptionUrl", "redirectTo", "isActive", "calendar", "subscriptionType", "label",
     "is_deleted", "calendar_id", "message", "statusCode", "iCalFileName", "event_group", "access_token", "expires_in",
     "refresh_token", "reference")
)  # fmt: skip
SHAPED = st.recursive(
    JSON
    | st.integers(100, 600)
    | st.sampled_from((True, "Created", "success", "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=6),
    max_leaves=15,
)
FEED = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART;TZID={zone}:{start}\r\nDTEND:{start}\r\nSUMMARY:x\\\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
FEEDS = st.builds(
    lambda uid, zone, start: FEED.format(uid=uid, zone=zone, start=start).encode("utf-8", "replace"),
    TEXTS | st.just("ACME_INV_45009_Payment-Overdue"),
    TEXTS | st.sampled_from(("Europe/Berlin", '"W. Europe Standard Time"', "Europe", "../x")),
    TEXTS
    | st.sampled_from(("20261224T090000Z", "00010101T000000", "99991231T235959", "99991231", "T", "Z", "20261332")),
)


def _cut(body: bytes, at: int, put: bytes) -> bytes:
    at %= len(body) + 1
    return body[:at] + put + body[at + len(put) :]


ANSWERS = st.one_of(
    st.sampled_from(BODIES),
    st.builds(_cut, st.sampled_from(BODIES), st.integers(0, 5000), st.binary(max_size=8)),
    SHAPED.map(lambda value: json.dumps(value).encode()),
    SHAPED.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    SHAPED.map(lambda value: json.dumps(value).encode("utf-16")),
    FEEDS,
    st.binary(max_size=60),
    st.sampled_from(
        (b"", b"null", b"[" * 100_000, b'{"data":' * 900 + b"1" + b"}" * 900, b'{"status": ' + b"9" * 4000 + b"}",
         b"\xff\xfe", b'"' + b"x" * (1 << 20), b"http://" * 150_000, b'"code"' * 150_000, b"\r\n " * 300_000,
         b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 60_000 + b"END:VCALENDAR",
         b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nX" + b';a="' * 200_000 + b"\r\nEND:VCALENDAR")
    ),
)  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(("retry-after", "location", "content-type", "www-authenticate", "x-ratelimit-reset")),
    st.sampled_from((*RETRY_AFTER, *PLANTED, "https://x/\ud800", "https://x/" + "y" * 5000, "Basic realm=x")) | TEXTS,
    max_size=3,
)
STATUSES = st.sampled_from(
    (200, 201, 202, 204, 302, 400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 503)
) | (st.integers(100, 999))


@given(st.sampled_from(SAMPLES), STATUSES, HEADERS, ANSWERS)
@tries(150)
def test_an_answer_is_an_outcome_for_each_entry(
    sample: tuple[Vendor, Step, list[Situation]], status: int, headers: dict[str, str], body: bytes
) -> None:
    vendor, step, given_ = sample
    response = Response(status, headers, body)
    started = time.process_time()
    outcomes = vendor.read(step, given_, response, NOW)
    assert time.process_time() - started < 5
    assert [type(one) in OUTCOMES for one in outcomes] == [True] * len(given_)
    assert_shows_nothing(response)
    for one in outcomes:
        _storable(one)


def _storable(outcome: Any) -> None:
    """What is kept of an answer can be kept: short texts that every database takes."""
    links = getattr(outcome, "links", {})
    kept = [getattr(outcome, name, None) or "" for name in ("vendor_id", "detail")]
    ids = [getattr(outcome, "vendor_id", None) or "", *getattr(outcome, "candidates", ())]
    for text in [*kept, *links.values(), *ids]:
        text.encode()
        assert "\0" not in text
        assert len(text) <= (200 if text in ids else 2_100)
    after = getattr(outcome, "after", None)
    assert after is None or 0 <= after <= MAX_WAIT
    assert_shows_nothing(getattr(outcome, "detail", ""))


@pytest.mark.parametrize("vendor", sorted(vendors()))
@pytest.mark.parametrize("id_", [2**63, 10**4000, 0, -1, True, "x" * 201, "", "a b", "\x1b[2J", "../x", 1.5, ["x"]])
def test_an_id_beyond_its_bounds_is_none(vendor: str, id_: object) -> None:
    """It would be kept, printed, and put into the addresses of calls."""
    given_ = next(given_ for one, _, given_ in SAMPLES if one.name == vendor and len(given_) == 1)
    named = dict.fromkeys(("id", "eventId", "prokey", "subscriptionId"), id_)
    body = {**named, "status": 200, "data": named, "event": named, "events": [named]}
    for step in (Step.CREATE, Step.WRITE, Step.FIND):
        (found,) = vendors()[vendor].read(step, given_, Response(200, {}, json.dumps(body).encode()), NOW)
        assert getattr(found, "vendor_id", None) in (None, given_[0].vendor_id)
        assert set(getattr(found, "candidates", ())) <= {given_[0].key, given_[0].vendor_id}


@pytest.mark.parametrize("text", RETRY_AFTER)
def test_a_retry_after_is_a_bounded_time_or_none(text: str) -> None:
    after = Response(429, {"retry-after": text}).retry_after(NOW)
    assert after is None or 0 <= after <= MAX_WAIT


DATES = st.from_regex(
    r"\A[A-Z][a-z]{2}, [0-9]{1,25} [A-Z][a-z]{2} [0-9]{1,25} [0-9:]{1,30} [+-][0-9]{1,20}\Z", fullmatch=True
)


@given(st.text(max_size=40) | DATES)
@tries(100)
def test_whatever_a_retry_after_says_it_is_bounded(text: str) -> None:
    test_a_retry_after_is_a_bounded_time_or_none(text)


@given(st.sampled_from([vendor for vendor in vendors().values() if vendor.tokens]), STATUSES, ANSWERS)
@tries(100)
def test_an_answer_to_a_request_for_a_token_is_a_token_or_none(vendor: Vendor, status: int, body: bytes) -> None:
    assert vendor.tokens is not None
    read = vendor.tokens.read(Response(status, {}, body))
    assert read is None or isinstance(read, Token | Rejected)
    assert_shows_nothing(read)
    if isinstance(read, Token):
        assert 0 < len(read.access) <= 8192
        secrets = Credential({secret.name: "x" for secret in vendor.secrets})
        vendor.sign(Request("GET", "/"), secrets, read.access)
        if read.refresh is not None:
            vendor.tokens.renew(secrets, {}, read.refresh)


# over the wire


def _packed(size: int) -> bytes:
    return gzip.compress(b" " * size + b"0")


def _answer(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", "")).encode() + body


BOMB = _packed(32 * BODY_LIMIT)
WIRE: dict[str, tuple[bytes, str | None]] = {
    "plain": (_answer(b"{}"), None),
    "gzip": (_answer(_packed(100), "Content-Encoding: gzip"), None),
    "deflate": (_answer(zlib.compress(b"{}"), "Content-Encoding: deflate"), None),
    "nothing, packed": (_answer(b"", "Content-Encoding: gzip"), None),
    "a bomb": (_answer(BOMB, "Content-Encoding: gzip"), "too_large"),
    "a bomb in a bomb": (_answer(gzip.compress(BOMB), "Content-Encoding: gzip, gzip"), "unreadable"),
    "not gzip": (_answer(b"{}", "Content-Encoding: gzip"), "unreadable"),
    "half of it": (_answer(_packed(100)[:-9], "Content-Encoding: gzip"), "unreadable"),
    "much behind it": (_answer(_packed(9) + b"x" * BODY_LIMIT, "Content-Encoding: gzip"), "too_large"),
    "a coding of its own": (_answer(b"{}", "Content-Encoding: x-hunter"), "unreadable"),
    "a body without end": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2 * BODY_LIMIT), "too_large"),
    "a long header": (_answer(b"{}", "X: " + "y" * 100_000), "unreadable"),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * (2 * BODY_LIMIT), "unreadable"),
    "no HTTP": (b"hello\r\n\r\n", "unreadable"),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", "unreadable"),
    "bytes for a header": (b"HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 2\r\n\r\n{}", None),
    "less than it says": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "reset"),
    "negative length": (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", "unreadable"),
    "broken chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", "unreadable"),
    "a chunk of an absurd size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40, "unreadable"),
}


@pytest.mark.parametrize("name", WIRE)
async def test_whatever_comes_over_the_wire_is_an_answer_or_a_code(name: str) -> None:
    sent, code = WIRE[name]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    caller = Caller(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Concurrency(1, 1), 20.0)
    tracemalloc.start()
    try:
        came = await caller.send(Request("GET", "/"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        await caller.close()
        server.close()
    assert (came.code if isinstance(came, CallFailed) else None) == code
    assert peak < 16 * BODY_LIMIT
    assert_shows_nothing(came)
