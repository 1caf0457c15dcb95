"""What happens in a round: a pure function of its seed. It is printed, and the same seed gives the same plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from random import Random

from tests.chaos.story import Event, Size, story

WORKERS = 3
SETTLE_TIME = 2.0
LEASE = 11.0
"""Seconds: the slack, a time-out of 1 s, and the margin, as the ledger has them."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, `at` seconds after the vendors were first called, for `seconds`."""

    kind: str
    at: float
    seconds: float
    target: str = ""
    """A worker's number, an account, or a part; empty: there is only one."""
    amount: float = 0.0

    def __str__(self) -> str:
        amount = f" {self.amount:g}" if self.amount else ""
        return f"{self.kind}{' ' + self.target if self.target else ''}{amount} @{self.at:g}+{self.seconds:g}"


@dataclass(frozen=True)
class Plan:
    seed: int
    shape: str
    """`postgres`: one broker. `cluster`: three. `restore`, `failover`: as `postgres`. `sqlite`: one worker."""
    destinations: tuple[str, ...]
    clock: float
    """Seconds by which the last worker's wall clock is fast."""
    faults: tuple[Fault, ...]
    events: tuple[Event, ...]
    longer: tuple[str, ...] = ()
    """Accounts with two windows at once."""

    def windows(self, account: str) -> list[tuple[int, float]]:
        """Its quota: calls in any so many seconds."""
        calls = QUOTA[account]
        longer = [(int(calls * LONGER * LONGER_SHARE), LONGER)] if account in self.longer else []
        return [(calls, 1.0), *longer]

    @property
    def workers(self) -> int:
        return 1 if self.shape == "sqlite" else WORKERS

    def __str__(self) -> str:
        clock = f", a clock {self.clock:+g} s" if self.clock else ""
        windows = "".join(f", two windows at {name}" for name in self.longer)
        return (
            f"seed {self.seed}: {self.shape}, {' '.join(self.destinations)}, {self.workers} workers{clock}{windows}, "
            f"{len(self.events)} events; {', '.join(map(str, self.faults))}"
        )

    @property
    def brokers(self) -> int:
        return 3 if self.shape == "cluster" else 1

    def hurts_the_line(self, worker: int, part: str) -> bool:
        """Whether a fault cuts, silences or slows the network between this worker and this part."""
        lines = (f"{part}/{worker}", f"{part}/all")
        return any(fault.kind.startswith("net-") and fault.target in lines for fault in self.faults)

    def digest(self) -> str:
        """The whole plan as text, its events too."""
        told = asdict(self)
        told["events"] = [{**event, "raw": repr(event["raw"])} for event in told["events"]]
        return json.dumps(told, sort_keys=True)


QUOTA = {"ecal": 20, "calreply": 20, "apptoto": 20, "pages": 40}
"""Calls of each account in a second. To find an entry without a key of ours takes a call for each that may be it: with
the quota of the others, half of the rounds would only wait for that."""
LONGER, LONGER_SHARE = 4.0, 0.8
"""Seconds of the longer window that some accounts have beside it, and how much of the shorter one's rate it allows."""
Draw = Callable[[Random, tuple[str, ...]], Fault]


def _at(random: Random, last: float = 5.0) -> float:
    return round(random.uniform(0.5, last), 1)


def _worker(kind: str, *seconds: float) -> Draw:
    def draw(random: Random, _: tuple[str, ...]) -> Fault:
        lasts = random.choice(seconds)
        # What lasts longer than a lease begins early: the round should not wait for it.
        return Fault(kind, _at(random, 1.5 if lasts > LEASE else 5.0), lasts, str(random.randrange(WORKERS)))

    return draw


def _service(kind: str, least: float, most: float) -> Draw:
    return lambda random, _: Fault(kind, _at(random), round(random.uniform(least, most), 1))


def _network(kind: str, amount: float = 0.0) -> Draw:
    def draw(random: Random, _: tuple[str, ...]) -> Fault:
        part, who = random.choice(("kafka", "ledger", "vendor")), random.choice(("0", "1", "2", "all"))
        return Fault(kind, _at(random), round(random.uniform(1.5, 4.0), 1), f"{part}/{who}", amount)

    return draw


def _vendor(kind: str, least: float, most: float, amount: float = 0.0, only: str = "") -> Draw:
    def draw(random: Random, destinations: tuple[str, ...]) -> Fault:
        seconds = round(random.uniform(least, most), 1)
        return Fault(kind, _at(random), seconds, only or random.choice(destinations), amount)

    return draw


