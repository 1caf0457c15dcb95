"""Consumer and producer against librdkafka's embedded broker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.errors import CorruptRecordException

from pipeline.embedded import EmbeddedBroker
from pipeline.model.wire import Record
from pipeline.stream import Consumer, KafkaConfig, Offsets, Partition, Producer, StreamError


class Events:
    def __init__(self) -> None:
        self.waits: list[str] = []
        self.waited_twice = asyncio.Event()
        self.assigned: list[Partition] = []
        self.absent: list[str] = []

    def waiting_for(self, part: str, reason: str) -> None:
        self.waits.append(reason)
        if len(self.waits) > 1:
            self.waited_twice.set()

    def partitions_assigned(self, partitions: Sequence[Partition]) -> None:
        self.assigned = list(partitions)

    def topics_absent(self, topics: Sequence[str], advice: str = "") -> None:
        self.absent = list(topics)


class Ledger:
    """Where the reader stands, as `on_assigned` is told."""

    def __init__(self) -> None:
        self.offsets: dict[Partition, int] = {}
        self.fails = 0

    async def __call__(self, partitions: list[Partition]) -> Offsets:
        if self.fails:
            self.fails -= 1
            raise LookupError("not now")
        return {part: offset for part, offset in self.offsets.items() if part in partitions}


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker()
    yield made
    made.close()


@pytest.fixture
def config(broker: EmbeddedBroker, topic_prefix: str) -> KafkaConfig:
    return KafkaConfig(broker.bootstrap, f"{topic_prefix}.group", (f"{topic_prefix}.events",), sasl_password="s3cret")


@pytest.fixture
async def producer(config: KafkaConfig) -> AsyncIterator[Producer]:
    made = Producer(config, Events())
    await made.start()
    yield made
    await made.stop()


async def read(consumer: Consumer, n: int) -> list[Record]:
    records: list[Record] = []
    async with asyncio.timeout(20):
        while len(records) < n:
            records += await consumer.batch(timeout_ms=100)
    return records


async def test_a_record_comes_as_it_was_sent(config: KafkaConfig, producer: Producer) -> None:
    (topic,) = config.topics
    await producer.send(topic, b"k", b"\x00\xff", [("ce_type", b"x"), ("ce_type", b"y"), ("null", None)])
    await producer.send(topic, b"k", None)
    consumer = Consumer(config, Ledger(), Events())
    await consumer.start()
    first, tombstone = await read(consumer, 2)
    await consumer.stop()
    assert (first.key, first.value, first.headers) == (
        b"k",
        b"\x00\xff",
        (("ce_type", b"x"), ("ce_type", b"y"), ("null", None)),
    )
    assert (tombstone.value, tombstone.headers) == (None, ())
    assert (first.at.topic, tombstone.at.offset - first.at.offset) == (topic, 1)
    assert abs(datetime.now(UTC) - first.timestamp) < timedelta(minutes=1)


async def test_the_ledger_says_where_to_go_on(config: KafkaConfig, producer: Producer) -> None:
    (topic,) = config.topics
    for number in range(5):
        await producer.send(topic, b"same", b"%d" % number)
    consumer = Consumer(config, Ledger(), Events())
    await consumer.start()
    partition = (await read(consumer, 5))[0].at.partition
    await consumer.commit({(topic, partition): 5})
    assert await consumer.group_offsets([(topic, partition)]) == {(topic, partition): 5}
    bounds = (await consumer.log_bounds([(topic, partition)]))[topic, partition]
    assert (bounds.begin, bounds.end) == (0, 5)
    await consumer.stop()

    ledger, events = Ledger(), Events()
    ledger.offsets, ledger.fails = {(topic, partition): 3}, 1
    # A group of its own: the broker keeps the first member's place for its whole session.
    again = Consumer(replace(config, group_id=f"{config.group_id}.2"), ledger, events)
    await again.start()
    with pytest.raises(LookupError):
        await again.batch()
    assert [record.value for record in await read(again, 2)] == [b"3", b"4"]
    assert again.assigned() == events.assigned
    assert again.healthy()
    await again.stop()


async def test_a_new_assignment_seeks_anew_and_voids_what_was_read(config: KafkaConfig, producer: Producer) -> None:
    (topic,) = config.topics
    await producer.send(topic, b"same", b"0")
    ledger = Ledger()
    consumer = Consumer(config, ledger, Events())
    await consumer.start()
    (record,) = await read(consumer, 1)
    before = consumer.generation
    ledger.offsets = {(topic, record.at.partition): 0}
    consumer._turn_over()
    assert consumer.generation > before
    assert [again.at for again in await read(consumer, 1)] == [record.at]
    await consumer.stop()


async def test_after_a_batch_that_cannot_be_read_it_goes_back_to_where_the_ledger_is(
    config: KafkaConfig, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka forgets what it had read of the same fetch, and would go on behind it."""
    await producer.send(config.topics[0], b"same", b"0")
    ledger = Ledger()
    consumer = Consumer(config, ledger, Events())
    await consumer.start()
    (record,) = await read(consumer, 1)
    ledger.offsets = {(record.at.topic, record.at.partition): 0}

    async def broken(**_: object) -> object:
        raise CorruptRecordException

    with monkeypatch.context() as patched:
        patched.setattr(consumer._client, "getmany", broken)
        assert await consumer.batch(timeout_ms=100) == []
    assert [again.at for again in await read(consumer, 1)] == [record.at]
    await consumer.stop()


