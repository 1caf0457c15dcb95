"""The large experiments: minutes each, on a real Kafka and a real PostgreSQL. `make acceptance`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.assembly import Assembly
from tests.services import KafkaService, PostgresService, fresh_database


@pytest.fixture
def assembly(kafka_service: KafkaService, postgres_service: PostgresService, tmp_path: Path) -> Iterator[Assembly]:
    url = fresh_database(postgres_service)
    made = Assembly(tmp_path, kafka_service.bootstrap, url, False, f".{uuid.uuid4().hex[:8]}")
    try:
        yield made
    finally:
        made.close()
