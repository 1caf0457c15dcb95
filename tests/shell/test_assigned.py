"""What one worker does, where the group knows of more than the ledger, with the partitions of the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.intake import Intake, Partition
from pipeline.ledger import Ledger, LedgerUnavailable, Listener
from pipeline.stream import Bounds
from pipeline.threads import Threads
from tests.fuzz.planted import watched

MINE, THEIRS, DROPPED = ("t", 0), ("t", 1), ("no rule reads it", 0)


@dataclass
class Kafka:
    """A group that has read every partition to 9, of logs that end at 12."""

    read: Collection[Partition]

    def topics(self) -> frozenset[str]:
        return frozenset({"t"})

    async def group_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        return {part: 9 for part in partitions if part in self.read}

    async def log_bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Bounds]:
        return {part: Bounds(0, 12) for part in partitions}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db", {}, {}, lambda facts: [])
    opened.migrate()
    opened.start_at({MINE: 9, THEIRS: 9, DROPPED: 9})
    yield opened
    opened.close()


async def assigned(ledger: Ledger, kafka: Kafka) -> dict[Partition, int]:
    threads = Threads(1)
    with watched() as watch:
        intake = Intake(cast(Any, None), ledger, threads, watch.telemetry, "dead", lambda names: None)
        intake.consumer = cast(Any, kafka)
        seek = await intake.assigned([MINE])
        assert intake.checked.is_set()
    threads.close()
    return seek


async def test_all_partitions_that_are_read_again_are_marked_before_any_lane_starts(ledger: Ledger) -> None:
    ledger.start_at({MINE: 9, THEIRS: 4, DROPPED: 4})
    assert await assigned(ledger, Kafka((MINE, THEIRS, DROPPED))) == {MINE: 9}
    assert ledger.catching_up() == {THEIRS: 12}


async def test_a_marking_that_fails_half_way_is_taken_up_by_whoever_is_assigned_next(ledger: Ledger) -> None:
    def fails(*_told: object) -> None:
        raise LedgerUnavailable("refused")

    ledger.start_at({MINE: 9, THEIRS: 4, DROPPED: 4})
    ledger.listener = Listener(went_back=fails)
    kafka = Kafka((MINE, THEIRS, DROPPED))
    with pytest.raises(LedgerUnavailable):
        await assigned(ledger, kafka)
    assert ledger.unmarked() == {THEIRS: 12}
    told = list[int]()
    ledger.listener = Listener(marked=lambda entries, _seconds: told.append(entries))
    await assigned(ledger, kafka)
    await assigned(ledger, kafka)
    assert (told, ledger.unmarked()) == ([0], {})


async def test_a_ledger_that_fits_is_not_marked(ledger: Ledger) -> None:
    assert await assigned(ledger, Kafka((MINE, THEIRS, DROPPED))) == {MINE: 9}
    assert ledger.catching_up() == {}
