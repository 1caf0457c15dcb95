"""Where to read each partition from, out of what the ledger, the group and the log say. Pure.

The ledger's offset is the truth, as long as it fits. A group that is ahead of it is the sign of a ledger that went
back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.ledger import FOR_GOOD, Partition

Missing = Literal["refuse", "committed", "rebuild"]
"""What to do where the ledger's offset is missing or lies outside the log."""


class LedgerLost(Exception):
    """The ledger's offsets do not fit what Kafka knows: how to go on must be somebody's decision."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one partition. `begin` and `end` are the log's."""

    ledger: int | None
    group: int | None
    begin: int
    end: int

    @property
    def outside(self) -> bool:
        return self.ledger is not None and not self.begin <= self.ledger <= self.end

    @property
    def lost(self) -> bool:
        """No worker may decide by itself where to begin."""
        return self.outside or (self.ledger is None and self.group is not None)

    @property
    def why(self) -> str:
        if self.ledger is None:
            return "the ledger was lost, or is another one"
        if self.ledger < self.begin:
            return f"{self.begin - self.ledger} records have expired unread"
        return "the topic was made anew, or the ledger is another one's"


@dataclass(frozen=True, slots=True)
class Start:
    """Where to seek to, of that what the ledger has to be told, and up to where it knows nothing certain."""

    seek: Mapping[Partition, int] = field(default_factory=dict)
    chosen: Mapping[Partition, int] = field(default_factory=dict)
    unsure: Mapping[Partition, int] = field(default_factory=dict)
    """Partition → the offset from which on entries are certain again."""


def start(known: Mapping[Partition, Known], missing: Missing) -> Start:
    """Raises LedgerLost."""
    lost = {part: one for part, one in known.items() if one.lost}
    if lost and missing == "refuse":
        raise LedgerLost(f"{_told(lost)}{OPTIONS}")
    if missing == "committed":
        _refuse_committed(lost)
    seek, chosen, unsure = dict[Partition, int](), dict[Partition, int](), dict[Partition, int]()
    for part, one in known.items():
        if one.lost:
            chosen[part] = _chosen(one, missing)
            unsure[part] = one.end if chosen[part] == one.begin == 0 else FOR_GOOD
        elif one.ledger is None:
            chosen[part] = one.begin
        elif one.group is not None and one.group > one.ledger:
            unsure[part] = one.end  # a group beyond the end: Kafka has lost records, that nobody will read again
        seek[part] = chosen.get(part, one.ledger or 0)
    return Start(seek, chosen, unsure)


def _chosen(one: Known, missing: Missing) -> int:
    return one.group if missing == "committed" and one.group is not None else one.begin


def _refuse_committed(lost: Mapping[Partition, Known]) -> None:
    bad = {part: one for part, one in lost.items() if one.group is None or not one.begin <= one.group <= one.end}
    if bad:
        raise LedgerLost(f"--from-committed: the group has no offset inside the log. {_told(bad)}Start with --rebuild")


OPTIONS = (
    "Put the right ledger back, or start with --from-committed to go on at the group's offsets, or with --rebuild to "
    "read all that the log still holds. Either way entries are looked for at the vendor before anything is made"
)


def _told(lost: Mapping[Partition, Known]) -> str:
    """One line for each partition, the first twenty of them."""
    lines = [_line(part, one) for part, one in sorted(lost.items())]
    more = [f"  and {len(lines) - 20} partitions more"] if len(lines) > 20 else []
    return "\n".join(["the ledger's offsets do not fit what Kafka knows:", *lines[:20], *more, ""])


def _line(part: Partition, one: Known) -> str:
    ledger, group = ("none" if value is None else str(value) for value in (one.ledger, one.group))
    return f"  {part[0]}/{part[1]}: ledger {ledger}, group {group}, log {one.begin} to {one.end}: {one.why}"


def behind(ledger: Mapping[Partition, int], seen: Mapping[Partition, int]) -> Iterable[Partition]:
    """Partitions of which the ledger has less than was seen of it."""
    return (part for part, offset in seen.items() if ledger.get(part, -1) < offset)
