"""Framed records, written by Confluent's own serializers; a registry that answers, does not, or answers nonsense."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from pipeline import registry as module
from pipeline.model.event import DomainEvent, Undecodable, decode
from pipeline.model.wire import Coordinates, Record
from pipeline.registry import Registry, RegistryAway, RegistryConfig
from tests.services.schema_registry import SchemaRegistry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACE = SerializationContext("billing", MessageField.VALUE)
DUE = {
    "type": "record",
    "name": "InvoiceDue",
    "namespace": "com.acme",
    "fields": [
        {"name": "number", "type": "long"},
        {"name": "due", "type": {"type": "int", "logicalType": "date"}},
        {"name": "sent", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "seen", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "opens", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "payer", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "scan", "type": "bytes"},
    ],
}
INVOICE = {
    "number": 7,
    "due": date(2026, 12, 24),
    "sent": datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    "seen": None,
    "opens": time(9, 15),
    "amount": Decimal("12.50"),
    "payer": UUID("fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3"),
    "scan": b"\xff\x00",
}
STATED = {"title": "com.acme.paid", "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def server() -> Iterator[SchemaRegistry]:
    with closing(SchemaRegistry().open()) as made:
        yield made


@pytest.fixture
def registry(server: SchemaRegistry) -> Registry:
    return Registry(RegistryConfig(server.url, timeout=5.0))


def record(value: bytes, *headers: tuple[str, bytes], offset: int = 0) -> Record:
    return Record(Coordinates("billing", 0, offset), None, value, headers, NOW)


def framed(one: int, data: bytes) -> Record:
    return record(b"\0" + struct.pack(">I", one) + data)


def avro(server: SchemaRegistry, schema: Any, value: Any) -> Record:
    with SchemaRegistryClient({"url": server.url}) as client:
        return record(AvroSerializer(client, schema)(value, PLACE))


def event(registry: Registry, one: Record) -> DomainEvent:
    (opened,) = asyncio.run(registry.opened([one]))
    return decode(opened)


def reason(registry: Registry, one: Record) -> str:
    with pytest.raises(Undecodable) as caught:
        event(registry, one)
    return caught.value.reason_code


# what is read ------------------------------------------------------------------------------------------------------


def test_avro_says_what_json_would_have_said_and_its_name_is_the_type(
    server: SchemaRegistry, registry: Registry
) -> None:
    found = event(registry, avro(server, json.dumps(DUE), INVOICE))

    assert (found.type, found.id, found.source) == ("com.acme.InvoiceDue", None, None)
    assert found.data == {
        "number": 7,
        "due": "2026-12-24",
        "sent": "2026-11-20T09:30:00Z",
        "seen": None,
        "opens": "09:15:00",
        "amount": 12.5,
        "payer": "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3",
        "scan": "/wA=",
    }


def test_json_schema_is_read_and_its_title_is_the_type(server: SchemaRegistry, registry: Registry) -> None:
    with SchemaRegistryClient({"url": server.url}) as client:
        found = event(registry, record(JSONSerializer(json.dumps(STATED), client)({"n": 7}, PLACE)))

    assert (found.type, found.data) == ("com.acme.paid", {"n": 7})


def test_a_type_in_the_data_counts_before_the_schemas_name(server: SchemaRegistry, registry: Registry) -> None:
    one = server.add("JSON", {"title": "not this"})
    assert event(registry, framed(one, b'{"type": "paid", "id": "1", "data": {"n": 1}}')).type == "paid"


def test_cloudevents_are_read_in_both_modes(server: SchemaRegistry, registry: Registry) -> None:
    attributes = {"specversion": "1.0", "id": "1", "source": "/billing", "type": "paid"}
    one = server.add("JSON", {})
    structured = event(registry, framed(one, json.dumps(attributes | {"data": {"n": 1}}).encode()))
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    raw = avro(server, json.dumps(DUE), INVOICE).value
    binary = event(registry, record(raw or b"", *headers, ("content-type", b"application/avro")))

    assert (structured.id, structured.data) == ("1", {"n": 1})
    assert (binary.id, binary.type, binary.data["number"]) == ("1", "paid", 7)


def test_what_a_schema_refers_to_is_fetched_whatever_the_depth(server: SchemaRegistry, registry: Registry) -> None:
    city = {"type": "record", "name": "City", "namespace": "acme", "fields": [{"name": "name", "type": "string"}]}
    home = {"type": "record", "name": "Home", "namespace": "acme", "fields": [{"name": "city", "type": "acme.City"}]}
    person = {"type": "record", "name": "Person", "fields": [{"name": "at", "type": "acme.Home"}]}
    server.add("AVRO", city, "city")
    server.add("AVRO", home, "home", [{"name": "acme.City", "subject": "city", "version": 1}])
    whole = Schema(json.dumps(person), "AVRO", [SchemaReference("acme.Home", "home", 1)])

    assert event(registry, avro(server, whole, {"at": {"city": {"name": "Oslo"}}})).data == {
        "at": {"city": {"name": "Oslo"}}
    }


def test_a_topic_of_several_types_says_which_each_is(server: SchemaRegistry, registry: Registry) -> None:
    names = ("acme.Made", "acme.Gone")
    for name in names:
        server.add("AVRO", {"type": "record", "name": name, "fields": [{"name": "n", "type": "int"}]}, name)
    one = server.add("AVRO", list(names), "s", [{"name": name, "subject": name, "version": 1} for name in names])

    found = [event(registry, framed(one, data)) for data in (b"\x00\x02", b"\x02\x04")]
    assert [(one.type, one.data) for one in found] == [("acme.Made", {"n": 1}), ("acme.Gone", {"n": 2})]
    assert reason(registry, framed(one, b"\x04\x02")) == "schema_data"


def test_json_schemas_refer_to_each_other(server: SchemaRegistry, registry: Registry) -> None:
    server.add("JSON", {"type": "object", "required": ["city"]}, "address")
    for root in ({}, {"$id": "https://acme.com/person.json"}):
        schema = {**root, "title": "person", "properties": {"at": {"$ref": "address.json"}}}
        one = server.add("JSON", schema, "p", [{"name": "address.json", "subject": "address", "version": 1}])
        assert event(registry, framed(one, b'{"at": {"city": "Oslo"}}')).type == "person"
        assert reason(registry, framed(one, b'{"at": {}}')) == "schema_data"


def test_records_that_are_not_framed_ask_nobody(server: SchemaRegistry, registry: Registry) -> None:
    plain = record(b'{"type": "due"}')
    assert asyncio.run(registry.opened([plain, record(b"")])) == [plain, record(b"")]
    assert server.asked == []


def test_a_schema_is_fetched_once(server: SchemaRegistry, registry: Registry) -> None:
    one = server.add("JSON", {"title": "t"})
    for _ in range(3):
        asyncio.run(registry.opened([framed(one, b"{}")] * 20))
    assert server.asked == [f"/schemas/ids/{one}"]


def test_no_more_is_kept_than_the_bounds_say(
    server: SchemaRegistry, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SCHEMAS", 2)
    ids = [server.add("JSON", {"title": f"t{n}"}) for n in range(3)]

    def fetched(*wanted: int) -> int:
        before = len(server.asked)
        found = asyncio.run(registry.opened([framed(one, b"{}") for one in wanted]))
        assert [decode(one).type for one in found] == [f"t{ids.index(one)}" for one in wanted]
        return len(server.asked) - before

    assert [fetched(*ids), fetched(ids[1]), fetched(ids[2]), fetched(ids[0])] == [3, 0, 0, 1]
    monkeypatch.setattr(module, "MAX_KEPT", 1)
    assert [fetched(ids[0], ids[1]), fetched(ids[0])] == [1, 1]


# what is nobody's but the record's ---------------------------------------------------------------------------------


def test_without_the_setting_the_reason_says_what_to_set() -> None:
    with pytest.raises(Undecodable) as caught:
        decode(framed(1, b"{}"))
    assert caught.value.reason_code == "set_kafka.schema_registry"
    assert "kafka.schema_registry.url" in caught.value.explanation


def test_an_unknown_id_stops_no_other_and_is_asked_for_again(server: SchemaRegistry, registry: Registry) -> None:
    one = server.add("JSON", {"title": "t"})
    strange = framed(one + 1, b"{}")
    _, second = asyncio.run(registry.opened([strange, framed(one, b"{}")]))

    assert decode(second).type == "t"
    assert reason(registry, strange) == "schema_unknown"
    server.add("JSON", {"title": "late"})
    assert event(registry, strange).type == "late"


NULLS = {"type": "array", "items": "null"}
ITSELF = {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}
DEEP: Any = "int"
for _ in range(25):
    DEEP = {"type": "array", "items": DEEP}
BROKEN = [
    ("JSON", {}, b'{"n": 1', "json"),
    ("JSON", {}, b"\xff", "encoding"),
    ("JSON", {}, b'{"n": 18446744073709551617}', "number"),
    ("JSON", {}, b'{"n": "\\u0000"}', "characters"),
    ("JSON", STATED, b'{"n": "one"}', "schema_data"),
    ("JSON", "no json", b"{}", "schema_invalid"),
    ("JSON", {"$ref": "https://acme.com/other.json"}, b"{}", "schema_invalid"),
    ("JSON", {"title": "x" * (1 << 20)}, b"{}", "schema_too_large"),
    ("JSON", "[" * 5000 + "]" * 5000, b"{}", "schema_invalid"),
    ("AVRO", "string", b"\x02\x00", "schema_invalid"),
    ("AVRO", {"type": "record", "name": "R", "fields": [{"name": "a", "type": "Other"}]}, b"", "schema_invalid"),
    ("AVRO", DUE, b"\x02", "schema_data"),
    ("AVRO", {"type": "string"}, b"\xfe\xff\xff\xff\x0fab", "schema_data"),
    ("AVRO", {"type": "string"}, b"\x02ab", "schema_data"),
    ("AVRO", {"type": "string"}, b"\x02\x00", "characters"),
    ("AVRO", {"type": "string"}, b"\x02a", "no_type"),
    ("AVRO", {"type": "double"}, struct.pack("<d", float("nan")), "number"),
    (
        "AVRO",
        {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2},
        b"\x1a" + b"\x11" * 13,
        "number",
    ),
    ("AVRO", {"type": "long", "logicalType": "timestamp-millis"}, b"\xfe" + b"\xff" * 8 + b"\x01", "schema_data"),
    ("AVRO", ITSELF, b"\x02" * 500_000 + b"\x00", "schema_recursive"),
    ("AVRO", NULLS, b"\xfe\xff\xff\xff\xff\x0f", "schema_unbounded"),
    ("AVRO", DEEP, b"\x00", "no_type"),
    ("PROTOBUF", 'syntax = "proto3";', b"\x00", "schema_type"),
]


@pytest.mark.parametrize(("kind", "schema", "data", "expected"), BROKEN)
def test_what_cannot_be_read_is_a_dead_letter_with_its_reason(
    server: SchemaRegistry, registry: Registry, kind: str, schema: Any, data: bytes, expected: str
) -> None:
    assert reason(registry, framed(server.add(kind, schema), data)) == expected


def test_a_value_that_ends_within_its_frame(registry: Registry) -> None:
    assert [reason(registry, record(b"\0\0\0\0\7"[:n])) for n in (1, 4)] == ["schema_frame"] * 2


def test_a_schema_that_doubles_with_each_level_is_refused_at_once(server: SchemaRegistry, registry: Registry) -> None:
    server.add("AVRO", {"type": "record", "name": "X0", "fields": []}, "X0")
    for n in range(1, 41):
        fields = [{"name": name, "type": f"X{n - 1}"} for name in "ab"]
        below = [{"name": f"X{n - 1}", "subject": f"X{n - 1}", "version": 1}]
        one = server.add("AVRO", {"type": "record", "name": f"X{n}", "fields": fields}, f"X{n}", below)
    assert reason(registry, framed(one, b"")) == "schema_unbounded"


def test_references_to_nowhere_in_a_circle_and_without_end(server: SchemaRegistry, registry: Registry) -> None:
    lost = server.add("AVRO", {"type": "int"}, "a", [{"name": "x", "subject": "nobody", "version": 1}])
    circle = server.add("JSON", {"title": "c"}, "c", [{"name": "c", "subject": "c", "version": 1}])
    many = [{"name": f"n{n}", "subject": "c", "version": 1} for n in range(200)]
    wide = server.add("JSON", {"title": "wide"}, "w", many)

    assert reason(registry, framed(lost, b"\x02")) == "schema_reference"
    assert event(registry, framed(circle, b"{}")).type == "c"
    assert reason(registry, framed(wide, b"{}")) == "schema_too_large"


# what is nobody's --------------------------------------------------------------------------------------------------


def code_of(registry: Registry, one: Record) -> str:
    with pytest.raises(RegistryAway) as caught:
        asyncio.run(registry.opened([one]))
    return str(caught.value)


def test_a_registry_that_is_away_is_no_records_fault(server: SchemaRegistry, registry: Registry) -> None:
    one = framed(server.add("JSON", {"title": "t"}), b"{}")
    server.close()
    assert code_of(registry, one) == "unreachable"
    server.open()
    assert event(registry, one).type == "t"
    server.close()
    assert event(registry, one).type == "t", "what is known needs no registry"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, b'{"error_code": 50003, "message": "s3cret"}', "status_503"),
        (500, b'{"error_code": 50001, "message": "s3cret"}', "status_500"),
        (429, b"", "status_429"),
        (403, b'{"error_code": 40301, "message": "s3cret"}', "unauthorized"),
        (404, b"<html>s3cret</html>", "status_404"),
        (200, b"<html>s3cret</html>", "unreadable"),
        (200, b'{"s3cret": 1}', "unreadable"),
        (200, b"[]", "unreadable"),
    ],
)
def test_an_answer_that_is_no_registrys_is_waited_out(
    server: SchemaRegistry, registry: Registry, status: int, body: bytes, code: str
) -> None:
    server.instead = (status, body)
    assert code_of(registry, framed(1, b"{}")) == code


def test_a_registry_that_never_answers_is_away(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert code_of(Registry(RegistryConfig(url, timeout=0.2)), framed(1, b"{}")) == "timeout"


def test_a_password_is_sent_is_read_anew_and_is_never_shown(tmp_path: Path) -> None:
    held = ["wrong"]
    config = RegistryConfig("", "calends", lambda: held[-1])
    with closing(SchemaRegistry(user=("calends", "s3cret")).open()) as server:
        config = RegistryConfig(server.url, "calends", lambda: held[-1])
        registry, one = Registry(config), framed(server.add("JSON", {"title": "t"}), b"{}")
        assert code_of(registry, one) == "unauthorized"
        held.append("s3cret")
        assert event(registry, one).type == "t"
    assert "s3cret" not in repr(config)
    gone = RegistryConfig(server.url, "calends", lambda: None)
    assert code_of(Registry(gone), one) == "no_password"
    assert code_of(Registry(RegistryConfig(server.url, ssl_cafile=tmp_path / "none")), one) == "ssl_cafile"


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIBRARIES", ("json", "fastavro_that_is_not_there"))
    with pytest.raises(module.RegistryMissing, match=r"pip install 'calends\[registry\]'"):
        Registry(RegistryConfig("http://127.0.0.1:1"))
