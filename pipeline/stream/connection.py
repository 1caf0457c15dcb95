"""How Kafka's clients are connected, started, asked and stopped, each within its time; what went wrong, as a code."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from pipeline.registry import RegistryConfig

Partition = tuple[str, int]

REQUEST_TIMEOUT_MS = 12_000
STOP_TIMEOUT = 1.0
"""Seconds for the good-bye, and once more for closing its connections: a stop has no time for a Kafka that is gone."""
NO_TOPIC = "no_such_topic"
"""Of a Kafka that answers, and has no topic of that name, or shows it to nobody with this login."""
START_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class StreamError(Exception):
    """Kafka did not do what was asked. The text is a code; `lasting`: the same again would fail again."""

    def __init__(self, code: str, lasting: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.lasting = lasting


class StreamEvents(Protocol):
    def waiting_for(self, part: str, reason: str) -> None: ...

    def partitions_assigned(self, partitions: Sequence[Partition]) -> None: ...

    def topics_absent(self, topics: Sequence[str], advice: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    bootstrap_servers: str
    group_id: str
    topics: tuple[str, ...] = ()
    pattern: str | None = None
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    client_id: str = "calends"
    registry: RegistryConfig | None = None
    """What knows the schemas of framed records."""


async def until_started(begin: Callable[[], Coroutine[Any, Any, None]], telemetry: StreamEvents) -> None:
    waits = iter(START_WAITS)
    while True:
        try:
            return await begin()
        except (KafkaError, OSError, TimeoutError) as error:
            telemetry.waiting_for("kafka", type(error).__name__)
        await asyncio.sleep(next(waits, START_WAITS[-1]))


async def started(client: Any) -> None:
    try:
        await client.start()
    except BaseException:
        await stopped(client)
        raise


async def stopped(client: Any) -> None:
    """`stop()` may raise CancelledError, or take long, where brokers are down: it gets its own task and limit."""
    stopping = asyncio.ensure_future(client.stop())
    _, late = await asyncio.wait({stopping}, timeout=STOP_TIMEOUT)
    if not late and not stopping.cancelled() and stopping.exception() is None:
        return
    stopping.cancel()
    connections = getattr(client, "_client", None) or client.client
    closing = asyncio.ensure_future(connections.close())
    await asyncio.wait({closing, stopping}, timeout=STOP_TIMEOUT)
    for ended in (closing, stopping):
        if ended.done() and not ended.cancelled():
            ended.exception()  # looked at, so that asyncio does not report it


async def asked(question: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_MS / 1000):
            return await question
    except TimeoutError:
        raise StreamError("timeout") from None
    except KafkaError as error:
        raise StreamError(type(error).__name__) from None


def connection_of(config: KafkaConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "bootstrap_servers": config.bootstrap_servers,
        "client_id": config.client_id,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "security_protocol": config.security_protocol,
    }
    if config.security_protocol in ("SSL", "SASL_SSL"):
        settings["ssl_context"] = _ssl_context(config)
    if config.security_protocol.startswith("SASL_"):
        settings["sasl_mechanism"] = config.sasl_mechanism or "PLAIN"
        settings["sasl_plain_username"] = config.sasl_username
        settings["sasl_plain_password"] = config.sasl_password
    return settings


def _ssl_context(config: KafkaConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.ssl_cafile)
    if config.ssl_certfile is not None:
        context.load_cert_chain(config.ssl_certfile, config.ssl_keyfile)
    return context
