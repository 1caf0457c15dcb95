"""Starts the parts, publishes the sample events, watches until the vendors hold what they should."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from pipeline.calls import Caller
from pipeline.concurrency import Concurrency
from pipeline.demo.example import SECRETS, Example
from pipeline.demo.scenario import PAGES, Scenario, scenario
from pipeline.embedded import EmbeddedBroker
from pipeline.model.wire import Request, Response
from pipeline.stream import KafkaConfig, Producer
from pipeline.telemetry import Telemetry

HERE = Path(__file__).parent
DESTINATIONS = ("ecal", "calreply", "apptoto", "add_to_calendar_pro")
PIPE = asyncio.subprocess.PIPE
GIVE_UP = 60.0
"""Seconds after which a demo that has not converged says so."""


@dataclass(slots=True)
class Row:
    """One line of the table; counts but for `waiting`, `in_flight` and `saved` come from the sandbox."""

    destination: str
    waiting: int = 0
    in_flight: int = 0
    delivered: int = 0
    calls: int = 0
    saved: int = 0
    quota_used: float = 0.0
    oldest: float = 0.0
    missing: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class State:
    page: str
    events: int = 0
    rows: list[Row] = field(default_factory=list)
    seconds: float = 0.0
    ended: str | None = None
    """Why it cannot converge any more."""

    @property
    def converged(self) -> bool:
        return bool(self.rows) and all(row.missing == 0 and not row.wrong for row in self.rows)


async def demo(show: Callable[[State], None], stay: bool, example: Example | None = None) -> State:
    """Runs until converged (`stay`: until interrupted), or until it is clear that it will not."""
    with TemporaryDirectory(prefix="calends-demo-") as name:
        async with AsyncExitStack() as stack:
            return await _demo(Path(name), stack, show, stay, example)


async def _demo(
    folder: Path, stack: AsyncExitStack, show: Callable[[State], None], stay: bool, example: Example | None
) -> State:
    broker = EmbeddedBroker()
    stack.callback(broker.close)
    port = _free_port()
    play = _whole if example is None else functools.partial(_example, example)
    sandbox, worker, events, places = await play(folder, broker.bootstrap, port, stack)
    state = State(page=sandbox, events=len(events.events))
    await _publish(broker.bootstrap, events)
    seen = _Seen(Caller(sandbox, Concurrency(4, 4), 10.0), Caller(f"http://127.0.0.1:{port}", Concurrency(2, 2), 5.0))
    stack.push_async_callback(seen.close)
    started = time.monotonic()
    while not (state.converged and not stay):
        await asyncio.sleep(0.25)
        state.seconds = time.monotonic() - started if not state.converged else state.seconds
        state.rows = await _rows(seen, events.titles, places)
        show(state)
        if worker.returncode is not None:
            state.ended = f"the worker ended with {worker.returncode}: {_last_line(folder / 'worker.log')}"
            break
        if not state.converged and state.seconds > GIVE_UP:
            state.ended = f"not converged after {GIVE_UP:.0f} s"
            break
    return state


Played = tuple[str, asyncio.subprocess.Process, Scenario, Mapping[str, tuple[str, str]]]
"""The vendors' address, the worker, the events, and destination → its account in the settings and at the sandbox."""


async def _whole(folder: Path, bootstrap: str, port: int, stack: AsyncExitStack) -> Played:
    """The demo's own configuration, with many events."""
    secret = {name: secrets.token_hex(8) for name in ("api_key", "api_secret", "client_id", "client_secret", "user")}
    sandbox = await _sandbox(folder, secret, stack)
    worker = await _worker(folder, bootstrap, sandbox, secret, port, stack)
    places = {name: (f"acme-{name}", name) for name in DESTINATIONS}
    return sandbox, worker, scenario(datetime.now(UTC)), places


async def _example(example: Example, folder: Path, bootstrap: str, port: int, stack: AsyncExitStack) -> Played:
    """An example as it stands, against the sandbox as it starts."""
    arguments = ("-m", "pipeline.cli", "sandbox", "--port", "0")
    sandbox = await _listening(await _process(folder / "sandbox.log", arguments, {}, stack, PIPE), folder)
    environment = {
        **SECRETS,
        "CALENDS_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "CALENDS_LEDGER__URL": f"sqlite:///{folder / 'ledger.db'}",
        "CALENDS_ADMIN__PORT": str(port),
    }
    arguments = ("-m", "pipeline.cli", "run", "-c", str(example.settings(folder, sandbox)))
    worker = await _process(folder / "worker.log", arguments, environment, stack)
    titles = {name: dict(held) for name, held in example.titles.items()}
    return sandbox, worker, Scenario(example.events, titles), example.accounts


async def _sandbox(folder: Path, secret: Mapping[str, str], stack: AsyncExitStack) -> str:
    """Starts the vendors; their address."""
    ecal = {name: secret[name] for name in ("api_key", "api_secret")}
    calreply = {name: secret[name] for name in ("client_id", "client_secret")} | {"account_code": "acme", "api": "rokt"}
    apptoto = {name: secret[name] for name in ("user", "api_key")} | {"calendars": ["Clinic"]}
    pages = {"api_key": secret["api_key"], "groups": ["league"]}
    accounts = [
        {"name": "ecal", "vendor": "ecal", "quota": [[60, 1]], "config": ecal},
        {"name": "calreply", "vendor": "calreply", "quota": [[60, 1]], "config": calreply | {"access_seconds": 4}},
        {"name": "apptoto", "vendor": "apptoto", "quota": [[10, 1]], "config": apptoto},
        {"name": PAGES, "vendor": PAGES, "quota": [[20, 1]], "config": pages},
    ]
    config = folder / "accounts.json"
    config.write_text(json.dumps({"accounts": accounts}))
    arguments = ("-m", "pipeline.sandbox", "--port", "0", "--config", str(config))
    return await _listening(await _process(folder / "sandbox.log", arguments, {}, stack, PIPE), folder)


