"""A whole Calends on real parts: the sandbox and the workers are processes, the broker and the ledger are given.

Everything is counted at the sandbox, never in the worker.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ECAL = {"api_key": "test-key", "api_secret": "test-secret"}
CALREPLY = {"client_id": "test-client", "client_secret": "test-client-secret"}
APPTOTO = {"user": "user@example.com", "api_key": "test-key"}
WEBHOOK = {"webhook_secret": "test-webhook-secret"}
PRO, GROUP = "add_to_calendar_pro", "803a96ac-aaaa-2222-bbbb-6fb191041543"
SECRETS: Mapping[str, Mapping[str, str]] = {
    "ecal": ECAL,
    "calreply": CALREPLY,
    "apptoto": APPTOTO,
    PRO: {"api_key": "test-key"},
}
SIMULATED: Mapping[str, Mapping[str, Any]] = {
    "ecal": {},
    "calreply": {"account_code": "acme", "api": "rokt"},
    "apptoto": {"calendars": ["Acme"]},
    PRO: {"groups": [GROUP]},
}
DESTINATIONS: Mapping[str, Mapping[str, Any]] = {
    "ecal": {},
    "calreply": {"options": {"account_code": "acme", "api": "rokt"}},
    "apptoto": {"defaults": {"collection": "Acme"}},
    PRO: {"defaults": {"collection": GROUP}},
}
"""Of each vendor: its credential, what its simulator is told, and what a destination there must say."""
ENVIRONMENT = {f"TEST_{name.upper()}": value for name, value in (ECAL | CALREPLY | APPTOTO | WEBHOOK).items()}

PERSON = "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3"
"""A GUID, as CalReply wants; ECAL takes it too."""

CLOUDEVENTS: dict[str, str | bytes | None] = {"content-type": "application/cloudevents+json"}

APPOINTMENT = """
rules:
  - name: appointment
    from: [appointments]
    on: appointment.made
    send:
      - to: {to}
        key: "{{{{ data.key }}}}"
        identity: "{{{{ data.person }}}}"
        entry:
          title: "{{{{ data.title }}}}"
          location: Online
          start: "{{{{ data.start }}}}"
          time_zone: Europe/Paris
          end: "{{{{ data.end }}}}"
  - name: appointment-cancelled
    from: [appointments]
    on: appointment.cancelled
    send: [{{to: {cancels}, key: "{{{{ data.key }}}}", cancel: true}}]