CATALOGUE: dict[str, tuple[float, Draw]] = {
    "worker-kill": (4, _worker("worker-kill", 0.2, 2.0)),
    "worker-freeze": (3, _worker("worker-freeze", 3.0, LEASE + 1.5)),
    "worker-term": (3, _worker("worker-term", 0.2)),
    "broker-kill": (1, _service("broker-kill", 0.2, 2.0)),
    "broker-freeze": (1.5, _service("broker-freeze", 2.0, 5.0)),
    "rebalance-storm": (1.5, _service("rebalance-storm", 2.0, 4.0)),
    "ledger-kill": (2, _service("ledger-kill", 0.2, 2.0)),
    "ledger-freeze": (2, _service("ledger-freeze", 2.0, 5.0)),
    "net-cut": (2, _network("net-cut")),
    "net-silent": (2, _network("net-silent")),
    "net-slow": (2, _network("net-slow", 0.15)),
    "outage-503": (1.5, _vendor("outage-503", 2.0, 4.0)),
    "outage-closed": (1.5, _vendor("outage-closed", 2.0, 4.0)),
    "errors": (1.5, _vendor("errors", 2.0, 4.0, 0.4)),
    "throttled-seconds": (1.5, _vendor("throttled-seconds", 2.0, 4.0, 5)),
    "throttled-date": (1.5, _vendor("throttled-date", 2.0, 4.0, 5)),
    "lost-close": (1, _vendor("lost-close", 2.0, 4.0, 0.4)),
    "lost-500": (1, _vendor("lost-500", 2.0, 4.0, 0.4)),
    "lost-hang": (1, _vendor("lost-hang", 2.0, 4.0, 0.4)),
    "late-acts": (1, _vendor("late-acts", 2.0, 4.0, 1.2)),
    "slow-bodies": (1, _vendor("slow-bodies", 2.0, 4.0, 0.3)),
    "malformed": (1, _vendor("malformed", 2.0, 4.0, 0.3)),
    "huge": (0.7, _vendor("huge", 2.0, 4.0, 0.15)),
    "redirects": (1, _vendor("redirects", 2.0, 4.0, 0.3)),
    "credential-revoked": (1, _vendor("credential-revoked", 1.0, 3.0)),
    "token-outage": (1, _vendor("token-outage", 1.0, 3.0, only="calreply")),
    "tokens-revoked": (1, _vendor("tokens-revoked", 0.5, 1.0, only="calreply")),
}
"""Kind of fault → how often it is drawn, and how."""


def plan(seed: int, size: Size | None = None) -> Plan:
    random = Random(f"calends chaos {seed}")
    shape = random.choices(("postgres", "cluster"), (6, 1))[0]
    destinations = ("ecal", "calreply", random.choice(("apptoto", "pages")))
    clock = random.choice((0.0, 0.0, 5.0, -5.0))
    return Plan(
        seed=seed,
        shape=shape,
        destinations=destinations,
        clock=clock,
        faults=_faults(random, destinations),
        events=story(random, size or Size()),
        longer=_longer(seed, destinations),
    )


def _longer(seed: int, destinations: tuple[str, ...]) -> tuple[str, ...]:
    """One account of every other round, but not one that is asked for each candidate: it would only be waited for."""
    random = Random(f"calends windows {seed}")
    return tuple(random.sample([name for name in destinations if name != "pages"], random.randint(0, 1)))


KEYED = ("ecal", "calreply", "apptoto")
"""Vendors that take a key of ours. The other one is asked by day: what a lost ledger made on another day than is wanted
now cannot be found there, which is said in docs/operations.md and not promised."""


def drawn(seed: int) -> Plan:
    """Mostly a random plan; now and then a ledger that goes back, its workers running or stopped, or a full disk."""
    (shape,) = Random(f"calends scenario {seed}").choices(("random", "failover", "restore", "disk"), (22, 2, 1, 1))
    match shape:
        case "failover":
            return failover(seed)
        case "restore":
            return restore(seed, 2000)
        case "disk":
            return full_disk(seed)
        case _:
            return plan(seed)


def restore(seed: int, events: int) -> Plan:
    """The ledger goes back to a copy that is older by so many events, or a few more."""
    size = Size(keys=max(120, events // 16), seconds=max(6.0, events / 700))
    began = Fault("ledger-restore", 0.3, 0.0)
    return replace(plan(seed, size), shape="restore", destinations=KEYED, faults=(began,), clock=0.0)


def failover(seed: int) -> Plan:
    """The ledger goes back by a second or two under running workers, as after an asynchronous failover."""
    fault = _service("ledger-failover", 0.5, 2.0)(Random(f"calends failover {seed}"), ())
    return replace(plan(seed), shape="failover", destinations=KEYED, faults=(fault,))


def full_disk(seed: int) -> Plan:
    """One worker on an SQLite ledger that can write nothing for a while; later it is killed.

    Each write fails with EFBIG, as of a file that may not grow: SQLite tells a disk I/O error, and may have written
    part of it. A disk that is full is ENOSPC, which SQLite tells as SQLITE_FULL. A file system that fills up would have
    to be mounted, which not every machine allows: that error, made by SQLite's own limit of pages, is in
    tests/ledger/test_full.py.
    """
    random = Random(f"calends disk {seed}")
    full = _service("disk-full", 1.5, 3.0)(random, ())
    return replace(plan(seed), shape="sqlite", faults=(full, Fault("worker-kill", 9.0, 0.2, "0")), clock=0.0)


def _faults(random: Random, destinations: tuple[str, ...]) -> tuple[Fault, ...]:
    left = {kind: weight for kind, (weight, _) in CATALOGUE.items()}
    drawn: list[Fault] = []
    for _ in range(random.randint(3, 5)):
        (kind,) = random.choices(list(left), list(left.values()))
        del left[kind]
        drawn.append(CATALOGUE[kind][1](random, destinations))
    return tuple(sorted(drawn, key=lambda fault: (fault.at, fault.kind)))
