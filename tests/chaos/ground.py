"""What stays up between rounds: Kafka, PostgreSQL, the nursery of processes, and the network between all of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from tests.chaos import spent
from tests.chaos.links import Link
from tests.services import KafkaService, PostgresService, kafka, postgres
from tests.services.processes import free_ports

TEMPLATE = "chaos_template"
CLOCK = "extract(epoch from clock_timestamp())::float8"
"""PostgreSQL's clock, in SQL: seconds since 1970."""


@dataclass
class Child:
    """A process of the nursery's. `ended` gets its exit code."""

    pid: int
    log: Path
    ended: Future[int] = field(default_factory=Future)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if not self.ended.done():
                os.kill(self.pid, number)


class Nursery:
    """Starts real processes of ours. See `tests.chaos.nursery`."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._children: dict[int, Child] = {}
        self._born: Future[int] = Future()
        self._ready: Future[None] = Future()
        self._asking = threading.Lock()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.nursery", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=self._log, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        await asyncio.wrap_future(self._ready)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        early: dict[int, int] = {}
        async for line in self._process.stdout:
            match json.loads(line):
                case {"pid": pid}:
                    self._born.set_result(pid)
                case {"exited": pid, "code": code}:
                    child = self._children.pop(pid, None)
                    if child is None:
                        early[pid] = code
                    else:
                        child.ended.set_result(code)
                case _:
                    self._ready.set_result(None)
        if not self._ready.done():
            self._ready.set_exception(RuntimeError(f"the nursery ended: {self._last_words()}"))

    def _last_words(self) -> str:
        return Path(self._log.name).read_text()[-300:]

    async def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path, clock: float = 0.0) -> Child:
        """`clock`: seconds by which its wall clock is fast."""
        assert self._process.stdin is not None
        self._born = Future()
        asked = {"argv": argv, "env": env, "log": str(log), "clock": clock}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        pid = await asyncio.wrap_future(self._born)
        child = self._children[pid] = Child(pid, log)
        return child

    async def stop(self) -> None:
        self._reader.cancel()
        self._process.kill()
        await self._process.wait()
        self._log.close()


@dataclass
class Ground:
    """What all rounds share. Of Kafka, the cluster that the last round wanted: one that stands idle costs a round its
    CPU."""

    folder: Path
    nursery: Nursery
    postgres: PostgresService
    ledger: Link
    vendor: Link
    _cluster: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _kafka: tuple[KafkaService, Sequence[Link]] | None = None

    async def cluster(self, brokers: int) -> tuple[KafkaService, Sequence[Link]]:
        if self._kafka is None or len(self._kafka[1]) != brokers:
            await self.close_cluster()
            ports = free_ports(brokers)
            service = await asyncio.to_thread(self._cluster.enter_context, kafka(brokers, through=ports))
            links = [Link("kafka", port, target) for port, target in zip(ports, service.proxied, strict=True)]
            for link in links:
                await link.open()
            self._kafka = service, links
        return self._kafka

    async def close_cluster(self) -> None:
        for link in self._kafka[1] if self._kafka else ():
            link.close()
        self._kafka = None
        await asyncio.to_thread(self._cluster.close)

    def database(self) -> str:
        """A new database with an empty ledger; its name."""
        name = f"chaos_{uuid4().hex[:12]}"
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"create database {name} template {TEMPLATE}".encode())
        return name

    def url(self, name: str, by_link: bool = False) -> str:
        parts = urlsplit(self.postgres.url)
        port = self.ledger.port if by_link else parts.port
        return parts._replace(path=f"/{name}", netloc=f"postgres@127.0.0.1:{port}").geturl()

    def drop(self, name: str) -> None:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)".encode())

    async def prepare(self) -> None:
        """The template of the ledgers: migrated once, by the code under test."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE}".encode())
        await asyncio.to_thread(_migrate, self.url(TEMPLATE))
        with psycopg.connect(self.url(TEMPLATE), autocommit=True) as connection:
            for statement in spent.postgres(CLOCK):
                connection.execute(statement.encode())


def _migrate(url: str) -> None:
    from pipeline.ledger import Ledger

    ledger = Ledger(url, {}, {}, lambda facts: ())
    ledger.migrate()
    ledger.close()


@contextlib.asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Starts what every round needs; a cluster starts with the first round that wants it."""
    with contextlib.ExitStack() as closing:
        service = await asyncio.to_thread(closing.enter_context, _own(postgres()))
        ledger, vendor = (Link(name, port) for name, port in zip(("ledger", "vendor"), free_ports(2), strict=True))
        ledger.target = urlsplit(service.url).port or 0
        await ledger.open()
        await vendor.open()
        nursery = Nursery(folder / "nursery.log")
        await nursery.start()
        made = Ground(folder, nursery, service, ledger, vendor)
        await made.prepare()
        try:
            yield made
        finally:
            for link in (ledger, vendor):
                link.close()
            await nursery.stop()
            await made.close_cluster()


@contextlib.contextmanager
def _own(service: contextlib.AbstractContextManager[PostgresService]) -> Iterator[PostgresService]:
    """Never a PostgreSQL that the caller named: it will be killed."""
    named = os.environ.pop("CALENDS_TEST_POSTGRES", None)
    try:
        with service as started:
            yield started
    finally:
        if named is not None:
            os.environ["CALENDS_TEST_POSTGRES"] = named
