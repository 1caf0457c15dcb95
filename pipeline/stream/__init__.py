"""Kafka: records in, dead letters and outcomes out. The only package with aiokafka.

The truth of what was read is in the ledger: at each assignment the consumer asks for the offsets and seeks to them.
What is committed to Kafka is a courtesy to lag monitors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedCodecError,
)

from pipeline.model.wire import Coordinates, Record
from pipeline.stream import header_names
from pipeline.stream.connection import (
    NO_TOPIC,
    START_WAITS,
    KafkaConfig,
    Partition,
    StreamError,
    StreamEvents,
    asked,
    connection_of,
    started,
    stopped,
    until_started,
)

__all__ = ["Bounds", "Consumer", "KafkaConfig", "Offsets", "Partition", "Producer", "StreamError", "record_of"]

Offsets = Mapping[Partition, int]
OnAssigned = Callable[[list[Partition]], Awaitable[Offsets]]

COMMIT_TIMEOUT = 5.0
SEND_TIMEOUT = 30.0
SOUGHT_EVERY = 2.0
"""Seconds between two questions for a topic that is not there."""
ABSENT_FOR = 10.0
"""Seconds for which a topic that is not there is not asked for again: each question takes twelve."""
QUIET_AFTER = 20.0
"""Seconds without a record after which Kafka is asked whether there is one."""
STALLED_AFTER = 60.0
"""Seconds without a record, while there is one, after which the consumer is not healthy."""
UNPOLLED_AFTER = 240.0
"""Seconds after which one that nobody asks for records is not healthy."""
TO_MAKE = "make them, or correct kafka.dead_letter_topic or kafka.outcome_topic; what is for them is kept"
"""Of topics that are written."""
MAX_REQUEST_BYTES = 100 * 1024 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A partition's log: the first offset kept, and the offset the next record will get."""

    begin: int
    end: int


