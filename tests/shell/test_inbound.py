"""The receiver of webhooks, in process: what it takes and refuses, and that Kafka has it before the vendor is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pipeline import inbound
from pipeline.embedded import EmbeddedBroker
from pipeline.inbound import TYPES, Hook, Inbound, told
from pipeline.model.event import DomainEvent, Undecodable, decode
from pipeline.model.wire import Coordinates, Record
from pipeline.settings import Settings
from pipeline.stream import Consumer, KafkaConfig, Offsets, Partition, Producer, StreamError
from pipeline.stream.configured import kafka_config
from pipeline.telemetry import Telemetry, configure_logging
from pipeline.vendors.contract import Notice

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = "a-secret-of-acme-only"
GOOD = f"/acme/{SECRET}"
LINKED = b'{"id": "n1", "kind": "linked", "subscriber": "C-7", "identity": "sub-1"}'


def read(body: bytes) -> Sequence[Notice] | None:
    """A vendor's reader that trusts what it is told: one notice, or a list of them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = value if isinstance(value, list) else [value]
    return [_notice(one) for one in found] if all(isinstance(one, dict) for one in found) else None


def _notice(one: dict[str, Any]) -> Notice:
    names = {name: one.get(name) for name in ("subscriber", "identity", "entry", "id")}
    return Notice(one.get("kind", "changed"), **names, data=one)


@dataclass
class Sender:
    """Kafka: keeps what is sent, once it may; `fails` with this code."""

    sent: list[tuple[str, bytes | None, dict[str, Any]]] = field(default_factory=list, repr=False)
    fails: str | None = None
    may: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may.set()

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        await self.may.wait()
        if self.fails:
            raise StreamError(self.fails)
        assert dict(headers) == {"content-type": b"application/cloudevents+json"}
        self.sent.append((topic, key, json.loads(value or b"")))


@dataclass
class Desk:
    inbound: Inbound
    sender: Sender
    clock: list[float]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.inbound.page())
        async with httpx.AsyncClient(transport=transport, base_url="http://webhooks") as client:
            yield client

    async def post(self, path: str, body: Any = LINKED, **options: Any) -> httpx.Response:
        async with self.client() as client:
            return await client.post(path, content=body, **options)

    def figures(self) -> dict[str, float]:
        lines = self.inbound.telemetry.exposition()[0].decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("calends_w")}


def desk_of(secret: str | None = SECRET) -> Desk:
    clock, sender = [0.0], Sender()
    hooks = {name: Hook(name, read, lambda: secret) for name in ("acme", "other")}
    telemetry = Telemetry(b"k" * 32)
    telemetry.webhooks.declare(hooks)
    return Desk(Inbound(hooks, "inbound", sender, telemetry, lambda: NOW, lambda: clock[0]), sender, clock)


@pytest.fixture
def desk() -> Desk:
    return desk_of()


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


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
    event = _decoded(made.value)
    assert (event.data["subscriber"], event.data["notification"]["x"]) == (str(value), value)


def _decoded(value: bytes | None) -> DomainEvent:
    headers = (("content-type", b"application/cloudevents+json"),)
    return decode(Record(Coordinates("t", 0, 0), None, value, headers, NOW))


# Kafka ---------------------------------------------------------------------------------------------------------------


async def test_nothing_is_said_before_kafka_has_it_all(desk: Desk) -> None:
    desk.sender.may.clear()
    posting = asyncio.create_task(desk.post(GOOD, b'[{"entry": "a"}, {"entry": "b"}]'))
    await asyncio.sleep(0.05)
    assert not posting.done()

    desk.sender.may.set()
    assert (await posting).status_code == 200
    assert len(desk.sender.sent) == 2


async def test_while_kafka_refuses_the_vendor_is_asked_to_come_again(desk: Desk) -> None:
    desk.sender.fails = "NodeNotReadyError"
    answer = await desk.post(GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert desk.inbound.failed_at == 0.0

    desk.sender.fails = None
    assert (await desk.post(GOOD)).status_code == 200, "a refused notice must not count as one that came before"
    assert desk.inbound.failed_at is None


async def test_a_kafka_that_does_not_answer_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "DURABLE_WITHIN", 0.05)
    desk.sender.may.clear()

    assert (await desk.post(GOOD)).status_code == 503


async def test_more_than_it_can_hold_are_asked_to_come_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "AT_ONCE", 2)
    desk.sender.may.clear()
    posting = [asyncio.create_task(desk.post(GOOD)) for _ in range(3)]
    done, _ = await asyncio.wait(posting, return_when=asyncio.FIRST_COMPLETED)
    assert [(task.result().status_code, task.result().headers["retry-after"]) for task in done] == [(503, "30")]

    desk.sender.may.set()
    assert sorted([(await task).status_code for task in posting]) == [200, 200, 503]
    assert (await desk.post(GOOD)).status_code == 200


async def test_a_body_that_does_not_come_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "READ_WITHIN", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    assert (await desk.post(GOOD, never())).status_code == 408


async def test_a_post_that_is_cut_off_is_not_taken(desk: Desk) -> None:
    said: list[dict[str, Any]] = []
    scope = {"type": "http", "method": "POST", "path": GOOD, "headers": [], "query_string": b"", "root_path": ""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(dict(message))

    await desk.inbound.page()(scope, receive, send)
    assert (said[0]["status"], desk.sender.sent) == (400, [])


async def test_what_the_topic_will_never_take_is_too_large(desk: Desk) -> None:
    desk.sender.fails = "MessageSizeTooLargeError"

    assert (await desk.post(GOOD)).status_code == 413


async def test_a_repeat_is_dropped_for_an_hour(desk: Desk) -> None:
    for _ in range(3):
        assert (await desk.post(GOOD)).status_code == 200
    assert len(desk.sender.sent) == 1
    assert desk.figures()['calends_webhook_repeats_total{destination="acme"}'] == 2

    assert (await desk.post(f"/other/{SECRET}")).status_code == 200, "another destination has ids of its own"
    desk.clock[0] = inbound.REMEMBERED_FOR + 1
    await desk.post(GOOD)
    assert [event["id"] for _, _, event in desk.sender.sent] == ["n1", "n1", "n1"]


async def test_what_is_remembered_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "REMEMBERED", 5)
    for number in range(50):
        await desk.post(GOOD, json.dumps({"id": f"n{number}"}))

    assert len(desk.inbound._lately) <= 7


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


class _Events:
    def waiting_for(self, part: str, reason: str) -> None: ...

    def partitions_assigned(self, partitions: Sequence[Partition]) -> None: ...


async def _from_the_start(partitions: list[Partition]) -> Offsets:
    return dict.fromkeys(partitions, 0)


async def test_before_kafka_was_reached_nothing_is_taken(desk: Desk) -> None:
    desk.inbound.sender = Producer(KafkaConfig("127.0.0.1:1", "g"), _Events())

    assert (await desk.post(GOOD)).status_code == 503


async def test_what_was_taken_is_in_kafka(desk: Desk) -> None:
    broker = EmbeddedBroker()
    config = KafkaConfig(broker.bootstrap, "judge", ("inbound",))
    producer, consumer = Producer(config, _Events()), Consumer(config, _from_the_start, _Events())
    desk.inbound.sender = producer
    await producer.start()
    assert (await desk.post(GOOD)).status_code == 200
    await consumer.start()
    records: list[Record] = []
    async with asyncio.timeout(20):
        while not records:
            records = await consumer.batch(timeout_ms=100)
    await consumer.stop()
    await producer.stop()
    broker.close()

    assert [(record.key, _decoded(record.value).id) for record in records] == [(b"acme/C-7", "n1")]