async def test_an_offset_for_a_partition_not_held_is_not_committed(config: KafkaConfig, producer: Producer) -> None:
    await producer.send(config.topics[0], None, b"x")
    consumer = Consumer(config, Ledger(), Events())
    await consumer.start()
    assert await consumer.commit({("another", 0): 1}) is False
    await consumer.stop()


async def test_a_pattern_finds_its_topics(config: KafkaConfig, producer: Producer) -> None:
    (topic,) = config.topics
    await producer.send(topic, None, b"x")
    by_pattern = KafkaConfig(config.bootstrap_servers, config.group_id, pattern=f"^{topic}$")
    consumer = Consumer(by_pattern, Ledger(), Events())
    await consumer.start()
    assert [record.value for record in await read(consumer, 1)] == [b"x"]
    await consumer.stop()


async def test_a_dead_kafka_is_waited_for_until_cancelled() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    events = Events()
    consumer = Consumer(KafkaConfig(address, "g", ("t",)), Ledger(), events)
    starting = asyncio.create_task(consumer.start())
    async with asyncio.timeout(20):
        await events.waited_twice.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await consumer.stop()
    assert set(events.waits) == {"KafkaConnectionError"}


async def test_a_kafka_that_goes_away_later_is_told(topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, events = EmbeddedBroker(), Events()
    config = KafkaConfig(own.bootstrap, topic_prefix, (topic_prefix,))
    producer, consumer = Producer(config, Events()), Consumer(config, Ledger(), events)
    await producer.start()
    await producer.send(topic_prefix, None, b"x")
    await producer.stop()
    await consumer.start()
    await read(consumer, 1)
    own.close()
    monkeypatch.setattr("pipeline.stream.connection.REQUEST_TIMEOUT_MS", 500)
    monkeypatch.setattr("pipeline.stream.connection.STOP_TIMEOUT", 1.0)
    monkeypatch.setattr("pipeline.stream.QUIET_AFTER", 0.0)
    await consumer.batch(timeout_ms=100)
    assert events.waits == ["timeout"]
    await consumer.stop()


async def test_a_stop_with_the_broker_gone_ends_and_cancels_nobody(
    topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stream.SEND_TIMEOUT", 0.5)
    own = EmbeddedBroker()
    config = KafkaConfig(own.bootstrap, topic_prefix, (topic_prefix,))
    producer, consumer = Producer(config, Events()), Consumer(config, Ledger(), Events())
    await producer.start()
    await producer.send(topic_prefix, None, b"x")
    await consumer.start()
    await read(consumer, 1)
    own.close()
    with pytest.raises(StreamError, match="timeout"):
        await producer.send(topic_prefix, None, b"y")
    async with asyncio.timeout(10):
        await consumer.stop()
        await producer.stop()


def test_a_password_is_in_no_repr(config: KafkaConfig) -> None:
    assert "s3cret" not in repr(config)