async def _listening(process: asyncio.subprocess.Process, folder: Path) -> str:
    """Its address, once it says so."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    if "http" not in line:
        raise RuntimeError(f"the sandbox did not start: {_last_line(folder / 'sandbox.log')}")
    return line.split()[-1]


async def _worker(
    folder: Path, bootstrap: str, sandbox: str, secret: Mapping[str, str], port: int, stack: AsyncExitStack
) -> asyncio.subprocess.Process:
    settings: Any = YAML(typ="safe").load((HERE / "calends.yaml").read_text())
    settings["kafka"]["bootstrap_servers"] = bootstrap
    settings["ledger"] = {"url": f"sqlite:///{folder / 'ledger.db'}"}
    settings["rules"] = str(HERE / "rules.yaml")
    for name in DESTINATIONS:
        settings["accounts"][f"acme-{name}"]["base_url"] = f"{sandbox}/{name}/{name}"
    (folder / "calends.yaml").write_text(json.dumps(settings))
    environment = {f"DEMO_{name.upper()}": value for name, value in secret.items()}
    environment["CALENDS_ADMIN__PORT"] = str(port)
    arguments = ("-m", "pipeline.cli", "run", "-c", str(folder / "calends.yaml"))
    return await _process(folder / "worker.log", arguments, environment, stack)


async def _process(
    log: Path,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    stack: AsyncExitStack,
    stdout: int | None = None,
) -> asyncio.subprocess.Process:
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=os.environ | environment, stdout=stdout or sink, stderr=sink
        )
    stack.push_async_callback(_end, process)
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 12)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _publish(bootstrap: str, events: Scenario) -> None:
    producer = Producer(KafkaConfig(bootstrap, "demo-publisher"), Telemetry(secrets.token_bytes(16)))
    await producer.start()
    try:
        for topic in sorted({event[0] for event in events.events}):
            mine = [event for event in events.events if event[0] == topic]
            headers = [("content-type", b"application/cloudevents+json")]
            await asyncio.gather(*(producer.send(topic, key.encode(), value, headers) for _, key, value in mine))
    finally:
        await producer.stop()


@dataclass(slots=True)
class _Seen:
    """What is looked at: the sandbox's counters and the worker's metrics."""

    sandbox: Caller
    worker: Caller

    async def json(self, path: str, **query: str) -> Any:
        answer = await self.sandbox.send(Request("GET", path, tuple(query.items())))
        if not isinstance(answer, Response):
            raise TypeError(f"the sandbox does not answer: {answer.code}")
        return json.loads(answer.body)

    async def metrics(self) -> list[tuple[str, str, float]]:
        """(name, labels, value) of each sample; empty while the worker is not up."""
        answer = await self.worker.send(Request("GET", "/metrics"))
        text = answer.body.decode() if isinstance(answer, Response) else ""
        return [(m[1], m[2], float(m[3])) for m in re.finditer(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE)]

    async def close(self) -> None:
        await self.sandbox.close()
        await self.worker.close()


async def _rows(
    seen: _Seen, expected: Mapping[str, Mapping[str, str]], places: Mapping[str, tuple[str, str]]
) -> list[Row]:
    counters = await seen.json("/_counters")
    metrics = await seen.metrics()
    rows = []
    for name, (account, hosted) in places.items():
        titles = expected[name]
        held = {entry["key"]: entry["title"] for entry in await seen.json("/_entries", account=hosted)}
        right = sum(held.get(key) == title for key, title in titles.items())
        rows.append(
            Row(
                destination=name,
                waiting=_sum(metrics, "calends_ledger_entries", name, ("ready", "held", "waiting")),
                in_flight=_sum(metrics, "calends_ledger_entries", name, ("sending",)),
                delivered=right,
                calls=counters[hosted]["calls"],
                saved=_sum(metrics, "calends_calls_saved_total", name),
                quota_used=_value(metrics, "calends_quota_used_ratio", account),
                oldest=_value(metrics, "calends_oldest_ready_seconds", name),
                missing=len(titles) - right,
                wrong=[key for key in held if key not in titles],
            )
        )
    return rows


def _matching(metrics: list[tuple[str, str, float]], name: str, label: str) -> Iterator[tuple[str, float]]:
    return ((labels, value) for found, labels, value in metrics if found == name and f'="{label}"' in labels)


def _sum(metrics: list[tuple[str, str, float]], name: str, label: str, states: tuple[str, ...] = ()) -> int:
    found = _matching(metrics, name, label)
    return int(sum(value for labels, value in found if not states or any(f'state="{s}"' in labels for s in states)))


def _value(metrics: list[tuple[str, str, float]], name: str, label: str) -> float:
    return max((value for _, value in _matching(metrics, name, label)), default=0.0)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@contextmanager
def quiet() -> Iterator[None]:
    """librdkafka writes to stderr when its own broker goes away: nothing that concerns anybody."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
