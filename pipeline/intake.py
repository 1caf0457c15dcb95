"""Kafka to ledger: decode, run the rules, write changes and offsets in one transaction. No vendor is waited for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.burst import Burst
from pipeline.dead_letters import keep, of_record
from pipeline.ledger import DataRefused, Ledger, LedgerUnavailable, LedgerWentBack, Message
from pipeline.model.change import Change, Link, Roster
from pipeline.model.event import DomainEvent, Undecodable, decode
from pipeline.model.trace import traceparent
from pipeline.model.wire import Record
from pipeline.registry import Registry, RegistryAway
from pipeline.rules.evaluate import RuleSet
from pipeline.starting import Known, Missing, behind, start
from pipeline.stream import Consumer, StreamError
from pipeline.telemetry import Telemetry
from pipeline.threads import InThreads

Partition = tuple[str, int]

LOOK_BACK_EVERY = 1.0
"""Seconds."""
CHANGES = 5000
"""In one transaction, or those of one record more: a record may come to a thousand, and all are held at once."""
SLICE = 50
"""Records that are read before others get their turn: calls must leave on time."""


@dataclass(slots=True)
class Batch:
    """What one batch of records comes to."""

    changes: list[tuple[Change, dict[str, Any]]] = field(default_factory=list)
    rosters: list[tuple[Roster, dict[str, Any]]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    next_offsets: dict[Partition, int] = field(default_factory=dict)


@dataclass(slots=True)
class Intake:
    rules: RuleSet
    ledger: Ledger
    in_threads: InThreads
    telemetry: Telemetry
    dead_letter_topic: str
    wake: Callable[[Iterable[str]], None]
    """Tells the lanes of these destinations that there is work."""
    missing: Missing = "refuse"
    """What to do where the ledger's offsets do not fit what Kafka knows."""
    registry: Registry | None = None
    """What opens framed records; None: each is a dead letter."""
    consumer: Consumer | None = None
    ready: bool = False
    waiting: bool = False
    """Whether a batch waits for something that is away: that nothing is polled meanwhile is right."""
    checked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the ledger's offsets fit: before that nothing may be sent out of what may be an older copy."""
    seen: dict[Partition, int] = field(default_factory=dict)
    """What this worker knows to be in the ledger of the partitions that it reads."""
    monotonic: Callable[[], float] = time.monotonic
    _looked_at: float = 0.0
    _burst: Burst = field(default_factory=Burst)
    _woken_later: set[str] = field(default_factory=set)

    def in_burst(self) -> bool:
        """Whether calls are not worth their quota yet: what is wanted is being superseded at this moment."""
        return self._burst.resting(self.monotonic())

    async def assigned(self, partitions: list[Partition]) -> dict[Partition, int]:
        """Where to seek to. Raises LedgerLost where that cannot be told."""
        assert self.consumer is not None
        # In this order: who wrote to the ledger tells Kafka afterwards.
        others = await self.in_threads(self.ledger.every_offset)
        group = await self.consumer.group_offsets({*partitions, *others})
        ledger = await self.in_threads(self.ledger.every_offset)
        ahead = self._ahead(group, ledger)
        bounds = await self.consumer.log_bounds({*partitions, *ahead})
        known = {
            part: Known(ledger.get(part), group.get(part), bounds[part].begin, bounds[part].end) for part in partitions
        }
        begin = start(known, self.missing)
        unsure = {part: bounds[part].end for part in ahead} | dict(begin.unsure)
        await self.in_threads(self.ledger.start_at, begin.chosen, unsure)
        await self._doubt()
        self.seen = {part: begin.seek[part] for part in partitions}
        self.checked.set()
        return dict(begin.seek)

    def _ahead(self, group: dict[Partition, int], ledger: Mapping[Partition, int]) -> list[Partition]:
        """Partitions, of whichever worker, of which more has been read than the ledger has. What this worker saw
        written counts like what the group was told: that may never have got there."""
        assert self.consumer is not None
        for part, offset in self.seen.items():
            if offset > max(ledger.get(part, 0), group.get(part, 0)):
                group[part] = offset
        topics = self.consumer.topics()
        return [part for part in ledger if part[0] in topics and group.get(part, 0) > ledger[part]]

    async def _doubt(self) -> None:
        """Also where another worker's partitions tell it, since its entries are everybody's; and where one has begun to
        mark them, and failed or was killed."""
        unmarked = await self.in_threads(self.ledger.unmarked)
        if unmarked:
            await self.in_threads(self.ledger.went_back, unmarked)

    async def run(self, stopping: asyncio.Event) -> None:
        assert self.consumer is not None
        if not await before(stopping, self.consumer.start()):
            return
        while not stopping.is_set():
            self.waiting = False
            try:
                records = await self.consumer.batch(*self._burst.asks_for(self.monotonic()))
            except LedgerUnavailable as error:
                self.telemetry.waiting_for("ledger", str(error))
                await asyncio.sleep(1.0)
                continue
            except StreamError as error:
                self.telemetry.waiting_for("kafka", str(error))
                await asyncio.sleep(1.0)
                continue
            self.ready = True
            self._burst.came(len(records), self.monotonic())
            if records:
                await self._take(records, stopping)
            else:
                await self._look_back()
            self._wake_lanes()

    async def lag(self) -> dict[str, int]:
        """Topic → records of this worker's partitions that are not in the ledger yet. Raises StreamError."""
        assert self.consumer is not None
        parts = [part for part in self.consumer.assigned() if part in self.seen]
        found = dict.fromkeys((topic for topic, _ in parts), 0)
        for part, bounds in (await self.consumer.log_bounds(parts)).items() if parts else ():
            found[part[0]] += max(0, bounds.end - max(self.seen.get(part, 0), bounds.begin))
        return found

    async def _look_back(self) -> None:
        """Where nothing comes in, nothing else would tell that the ledger has become an older copy."""
        if self.monotonic() < self._looked_at + LOOK_BACK_EVERY:
            return
        self._looked_at = self.monotonic()
        try:
            offsets = await self.in_threads(self.ledger.every_offset)
        except LedgerUnavailable:
            return
        if any(behind(offsets, self.seen)):
            self._again()

    def _again(self) -> None:
        assert self.consumer is not None
        self.consumer.place_again()

    async def _take(self, records: Sequence[Record], stopping: asyncio.Event) -> None:
        records = await self._opened(records, stopping)
        while records and not stopping.is_set():
            started = self.monotonic()
            batch, n = await self._read_some(records)
            if not await self._kept(records[:n], batch, stopping):
                return
            self.telemetry.intake_batch(n, self.monotonic() - started)
            self._wake_lanes()  # before Kafka is told, which takes as long as the ledger did
            assert self.consumer is not None
            await self.consumer.commit(batch.next_offsets)
            records = records[n:]

    async def _read_some(self, records: Sequence[Record]) -> tuple[Batch, int]:
        """The first records, as many as one transaction takes, and how many they are; others get their turns."""
        batch = Batch()
        for n, record in enumerate(records, 1):
            self.read(record, batch)
            if len(batch.changes) >= CHANGES:
                return batch, n
            if n % SLICE == 0:
                await asyncio.sleep(0)
        return batch, len(records)

    async def _kept(self, records: Sequence[Record], batch: Batch, stopping: asyncio.Event) -> bool:
        """Whether the ledger has it; waits while it is away."""
        while not stopping.is_set():
            try:
                await self._write(records, batch)
                return True
            except LedgerWentBack:
                self._again()
                return False
            except LedgerUnavailable as error:
                await self._wait_for("ledger", str(error))
        return False

    async def _opened(self, records: Sequence[Record], stopping: asyncio.Event) -> Sequence[Record]:
        """Waits for a registry that is away: it is no record's fault. Until `stopping`; then they come again."""
        opened = records

        async def opening(registry: Registry) -> None:
            nonlocal opened
            opened = await registry.opened(records)

        while self.registry is not None and not stopping.is_set():
            try:
                await before(stopping, opening(self.registry))
                break
            except RegistryAway as error:
                await self._wait_for("schema_registry", str(error))
        return opened

    async def _wait_for(self, part: str, reason: str) -> None:
        self.waiting = True
        self.telemetry.waiting_for(part, reason)
        await asyncio.sleep(1.0)

    async def _write(self, records: Sequence[Record], batch: Batch) -> None:
        """One transaction; a batch that the database refuses is halved down to the record that it refuses."""
        try:
            applied = await self.in_threads(
                self.ledger.take,
                batch.changes,
                batch.links,
                batch.dead,
                batch.next_offsets,
                batch.rosters,
                {part: self.seen[part] for part in batch.next_offsets if part in self.seen},
            )
            self.seen |= batch.next_offsets
        except (LedgerUnavailable, LedgerWentBack):
            raise
        except Exception as error:  # DataRefused, or what a vendor's own judgement trips over: one record's, not all's
            if not isinstance(error, DataRefused):
                self.telemetry.loop_failed("intake", error)
            if len(records) == 1:
                dead = of_record(self.dead_letter_topic, records[0], "ledger", "refused_by_ledger")
                self.telemetry.record_dead("ledger", "refused_by_ledger", records[0].at)
                await self.in_threads(self.ledger.take, [], [], [dead], batch.next_offsets)
                self.seen |= batch.next_offsets
                return
            middle = len(records) // 2
            for part in (records[:middle], records[middle:]):
                await self._write_anew(part)
            return
        self._tell(batch, applied.stale)
        for destination, n in applied.saved.items():
            self.telemetry.calls_saved(destination, n)
        self._woken_later |= applied.ready

    async def _write_anew(self, records: Sequence[Record]) -> None:
        while records:
            batch, n = await self._read_some(records)
            await self._write(records[:n], batch)
            records = records[n:]

    def _wake_lanes(self) -> None:
        """As soon as they may go on."""
        if self._woken_later and not self.in_burst():
            self.wake(self._woken_later)
            self._woken_later = set()

    def read(self, record: Record, batch: Batch) -> None:
        """Decodes and runs the rules, into the batch; what fails is a dead letter by itself."""
        if self.telemetry.spans.tracing is None:
            self._read(record, batch)
        else:
            with self.telemetry.spans.record(record.at, traceparent(record.headers)):
                self._read(record, batch)
        batch.next_offsets[record.at.topic, record.at.partition] = record.at.offset + 1

    def _read(self, record: Record, batch: Batch) -> None:
        try:
            event = decode(record)
        except Undecodable as error:
            self._bury(record, "decode", error.reason_code, None, batch)
            return
        except Exception as error:  # nothing that is in a record may stop its partition
            self.telemetry.loop_failed("intake", error)
            self._bury(record, "decode", "unexpected", None, batch)
            return
        self._apply_rules(record, event, batch)

    def _apply_rules(self, record: Record, event: DomainEvent, batch: Batch) -> None:
        try:
            evaluation = self.rules.evaluate(event)
        except Exception as error:
            self.telemetry.loop_failed("intake", error)
            self._bury(record, "rule", "unexpected", None, batch)
            return
        for failure in evaluation.failures:
            self._bury(record, "rule", failure.code, failure.rule, batch)
        raw = keep(record) if evaluation.changes or evaluation.rosters else {}
        batch.changes += [(change, raw) for change in evaluation.changes]
        batch.rosters += [(roster, raw) for roster in evaluation.rosters]
        batch.links += evaluation.links
        if not (evaluation.changes or evaluation.rosters or evaluation.links or evaluation.failures):
            self.telemetry.event_unmatched(record.at.topic)

    def _bury(self, record: Record, stage: str, reason: str, rule: str | None, batch: Batch) -> None:
        batch.dead.append(of_record(self.dead_letter_topic, record, stage, reason, rule))
        self.telemetry.record_dead(stage, reason, record.at, traceparent(record.headers))

    def _tell(self, batch: Batch, stale: Mapping[tuple[str, str], int]) -> None:
        counts = Counter((change.destination, change.kind) for change, _ in batch.changes)
        for (destination, kind), n in counts.items():
            self.telemetry.change_applied(destination, kind, n, stale=stale.get((destination, kind), 0))


async def before(stopping: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether the work ended before `stopping`; it may wait for as long as Kafka is away."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
        return False
    await working
    return True
