"""What is on Kafka in virtual time: two partitions of records, in the order of their offsets."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.model.change import Change, Link

TOPIC = "events"
PARTITIONS = 2


@dataclass(frozen=True, slots=True)
class Published:
    changes: tuple[Change, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(slots=True)
class Log:
    """What is on Kafka: two partitions, in the order of their offsets."""

    partitions: list[list[Published]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    taken: Counter[int] = field(default_factory=Counter)
    """Partition → the highest next offset seen in the ledger."""

    def all(self) -> Iterator[Published]:
        return itertools.chain.from_iterable(self.partitions)

    def next_offset(self, partition: int) -> int:
        return len(self.partitions[partition])
