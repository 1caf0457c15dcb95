"""The receiver of webhooks, in process: what it takes and refuses, from whom, and that a worker can read it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import inbound
from pipeline.inbound import TYPES, told
from pipeline.model.event import Undecodable
from pipeline.settings import Settings
from pipeline.stream.configured import kafka_config
from pipeline.telemetry import configure_logging
from tests.shell.desk import GOOD, LINKED, NOW, SECRET, Desk, decoded, desk_of, read


async def test_a_notice_becomes_a_cloud_event(desk: Desk) -> None:
    answer = await desk.post(GOOD)

    assert (answer.status_code, answer.content) == (200, b"")
    assert desk.sender.sent == [
        (
            "inbound",
            b"acme/C-7",
            {
                "specversion": "1.0",
                "id": "n1",
                "source": "/calends/webhooks/acme",
                "type": "calends.subscriber.linked",
                "time": "2026-11-21T12:00:00+00:00",
                "datacontenttype": "application/json",
                "data": {
                    "destination": "acme",
                    "subscriber": "C-7",
                    "identity": "sub-1",
                    "entry": None,
                    "notification": json.loads(LINKED),
                },
            },
        )
    ]
    assert desk.figures()['calends_webhook_notices_total{destination="acme",kind="linked"}'] == 1


@pytest.mark.parametrize("kind", TYPES)
async def test_every_kind_has_a_type(desk: Desk, kind: str) -> None:
    assert (await desk.post(GOOD, json.dumps({"kind": kind}))).status_code == 200
    assert desk.sender.sent[0][2]["type"].startswith("calends.")


@pytest.mark.parametrize(
    ("notice", "key"),
    [
        ({"subscriber": "C-7", "identity": "sub-1", "entry": "e"}, b"acme/C-7"),
        ({"identity": "sub-1", "entry": "e"}, b"acme/sub-1"),
        ({"entry": "e"}, b"acme/e"),
        ({}, b"acme/"),
    ],
)
async def test_what_is_about_one_person_has_one_key(desk: Desk, notice: dict[str, str], key: bytes) -> None:
    await desk.post(GOOD, json.dumps(notice))

    assert desk.sender.sent[0][1] == key


async def test_without_an_id_of_the_vendors_the_body_is_one(desk: Desk) -> None:
    body = b'[{"entry": "a"}, {"entry": "b"}]'
    await desk.post(GOOD, body)

    own = hashlib.sha256(b"acme\0" + body).hexdigest()
    assert [event["id"] for _, _, event in desk.sender.sent] == [own, f"{own}-1"]


# who may post --------------------------------------------------------------------------------------------------------


async def test_the_secret_may_stand_in_a_header(desk: Desk) -> None:
    assert (await desk.post("/acme", headers={"x-calends-secret": SECRET})).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/acme/wrong", "/acme", f"/nobody/{SECRET}", f"/acme/{SECRET}/", f"/acme/{SECRET}/more", "/", "/acme/%C3%A9%00"],
)
async def test_anybody_else_gets_a_404_without_a_word(desk: Desk, path: str) -> None:
    answer = await desk.post(path)

    assert (answer.status_code, answer.content, dict(answer.headers)) == (404, b"", {"content-length": "0"})
    assert desk.sender.sent == []


async def test_other_methods_get_the_same(desk: Desk) -> None:
    async with desk.client() as client:
        answers = [await client.request(method, GOOD) for method in ("GET", "PUT", "DELETE", "OPTIONS")]

    assert {(answer.status_code, answer.content) for answer in answers} == {(404, b"")}


@pytest.mark.parametrize("there", [None, ""])
async def test_without_a_secret_nothing_is_taken(there: str | None) -> None:
    desk = desk_of(there)

    for path in ("/acme", "/acme/None"):
        assert (await desk.post(path, headers={"x-calends-secret": ""})).status_code == 404


async def test_a_stranger_is_counted_under_no_destinations_name(desk: Desk) -> None:
    await desk.post("/acme/wrong")
    await desk.post("/whoever/wrong")

    assert desk.figures()['calends_webhook_refusals_total{destination="",reason="unknown"}'] == 2


# what cannot be taken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"3",
        b'{"x": NaN}',
        b'{"x": "\\u0000"}',
        b'{"x": "\\ud800"}',
        b'{"subscriber": "\\ud800"}',
        b'{"x": 1e999}',
        b'{"x": ' + b"1" * 5000 + b"}",
        b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}",
        b"[" * 100_000,
        b'{"kind": "unheard-of"}',
        b'{"id": {"trusted": "too far"}}',
    ],
)
async def test_what_the_worker_could_not_read_is_refused(desk: Desk, body: bytes) -> None:
    assert (await desk.post(GOOD, body)).status_code == 400
    assert desk.sender.sent == []
    assert desk.figures()['calends_webhook_refusals_total{destination="acme",reason="unreadable"}'] == 1


async def test_a_body_above_a_mebibyte_is_refused(desk: Desk) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 100_000

    answer = await desk.post(GOOD, parts())

    assert answer.status_code == 413
    assert desk.sender.sent == []


async def test_what_would_be_too_large_for_the_worker_is_refused(desk: Desk) -> None:
    body = json.dumps({"x": "a" * (inbound.MAX_BODY - 10)}).encode()

    assert len(body) <= inbound.MAX_BODY
    assert (await desk.post(GOOD, body)).status_code == 413


async def test_nothing_in_a_notification_is_nothing_to_publish(desk: Desk) -> None:
    assert (await desk.post(GOOD, b"[]")).status_code == 200
    assert desk.sender.sent == []


@pytest.mark.usefixtures("logging_restored")
async def test_neither_a_body_nor_a_secret_is_logged(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", json=True)
    await desk.post(GOOD, b'{"subscriber": "Lovelace", "identity": "lovelace@example.org"}')
    await desk.post(GOOD, b'{"kind": "Lovelace"}')
    await desk.post(GOOD, b"Lovelace")
    await desk.post("/acme/lovelace-tries", b"Lovelace")
    desk.sender.fails = "NodeNotReadyError"
    await desk.post(GOOD, b'{"subscriber": "Lovelace"}')

    written = capsys.readouterr().err + desk.inbound.telemetry.exposition()[0].decode() + repr(desk.inbound)
    assert "webhook refused" in written
    assert [word for word in ("lovelace", SECRET) if word in written.lower()] == []


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_what_is_taken_can_be_read_by_the_worker(value: Any) -> None:
    body = json.dumps({"subscriber": str(value), "x": value}).encode("utf-8", "surrogatepass")
    try:
        (made,) = told("acme", read(body) or [], body, NOW)
    except Undecodable:
        return
    event = decoded(made.value)
    assert (event.data["subscriber"], event.data["notification"]["x"]) == (str(value), value)


# what the worker reads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "topics", "pattern"),
    [
        ({}, ("calends.inbound",), None),
        ({"topics": ["a"], "inbound_topic": "in"}, ("a", "in"), None),
        ({"topics": ["a", "calends.inbound"]}, ("a", "calends.inbound"), None),
        ({"topics": ["/a.*/"]}, (), r"^(?:a.*)$|^calends\.inbound$"),
        ({"pattern": "a|b"}, (), r"(?:a|b)|^calends\.inbound$"),
    ],
)
def test_the_worker_reads_the_topic_where_a_destination_has_a_webhook(
    said: dict[str, Any], topics: tuple[str, ...], pattern: str | None
) -> None:
    hooked = {"vendor": "ecal", "webhook": {"secret": {"env": "X"}}}
    config = kafka_config(Settings(kafka=said, destinations={"acme": hooked}), None)

    assert (config.topics, config.pattern) == (topics, pattern)


def test_without_a_webhook_the_topic_is_not_read() -> None:
    config = kafka_config(Settings(kafka={"pattern": "a|b"}, destinations={"acme": {"vendor": "ecal"}}), None)

    assert (config.topics, config.pattern) == ((), "(?:a|b)")
