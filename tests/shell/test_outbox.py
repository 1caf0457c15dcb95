"""The outbox on a real Kafka: what a topic will not take stops nothing and is not lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from pipeline.housekeeping import Housekeeping
from pipeline.ledger import Ledger, Message
from pipeline.stream import KafkaConfig, Producer
from pipeline.telemetry import Telemetry, configure_logging
from tests.services import KafkaService


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db", {}, {}, lambda facts: [])
    made.migrate()
    yield made
    made.close()


async def in_threads(method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(method, *args, **kwargs)


def values(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(count + 1, timeout=5.0)
    consumer.close()
    return [message.value() for message in messages]


async def test_what_is_too_large_for_its_topic_waits_and_the_others_go_on(
    kafka_service: KafkaService, topic_prefix: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka refuses a batch as a whole, where one record of it or all of it together is too large."""
    monkeypatch.setattr("pipeline.ledger.outbox.REFUSED_WAIT", 2.0)
    topic, admin = f"{topic_prefix}.dead", AdminClient({"bootstrap.servers": kafka_service.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": "2000"})])[topic].result(30)
    small, large = [b"%03d" % n * 100 for n in range(20)], b"x" * 5000
    ledger.take([], [], [Message(topic, None, value, ()) for value in (*small[:10], large, *small[10:])], {})
    telemetry = Telemetry(b"key")
    producer = Producer(KafkaConfig(kafka_service.bootstrap, topic_prefix), telemetry)
    await producer.start()
    housekeeping = Housekeeping(ledger, in_threads, telemetry, {}, {}, producer, lambda destinations: None)

    await housekeeping.post()
    assert sorted(values(kafka_service.bootstrap, topic, len(small))) == small
    assert ledger.outbox_refused() == {topic: 1}

    entry = ConfigEntry("max.message.bytes", "100000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(30)
    async with asyncio.timeout(20):
        while ledger.outbox_refused():
            await housekeeping.post()
    assert large in values(kafka_service.bootstrap, topic, len(small) + 1)
    await producer.stop()


async def test_a_topic_that_is_not_there_is_told_as_that_and_keeps_no_other_waiting(
    kafka_service: KafkaService, topic_prefix: str, ledger: Ledger, capfd: pytest.CaptureFixture[str]
) -> None:
    """Kafka answers: nobody is to be told that it does not, and that no event is read."""
    outcomes, absent = f"{topic_prefix}.outcomes", f"{topic_prefix}.letters"
    admin = AdminClient({"bootstrap.servers": kafka_service.bootstrap})
    admin.create_topics([NewTopic(outcomes, 1, 1)])[outcomes].result(30)
    ledger.take([], [], [Message(topic, None, b"value", ()) for topic in (absent, absent, outcomes)], {})
    configure_logging("info", json=True)
    telemetry = Telemetry(b"key")
    telemetry.declare([])
    producer = Producer(KafkaConfig(kafka_service.bootstrap, topic_prefix), telemetry)
    await producer.start()
    housekeeping = Housekeeping(ledger, in_threads, telemetry, {}, {}, producer, lambda destinations: None)

    await housekeeping.post()
    assert values(kafka_service.bootstrap, outcomes, 1) == [b"value"]
    assert ledger.outbox_refused() == {absent: 2}
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (told,) = [line for line in lines if line["event"] == "outbox records refused"]
    assert (told["topic"], told["reason"], told["n"]) == (absent, "no_such_topic", 2)
    assert told["advice"].startswith("make the topic")
    telemetry.outbox.kept(ledger.outbox_refused())
    page = telemetry.exposition()[0].decode()
    assert 'calends_waits_total{part="kafka"} 0.0' in page
    assert f'calends_outbox_refused_records{{topic="{absent}"}} 2.0' in page
    await producer.stop()
