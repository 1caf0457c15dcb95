"""What a run stands on: a double of the vendor, one ECAL account, a topic of its own, and a broker with a ledger."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.double import Double
from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import APPOINTMENT, Assembly
from tests.services import KafkaService, PostgresService, fresh_database, kafka, postgres

ACCOUNT = "ecal"
TOPIC = "appointments"
PARTITIONS = 12
IN_FLIGHT = 32
"""Calls at once that the vendor takes: more of them wait there. Workers by hand are told; Calends finds out."""
QUOTA = (10_000, 1.0)
"""Calls and seconds: far above what either worker reaches, so that no figure is the quota's."""

RULES = APPOINTMENT.replace("{to}", ACCOUNT).replace("{cancels}", ACCOUNT)


@dataclass(frozen=True, slots=True)
class Services:
    """A real Kafka and a real PostgreSQL, for several runs."""

    kafka: KafkaService
    postgres: PostgresService

    @contextmanager
    def begun(self, sqlite: bool = False, latency: float = 0.0) -> Iterator[Assembly]:
        """A topic, a ledger, an account and a double of their own."""
        with tempfile.TemporaryDirectory(prefix="calends-bench-") as folder:
            ledger = f"sqlite:///{folder}/ledger.db" if sqlite else fresh_database(self.postgres)
            assembly = Assembly(Path(folder), self.kafka.bootstrap, ledger, False, f".{uuid.uuid4().hex[:8]}")
            with _begun(assembly, latency):
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
    with services() as both, both.begun() as assembly:
        yield assembly


@contextmanager
def embedded() -> Iterator[Assembly]:
    """On the embedded broker and SQLite."""
    broker = EmbeddedBroker()
    try:
        with tempfile.TemporaryDirectory(prefix="calends-bench-") as folder:
            assembly = Assembly(Path(folder), broker.bootstrap, f"sqlite:///{folder}/ledger.db", True, "")
            with _begun(assembly):
                yield assembly
    finally:
        broker.close()


@contextmanager
def _begun(assembly: Assembly, latency: float = 0.0) -> Iterator[None]:
    try:
        double = Double(latency, IN_FLIGHT)
        assembly.start(rules=RULES, quota=QUOTA, concurrency=None, partitions=PARTITIONS, sandbox=double)
        yield
    finally:
        assembly.close()


PLACES: tuple[tuple[str, Callable[[], AbstractContextManager[Assembly]]], ...] = (
    ("Kafka, PostgreSQL", real),
    ("embedded broker, SQLite", embedded),
)
