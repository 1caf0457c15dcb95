"""What a run stands on: a double of the vendor, one account, a topic of its own, and a broker with a ledger."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.double import Behaviour
from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import Assembly, Sandbox, account, appointment
from tests.services import KafkaService, PostgresService, fresh_database, kafka, postgres

ACCOUNT = "ecal"
TOPIC = "appointments"
PARTITIONS = 12
IN_FLIGHT = 32
"""Calls at once that the vendor takes: more of them wait there. Relays are told; Calends finds out."""
QUOTA = (10_000, 1.0)
"""Calls and seconds: far above what any worker reaches, so that no figure is the quota's."""
BYTES = 500
"""Of an event's value."""
EARLIER = 60.0
"""Seconds by which the first event's time lies in the past, so that none of its updates lies in the future."""


class Double(Sandbox):
    """A process of `bench.double` in the place of a test's sandbox, with one account."""

    def __init__(self, behaviour: Behaviour) -> None:
        argv = [sys.executable, "-m", "bench.double", json.dumps(asdict(behaviour))]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def counters(self, account: str) -> dict[str, Any]:
        return dict(self.get("/_counters"))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all contestants of one table face."""

    entries: int = 20_000
    updates: int = 1
    """Events of each entry; the last one's state is the one that counts."""
    latency: float = 0.0
    """The vendor's, in seconds."""
    quota: tuple[int, float] = QUOTA
    enforced: bool = False
    """The vendor refuses what is beyond the quota, and the events come when the worker has joined."""
    vendor: str = ACCOUNT

    @property
    def final(self) -> str:
        return f"v{self.updates}"

    def behaviour(self) -> Behaviour:
        calls, seconds = self.quota if self.enforced else (0, 1.0)
        return Behaviour(self.latency, IN_FLIGHT, calls, seconds, self.final, self.vendor)

    def events(self) -> Iterator[tuple[str, bytes]]:
        """Key and value of each event: the first one of every entry, then the second of every entry."""
        now = time.time() - EARLIER
        for update in range(1, self.updates + 1):
            for number in range(self.entries):
                yield f"k{number}", event(f"k{number}", f"v{update}", now + update)


def event(key: str, title: str, at: float | None = None) -> bytes:
    """An appointment of `BYTES` bytes."""
    value = json.loads(appointment(key, title, at=at))
    value["data"]["notes"] = ""
    value["data"]["notes"] = "." * (BYTES - len(json.dumps(value)))
    return json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class Services:
    """A real Kafka and a real PostgreSQL, for several runs."""

    kafka: KafkaService
    postgres: PostgresService

    @contextmanager
    def begun(self, sqlite: bool, conditions: Conditions) -> Iterator[Assembly]:
        """A topic, a ledger, an account and a double of their own."""
        with tempfile.TemporaryDirectory(prefix="calends-bench-") as folder:
            ledger = f"sqlite:///{folder}/ledger.db" if sqlite else fresh_database(self.postgres)
            assembly = Assembly(Path(folder), self.kafka.bootstrap, ledger, False, f".{uuid.uuid4().hex[:8]}")
            with _begun(assembly, conditions):
                migrated = assembly.calends("migrate")
                assert migrated.returncode == 0, migrated.stderr
                yield assembly

    def database_pid(self) -> int | None:
        """PostgreSQL's first process; None where it is somebody else's."""
        folder = self.postgres.folder
        return None if folder is None else int((folder / "data" / "postmaster.pid").read_text().split()[0])


@contextmanager
def services() -> Iterator[Services]:
    with kafka() as broker, postgres() as database:
        yield Services(broker, database)


@contextmanager
def real() -> Iterator[Assembly]:
    """On a real Kafka and a real PostgreSQL."""
    with services() as both, both.begun(False, Conditions()) as assembly:
        yield assembly


@contextmanager
def embedded() -> Iterator[Assembly]:
    """On the embedded broker and SQLite."""
    broker = EmbeddedBroker()
    try:
        with tempfile.TemporaryDirectory(prefix="calends-bench-") as folder:
            assembly = Assembly(Path(folder), broker.bootstrap, f"sqlite:///{folder}/ledger.db", True, "")
            with _begun(assembly, Conditions()):
                yield assembly
    finally:
        broker.close()


@contextmanager
def _begun(assembly: Assembly, conditions: Conditions) -> Iterator[None]:
    vendor = conditions.vendor
    try:
        assembly.sandbox = Double(conditions.behaviour())
        assembly.configure({vendor: account(assembly.sandbox, vendor, conditions.quota, concurrency=None)})
        assembly.make_topics([assembly.topic(TOPIC), assembly.topic("dead-letters")], PARTITIONS)
        yield
    finally:
        assembly.close()


PLACES: tuple[tuple[str, Callable[[], AbstractContextManager[Assembly]]], ...] = (
    ("Kafka, PostgreSQL", real),
    ("embedded broker, SQLite", embedded),
)
