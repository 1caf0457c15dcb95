"""What goes into the ledger and comes out of it: plain values, and the two ways in which it can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.model.blame import Answer, verdict
from pipeline.model.facts import Facts
from pipeline.model.outcome import Throttled
from pipeline.model.pause import longest
from pipeline.model.wanted import Due
from pipeline.model.wire import Coordinates, KafkaHeaders, Sent

Raw = Mapping[str, Any]
"""A record as JSON, kept until what it asked for is at the vendor."""
Partition = tuple[str, int]
Tokens = tuple[tuple[str, int, float], ...]
"""One of each window: (window, slot, the value that taking it writes)."""
Backlog = dict[tuple[str, str], tuple[int, float | None]]
"""(destination, state) → entries, and the age in seconds of the oldest event among them."""

Urgent = dict[str, list[tuple[int, int]]]
"""Destination → by each horizon: entries that are ready, and those of which the vendor must be asked first."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is not in step, and what of it is urgent."""

    backlog: Backlog
    urgent: Urgent
    estimated: frozenset[tuple[str, str]] = frozenset()
    """(destination, state) whose number is an estimate."""
    urgent_estimated: frozenset[str] = frozenset()
    """Destinations of which that is one."""


SLACK = 2.0
"""Seconds for which a claim's token and lease are good to start a call."""
AHEAD = 0.1
"""Seconds by which a token may be claimed before it is free: its call is ready to leave when it is."""
FOR_GOOD = 2**63 - 1
"""The offset up to which entries are unsure whose beginnings nobody can read any more."""
STRAY = 3.0
"""Seconds after which a call without an answer is no longer on its way: TCP has then sent four times what got lost."""
MARGIN = 8.0
"""Seconds beyond the call's time-out for which the lease still holds: settling and reserve."""


class LedgerUnavailable(Exception):
    """The database cannot be reached, or refuses for now; the transaction left nothing behind."""


class LedgerWentBack(Exception):
    """The ledger has less than this worker saw written to it: an older copy took its place."""


class DataRefused(Exception):
    """The database will not take this data, however often it is tried; the transaction left nothing behind."""


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be written to Kafka, kept until it is."""

    topic: str
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: KafkaHeaders = field(repr=False)
    id: int = 0
    sealed: bool = False
    """Its value is encrypted, until it leaves."""
    about: Coordinates | None = field(default=None, compare=False)
    """The record that a dead letter is of; not kept."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of messages: those that Kafka has, and those it refuses for what they are, with its code."""

    sent: Sequence[int] = ()
    refused: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quota:
    """An account's windows: (calls, seconds)."""

    account: str
    windows: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What of one window of an account's quota is in use: `calls` of `of` in so many `seconds`."""

    calls: int
    of: int
    seconds: float

    @property
    def share(self) -> float:
        return self.calls / self.of


@dataclass(frozen=True, slots=True)
class Budget:
    """An account's credits for a period: so many seconds, or (None) a calendar month in UTC."""

    account: str
    credits: float
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One call: the entries that it is to bring nearer to what is wanted, each with its lease, and its tokens."""

    entries: tuple[Facts, ...]
    tokens: Tokens
    wait: float = 0.0
    """Seconds from the claim until its tokens are free: not before then may it leave."""
    cost: float = 0.0
    """Credits taken for it, in the budget's period that began at `period`."""
    period: float | None = None
    free: float = 0.0
    """When its tokens are free, by the database's clock: given back unused, they are not free before."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nobody may call the account now, or not with these settings: why, and for how many seconds (so far)."""

    reason: str
    seconds: float


LIFTED_BY = {
    "failing": "a probe that succeeds; workers probe by themselves",
    "unauthorized": "a credential that the vendor takes: replace the secret; workers probe by themselves",
    "token_server": "a token server that answers; workers probe by themselves",
    "throttled": "the time that the vendor named",
    "budget": "the next period of the budget, or a larger budget",
    "paused": "calends resume DESTINATION",
    "refused": "calends resume DESTINATION --rule RULE, an entry that the vendor takes, or a corrected rule",
}
"""Reason of a hold → what ends it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that is not called, or not now. Times are seconds since 1970 by the database's clock."""

    reason: str
    """Of an account: `failing`, `unauthorized`, `token_server`, `throttled`, `budget`; of a destination: `paused`; of a
    rule at a destination: `refused`."""
    account: str | None = None
    destination: str | None = None
    rule: str | None = None
    since: float | None = None
    until: float | None = None
    """When it ends by itself, or is looked at again, where that is known."""
    detail: str = ""
    """Who paused it and why; with which code the vendor refuses; or what it answered to the call that held it."""

    @property
    def lifted_by(self) -> str:
        """What ends it, for a person."""
        return LIFTED_BY.get(self.reason, "a probe that succeeds; workers probe by themselves")


@dataclass(frozen=True, slots=True)
class Claim:
    grants: tuple[Grant, ...]
    wait: float | None = None
    """Seconds until there is a token or a pause ends, where that is what is missing."""
    at: float = 0.0
    """The worker's monotonic time right after the claim's clock was read: from then on its grants wait."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one grant."""

    grant: Grant
    answers: tuple[Answer | None, ...]
    """One for each entry of the grant; None, or none at all: it was released."""
    account: str
    sent: Sent = "answered"
    renewable: bool = False
    """Unauthorized, but a fresh token may do; where it does not, there is no token and the lane holds the account."""
    pause: Throttled | None = None
    """What the answer's headers ask for, whatever it says of the entries."""
    said: str = ""
    """The answer's status, or the code of why there is none."""

    @property
    def throttled(self) -> Throttled | None:
        """Whether the vendor asks to be left alone, by its headers or by what it says."""
        answer = verdict(self.answers)
        said = answer.outcome if answer is not None and isinstance(answer.outcome, Throttled) else None
        return longest(said, self.pause)


@dataclass(frozen=True, slots=True)
class Settled:
    before: Facts
    after: Facts
    answer: Answer | None
    good: float | None
    """The event's time where the entry is now at the vendor as wanted."""
    due: Due | None = None
    """When that event matters."""

    @property
    def name(self) -> tuple[str, str]:
        return self.after.destination, self.after.key


@dataclass(frozen=True, slots=True)
class Applied:
    applied: int
    stale: Mapping[tuple[str, str], int]
    """(destination, kind of change) → changes that were older than what is held, or repeats."""
    saved: Mapping[str, int]
    """Destination → changes that made an unsent state obsolete: calls that will never be made."""
    ready: frozenset[str]
    """Destinations with new ready work."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one dead letter's replay, or would."""

    applied: int = 0
    revived: int = 0
    """Changes that the ledger held already, of an entry that had died: it is tried again."""
    stale: int = 0
    """Changes that are older than what the ledger holds, or that it holds already."""
    dead: tuple[str, ...] = ()
    """Why entries would die again at once."""
    ended: bool = False
    """It was replayed or discarded before."""

    @property
    def done(self) -> bool:
        return bool(self.applied or self.revived) and not self.dead
