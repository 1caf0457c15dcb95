"""Kafka in KRaft mode: each broker is its own process and its own controller; all of them vote."""

import base64
import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from uuid import uuid4

from tests.services.certificates import Authority
from tests.services.java import KAFKA, kafka_jars
from tests.services.processes import (
    Container,
    NotOurs,
    Process,
    Server,
    ServiceUnavailable,
    docker_answers,
    free_ports,
    wait_until,
    work_folder,
)

IMAGE = f"apache/kafka:{KAFKA}"
STARTED = "Kafka Server started"
JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# The last broker of a cluster has no quorum left to say goodbye to, and would wait for one.
PATIENCE = 8
USERNAME, PASSWORD = "alice", "alice-secret"
LISTENERS = ("PLAINTEXT", "CONTROLLER", "SASL_PLAINTEXT", "SASL_SSL")
PROXIED = "PROXIED"

LOG4J = """<Configuration status="ERROR">
  <Appenders><Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


@dataclass(frozen=True)
class SaslListeners:
    """PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, each with the same one user; addresses are `host:port,...`."""

    plaintext: str
    ssl: str
    ca_file: Path
    username: str = USERNAME
    password: str = PASSWORD


@dataclass
class KafkaService:
    """`bootstrap` takes PLAINTEXT. A broker is named by its number from 1; without one, all are meant."""

    bootstrap: str
    sasl: SaslListeners | None = None
    folder: Path | None = None
    servers: Sequence[Server] = ()
    proxied: Sequence[int] = ()
    """The ports, broker by broker, to which a proxy of the caller's leads its clients."""

    def kill(self, broker: int | None = None) -> None:
        for server in self._of(broker):
            server.kill()

    def freeze(self, broker: int | None = None) -> None:
        for server in self._of(broker):
            server.freeze()

    def thaw(self, broker: int | None = None) -> None:
        for server in self._of(broker):
            server.thaw()

    def restart(self, broker: int | None = None) -> None:
        """Stop what still runs, start again on the same data and ports, return when it serves."""
        servers = self._of(broker)
        for server in servers:
            server.stop()
        self.start(servers)

    def start(self, servers: Sequence[Server]) -> None:
        told = {id(server): server.log.stat().st_size if server.log.exists() else 0 for server in servers}
        for server in servers:
            server.start()
        for server in servers:
            wait_until(lambda server=server: _started(server.log, told[id(server)]), server, "Kafka")

    def _of(self, broker: int | None) -> Sequence[Server]:
        if not self.servers:
            raise NotOurs("this Kafka was named by CALENDS_TEST_KAFKA; unset it to run what stops and kills brokers")
        return self.servers if broker is None else [self.servers[broker - 1]]


@contextlib.contextmanager
def kafka(brokers: int = 1, sasl: bool = False, through: Sequence[int] = ()) -> Iterator[KafkaService]:
    """A cluster of `brokers`, empty, gone at the end. Only the plain one broker may be the caller's own.

    `through`: the ports of the caller's proxies, one a broker. Who bootstraps by them is kept on them.
    """
    named = os.environ.get("CALENDS_TEST_KAFKA")
    if named and brokers == 1 and not sasl and not through:
        _reach(named)
        yield KafkaService(named)
        return
    with work_folder("kafka") as folder:
        service = _prepare(folder, brokers, sasl, through)
        try:
            service.start(service.servers)
            yield service
        finally:
            for server in service.servers:
                server.kill()
                if isinstance(server, Container):
                    server.remove()


def _prepare(folder: Path, brokers: int, sasl: bool, through: Sequence[int]) -> KafkaService:
    names = [*(LISTENERS if sasl else LISTENERS[:2]), *([PROXIED] if through else [])]
    flat = iter(free_ports(brokers * len(names)))
    ports = [{name: next(flat) for name in names} for _ in range(brokers)]
    (folder / "log4j2.xml").write_text(LOG4J)
    if sasl:
        Authority.make(folder).issue(folder / "server.pem")
    cluster = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
    told = [own | ({PROXIED: port} if port else {}) for own, port in zip_longest(ports, through)]
    servers = [_broker(folder, node, ports, told[node - 1], cluster, sasl) for node in range(1, brokers + 1)]
    return KafkaService(
        bootstrap=_addresses(ports, "PLAINTEXT"),
        sasl=SaslListeners(_addresses(ports, "SASL_PLAINTEXT"), _addresses(ports, "SASL_SSL"), folder / "ca.pem")
        if sasl
        else None,
        folder=folder,
        servers=servers,
        proxied=[own[PROXIED] for own in ports] if through else (),
    )


