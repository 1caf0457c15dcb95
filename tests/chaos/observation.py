"""What was seen of a round: at the vendor, in Kafka, in the ledger, and of the processes. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.links import Departure
from tests.chaos.plan import Fault, Plan


@dataclass(frozen=True)
class Struck:
    """A fault as it happened; times in seconds since 1970."""

    fault: Fault
    began: float
    ended: float


@dataclass(frozen=True)
class Stop:
    """A SIGTERM: when, in seconds since 1970; the seconds until the worker had ended, and its exit code."""

    at: float
    seconds: float
    code: int


@dataclass(frozen=True)
class AtVendor:
    """What one account's sandbox shows."""

    entries: Sequence[Mapping[str, Any]]
    doubles: Sequence[str]
    writes: Mapping[str, Sequence[tuple[float, str, str]]]
    """The vendor's key → when, what, which title."""
    arrivals: Sequence[tuple[float, str, str, int]]
    """When, method, key, status (0: no answer)."""
    refused_429: int
    homes: Mapping[str, Sequence[str]]
    """The vendor's key → every calendar in which its entry has ever stood."""


@dataclass(frozen=True)
class Letter:
    """A record of the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Stored:
    """An account's row, when another process could first read it so. Times by the database's clock."""

    at: float
    account: str
    paused_until: float | None
    held: str | None


@dataclass(frozen=True)
class Spent:
    """An attempt that an entry has spent, as the ledger wrote it. Times by the database's clock."""

    destination: str
    key: str
    before: float | None
    """When it had failed before."""
    ended: float
    """When the call that cost it failed."""
    error: str


@dataclass(frozen=True)
class Row:
    destination: str
    key: str
    state: str
    expiries: int
    kept_raws: bool


@dataclass(frozen=True)
class InLedger:
    rows: Sequence[Row]
    offsets: Mapping[tuple[str, int], int]
    outbox: int


@dataclass(frozen=True)
class Replayed:
    """One destination's letters of what it refused, replayed by the command once it refused them no more."""

    destination: str
    code: int
    """The command's exit code."""
    entries: Sequence[Mapping[str, Any]]
    """What then stood at the vendor."""


@dataclass(frozen=True)
class Observation:
    plan: Plan
    base: float
    converged: float | None
    """Seconds from the last event and fault until all was quiet; None: never."""
    struck: Sequence[Struck]
    vendors: Mapping[str, AtVendor]
    letters: Sequence[Letter]
    published: frozenset[tuple[bytes | None, bytes | None]]
    """Key and value of each record."""
    ends: Mapping[tuple[str, int], int]
    """Partition → the offset after its last record."""
    ledger: InLedger
    departures: Sequence[Departure]
    stored: Sequence[Stored]
    looks: Sequence[float]
    """When we looked into the ledger for it: gaps tell that this machine was busy, or the ledger away."""
    beats: Sequence[float]
    """The same of the network between the parts, which is ours."""
    starved: Sequence[tuple[float, float]]
    """When, and for how many seconds in all the workers had then waited for a CPU."""
    stops: Sequence[Stop]
    ended: Mapping[str, int]
    """Workers that ended by themselves: log name → exit code."""
    spent: Sequence[Spent]
    memory: Sequence[tuple[int, int]]
    """Of each worker: the least and the most bytes resident."""
    replayed: Replayed | None = None
    """What became of dead letters that were replayed at the end; None: it did not come to that."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Name → what was told: logs, metrics."""
