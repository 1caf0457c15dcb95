"""What a run stands on: a double of the vendor, one ECAL account, a topic of its own, and a broker with a ledger."""

from __future__ import annotations

import tempfile
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench.double import Double
from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import APPOINTMENT, Assembly
from tests.services import fresh_database, kafka, postgres

ACCOUNT = "ecal"
TOPIC = "appointments"
PARTITIONS = 12
IN_FLIGHT = 32
QUOTA = (10_000, 1.0)
"""Calls and seconds: far above what either worker reaches, so that no figure is the quota's."""

RULES = APPOINTMENT.replace("{to}", ACCOUNT).replace("{cancels}", ACCOUNT)


@contextmanager
def real() -> Iterator[Assembly]:
    """On a real Kafka and a real PostgreSQL."""
    with kafka() as broker, postgres() as database, tempfile.TemporaryDirectory(prefix="calends-bench-") as folder:
        suffix = f".{uuid.uuid4().hex[:8]}"
        assembly = Assembly(Path(folder), broker.bootstrap, fresh_database(database), False, suffix)
        with _begun(assembly):
            migrated = assembly.calends("migrate")
            assert migrated.returncode == 0, migrated.stderr
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
def _begun(assembly: Assembly) -> Iterator[None]:
    try:
        assembly.start(rules=RULES, quota=QUOTA, concurrency=IN_FLIGHT, partitions=PARTITIONS, sandbox=Double())
        yield
    finally:
        assembly.close()


def forget(assembly: Assembly) -> None:
    """The double as on its first day: the next worker meets the same one."""
    request = urllib.request.Request(assembly.sandbox.url + "/_reset", data=b"", method="POST")
    urllib.request.urlopen(request, timeout=30).read()


PLACES: tuple[tuple[str, Callable[[], AbstractContextManager[Assembly]]], ...] = (
    ("Kafka, PostgreSQL", real),
    ("embedded broker, SQLite", embedded),
)
