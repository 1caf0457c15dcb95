"""One suite, twice: on (embedded broker, SQLite) and on (Kafka, PostgreSQL)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.embedded import EmbeddedBroker
from tests.flow.assembly import Assembly
from tests.services import fresh_database


@pytest.fixture(params=["embedded", "real"])
def assembly(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Assembly]:
    if request.param == "embedded":
        broker = EmbeddedBroker()
        made = Assembly(tmp_path, broker.bootstrap, f"sqlite:///{tmp_path}/ledger.db", True, "")
        try:
            yield made
        finally:
            made.close()
            broker.close()
        return
    kafka = request.getfixturevalue("kafka_service")
    url = fresh_database(request.getfixturevalue("postgres_service"))
    made = Assembly(tmp_path, kafka.bootstrap, url, False, f".{uuid.uuid4().hex[:8]}")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def bootstrap() -> Iterator[str]:
    """The address of an embedded broker."""
    with closing(EmbeddedBroker()) as broker:
        yield broker.bootstrap
