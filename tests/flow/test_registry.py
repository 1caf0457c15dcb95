"""Events framed by a schema registry, from Confluent's serializer to the vendors, through a worker that really runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.flow.assembly import PERSON, Assembly, appointment, free_port, until
from tests.flow.test_flow import arrive, begin, clean, titles
from tests.flow.test_reload import metric
from tests.services.schema_registry import SchemaRegistry

UUID, LOCAL = {"type": "string", "logicalType": "uuid"}, {"type": "long", "logicalType": "local-timestamp-millis"}
FIELDS = {"key": "string", "title": "string", "person": UUID, "start": LOCAL, "end": LOCAL}
MADE = {
    "type": "record",
    "name": "made",
    "namespace": "appointment",
    "fields": [{"name": name, "type": kind} for name, kind in FIELDS.items()],
}
SETTING = "CALENDS_KAFKA__SCHEMA_REGISTRY__URL"


@pytest.fixture
def registry() -> Iterator[SchemaRegistry]:
    with closing(SchemaRegistry(port=free_port()).open()) as made:
        yield made


def avro(registry: SchemaRegistry, wanted: dict[str, str]) -> list[tuple[str, bytes]]:
    hours = {"start": 1_803_891_600_000, "end": 1_803_895_200_000}
    with SchemaRegistryClient({"url": registry.url}) as client:
        written = AvroSerializer(client, json.dumps(MADE), conf={"auto.register.schemas": True})
        place = SerializationContext("appointments", MessageField.VALUE)
        return [
            (key, written({"key": key, "title": title, "person": PERSON, **hours}, place) or b"")
            for key, title in wanted.items()
        ]


def test_avro_events_arrive_and_a_registry_that_is_away_costs_none(
    assembly: Assembly, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, registry.url)
    begin(assembly)
    events = avro(registry, titles(20))
    registry.close()
    assembly.worker()
    assembly.ready()
    assembly.publish([*events, ("p", b"\0" + (999).to_bytes(4, "big") + b"\2x")], headers=[])

    until(lambda: assembly.log().count('"part": "schema_registry"') > 1, 30, "it says that it waits for the registry")
    assert 'calends_waits_total{part="schema_registry"}' in assembly.metrics()
    assert [assembly.status(assembly.ports[-1], path) for path in ("readyz", "livez")] == [200, 200]
    assert '"record dead"' not in assembly.log()
    until(lambda: metric(assembly, "calends_consumer_lag_records") == 21, 30, "what waits is told")

    registry.open()
    arrive(assembly, titles(20))
    until(lambda: metric(assembly, "calends_consumer_lag_records") == 0, 30, "all of it was read")
    clean(assembly)
    (letter,) = assembly.dead_letters(1)
    assert dict(letter.headers())["calends-reason"] == b"schema_unknown"
    assert registry.url not in assembly.log()
    assert sorted(set(registry.asked[-2:])) == ["/schemas/ids/1", "/schemas/ids/999"]


def test_without_the_setting_they_are_dead_letters_that_say_so_and_can_be_replayed(
    assembly: Assembly, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(assembly)
    assembly.worker()
    assembly.publish(avro(registry, {"framed": "t"}), headers=[])
    assembly.publish([("plain", appointment("plain", "t"))])
    arrive(assembly, {"plain": "t"})
    (letter,) = assembly.dead_letters(1)
    assert dict(letter.headers())["calends-reason"] == b"set_kafka.schema_registry"

    monkeypatch.setenv(SETTING, registry.url)
    registry.close()
    refused = assembly.calends("dlq", "replay", "--all")
    assert (refused.returncode, "schema_registry.unreachable" in refused.stderr) == (3, True), refused.stderr
    registry.open()
    replayed = assembly.calends("dlq", "replay", "--all")
    assert replayed.stdout == "1 replayed\n", replayed.stderr
    arrive(assembly, {"plain": "t", "framed": "t"})


def test_a_command_that_reads_kafka_reads_them_too(
    assembly: Assembly, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, registry.url)
    begin(assembly, partitions=1)
    assembly.publish(avro(registry, {"framed": "t"}), headers=[])
    topic, said = assembly.topic("appointments"), ""
    for number in range(4):  # the embedded broker has four partitions, and no say in which is taken
        explained = assembly.calends("explain", f"{topic}/{number}@0", "--json")
        said = explained.stdout or said
    assert '"key": "framed"' in said


def test_a_worker_that_waits_for_the_registry_stops_when_told(
    assembly: Assembly, registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, registry.url)
    begin(assembly)
    events = avro(registry, {"k": "t"})
    registry.close()
    worker = assembly.worker()
    assembly.ready()
    assembly.publish(events, headers=[])
    until(lambda: '"part": "schema_registry"' in assembly.log(), 30, "it waits")
    began = time.monotonic()
    worker.terminate()
    assert worker.wait(30) == 0
    assert time.monotonic() - began < 30

    registry.open()
    assembly.worker()
    arrive(assembly, {"k": "t"})
