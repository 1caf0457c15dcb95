"""The receiver of webhooks, in process: Kafka has a notice, once, before the vendor is told; else it comes again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from pipeline import inbound
from pipeline.embedded import EmbeddedBroker
from pipeline.model.wire import Record
from pipeline.stream import Consumer, KafkaConfig, Offsets, Partition, Producer
from tests.shell.desk import GOOD, SECRET, Desk, decoded


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


class _Events:
    def waiting_for(self, part: str, reason: str) -> None: ...

    def partitions_assigned(self, partitions: Sequence[Partition]) -> None: ...

    def topics_absent(self, topics: Sequence[str], advice: str = "") -> None: ...


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

    assert [(record.key, decoded(record.value).id) for record in records] == [(b"acme/C-7", "n1")]
