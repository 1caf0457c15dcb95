"""`calends run`: the worker."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import Annotated

import typer
import uvloop

from pipeline.app import Worker, run_until_signal
from pipeline.cli.configured import sound
from pipeline.cli.ledger import ledger_at
from pipeline.cli.options import HERE, USAGE, Config, give_up
from pipeline.registry import RegistryMissing
from pipeline.settings import Settings
from pipeline.starting import LedgerLost, Missing
from pipeline.stream import StreamError
from pipeline.telemetry import Telemetry, configure_logging
from pipeline.telemetry.tracing import TracingMissing, tracing

FromCommitted = Annotated[
    bool, typer.Option("--from-committed", help="Where the ledger has lost its offsets, go on from the group's.")
]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Where the ledger has lost its offsets, read the topics from the start.")
]


def run(config: Config = HERE, from_committed: FromCommitted = False, rebuild: Rebuild = False) -> None:
    """Read events from Kafka and keep the calendars in step, until SIGTERM or Ctrl-C."""
    if from_committed and rebuild:
        give_up("--from-committed and --rebuild exclude each other", USAGE)
    report = sound(config, secrets=True, tests=True, part="worker")
    settings = report.usable
    configure_logging(settings.log_level)
    ledger = ledger_at(settings)
    telemetry = Telemetry(_hash_key(settings))
    try:
        telemetry.spans.tracing = tracing()
    except TracingMissing as error:
        give_up(str(error))
    missing: Missing = "committed" if from_committed else "rebuild" if rebuild else "refuse"
    try:
        worker = Worker(settings, report.rule_set(), ledger, telemetry, missing, report.rules, report.file)
    except RegistryMissing as error:
        give_up(str(error))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_until_signal(worker, settings.grace_period))
    except LedgerLost as error:
        give_up(str(error))
    except StreamError as error:
        give_up(f"Kafka: {error}")
    except OSError as error:
        give_up(error.strerror or str(error))


def _hash_key(settings: Settings) -> bytes:
    """What log lines name entries by. A random one cannot be compared between restarts and replicas."""
    given = os.environ.get("CALENDS_HASH_KEY")
    if given:
        return given.encode()
    seal = settings.seal()
    return seal.hash_key if seal is not None else secrets.token_bytes(32)