def _broker(
    folder: Path, node: int, ports: list[dict[str, int]], told: dict[str, int], cluster: str, sasl: bool
) -> Server:
    properties = folder / f"broker-{node}.properties"
    properties.write_text(_properties(folder, node, ports, told, sasl))
    log = folder / f"broker-{node}.log"
    config = f"-Dlog4j2.configurationFile={folder}/log4j2.xml"
    scram = [f"SCRAM-SHA-{bits}=[name={USERNAME},password={PASSWORD}]" for bits in (256, 512)] if sasl else []
    # With a space between, one name in 64 begins with what an option begins with.
    form = [
        "format",
        f"--cluster-id={cluster}",
        "-c",
        str(properties),
        *(word for s in scram for word in ("--add-scram", s)),
    ]
    if docker_answers():
        libs = "/opt/kafka/libs/*"
        both = f'java {config} -cp "{libs}" kafka.tools.StorageTool "$@" --ignore-formatted && ' + (
            f'exec java {config} {" ".join(JVM)} -cp "{libs}" kafka.Kafka {properties}'
        )
        return Container(IMAGE, ["sh", "-c", both, "sh", *form], log, folder=folder)
    jars = kafka_jars()
    done = subprocess.run(
        jars.command("kafka.tools.StorageTool", *form, options=(*JVM, config)), capture_output=True, text=True
    )
    if done.returncode != 0:
        raise ServiceUnavailable(f"Kafka for tests: its storage cannot be formatted: {done.stdout}{done.stderr}")
    return Process(jars.command("kafka.Kafka", str(properties), options=(*JVM, config)), log, patience=PATIENCE)


def _properties(folder: Path, node: int, ports: list[dict[str, int]], told: dict[str, int], sasl: bool) -> str:
    own = ports[node - 1]
    copies, in_sync = min(3, len(ports)), min(2, len(ports))
    durable = {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }
    settings = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{p['CONTROLLER']}" for n, p in enumerate(ports, 1)),
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in own.items()),
        "advertised.listeners": ",".join(f"{n}://127.0.0.1:{p}" for n, p in told.items() if n != "CONTROLLER"),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            f"{n}:{'PLAINTEXT' if n in ('CONTROLLER', PROXIED) else n}" for n in own
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": folder / f"data-{node}",
        # Behind a proxy stand whole fleets that start at once: they join in one go.
        "group.initial.rebalance.delay.ms": 1000 if PROXIED in own else 0,
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 8,
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,  # a killed broker's partitions find a new leader this soon
    }
    return "".join(
        f"{key}={value}\n" for key, value in (settings | durable | (_security(folder) if sasl else {})).items()
    )


def _security(folder: Path) -> dict[str, object]:
    plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USERNAME}="{PASSWORD}";'
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    modules = {"plain": plain, "scram-sha-256": scram, "scram-sha-512": scram}
    logins = {
        f"listener.name.{listener}.{mechanism}.sasl.jaas.config": module
        for listener in ("sasl_plaintext", "sasl_ssl")
        for mechanism, module in modules.items()
    }
    return logins | {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder / "server.pem",
    }


def _addresses(ports: list[dict[str, int]], listener: str) -> str:
    return ",".join(f"127.0.0.1:{own[listener]}" for own in ports)


def _started(log: Path, since: int) -> bool:
    with log.open("rb") as lines:
        lines.seek(since)
        return STARTED.encode() in lines.read()


def _reach(bootstrap: str) -> None:
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError) as error:
        raise ServiceUnavailable(f"CALENDS_TEST_KAFKA={bootstrap}: nobody answers there ({error})") from None
