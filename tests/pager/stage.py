"""Two workers on a Kafka, a PostgreSQL, a registry and vendors of their own, under a light load, and who watches them.

A destination for each thing that can go wrong with one, so that many can at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from confluent_kafka import Producer

from tests.flow.assembly import (
    APPTOTO,
    CALREPLY,
    CLOUDEVENTS,
    ECAL,
    PERSON,
    WEBHOOK,
    Assembly,
    Sandbox,
    appointment,
    until,
)
from tests.flow.test_inbound import notification, post
from tests.pager.runbook import Ran, kafka_tools, run
from tests.pager.watch import Watch
from tests.services import KafkaService, PostgresService, fresh_database, kafka, postgres
from tests.services.schema_registry import SchemaRegistry

TOPIC, LETTERS, INBOUND, GROUP = "appointments", "dead-letters", "inbound", "calends"
HOOK = f"/tokens/{WEBHOOK['webhook_secret']}"
PAGES = "add_to_calendar_pro"
SECRETS = {"ecal": ECAL, "calreply": CALREPLY, "apptoto": APPTOTO, PAGES: {"api_key": "test-key"}}
SIMULATED: dict[str, dict[str, Any]] = {
    "ecal": {},
    "calreply": {"account_code": "acme", "api": "rokt", "access_seconds": 10},
    "apptoto": {"calendars": ["Acme"]},
    PAGES: {"groups": ["acme-group"]},
}
SETTLED: dict[str, dict[str, Any]] = {
    "ecal": {},
    "calreply": {"options": {"account_code": "acme", "api": "rokt"}},
    "apptoto": {"defaults": {"collection": "Acme"}},
    PAGES: {"defaults": {"collection": "acme-group"}},
}
DESTINATIONS = {
    "steady": "ecal",
    "late": "ecal",
    "away": "apptoto",
    "locked": "ecal",
    "tokens": "calreply",
    "paused": "ecal",
    "strict": "ecal",
    "greedy": "ecal",
    "slow": "ecal",
    "credits": PAGES,
}
LOADED = ("steady", "late", "away", "locked", "tokens", "paused", "strict-good", "greedy")
KEYS = 400
"""Entries of each destination, which the load changes in turn: an entry that is changed anew while it waits is as fresh
as its newest event, and would never be late."""
EVERY = 0.5
"""Seconds between two events for a destination."""


def rules(topic: str) -> str:
    """One rule a destination, and a second one for `strict`."""
    return json.dumps({"rules": [_rule(topic, name) for name in (*DESTINATIONS, "strict-good")]})


def _rule(topic: str, name: str) -> dict[str, Any]:
    entry = {
        "title": "{{ data.title }}",
        "location": "Online",
        "start": "{{ data.start }}",
        "end": "{{ data.end }}",
        "time_zone": "Europe/Paris",
    }
    to = name.removesuffix("-good")
    sent = {"to": [to], "key": "{{ data.key }}", "identity": "{{ data.person }}", "entry": entry}
    return {"name": name, "from": [topic], "on": f"appointment.{name}", "send": [sent]}


class Load(threading.Thread):
    """Publishes until it is stopped; what Kafka does not take at once is kept by its client."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(daemon=True)
        self._stage, self._over = stage, threading.Event()

    def run(self) -> None:
        turn = 0
        while not self._over.wait(EVERY):
            turn += 1
            for name in (*LOADED, "nobody"):
                begins = time.time() if name == "late" else None  # nothing is late that has time
                self._stage.publish(name, f"turn {turn}", turn % KEYS, start=begins)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _soon(key: str, title: str, kind: str, start: float) -> bytes:
    event = json.loads(appointment(key, title, kind=kind))
    for name, at in (("start", start), ("end", start + 3600)):
        event["data"][name] = datetime.fromtimestamp(at, ZoneInfo("Europe/Paris")).strftime("%Y-%m-%dT%H:%M:00")
    return json.dumps(event).encode()


