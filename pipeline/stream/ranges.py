"""A range of topics, read as it lies: without a group, and leaving no trace in Kafka."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.model.wire import Coordinates, Record
from pipeline.registry import Registry, RegistryAway, RegistryMissing
from pipeline.stream import Bounds, header_names, record_of
from pipeline.stream.connection import (
    KafkaConfig,
    Partition,
    StreamError,
    asked,
    connection_of,
    started,
    stopped,
)

STALLED_AFTER = 30.0
"""Seconds without a record, short of the range's end, after which reading it is given up."""
BATCH = 2000


@dataclass(frozen=True, slots=True)
class Span:
    """From when, and until when, by the records' own timestamps; None: from the beginning, to the end as it is now."""

    since: datetime | None = None
    until: datetime | None = None
    newest: int | None = None
    """So many records of each partition at most."""


async def bounds_of(config: KafkaConfig, names: Sequence[str], span: Span) -> dict[Partition, Bounds]:
    """Where the records of these topics lie that fall into the span; /…/ is a pattern. Raises StreamError."""
    async with _client(config) as client:
        # What `client.topics()` asks for too, and throws the partitions of away.
        cluster = await asked(client._client.fetch_all_metadata())
        topics = matching(names, cluster.topics())
        parts = [TopicPartition(topic, number) for topic in topics for number in cluster.partitions_for_topic(topic)]
        if not parts:
            return {}
        begins = await asked(client.beginning_offsets(parts))
        ends = await asked(client.end_offsets(parts))
        first = await _at(client, parts, span.since, begins, ends)
        last = await _at(client, parts, span.until, ends, ends)
    kept = span.newest or max(ends.values(), default=0)
    found = {
        (part.topic, part.partition): Bounds(max(first[part], last[part] - kept), last[part]) for part in sorted(parts)
    }
    return {part: bounds for part, bounds in found.items() if bounds.end > bounds.begin}


def matching(names: Sequence[str], there: Collection[str]) -> list[str]:
    """The topics that there are, of names and /patterns/."""
    plain = {name for name in names if not _is_pattern(name)}
    patterns = [re.compile(name[1:-1]) for name in names if _is_pattern(name)]
    found = (topic for topic in there if topic in plain or any(one.fullmatch(topic) for one in patterns))
    return sorted(found)


async def read(config: KafkaConfig, bounds: Mapping[Partition, Bounds]) -> AsyncIterator[Sequence[Record]]:
    """All records of these ranges, in order within each partition, framed ones opened. Raises StreamError."""
    opening = Opening.of(config)
    left = {TopicPartition(*part): bound.end for part, bound in bounds.items()}
    async with _client(config) as client:
        client.assign(list(left))
        for part, bound in bounds.items():
            client.seek(TopicPartition(*part), bound.begin)
        moved = time.monotonic()
        while left:
            polled = await _polled(client)
            for part, messages in polled.items():
                records = [record_of(message) for message in messages if message.offset < left.get(part, 0)]
                if records:
                    yield await opening.opened(records)
            moved = time.monotonic() if polled else moved
            for part in [part for part, end in left.items() if await asked(client.position(part)) >= end]:
                del left[part]
                client.pause(part)
            if time.monotonic() - moved > STALLED_AFTER:
                raise StreamError("stalled")


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens framed records for a command: it does not wait for a registry that is away."""

    registry: Registry | None

    @classmethod
    def of(cls, config: KafkaConfig) -> Opening:
        """Raises StreamError where the registry's libraries are not installed."""
        try:
            return cls(None if config.registry is None else Registry(config.registry))
        except RegistryMissing as error:
            raise StreamError(str(error)) from None

    async def opened(self, records: Sequence[Record]) -> Sequence[Record]:
        """Raises StreamError."""
        try:
            return records if self.registry is None else await self.registry.opened(records)
        except RegistryAway as error:
            raise StreamError(f"schema_registry.{error}") from None


async def record_at(config: KafkaConfig, at: Coordinates) -> Record | None:
    """One record; None where the log has none at that offset (any more). Raises StreamError."""
    found = await bounds_of(config, [at.topic], Span())
    bound = found.get((at.topic, at.partition))
    if bound is None or not bound.begin <= at.offset < bound.end:
        return None
    async for records in read(config, {(at.topic, at.partition): Bounds(at.offset, at.offset + 1)}):
        return next((record for record in records if record.at == at), None)
    return None


async def _polled(client: Any) -> dict[Any, Any]:
    try:
        return dict(await client.getmany(timeout_ms=200, max_records=BATCH))
    except KafkaError as error:
        raise StreamError(type(error).__name__) from None


async def _at(
    client: Any, parts: Sequence[Any], moment: datetime | None, missing: Mapping[Any, int], ends: Mapping[Any, int]
) -> dict[Any, int]:
    """The first offset at or after a moment; `missing` without a moment, the end where no record is so young."""
    if moment is None:
        return dict(missing)
    found = await asked(client.offsets_for_times({part: int(moment.timestamp() * 1000) for part in parts}))
    return {part: ends[part] if found.get(part) is None else min(found[part].offset, ends[part]) for part in parts}


def _is_pattern(name: str) -> bool:
    return len(name) > 2 and name.startswith("/") and name.endswith("/")


@asynccontextmanager
async def _client(config: KafkaConfig) -> AsyncIterator[Any]:
    header_names.tolerate()
    client = AIOKafkaConsumer(
        **connection_of(config),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await started(client)
    except (KafkaError, OSError) as error:
        raise StreamError(type(error).__name__) from None
    try:
        yield client
    finally:
        await stopped(client)
