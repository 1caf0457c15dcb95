"""A rolling update: workers of two kinds run side by side on one ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.acceptance.one_vendor import worst_window
from tests.flow.assembly import Assembly, account, appointment, until
from tests.flow.test_flow import titles
from tests.services import KafkaService

OLD, NEW = (10, 30.0), (2, 1.0)
TABLES = ("entries", "tokens", "accounts", "offsets", "directory", "outbox")
LATER = (
    *(f"alter table {table} add column later text" for table in TABLES),
    "alter table entries add column later_flag boolean not null default false",
    "create index entries_later on entries (later)",
    "create table later (name text primary key)",
    "update alembic_version set version_num = '9999'",
)
"""A migration of a version to come: it adds columns, an index and a table that no worker of today knows."""


@pytest.fixture
def assembly(tmp_path: Path, kafka_service: KafkaService, postgres_url: str) -> Iterator[Assembly]:
    made = Assembly(tmp_path, kafka_service.bootstrap, postgres_url, False, f".{uuid4().hex[:8]}")
    with closing(made):
        made.start(quota=OLD)
        assert made.calends("migrate").returncode == 0
        yield made


def publish(assembly: Assembly, first: int, end: int) -> None:
    assembly.publish((key, appointment(key, title)) for key, title in list(titles(end).items())[first:])


def start(assembly: Assembly, quota: tuple[int, float]) -> None:
    assembly.configure({"ecal": account(assembly.sandbox, "ecal", quota)})
    assembly.worker()
    assembly.ready()


def times(assembly: Assembly) -> list[float]:
    return [float(at) for at, *_ in assembly.sandbox.arrivals("ecal")]


def waits_for_quota(assembly: Assembly, number: int) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in assembly.log(number).splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "waiting" and line["part"] == "quota"]


def test_a_quota_that_changes_in_a_rolling_update_is_never_exceeded_and_the_old_workers_say_that_they_wait(
    assembly: Assembly,
) -> None:
    start(assembly, OLD)
    publish(assembly, 0, 22)
    until(lambda: len(times(assembly)) == OLD[0], 30, "the old quota is used up")
    start(assembly, NEW)
    until(lambda: assembly.converged("ecal", titles(22)), 60, "the new worker sends the others")
    until(lambda: bool(waits_for_quota(assembly, 0)), 10, "the old one says that it waits")
    start(assembly, OLD)  # one of the old ones has crashed
    until(lambda: bool(waits_for_quota(assembly, 2)), 10, "it takes nothing back")
    publish(assembly, 22, 26)
    until(lambda: assembly.converged("ecal", titles(26)), 30, "the new worker goes on")
    arrived = times(assembly)
    assert len(arrived) == 26
    assert arrived[OLD[0]] - arrived[OLD[0] - 1] >= NEW[1]
    assert worst_window(arrived[OLD[0] :], NEW[1]) <= NEW[0]
    assert waits_for_quota(assembly, 1) == []
    assert {line["account"] for line in waits_for_quota(assembly, 0)} == {"ecal"}


def test_workers_go_on_while_a_later_version_migrates_and_new_ones_start_on_its_tables(assembly: Assembly) -> None:
    start(assembly, (40, 1.0))
    publish(assembly, 0, 200)
    until(lambda: len(times(assembly)) > 40, 30, "it sends")
    with psycopg.connect(assembly.ledger, autocommit=True) as connection:
        for statement in LATER:
            connection.execute(statement.encode())
    publish(assembly, 200, 300)
    assembly.worker()
    assembly.ready()
    assembly.workers[0].kill()
    publish(assembly, 300, 320)
    until(lambda: assembly.converged("ecal", titles(320)), 60, "all arrive")
    assert assembly.sandbox.judge("ecal")["doubles"] == []
    assert [number for number in (0, 1) if "loop failed" in assembly.log(number)] == []
