"""One round's own parts: a sandbox, topics, an empty ledger, the configuration, and the workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.chaos import spent
from tests.chaos.ground import CLOCK, Child, Ground
from tests.chaos.links import Departure, Link
from tests.chaos.observation import Stop
from tests.chaos.plan import SETTLE_TIME, Plan
from tests.chaos.story import REFUSED, headers_of
from tests.services import KafkaService
from tests.services.processes import free_ports

PARTITIONS = {"meetings": 6, "people": 2, "dead-letters": 1}
GRACE = 4.0
TIMEOUT = 1.0
"""Seconds, of a call."""
SECRETS = {
    "CHAOS_API_KEY": "planted-api-key-5TqW",
    "CHAOS_API_SECRET": "planted-api-secret-8ZrB",
    "CHAOS_CLIENT": "planted-client-2LmX",
    "CHAOS_CLIENT_SECRET": "planted-client-secret-4VcN",
    "CHAOS_USER": "planted-user@calends.example",
}
VENDORS = {"ecal": "ecal", "calreply": "calreply", "apptoto": "apptoto", "pages": "add_to_calendar_pro"}
CREDENTIALS = {
    "ecal": {"api_key": "CHAOS_API_KEY", "api_secret": "CHAOS_API_SECRET"},
    "calreply": {"client_id": "CHAOS_CLIENT", "client_secret": "CHAOS_CLIENT_SECRET"},
    "apptoto": {"user": "CHAOS_USER", "api_key": "CHAOS_API_KEY"},
    "pages": {"api_key": "CHAOS_API_KEY"},
}
SIMULATED: Mapping[str, Mapping[str, Any]] = {
    "ecal": {},
    "calreply": {"account_code": "acme", "api": "rokt", "apply_delay": 0.3},
    "apptoto": {"calendars": ["Acme"]},
    "pages": {"groups": ["acme-group"]},
}
DESTINATIONS: Mapping[str, Mapping[str, Any]] = {
    "ecal": {},
    "calreply": {"options": {"account_code": "acme", "api": "rokt"}},
    "apptoto": {"defaults": {"collection": "Acme"}},
    "pages": {"defaults": {"collection": "acme-group"}},
}


def rules(destinations: Sequence[str], topics: Mapping[str, str]) -> list[dict[str, Any]]:
    """Pages can show a cancelled entry and so would keep it: there, a cancel is a delete."""
    to, keyed = list(destinations), {"key": "{{ data.key }}"}
    shown = [name for name in to if name == "pages"]
    ends: list[dict[str, Any]] = [{"to": [name for name in to if name not in shown], **keyed, "cancel": True}]
    ends += [{"to": shown, **keyed, "delete": True}] if shown else []
    entry = {
        "title": "{{ data.title }}",
        "location": "{{ data.place }}",
        "description": "{{ data.text }}",
        "start": "{{ data.start }}",
        "end": "{{ data.end }}",
        "time_zone": "Europe/Paris",
    }
    made = {"subscriber": "{{ data.person }}", "if_unlinked": "wait 30d", "entry": entry}
    expires = {"expires_at": "{{ data.expires | default(omit) }}"}

    def rule(kind: str, topic: str = "meetings", **what: Any) -> dict[str, Any]:
        return {"name": kind.replace(".", "-"), "from": [topics[topic]], "on": kind, **what}

    def linked(name: str) -> dict[str, Any]:
        link = {"destination": name, "subscriber": "{{ data.person }}", "identity": f"{{{{ data.{name} }}}}"}
        return rule("person.linked", "people", link=link) | {"name": f"linked-{name}"}

    return [
        rule("meeting.made", send=[{"to": to, **keyed, **made, **expires}]),
        rule("meeting.noted", send=[{"to": to, **keyed, "layer": "note", "entry": {"title": "{{ data.note }}"}}]),
        rule("meeting.cancelled", send=ends),
        rule("meeting.deleted", send=[{"to": to, **keyed, "delete": True}]),
        *(linked(name) for name in to if name in ("ecal", "calreply")),
    ]


LEDGER_AWAY = (psycopg.OperationalError, sqlite3.OperationalError)
Read = Callable[[str], list[tuple[Any, ...]]]


@dataclass
class Worker:
    number: int
    child: Child
    port: int
    rss_least: int = 0
    rss_most: int = 0


@dataclass
class Stage:
    ground: Ground
    plan: Plan
    folder: Path
    kafka: KafkaService
    links: Sequence[Link]
    """To Kafka, one a broker."""
    database: str
    suffix: str
    sandbox_port: int = 0
    workers: dict[int, Worker] = field(default_factory=dict)
    born: list[Worker] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)
    _sandbox: Child | None = None

    def topic(self, name: str) -> str:
        return f"{name}.{self.suffix}"

    async def set(self) -> None:
        self.folder.mkdir(parents=True)
        await asyncio.gather(self._start_sandbox(), asyncio.to_thread(self._make_topics))
        self.ground.vendor.target, self.ground.vendor.heard = self.sandbox_port, self.departures.append
        (self.folder / "calends.yaml").write_text(json.dumps(self._settings(), indent=1))
        for number in range(self.plan.workers):
            await self.start_worker(number)

    async def _start_sandbox(self) -> None:
        (self.sandbox_port,) = free_ports(1)
        accounts = [
            {
                "name": name,
                "vendor": VENDORS[name],
                "config": dict(SIMULATED[name]) | {key: SECRETS[env] for key, env in CREDENTIALS[name].items()},
                "quota": [list(window) for window in self.plan.windows(name)],
                "faults": {"refuse_titles": REFUSED},
            }
            for name in self.plan.destinations
        ]
        config = self.folder / "accounts.json"
        config.write_text(json.dumps({"seed": self.plan.seed, "accounts": accounts}))
        argv = ["pipeline.sandbox.__main__", "--port", str(self.sandbox_port), "--config", str(config)]
        self._sandbox = await self.ground.nursery.spawn(argv, {}, self.folder / "sandbox.log")
        await until(lambda: self._answers(self.sandbox_port, "/_counters"), 20, "the sandbox answers")

    def _make_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        topics = [NewTopic(self.topic(name), count, -1) for name, count in PARTITIONS.items()]
        for future in admin.create_topics(topics).values():
            future.result(30)

    def _settings(self) -> dict[str, Any]:
        def account(name: str) -> dict[str, Any]:
            return {
                "vendor": VENDORS[name],
                "base_url": f"http://127.0.0.1:{self.ground.vendor.port}/{VENDORS[name]}/{name}",
                "credential": {key: {"env": env} for key, env in CREDENTIALS[name].items()},
                "quota": [{"calls": calls, "per": f"{per:g}s"} for calls, per in self.plan.windows(name)],
                "concurrency": 12,
                "timeout": f"{TIMEOUT:g}s",
                "settle_time": f"{SETTLE_TIME:g}s",
            }

        names = self.plan.destinations
        return {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap,
                "group_id": f"calends.{self.suffix}",
                "dead_letter_topic": self.topic("dead-letters"),
            },
            "ledger": {"url": self._ledger()},
            "layers": ["note"],
            "accounts": {name: account(name) for name in names},
            "destinations": {name: {"account": name, **DESTINATIONS[name]} for name in names},
            "rules": rules(names, {name: self.topic(name) for name in ("meetings", "people")}),
            "grace_period": f"{GRACE:g}s",
        }

    def _lines(self, worker: int) -> dict[str, str]:
        """Where this worker finds Kafka and the ledger: a line that no fault of this round hurts has nobody in it."""
        lines = {}
        if self.plan.hurts_the_line(worker, "kafka"):
            lines["CALENDS_KAFKA__BOOTSTRAP_SERVERS"] = ",".join(f"127.0.0.1:{link.port}" for link in self.links)
        if self.plan.hurts_the_line(worker, "ledger"):
            lines["CALENDS_LEDGER__URL"] = self.ground.url(self.database, by_link=True)
        return lines

    def _ledger(self) -> str:
        if self.plan.shape == "sqlite":
            return f"sqlite:///{self.folder}/ledger.db"
        return self.ground.url(self.database)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Read]:
        """The ledger, by its own port or file. Raises one of LEDGER_AWAY."""
        if self.plan.shape == "sqlite":
            with contextlib.closing(sqlite3.connect(f"file:{self.folder}/ledger.db?mode=ro", uri=True)) as file:
                yield lambda query: file.execute(query).fetchall()
            return
        url = self.ground.url(self.database)
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            yield lambda query: connection.execute(query.encode(), prepare=True).fetchall()

    @property
    def clock(self) -> str:
        """The database's clock, in SQL: seconds since 1970."""
        return "(julianday('now') - 2440587.5) * 86400.0" if self.plan.shape == "sqlite" else CLOCK

    def count_attempts(self) -> None:
        """In a file that the worker has made; what other ledgers are made from counts them already."""
        if self.plan.shape == "sqlite":
            with contextlib.closing(sqlite3.connect(f"{self.folder}/ledger.db", timeout=30)) as file:
                for statement in spent.sqlite(self.clock):
                    file.execute(statement)

    async def start_worker(self, number: int) -> Worker:
        (port,) = free_ports(1)
        argv = ["pipeline.cli", "run", "-c", str(self.folder / "calends.yaml")]
        log = self.folder / f"worker-{number}.log"
        clock = self.plan.clock if number == self.plan.workers - 1 else 0.0
        env = SECRETS | {"CALENDS_ADMIN__PORT": str(port)} | self._lines(number)
        child = await self.ground.nursery.spawn(argv, env, log, clock)
        worker = self.workers[number] = Worker(number, child, port)
        self.born.append(worker)
        return worker

    def pids(self, who: str) -> frozenset[int] | None:
        return None if who == "all" else frozenset({self.workers[int(who)].child.pid})

    @staticmethod
    def _answers(port: int, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def begun(self) -> bool:
        """Whether every worker is ready: faults are to hit what works. Raises RuntimeError once all have ended."""
        if all(worker.child.ended.done() for worker in self.born):
            raise RuntimeError(f"every worker ended: {self.born[0].child.log.read_text()[-300:]}")
        return all(self._answers(worker.port, "/readyz") for worker in self.born)

    def metrics(self, worker: Worker) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    # the vendor, by its own port

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.sandbox_port}{path}", timeout=30) as answer:
            return json.load(answer)

    def fault(self, account: str, **faults: Any) -> None:
        body = json.dumps({"account": account, **faults}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.sandbox_port}/_faults", data=body, method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    # the end

    async def stop_worker(self, worker: Worker) -> Stop:
        """SIGTERM; waits until it has ended, and kills it after 20 s."""
        at, began = time.time(), time.monotonic()
        worker.child.signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(worker.child.ended)), 20)
        except TimeoutError:
            code = await self.kill(worker.child)
        return Stop(at, time.monotonic() - began, code)

    async def command(self, *arguments: str, seconds: float = 60.0) -> int:
        """`calends` with these arguments on the round's configuration; its exit code. Raises TimeoutError."""
        argv = ["pipeline.cli", *arguments, "-c", str(self.folder / "calends.yaml")]
        child = await self.ground.nursery.spawn(argv, SECRETS, self.folder / "commands.log")
        return await asyncio.wait_for(asyncio.wrap_future(child.ended), seconds)

    async def kill(self, child: Child) -> int:
        child.signal(signal.SIGKILL)
        return await asyncio.wrap_future(child.ended)

    async def strike(self) -> None:
        """Takes everything down that belongs to this round alone."""
        children = [worker.child for worker in self.born] + ([self._sandbox] if self._sandbox else [])
        for child in children:
            if not child.ended.done():
                await self.kill(child)
        self.ground.vendor.heard = None
        await asyncio.to_thread(self._clear)

    def _clear(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        topics = [self.topic(name) for name in PARTITIONS]
        for future in admin.delete_topics(topics).values():
            future.exception(30)
        self.ground.drop(self.database)


async def until(condition: Any, seconds: float, what: str, every: float = 0.05) -> float:
    """Waits for what is asked in a thread; the seconds it took. Raises TimeoutError, which says what for."""
    began = time.monotonic()
    while not await asyncio.to_thread(condition):
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(every)
    return time.monotonic() - began


# Kafka --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Produced:
    """A record as Kafka acknowledged it."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes


@dataclass
class Publisher:
    """One producer for the round's events, idempotent: what is in the log is what was published, once."""

    stage: Stage
    base: float
    produced: list[Produced] = field(default_factory=list)
    done: Future[None] = field(default_factory=Future)

    def run(self) -> None:
        """In a thread of its own; ends when all is acknowledged."""
        try:
            self._run()
            self.done.set_result(None)
        except BaseException as error:
            self.done.set_exception(error)

    def _run(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self.stage.kafka.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 120_000,
                "log_level": 0,
            }
        )
        for event in self.stage.plan.events:
            while (left := self.base + event.at - time.time()) > 0:
                producer.poll(min(left, 0.05))
            value = event.value(self.base)
            producer.produce(
                self.stage.topic(event.topic),
                value,
                event.key,
                headers=[*headers_of(value)],
                on_delivery=self._delivered,
            )
            producer.poll(0)
        if producer.flush(120):
            raise TimeoutError("Kafka did not acknowledge all events")

    def _delivered(self, error: Any, message: Message) -> None:
        if error is not None:
            raise RuntimeError(f"an event was not taken: {error}")
        at = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
        self.produced.append(Produced(*at, message.key() or b"", message.value() or b""))


def read_all(bootstrap: str, topic: str) -> list[Message]:
    """Every record of a topic, from its beginning to its present end."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False})
    try:
        numbers = consumer.list_topics(topic, 20).topics[topic].partitions
        ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), 20)[1] for number in numbers}
        consumer.assign([TopicPartition(topic, number, 0) for number, end in ends.items() if end])
        found: list[Message] = []
        left, deadline = sum(ends.values()), time.monotonic() + 20
        while len(found) < left and time.monotonic() < deadline:
            found += [each for each in consumer.consume(min(500, left - len(found)), 0.5) if each.error() is None]
        return found
    finally:
        consumer.close()
