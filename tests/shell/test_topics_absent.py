"""A topic that is read, or written, and that Kafka does not have, on a real Kafka."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.embedded import EmbeddedBroker
from pipeline.stream import Consumer, KafkaConfig, Offsets, Partition, Producer, StreamError
from tests.services import KafkaService
from tests.shell.test_stream_embedded import Events


async def _from_the_start(partitions: list[Partition]) -> Offsets:
    return dict.fromkeys(partitions, 0)


async def test_a_topic_that_is_not_there_is_named_and_the_others_are_read(
    kafka_service: KafkaService, topic_prefix: str
) -> None:
    there, absent = f"{topic_prefix}.there", f"{topic_prefix}.absent"
    admin = AdminClient({"bootstrap.servers": kafka_service.bootstrap})
    admin.create_topics([NewTopic(there, 1, 1)])[there].result(30)
    config, events = KafkaConfig(kafka_service.bootstrap, topic_prefix, (there, absent)), Events()
    producer, consumer = Producer(config, events), Consumer(config, _from_the_start, events)
    await producer.start()
    await producer.send(there, b"k", b"v")
    await consumer.start()
    assert await _read_from(consumer, 1) == [there]
    assert events.absent == [absent]
    await consumer.stop()
    await producer.stop()


async def test_a_topic_that_comes_later_is_read_without_a_restart(
    kafka_service: KafkaService, topic_prefix: str
) -> None:
    late = f"{topic_prefix}.late"
    config, events = KafkaConfig(kafka_service.bootstrap, topic_prefix, (late,)), Events()
    producer, consumer = Producer(config, events), Consumer(config, _from_the_start, events)
    await producer.start()
    await consumer.start()
    assert await consumer.batch(timeout_ms=100) == []
    assert events.absent == [late]
    admin = AdminClient({"bootstrap.servers": kafka_service.bootstrap})
    await asyncio.to_thread(admin.create_topics([NewTopic(late, 1, 1)])[late].result, 30)
    await producer.send(late, b"k", b"v")
    assert await _read_from(consumer, 1) == [late]
    await consumer.stop()
    await producer.stop()


async def test_a_topic_to_write_that_is_not_there_is_named_at_the_start(
    kafka_service: KafkaService, topic_prefix: str
) -> None:
    there, absent = f"{topic_prefix}.there", f"{topic_prefix}.letters"
    await _make(kafka_service, there)
    events = Events()
    producer = Producer(KafkaConfig(kafka_service.bootstrap, topic_prefix), events, (there, absent))
    await producer.start()
    assert events.absent == [absent]
    await producer.stop()


async def test_a_topic_to_write_that_is_not_there_is_refused_and_written_once_it_is(
    kafka_service: KafkaService, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client says the same of it as of a Kafka that is away, and only after twelve seconds."""
    monkeypatch.setattr("pipeline.stream.ABSENT_FOR", 2.0)
    absent = f"{topic_prefix}.letters"
    producer = Producer(KafkaConfig(kafka_service.bootstrap, topic_prefix), Events())
    await producer.start()
    refused = await asyncio.gather(*(producer.send(absent, b"k", b"v") for _ in range(50)), return_exceptions=True)
    assert {(str(error), getattr(error, "lasting", None)) for error in refused} == {("no_such_topic", True)}
    await _make(kafka_service, absent)
    async with asyncio.timeout(30):
        while not await _taken(producer, absent):
            continue
    await producer.stop()


async def test_a_kafka_that_is_gone_is_no_topic_that_is_not_there(topic_prefix: str) -> None:
    broker = EmbeddedBroker()
    producer = Producer(KafkaConfig(broker.bootstrap, topic_prefix), Events())
    await producer.start()
    broker.close()
    with pytest.raises(StreamError) as raised:
        await producer.send("not.seen.before", b"k", b"v")
    assert not raised.value.lasting
    await producer.stop()


async def _make(kafka: KafkaService, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    await asyncio.to_thread(admin.create_topics([NewTopic(topic, 1, 1)])[topic].result, 30)


async def _taken(producer: Producer, topic: str) -> bool:
    try:
        await producer.send(topic, b"k", b"v")
    except StreamError:
        await asyncio.sleep(0.1)
        return False
    return True


async def _read_from(consumer: Consumer, n: int) -> list[str]:
    topics: list[str] = []
    async with asyncio.timeout(30):
        while len(topics) < n:
            topics += [record.at.topic for record in await consumer.batch(timeout_ms=100)]
    return topics
