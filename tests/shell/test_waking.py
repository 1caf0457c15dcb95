"""When lanes learn that there is something to send."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.test_records import desk_at


@dataclass
class Kafka:
    """Notes who had been woken when it was told how far the ledger is."""

    woken: list[Collection[str]]
    told: list[list[Collection[str]]] = field(default_factory=list)

    async def commit(self, next_offsets: object) -> bool:
        self.told.append(list(self.woken))
        return True


async def test_lanes_are_woken_before_kafka_is_told(tmp_path: Path) -> None:
    woken: list[Collection[str]] = []
    kafka: Any = Kafka(woken)
    with desk_at(tmp_path, f"sqlite:///{tmp_path}/ledger.db") as desk:
        desk.intake.wake, desk.intake.consumer = woken.append, kafka
        await desk.intake._take([desk._witness()], asyncio.Event())
    assert kafka.told == [[{"ecal"}]]