"""


def appointment(key: str, title: str, *, at: float | None = None, person: str = PERSON, kind: str = "made") -> bytes:
    """A structured CloudEvent; `at` is its time in seconds since 1970."""
    moment = time.time() if at is None else at
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e6):06d}Z"
    data = {"key": key, "title": title, "person": person, "start": "2027-03-01T09:00:00", "end": "2027-03-01T10:00:00"}
    event = {"specversion": "1.0", "id": f"{key}-{title}", "source": "/tests", "type": f"appointment.{kind}"}
    return json.dumps(event | {"time": stamp, "data": data}).encode()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Waits for the condition; the seconds it took. Fails with `what` when the time is up."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started


class Sandbox:
    """The simulated vendors, as a process."""

    def __init__(self, folder: Path, accounts: Sequence[Mapping[str, Any]]) -> None:
        config = folder / "accounts.json"
        config.write_text(json.dumps({"accounts": accounts}))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.sandbox", "--port", "0", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=(folder / "sandbox.log").open("ab"),
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = line.rsplit(" ", 1)[-1].strip()
        assert self.url.startswith("http"), f"the sandbox said {line!r}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def counters(self, account: str) -> dict[str, Any]:
        return dict(self.get("/_counters")[account])

    def entries(self, account: str) -> list[dict[str, Any]]:
        return list(self.get(f"/_entries?account={account}"))

    def judge(self, account: str) -> dict[str, Any]:
        return dict(self.get(f"/_judge?account={account}"))

    def arrivals(self, account: str, since: float = 0.0) -> list[list[Any]]:
        return list(self.get(f"/_arrivals?account={account}&since={since}"))

    def fault(self, account: str, **faults: Any) -> None:
        body = json.dumps({"account": account, **faults}).encode()
        request = urllib.request.Request(self.url + "/_faults", data=body, method="POST")
        urllib.request.urlopen(request, timeout=30).read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def simulated(vendor: str, **more: Any) -> dict[str, Any]:
    """An account at the sandbox, named after its vendor; `config` adds to what the simulator is told."""
    config = {**SECRETS[vendor], **SIMULATED[vendor], **more.get("config", {})}
    return {"name": vendor, "vendor": vendor, **more, "config": config}


def account(sandbox: Sandbox, vendor: str, *windows: tuple[int, float], **more: Any) -> dict[str, Any]:
    """That account in the settings, with a quota of so many calls in so many seconds."""
    return {
        "vendor": vendor,
        "base_url": f"{sandbox.url}/{vendor}/{vendor}",
        "credential": {name: {"env": f"TEST_{name.upper()}"} for name in SECRETS[vendor]},
        "quota": [{"calls": calls, "per": f"{seconds:g}s"} for calls, seconds in windows],
        "timeout": "5s",
        "settle_time": "1s",
        **more,
    }


def destinations(*vendors: str) -> dict[str, Any]:
    """One of each, in the settings."""
    return {vendor: {"account": vendor, **DESTINATIONS[vendor]} for vendor in vendors}


def surroundings(bootstrap: str, folder: Path) -> dict[str, str]:
    """What a configuration of `configs/` is told to run here as it stands: a broker, a ledger and a port."""
    return {
        "CALENDS_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "CALENDS_LEDGER__URL": f"sqlite:///{folder}/ledger.db",
        "CALENDS_ADMIN__PORT": str(free_port()),
    }


@contextmanager
def running(file: Path, environment: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on these settings as a process, killed at the end; its log is in the folder."""
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "run", "-c", str(file)],
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def publish(bootstrap: str, topic: str, *values: bytes) -> None:
    """CloudEvents in structured mode, all acknowledged when it returns."""
    with Producer({"bootstrap.servers": bootstrap}) as producer:
        for value in values:
            producer.produce(topic, value, headers=CLOUDEVENTS)
        assert producer.flush(30) == 0