@dataclass
class Stage:
    assembly: Assembly
    kafka: KafkaService
    postgres: PostgresService
    registry: SchemaRegistry
    watch: Watch
    tools: Path
    producer: Producer
    settings: dict[str, Any] = field(default_factory=dict)
    ran: list[Ran] = field(default_factory=list)
    """What was typed so far, and what was said."""
    begun: dict[str, int] = field(default_factory=dict)
    """Alert → how much had been told when its fault began."""
    live: list[int] = field(default_factory=list)
    """Numbers of the workers that run."""

    @property
    def sandbox(self) -> Sandbox:
        return self.assembly.sandbox

    @property
    def certificate(self) -> Path:
        return self.assembly.folder / "client.pem"

    def configure(self) -> None:
        (self.assembly.folder / "calends.yaml").write_text(json.dumps(self.settings))

    def write_rules(self, text: str) -> None:
        (self.assembly.folder / "rules.yaml").write_text(text)

    def publish(self, kind: str, title: str, *numbers: int, start: float | None = None) -> None:
        """An event for each number's entry, which begins at `start` (seconds since 1970; next year unless said)."""
        for key in (f"{kind}-{n}" for n in numbers):
            self.produce(key, appointment(key, title, kind=kind) if start is None else _soon(key, title, kind, start))

    def produce(self, key: str, value: bytes, framed: bool = False) -> None:
        """Handed to Kafka's client, which goes on trying while Kafka is away."""
        self.producer.produce(TOPIC, value, key, headers={} if framed else CLOUDEVENTS)
        self.producer.poll(0)

    def start_worker(self) -> None:
        self.assembly.worker()
        self.assembly.ready(seconds=120)
        self.live.append(len(self.assembly.workers) - 1)
        self._scrape()

    def stop_worker(self) -> None:
        """The oldest, as a rolling update does."""
        number = self.live.pop(0)
        self._scrape()
        self.assembly.workers[number].terminate()
        assert self.assembly.workers[number].wait(60) == 0

    def kill_workers(self) -> None:
        for number in self.live:
            self.assembly.workers[number].kill()
        self.live.clear()

    def take_notices(self) -> None:
        """A receiver of webhooks takes notices, each twice, and refuses who does not know the secret."""
        hooked = self.settings["destinations"]["tokens"]
        hooked["webhook"] = {"secret": {"env": "TEST_WEBHOOK_SECRET"}}
        self.configure()
        address = self.assembly.receiver()
        del hooked["webhook"]
        self.configure()
        self.live.append(len(self.assembly.workers) - 1)
        self._scrape()
        for turn in range(4):
            time.sleep(4)  # two scrapes
            told = notification(f"n{turn}", "Subscribe", PERSON, subscriberExternalId=f"C{turn}")
            codes = [post(address, told, HOOK), post(address, told, HOOK), post(address, told, f"{HOOK}-wrong")]
            assert codes[:2] == [200, 200]
            assert codes[2] >= 400
        time.sleep(4)
        number = self.live.pop()
        self._scrape()
        self.assembly.workers[number].kill()

    def roll(self) -> None:
        """All workers anew, one by one, each once its successor is ready."""
        for _ in range(len(self.live)):
            self.start_worker()
            self.stop_worker()

    def _scrape(self) -> None:
        self.watch.scrape([self.assembly.ports[number] for number in self.live])

    def type(self, command: str, **values: str) -> Ran:
        """A command as in a runbook; its words in capitals are replaced."""
        shared = {
            "BROKERS": self.kafka.bootstrap,
            "GROUP": GROUP,
            "TOPIC": LETTERS,
            "CERTIFICATE": str(self.certificate),
            "REGISTRY": self.registry.url,
            "WORKER": "".join(f"127.0.0.1:{port}" for port in self.assembly.ports[-1:]),
        }
        told = {"CALENDS_CONFIG": str(self.assembly.folder / "calends.yaml"), "LEDGER_URL": self.assembly.ledger}
        self.ran.append(run(command, shared | values, told, self.tools))
        return self.ran[-1]


def _settings(assembly: Assembly, registry: SchemaRegistry) -> dict[str, Any]:
    def account(name: str, vendor: str) -> dict[str, Any]:
        return {
            "vendor": vendor,
            "base_url": f"{assembly.sandbox.url}/{vendor}/{name}",
            "credential": {secret: {"env": f"TEST_{secret.upper()}"} for secret in SECRETS[vendor]},
            "quota": [{"calls": 1 if name == "slow" else 20, "per": "1s"}],
            "timeout": "5s",
            "settle_time": "1s",
        }

    accounts = {name: account(name, vendor) for name, vendor in DESTINATIONS.items()}
    accounts["credits"]["budget"] = {"credits": 20, "per": "1h"}
    destinations = {name: {"account": name, **SETTLED[vendor]} for name, vendor in DESTINATIONS.items()}
    return {
        "kafka": {
            "bootstrap_servers": assembly.bootstrap,
            "group_id": GROUP,
            "dead_letter_topic": LETTERS,
            "inbound_topic": INBOUND,
            "schema_registry": {"url": registry.url},
        },
        "ledger": {"url": assembly.ledger},
        "accounts": accounts,
        "destinations": destinations,
        "rules": "rules.yaml",
    }


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Everything runs; the load too."""
    with ExitStack() as closing, pytest.MonkeyPatch.context() as patch:
        for name in ("CALENDS_TEST_KAFKA", "CALENDS_TEST_POSTGRES"):  # they will be killed
            patch.delenv(name, raising=False)
        for name, value in {
            f"TEST_{k.upper()}": v for one in (*SECRETS.values(), WEBHOOK) for k, v in one.items()
        }.items():
            patch.setenv(name, value)
        broker, database = closing.enter_context(kafka()), closing.enter_context(postgres())
        registry = SchemaRegistry().open()
        closing.callback(registry.close)
        made = Assembly(folder, broker.bootstrap, fresh_database(database), False, "")
        closing.callback(made.close)
        accounts = [
            {"name": name, "vendor": vendor, "config": SECRETS[vendor] | SIMULATED[vendor]}
            for name, vendor in DESTINATIONS.items()
        ]
        made.sandbox = Sandbox(folder, accounts)
        watch = Watch(folder)
        closing.callback(watch.close)
        producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all", "log_level": 0})
        tools = kafka_tools(folder / "tools")
        on = Stage(made, broker, database, registry, watch, tools, producer, _settings(made, registry))
        on.configure()
        on.write_rules(rules(TOPIC))
        made.make_topics([TOPIC, LETTERS, INBOUND], 6)
        assert on.type("calends migrate").code == 0, on.ran[-1]
        for _ in range(2):
            on.start_worker()
        load = Load(on)
        load.start()
        closing.callback(load.stop)
        watch.start()
        until(lambda: watch.query("count(calends_build_info) == 2") != [], 60, "both workers are seen")
        until(lambda: watch.firing() == [], 60, "what fired before the first scrapes is over")
        watch.webhook.told.clear()
        yield on
