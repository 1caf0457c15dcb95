"""The composition root of `calends webhooks`: it builds the receiver of what vendors post and runs its servers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline import __version__, admin
from pipeline.inbound import Hook, Inbound
from pipeline.settings import Settings
from pipeline.stream import Producer
from pipeline.stream.configured import kafka_config
from pipeline.telemetry import Telemetry


@dataclass(slots=True)
class Receiver:
    """Takes what vendors post until `stopping` is set. It has no ledger and no credential of a vendor."""

    settings: Settings
    telemetry: Telemetry
    inbound: Inbound = field(init=False)
    producer: Producer = field(init=False)
    started: bool = False

    def __post_init__(self) -> None:
        kafka = self.settings.kafka
        self.producer = Producer(kafka_config(self.settings, None), self.telemetry)
        self.inbound = Inbound(
            _hooks(self.settings), kafka.inbound_topic, self.producer, self.telemetry, lambda: datetime.now(UTC)
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Raises OSError where a port cannot be opened."""
        hooks = list(self.inbound.hooks)
        self.telemetry.webhooks.declare(hooks)
        self.telemetry.started(__version__, destinations=hooks)
        began = time.monotonic()
        starting = asyncio.create_task(self._start())
        serving = [asyncio.create_task(self._serve()), asyncio.create_task(self._serve_admin())]
        stopped = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait({*serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self.telemetry.stopping("signal" if stopping.is_set() else "failed")
        await self._close(starting, [*serving, stopped])
        self.telemetry.stopped(time.monotonic() - began)
        for task in done - {stopped}:
            task.result()

    async def _start(self) -> None:
        await self.producer.start()
        self.started = True

    async def _serve(self) -> None:
        where = self.settings.webhooks
        grace = max(1, int(self.settings.grace_period) - 1)  # the last second is the producer's
        await admin.serve(self.inbound.page(), where.host, where.port, grace)

    async def _serve_admin(self) -> None:
        app = admin.page(self.telemetry, lambda: None, self._not_ready, self._not_started)
        await admin.serve(app, self.settings.admin.host, self.settings.admin.port)

    async def _close(self, starting: asyncio.Task[None], tasks: Sequence[asyncio.Task[Any]]) -> None:
        """What is being taken is ended first; what was answered is in Kafka already."""
        until = asyncio.get_running_loop().time() + self.settings.grace_period
        for task in (starting, *tasks):
            task.cancel()
        await asyncio.gather(starting, *tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(max(until, asyncio.get_running_loop().time() + 0.5)):
                await self.producer.stop()

    def _not_started(self) -> str | None:
        return None if self.started else "Kafka has not been reached yet"

    def _not_ready(self) -> str | None:
        failed_at = self.inbound.failed_at
        if failed_at is not None and time.monotonic() - failed_at < 10.0:
            return "Kafka did not take a notice"
        return self._not_started()


def _hooks(settings: Settings) -> dict[str, Hook]:
    found = {}
    for name, webhook in settings.hooked.items():
        read = settings.vendor_of(name).inbound
        if read is not None:
            found[name] = Hook(name, read, webhook.secret.read)
    return found
