"""A topic that the rules read and Kafka does not have, on a real Kafka."""

from __future__ import annotations

import asyncio

from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.stream import Consumer, KafkaConfig, Offsets, Partition, Producer
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


async def _read_from(consumer: Consumer, n: int) -> list[str]:
    topics: list[str] = []
    async with asyncio.timeout(30):
        while len(topics) < n:
            topics += [record.at.topic for record in await consumer.batch(timeout_ms=100)]
    return topics
