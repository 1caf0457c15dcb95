"""A pattern in the place of topic names: what it matches is read, what it does not match is left alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.assembly import APPOINTMENT, Assembly, appointment, until
from tests.services import KafkaService


@pytest.fixture
def assembly(kafka_service: KafkaService, tmp_path: Path) -> Iterator[Assembly]:
    url, suffix = f"sqlite:///{tmp_path}/ledger.db", f".{uuid.uuid4().hex[:8]}"
    made = Assembly(tmp_path, kafka_service.bootstrap, url, False, suffix)
    try:
        yield made
    finally:
        made.close()


def begin(assembly: Assembly, source: str, kafka: dict[str, Any]) -> None:
    """`source` is what the rules say under `from`. Topics of this test end in its suffix."""
    common = {
        "bootstrap_servers": assembly.bootstrap,
        "group_id": f"calends{assembly.suffix}",
        "dead_letter_topic": assembly.topic("dead-letters"),
    }
    rules = APPOINTMENT.replace("[appointments]", f"['{source}']")
    assembly.start(rules=rules, extra={"kafka": common | kafka}, partitions=2)
    assembly.make_topics([assembly.topic(name) for name in ("appointments.north", "appointments.south")], 2)
    assembly.make_topics([assembly.topic("holidays")], 1)


def both_are_read(assembly: Assembly) -> None:
    for name in ("appointments.north", "appointments.south", "holidays"):
        assembly.publish([(name, appointment(name, "t"))], topic=name)
    assembly.worker()
    expected = {"appointments.north": "t", "appointments.south": "t"}
    until(lambda: assembly.converged("ecal", expected), 30, "both topics are read")
    topics = {line.split("/")[0] for line in _assigned(assembly)}
    assert assembly.topic("holidays") not in topics
    assert assembly.topic("appointments.north") in topics


def _assigned(assembly: Assembly) -> list[str]:
    lines = [json.loads(line) for line in assembly.log().splitlines() if "partitions assigned" in line]
    return list(lines[-1]["partitions"])


def test_a_rule_that_reads_a_pattern_reads_every_topic_of_it(assembly: Assembly) -> None:
    begin(assembly, rf"/appointments\..*\{assembly.suffix}/", {})
    both_are_read(assembly)


def test_a_pattern_in_the_settings_chooses_what_the_rules_may_see(assembly: Assembly) -> None:
    pattern = rf"appointments\.(north|south)\{assembly.suffix}"
    begin(assembly, "/.*/", {"pattern": pattern})
    both_are_read(assembly)
