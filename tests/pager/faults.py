"""What brings each alert about on workers that really run, and what ends it. Nothing here touches a metric."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.flow.assembly import until
from tests.pager.stage import LETTERS, TOPIC, Stage, rules
from tests.services.certificates import Authority

Act = Callable[[Stage], None]


@dataclass(frozen=True)
class Fault:
    alert: str
    begin: Act
    end: Act
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the alert that is expected."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What stands in the runbook's commands for the words in capitals."""
    codes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Beginning of a command: the exit codes it may have while the fault lasts; 0 unless said."""


def vendor(name: str, **faults: Any) -> Act:
    """The simulated vendor does wrong, from now on."""
    return lambda stage: stage.sandbox.fault(name, **faults)


def nothing(_stage: Stage) -> None:
    """It ends by itself, or by the runbook's own commands."""


def of(name: str, **more: str) -> dict[str, str]:
    return {"DESTINATION": name, "KEY": f"{name}-1", **more}


# one destination ---------------------------------------------------------------------------------------------------


def refuse_a_rule(stage: Stage) -> None:
    stage.sandbox.fault("strict", refuse_titles="^refused")
    stage.publish("strict", "refused", *range(30))


def refuse_an_entry(stage: Stage) -> None:
    stage.sandbox.fault("steady", refuse_titles="^refused")
    stage.publish("steady", "refused", 1000)


def spend(stage: Stage) -> None:
    stage.publish("credits", "spent", *range(19))


def buy(stage: Stage) -> None:
    stage.settings["accounts"]["credits"]["budget"]["credits"] = 1000
    stage.configure()
    stage.roll()


def certify(stage: Stage) -> None:
    """A client certificate that ends in a week."""
    Authority.make(stage.assembly.folder).issue(stage.certificate, datetime.now(UTC) + timedelta(days=7))
    stage.settings["kafka"]["ssl_certfile"] = str(stage.certificate)
    stage.configure()
    stage.roll()


def renew(stage: Stage) -> None:
    Authority.make(stage.assembly.folder).issue(stage.certificate, datetime.now(UTC) + timedelta(days=90))
    stage.roll()


def heap_up(stage: Stage) -> None:
    """A minute each, and all of them wanted now."""
    stage.publish("slow", "many", *range(600), start=time.time())


def widen(stage: Stage) -> None:
    stage.settings["accounts"]["slow"]["quota"] = [{"calls": 50, "per": "1s"}]
    stage.configure()
    stage.roll()


def exhaust(stage: Stage) -> None:
    stage.sandbox.fault("greedy", quota=[[1, 1]], retry_after="seconds")


def write_too_much(stage: Stage) -> None:
    shrink = (
        f"kafka-configs.sh --bootstrap-server BROKERS --alter --topic {LETTERS} --add-config max.message.bytes=20000"
    )
    assert stage.type(shrink).code == 0, stage.ran[-1]
    stage.produce("large", b"{" * 50_000)