@dataclass
class Assembly:
    folder: Path
    bootstrap: str
    ledger: str
    embedded: bool
    suffix: str
    sandbox: Sandbox = field(init=False)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    _producer: Producer | None = None

    # parts ---------------------------------------------------------------------------------------------------------

    def topic(self, name: str) -> str:
        return f"{name}{self.suffix}"

    def start(
        self,
        *,
        ecal: Mapping[str, Any] | None = None,
        calreply: Mapping[str, Any] | None = None,
        quota: tuple[int, float] = (2000, 1.0),
        concurrency: int | None = 32,
        rules: str = APPOINTMENT,
        partitions: int = 12,
        extra: Mapping[str, Any] | None = None,
        sandbox: Any = None,
    ) -> None:
        """The sandbox with two accounts, or what stands in its place, and the configuration of the workers."""
        told = {"ecal": ecal or {}, "calreply": calreply or {}}
        self.sandbox = sandbox or Sandbox(self.folder, [simulated(vendor, **more) for vendor, more in told.items()])
        accounts = {vendor: account(self.sandbox, vendor, quota, concurrency=concurrency) for vendor in told}
        self.configure(accounts, rules, extra or {})
        self.make_topics([self.topic("appointments"), self.topic("dead-letters")], partitions)

    def configure(
        self, accounts: Mapping[str, Any], rules: str = APPOINTMENT, extra: Mapping[str, Any] | None = None
    ) -> None:
        """The settings with a destination for each of these accounts, and rules that send to all of them."""
        settings = {
            "kafka": {
                "bootstrap_servers": self.bootstrap,
                "group_id": f"calends{self.suffix}",
                "dead_letter_topic": self.topic("dead-letters"),
            },
            "ledger": {"url": self.ledger},
            "accounts": accounts,
            "destinations": destinations(*accounts),
            "rules": "rules.yaml",
            **(extra or {}),
        }
        (self.folder / "calends.yaml").write_text(json.dumps(settings))
        to = f"[{', '.join(accounts)}]"
        text = rules.format(to=to, cancels=to).replace("[appointments]", f"[{self.topic('appointments')}]")
        (self.folder / "rules.yaml").write_text(text)

    def make_topics(self, topics: Sequence[str], partitions: int) -> None:
        if self.embedded:
            return
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        made = admin.create_topics([NewTopic(name, partitions, 1) for name in topics])
        for future in made.values():
            future.result(30)

    def calends(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments, "-c", str(self.folder / "calends.yaml")],
            env=os.environ | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def start_calends(self, *arguments: str) -> subprocess.Popen[str]:
        """A command as a process that is not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *arguments, "-c", str(self.folder / "calends.yaml")],
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "command.log").open("wb"),
            text=True,
        )

    def worker(self) -> subprocess.Popen[bytes]:
        """One worker more, as a process; its log is in the folder."""
        return self._process("run")

    def receiver(self) -> str:
        """The receiver of webhooks, as a process among the workers; its address."""
        port = free_port()
        self._process("webhooks", "--port", str(port))
        self.ready()
        return f"http://127.0.0.1:{port}"

    def _process(self, *arguments: str) -> subprocess.Popen[bytes]:
        port = free_port()
        number = len(self.workers)
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *arguments, "-c", str(self.folder / "calends.yaml")],
            env=os.environ | ENVIRONMENT | {"CALENDS_ADMIN__PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"worker-{number}.log").open("wb"),
        )
        self.workers.append(process)
        self.ports.append(port)
        return process

    def ready(self, number: int = -1, seconds: float = 30.0) -> None:
        until(lambda: self.status(self.ports[number], "readyz") == 200, seconds, f"worker {number} is ready")

    @staticmethod
    def status(port: int, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)
        except OSError:
            return 0

    def metrics(self, number: int = -1) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[number]}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def log(self, number: int = -1) -> str:
        return (self.folder / f"worker-{number % len(self.workers)}.log").read_text()

    # events --------------------------------------------------------------------------------------------------------

    def publish(
        self,
        events: Iterable[tuple[str, bytes | None]],
        headers: list[tuple[str, bytes]] | None = None,
        topic: str = "appointments",
    ) -> None:
        """(record key, value) pairs through librdkafka, all acknowledged when it returns."""
        if self._producer is None:
            self._producer = Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "linger.ms": 5})
        if headers is None:
            headers = [("content-type", b"application/cloudevents+json")]
        for key, value in events:
            self._producer.produce(self.topic(topic), value, key, headers=headers)
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def dead_letters(self, expected: int, seconds: float = 30.0) -> list[Any]:
        """The messages of the dead-letter topic, once there are that many."""
        return self.messages("dead-letters", expected, seconds)

    def messages(self, topic: str, expected: int, seconds: float = 30.0) -> list[Any]:
        """The messages of a topic, once there are that many; 0: all that come in that time."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"judge-{time.monotonic_ns()}",
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": True,
            }
        )
        topic = self.topic(topic)
        found: list[Any] = []
        deadline = time.monotonic() + seconds
        numbers: list[int] = []
        while not numbers and time.monotonic() < deadline:
            numbers = list(consumer.list_topics(topic, timeout=5).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        while time.monotonic() < deadline and (len(found) < expected or expected == 0):
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message)
        consumer.close()
        return found

    def converged(self, account: str, titles: Mapping[str, str]) -> bool:
        return {entry["key"]: entry["title"] for entry in self.sandbox.entries(account)} == dict(titles)

    def close_producer(self) -> None:
        """Before the broker goes: librdkafka would go on trying to reach it, and write of each try."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def close(self) -> None:
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.close_producer()
        if hasattr(self, "sandbox"):
            self.sandbox.close()
