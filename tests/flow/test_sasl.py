"""The worker on a Kafka that asks who is there: all of it from the settings file, the password by reference."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.assembly import Assembly, appointment, until
from tests.services import KafkaService, SaslListeners

SCRAM_256 = ("SASL_PLAINTEXT", "SCRAM-SHA-256")
SCRAM_512_TLS = ("SASL_SSL", "SCRAM-SHA-512")
PLAIN_TLS = ("SASL_SSL", "PLAIN")
WRONG = "not-the-secret-of-alice"


pytestmark = pytest.mark.xdist_group("secured_kafka")


@pytest.fixture
def assembly(secured_kafka: KafkaService, tmp_path: Path) -> Iterator[Assembly]:
    """The judge publishes and makes topics without SASL; only the worker has to say who it is."""
    made = Assembly(
        tmp_path, secured_kafka.bootstrap, f"sqlite:///{tmp_path}/ledger.db", False, f".{uuid.uuid4().hex[:8]}"
    )
    try:
        yield made
    finally:
        made.close()


def listeners(secured_kafka: KafkaService) -> SaslListeners:
    assert secured_kafka.sasl is not None
    return secured_kafka.sasl


def begin(assembly: Assembly, sasl: SaslListeners, protocol: str, mechanism: str) -> None:
    settings: dict[str, Any] = {
        "bootstrap_servers": sasl.ssl if protocol == "SASL_SSL" else sasl.plaintext,
        "group_id": f"calends{assembly.suffix}",
        "dead_letter_topic": assembly.topic("dead-letters"),
        "security_protocol": protocol,
        "sasl_mechanism": mechanism,
        "sasl_username": sasl.username,
        "sasl_password": {"env": "TEST_KAFKA_PASSWORD"},
    }
    if protocol == "SASL_SSL":
        settings["ssl_cafile"] = str(sasl.ca_file)
    assembly.start(extra={"kafka": settings}, partitions=1)


@pytest.mark.parametrize(("protocol", "mechanism"), [SCRAM_256, SCRAM_512_TLS, PLAIN_TLS])
def test_an_event_goes_the_whole_way(
    assembly: Assembly, secured_kafka: KafkaService, monkeypatch: pytest.MonkeyPatch, protocol: str, mechanism: str
) -> None:
    sasl = listeners(secured_kafka)
    monkeypatch.setenv("TEST_KAFKA_PASSWORD", sasl.password)
    begin(assembly, sasl, protocol, mechanism)
    assembly.worker()
    assembly.publish([("k", appointment("k", "t")), ("poison", b"{not json")])
    until(lambda: assembly.converged("ecal", {"k": "t"}), 30, f"the event arrives over {protocol} with {mechanism}")
    assert [letter.value() for letter in assembly.dead_letters(1)] == [b"{not json"]
    assert sasl.password not in assembly.log()


@pytest.mark.parametrize(("protocol", "mechanism"), [SCRAM_256, SCRAM_512_TLS, PLAIN_TLS])
def test_a_wrong_password_is_waited_for_said_and_not_logged(
    assembly: Assembly, secured_kafka: KafkaService, monkeypatch: pytest.MonkeyPatch, protocol: str, mechanism: str
) -> None:
    monkeypatch.setenv("TEST_KAFKA_PASSWORD", WRONG)
    begin(assembly, listeners(secured_kafka), protocol, mechanism)
    worker = assembly.worker()
    until(lambda: '"kafka"' in assembly.log() and "waiting" in assembly.log(), 30, "the worker says what it waits for")
    until(lambda: assembly.status(assembly.ports[-1], "livez") == 200, 10, "the worker lives")
    assert assembly.status(assembly.ports[-1], "readyz") == 503
    assert worker.poll() is None
    assert "AuthenticationFailed" in assembly.log()
    assert WRONG not in assembly.log()
