"""`calends webhooks`: the receiver of what vendors post."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

import typer
import uvloop

from pipeline.app import run_until_signal
from pipeline.cli.configured import sound
from pipeline.cli.options import HERE, Config, give_up
from pipeline.receiver import Receiver
from pipeline.settings import Settings
from pipeline.telemetry import Telemetry, configure_logging

Host = Annotated[str | None, typer.Option(help="The address to listen on. Default: webhooks.host.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Default: webhooks.port.")]


def webhooks(config: Config = HERE, host: Host = None, port: Port = None) -> None:
    """Take what vendors post at POST /DESTINATION/SECRET and write it to Kafka, until SIGTERM or Ctrl-C."""
    report = sound(config, secrets=True, part="webhooks")
    settings = _listening(report.usable, host, port)
    if not settings.hooked:
        give_up("no destination has a webhook: name its secret at destinations.NAME.webhook.secret")
    configure_logging(settings.log_level)
    receiver = Receiver(settings, Telemetry(secrets.token_bytes(32)))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_until_signal(receiver, settings.grace_period))
    except OSError as error:
        give_up(error.strerror or str(error))


def _listening(settings: Settings, host: str | None, port: int | None) -> Settings:
    said = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return settings.model_copy(update={"webhooks": settings.webhooks.model_copy(update=said)})