LANES = (
    Fault(
        "CalendsLanePausedLong",
        lambda stage: stage.type("calends pause paused --reason trial").code and None,
        nothing,
        {"destination": "paused"},
        of("paused"),
    ),
    Fault("CalendsOutboxRefused", write_too_much, nothing, {"topic": LETTERS}, {}, {"kafka-acls.sh": (1,)}),
    Fault("CalendsLateFast", vendor("late", outage=True, for_seconds=60), nothing, {"destination": "late"}, of("late")),
    Fault("CalendsLateSlow", vendor("late", outage=True, for_seconds=60), nothing, {"destination": "late"}, of("late")),
    Fault(
        "CalendsLaneHeld",
        vendor("away", outage="closed"),
        vendor("away", outage=None),
        {"destination": "away", "reason": "failing"},
        of("away", PATH="/v1/events"),
        {"calends call": (1,)},
    ),
    Fault(
        "CalendsCredentialRefused",
        vendor("locked", revoked=True),
        vendor("locked", revoked=None),
        {"destination": "locked"},
        of("locked", PATH="/apiv2/calendar/"),
        {"calends call": (1,)},
    ),
    Fault(
        "CalendsTokenRefused",
        vendor("tokens", token_outage=True),
        vendor("tokens", token_outage=None),
        {"account": "tokens", "reason": "unreachable"},
        of("tokens", PATH="/v1/webcal/none"),
        {"calends call": (1, 3)},
    ),
    Fault(
        "CalendsRuleHeld",
        refuse_a_rule,
        vendor("strict", refuse_titles=None),
        {"destination": "strict", "rule": "strict"},
        of("strict", RULE="strict"),
    ),
    Fault(
        "CalendsDeadLetters",
        refuse_an_entry,
        vendor("steady", refuse_titles=None),
        {"stage": "send"},
        of("steady"),
    ),
    Fault("CalendsBudgetNearlySpent", spend, buy, {"account": "credits"}, of("credits")),
    Fault("CalendsCertificateEnds", certify, renew, {"setting": "kafka.ssl_certfile"}),
    Fault("CalendsNotDrained", heap_up, widen, {"destination": "slow"}, of("slow")),
    Fault(
        "CalendsQuotaTooHigh",
        exhaust,
        vendor("greedy", quota=None),
        {"account": "greedy"},
        of("greedy", VENDOR="ecal"),
    ),
)


# what all share ----------------------------------------------------------------------------------------------------


def ask_for_a_schema(stage: Stage) -> None:
    """A record of a schema that no worker has met, and nobody to ask."""
    number = stage.registry.add("JSON", {"type": "object", "title": "unmet"}, subject="unmet")
    stage.registry.close()
    stage.produce("framed", b"\0" + number.to_bytes(4, "big") + b"{}", framed=True)


class Locked:
    """Somebody's transaction, left open."""

    connection: psycopg.Connection | None = None

    def begin(self, stage: Stage) -> None:
        self.connection = psycopg.connect(stage.assembly.ledger)
        self.connection.execute("lock table offsets in exclusive mode")

    def end(self, _stage: Stage) -> None:
        assert self.connection is not None
        self.connection.close()


def read_elsewhere(stage: Stage) -> None:
    stage.write_rules(rules("nobody-made-this-topic"))


def write_wrong_rules(stage: Stage) -> None:
    stage.write_rules(rules(TOPIC).replace('"start":', '"strat":'))


def write_right_rules(stage: Stage) -> None:
    stage.write_rules(rules(TOPIC))


def start_two(stage: Stage) -> None:
    for _ in range(2):
        stage.start_worker()


LOCKED = Locked()
PARTS = (
    Fault(
        "CalendsLedgerUnreachable",
        lambda stage: stage.postgres.kill(),
        lambda stage: stage.postgres.start(),
        codes={"calends status": (3,), "psql": (2,)},
    ),
    Fault(
        "CalendsKafkaUnreachable",
        lambda stage: stage.kafka.kill(),
        lambda stage: stage.kafka.restart(),
        codes={"timeout 10 kafka-topics.sh": (124,)},
    ),
    Fault(
        "CalendsSchemaRegistryAway",
        ask_for_a_schema,
        lambda stage: stage.registry.open() and None,
        codes={"curl": (7,)},
    ),
    Fault("CalendsConsumerStuck", LOCKED.begin, LOCKED.end),
    Fault("CalendsNothingRead", read_elsewhere, write_right_rules),
    Fault("CalendsRulesNotTaken", write_wrong_rules, write_right_rules, codes={"calends check": (1,)}),
    Fault("CalendsAbsent", Stage.kill_workers, start_two, codes={"curl": (7,)}),
)


def letter(stage: Stage, destination: str) -> str:
    """The newest dead letter of a destination, once its record is in Kafka."""
    found: list[Any] = []

    def listed() -> bool:
        said = stage.type(f"calends dlq list --json --destination {destination}").said
        found[:] = json.loads(said) if said.startswith("[") else []
        return bool(found)

    until(listed, 30, f"a dead letter of {destination}")
    return str(found[-1]["letter"])
