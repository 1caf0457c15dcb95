"""A topic read from where it begins to where it ended when it was asked. Joins no group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.model.wire import Record
from pipeline.stream import Bounds, header_names, record_of
from pipeline.stream.connection import (
    NO_TOPIC,
    KafkaConfig,
    Partition,
    StreamError,
    asked,
    connection_of,
    started,
    stopped,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some records of a topic, and what there is of it in all."""

    records: tuple[Record, ...]
    bounds: Mapping[Partition, Bounds]
    """Of each partition: what is kept, until where it is read."""

    @property
    def total(self) -> int:
        return sum(bound.end - bound.begin for bound in self.bounds.values())


async def read(config: KafkaConfig, topic: str) -> AsyncIterator[Part]:
    """All records that are there now; at first an empty part with the bounds. Raises StreamError, with NO_TOPIC where
    there is no such topic."""
    header_names.tolerate()
    client = AIOKafkaConsumer(**connection_of(config), group_id=None, auto_offset_reset="earliest")
    try:
        await started(client)
    except (KafkaError, OSError) as error:
        raise StreamError(type(error).__name__) from None
    try:
        left = await _begin(client, topic)
        bounds = {(part.topic, part.partition): bound for part, bound in left.items()}
        yield Part((), bounds)
        while left := {part: bound for part, bound in left.items() if await client.position(part) < bound.end}:
            polled = await _polled(client)
            records = [record_of(message) for part, came in polled.items() for message in came if part in left]
            kept = (one for one in records if one.at.offset < bounds[one.at.topic, one.at.partition].end)
            yield Part(tuple(kept), bounds)
    finally:
        await stopped(client)


async def _begin(client: Any, topic: str) -> dict[TopicPartition, Bounds]:
    """Seeks to where each partition begins."""
    # Of all topics: who asks for one by its name is kept waiting for it, and may make it.
    numbers = (await asked(client._client.fetch_all_metadata())).partitions_for_topic(topic)
    if not numbers:
        raise StreamError(NO_TOPIC, lasting=True)
    parts = [TopicPartition(topic, number) for number in sorted(numbers)]
    client.assign(parts)
    begins = await asked(client.beginning_offsets(parts))
    ends = await asked(client.end_offsets(parts))
    for part in parts:
        client.seek(part, begins[part])
    return {part: Bounds(begins[part], ends[part]) for part in parts}


async def _polled(client: AIOKafkaConsumer) -> Mapping[TopicPartition, list[object]]:
    try:
        found: Mapping[TopicPartition, list[object]] = await client.getmany(timeout_ms=1000, max_records=500)
    except KafkaError as error:
        raise StreamError(type(error).__name__) from None
    return found
