"""What only a real Kafka shows of the consumer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.model.wire import Record
from pipeline.stream import Consumer, KafkaConfig
from tests.services import KafkaService
from tests.shell.test_stream_embedded import Events, Ledger

NONE, GZIP = 0, 1


class Latin1(str):
    """A header name as a client writes it that knows no UTF-8."""

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


async def publish(bootstrap: str, topic: str, compression: int) -> None:
    """One batch of three records, the second with such a name, and a record after it."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    batch: Any = producer.create_batch()
    batch._builder = _DefaultRecordBatchBuilderPy(2, compression, False, -1, -1, -1, 1 << 20)
    names: list[tuple[bytes, str]] = [(b"0", "plain"), (b"1", Latin1("größe")), (b"2", "größe")]
    for value, name in names:
        batch.append(key=b"k", value=value, timestamp=None, headers=[("first", b"1"), (name, b"2"), ("last", b"3")])
    batch.close()
    await (await producer.send_batch(batch, topic, partition=0))
    await producer.send_and_wait(topic, b"3")
    await producer.stop()


@pytest.mark.parametrize("compression", [NONE, GZIP])
async def test_a_header_name_that_is_no_text_stops_no_partition(
    kafka_service: KafkaService, topic_prefix: str, compression: int
) -> None:
    topic, admin = f"{topic_prefix}.events", AdminClient({"bootstrap.servers": kafka_service.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    await publish(kafka_service.bootstrap, topic, compression)
    consumer = Consumer(KafkaConfig(kafka_service.bootstrap, topic_prefix, (topic,)), Ledger(), Events())
    await consumer.start()
    records: list[Record] = []
    async with asyncio.timeout(20):
        while len(records) < 4:
            records += await consumer.batch(max_records=2, timeout_ms=100)
    await consumer.stop()
    assert [record.value for record in records] == [b"0", b"1", b"2", b"3"]
    assert [record.headers[1:2] for record in records] == [
        (("plain", b"2"),), (("gr\\xf6\\xdfe", b"2"),), (("größe", b"2"),), (),
    ]  # fmt: skip
    assert records[1].headers[2] == ("last", b"3")