class Consumer:
    """One member of the group. `generation` rises whenever partitions come or go: a batch of an older one is void."""

    def __init__(
        self,
        config: KafkaConfig,
        on_assigned: OnAssigned,
        telemetry: StreamEvents,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._on_assigned = on_assigned
        self._telemetry = telemetry
        self._monotonic = monotonic
        self._client: Any = None
        self._placed = 0
        self._absent: list[str] = []
        self._sought_at = monotonic()
        self._joined = asyncio.Event()
        self._polled_at = self._moved_at = monotonic()
        self.generation = 0

    async def start(self) -> None:
        """Joins the group; waits for as long as Kafka is not there, or gives it no partitions."""
        await until_started(self._begin, self._telemetry)
        while not self._joined.is_set():
            await self._join()
        self._polled_at = self._moved_at = self._monotonic()

    def subscribe(self, config: KafkaConfig) -> None:
        """Reads the topics of this configuration from now on; each partition from where the ledger is."""
        changed = (config.topics, config.pattern) != (self._config.topics, self._config.pattern)
        self._config = config
        if changed and self._client is not None:
            self._subscribe(self._client)

    async def batch(self, max_records: int = 500, timeout_ms: int = 1000) -> list[Record]:
        """What came, in order within each partition; empty after `timeout_ms`, and where a rebalance intervened.

        What `on_assigned` raises comes out here, again at each call until it succeeds.
        """
        self._polled_at = self._monotonic()
        if self._placed != self.generation and not await self._place():
            return []
        self._seek_absent()
        generation = self.generation
        try:
            polled = await self._client.getmany(timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:
            if isinstance(error, CorruptRecordException | UnsupportedCodecError):
                self._placed = -1  # aiokafka forgets what it had read before that batch, and would go on behind it
            self._telemetry.waiting_for("kafka", type(error).__name__)
            await asyncio.sleep(START_WAITS[0])
            return []
        if generation != self.generation:  # the seek that follows brings them again
            return []
        records = [record_of(message) for messages in polled.values() for message in messages]
        if records:
            self._moved_at = self._monotonic()
        else:
            await self._watch()
        return records

    def place_again(self) -> None:
        """The next batch begins where the ledger is."""
        self._placed = -1

    def assigned(self) -> list[Partition]:
        return sorted((part.topic, part.partition) for part in self._client.assignment()) if self._client else []

    def topics(self) -> frozenset[str]:
        """Those that the group reads, whichever member does."""
        return frozenset(self._client.subscription()) if self._client else frozenset()

    def healthy(self) -> bool:
        """False when nothing is polled any more, or there is something to fetch and nothing comes."""
        now = self._monotonic()
        return now - self._polled_at < UNPOLLED_AFTER and now - self._moved_at < STALLED_AFTER

    async def group_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The next offset that the group has committed, where it has."""
        found = {part: await asked(self._client.committed(TopicPartition(*part))) for part in partitions}
        return {part: offset for part, offset in found.items() if offset is not None}

    async def log_bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Bounds]:
        parts = [TopicPartition(*part) for part in partitions]
        begin = await asked(self._client.beginning_offsets(parts))
        end = await asked(self._client.end_offsets(parts))
        return {(part.topic, part.partition): Bounds(begin[part], end[part]) for part in parts}

    async def commit(self, next_offsets: Offsets) -> bool:
        """Tells the group how far the ledger is; False where it could not be told, which harms nothing."""
        held = set(self.assigned())
        offsets = {TopicPartition(*part): offset for part, offset in next_offsets.items() if part in held}
        if not offsets:
            return False
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT):
                await self._client.commit(offsets)
        except (KafkaError, TimeoutError):  # CommitFailedError and IllegalStateError of a rebalance among them
            return False
        return True

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await stopped(client)

    async def _begin(self) -> None:
        header_names.tolerate()
        client = AIOKafkaConsumer(
            **connection_of(self._config),
            group_id=self._config.group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # Kafka answers as soon as there is a record; librdkafka's embedded broker only when this time is up.
            fetch_max_wait_ms=100,
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        await started(client)
        # Only now: a client that starts with topics waits until the last of them is there.
        self._subscribe(client)
        self._client = client

    def _subscribe(self, client: Any) -> None:
        client.subscribe(
            topics=self._config.topics if self._config.pattern is None else (),
            pattern=self._config.pattern,
            listener=_Listener(self._turn_over, self._joined.set),
        )

    async def _join(self) -> None:
        try:
            async with asyncio.timeout(START_WAITS[-1]):
                await self._joined.wait()
        except TimeoutError:
            self._telemetry.waiting_for("kafka", "group")

    def _turn_over(self) -> None:
        self.generation += 1

    async def _place(self) -> bool:
        """Seeks to where the ledger is; False when the assignment changed meanwhile."""
        generation, partitions = self.generation, self.assigned()
        offsets = await self._on_assigned(partitions)
        if generation != self.generation:
            return False
        try:
            for part, offset in offsets.items():
                self._client.seek(TopicPartition(*part), offset)
        except IllegalStateError:
            return False
        self._placed = generation
        self._moved_at = self._monotonic()
        self._telemetry.partitions_assigned(partitions)
        self._absent = [] if self._config.pattern is not None else self._unknown(self._config.topics)
        if self._absent:
            self._telemetry.topics_absent(self._absent)
        return True

    def _unknown(self, topics: Iterable[str]) -> list[str]:
        return [topic for topic in topics if not self._client.partitions_for_topic(topic)]

    def _seek_absent(self) -> None:
        """Asks for the topics that were not there. aiokafka does so every five minutes; and for as long a group whose
        leader has not heard of a topic, as right after a broker's restart, gives it to nobody."""
        if self._absent and self._monotonic() - self._sought_at >= SOUGHT_EVERY:
            self._sought_at, self._absent = self._monotonic(), self._unknown(self._absent)
            self._client._client.force_metadata_update()

    async def _watch(self) -> None:
        """Nothing came for a while. Only a Kafka that answers and holds more than we read makes that a stall."""
        if self._monotonic() - self._moved_at < QUIET_AFTER:
            return
        try:
            bounds = await self.log_bounds(self.assigned())
            behind = [part for part, bound in bounds.items() if bound.end > await self._position(part)]
        except StreamError as error:
            self._telemetry.waiting_for("kafka", error.code)
            behind = []
        if behind:
            self._telemetry.waiting_for("kafka", "stalled")
        else:
            self._moved_at = self._monotonic()

    async def _position(self, part: Partition) -> int:
        return int(await asked(self._client.position(TopicPartition(*part))))


class Producer:
    """Acknowledged by all in-sync replicas.

    Not idempotent: once a broker has refused one record, aiokafka's idempotent producer gets OutOfOrderSequenceNumber
    for all that follow (0.14.0, Kafka 4, measured 2026-11). What comes from an outbox may come twice anyway.
    """

    def __init__(self, config: KafkaConfig, telemetry: StreamEvents, topics: Sequence[str] = ()) -> None:
        """`topics`: those that will be written, asked for at the start."""
        self._config = config
        self._telemetry = telemetry
        self._topics = topics
        self._client: Any = None
        self._absent: dict[str, float] = {}
        """Topic → until when it counts as not there, in monotonic time."""
        self._looking = asyncio.Lock()

    async def start(self) -> None:
        """Waits for as long as Kafka is not there; says which topics are not, where Kafka makes none by itself."""
        await until_started(self._begin, self._telemetry)
        found = await asyncio.gather(*(self._is_there(topic) for topic in self._topics))
        absent = [topic for topic, there in zip(self._topics, found, strict=True) if not there]
        if absent:
            self._telemetry.topics_absent(absent, TO_MAKE)

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = ()
    ) -> None:
        """Returns once the record is durable. After a StreamError it may or may not be there."""
        if self._client is None:
            raise StreamError("not_started")
        if time.monotonic() < self._absent.get(topic, 0.0):
            raise StreamError(NO_TOPIC, lasting=True)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._client.send_and_wait(topic, value, key=key, headers=list(headers))
        except TimeoutError:
            raise StreamError("timeout") from None
        except UnknownTopicOrPartitionError as error:
            raise await self._unknown(topic, type(error).__name__) from None
        except KafkaError as error:
            lasting = isinstance(error, (MessageSizeTooLargeError, InvalidTopicError, TopicAuthorizationFailedError))
            raise StreamError(type(error).__name__, lasting=lasting) from None

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await stopped(client)

    async def _begin(self) -> None:
        client = AIOKafkaProducer(
            **connection_of(self._config),
            acks="all",
            # A dead letter is larger than its original by its headers; the topic's own limit decides.
            max_request_size=MAX_REQUEST_BYTES,
        )
        await started(client)
        self._client = client

    async def _is_there(self, topic: str) -> bool:
        """False where Kafka says that it is not; of what it does not say, sending will tell."""
        try:
            await self._client.partitions_for(topic)
        except UnknownTopicOrPartitionError as error:
            return (await self._unknown(topic, type(error).__name__)).code != NO_TOPIC
        except KafkaError:
            return True
        return True

    async def _unknown(self, topic: str, code: str) -> StreamError:
        """Why there is no such topic: the client says the same of a Kafka that is away. Asked once for all who send."""
        async with self._looking:
            if time.monotonic() < self._absent.get(topic, 0.0):
                return StreamError(NO_TOPIC, lasting=True)
            try:
                there = (await asked(self._client.client.fetch_all_metadata())).topics()
            except StreamError as error:
                return error
            if topic in there:
                return StreamError(code)
            self._absent[topic] = time.monotonic() + ABSENT_FOR
        return StreamError(NO_TOPIC, lasting=True)


@ConsumerRebalanceListener.register  # aiokafka ships no types: to a type checker there is no class to inherit from
class _Listener:
    """Marks the turn; the work is done in `batch`, as aiokafka only logs what is raised here."""

    def __init__(self, turn_over: Callable[[], None], joined: Callable[[], None]) -> None:
        self._turn_over, self._joined = turn_over, joined

    async def on_partitions_revoked(self, revoked: object) -> None:
        self._turn_over()

    async def on_partitions_assigned(self, assigned: object) -> None:
        self._turn_over()
        self._joined()


def record_of(message: Any) -> Record:
    return Record(
        at=Coordinates(message.topic, message.partition, message.offset),
        key=message.key,
        value=message.value,
        headers=tuple(message.headers),
        timestamp=_instant(message.timestamp),
    )


def _instant(milliseconds: int | None) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=milliseconds or 0)
    except OverflowError:  # a producer that counts otherwise; the record must not stop its partition
        return EPOCH
