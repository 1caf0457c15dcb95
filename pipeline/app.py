"""The composition root of `calends run`: it names the concrete classes, builds a worker and runs its loops."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from pipeline import __version__, admin
from pipeline.account import Account
from pipeline.advice import NO_ANSWER, TO_MIGRATE
from pipeline.calls import Caller
from pipeline.certificates import ends_at
from pipeline.concurrency import MOST, Concurrency
from pipeline.housekeeping import SILENT, Housekeeping
from pipeline.intake import Intake, before
from pipeline.lane import Lane
from pipeline.ledger import Ledger, LedgerUnavailable, Listener
from pipeline.meaning import vendor_keys
from pipeline.operate.reloading import Reloading
from pipeline.pacing import Pace
from pipeline.registry import Registry
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.schema import Rules
from pipeline.settings import Settings, credential_of, windows_of
from pipeline.starting import Missing
from pipeline.stream import Consumer, Producer
from pipeline.stream.configured import kafka_config
from pipeline.telemetry import Telemetry
from pipeline.threads import Threads
from pipeline.tokens import TokenEvents, Tokens

T = TypeVar("T")
UNANSWERED = 10.0
"""Seconds for which the ledger may be silent before the worker is not ready."""
STUCK = 60.0
"""Seconds for which housekeeping may not come round before the worker is not live."""
LAST_WORDS = 0.6
"""Seconds of the grace period that are kept for good-byes to a ledger that may be slow or silent."""
GOOD_BYE = 3.5
"""Seconds beyond the grace period after which a process that was told to stop is ended, whatever hangs in it."""


# the worker --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Worker:
    """One process's part: its loops over one ledger. `run` ends when `stopping` is set or a loop cannot go on.

    Raises RegistryMissing where the settings name a schema registry and its libraries are not installed.
    """

    settings: Settings
    rules: RuleSet
    ledger: Ledger
    telemetry: Telemetry
    missing: Missing = "refuse"
    own_rules: Rules = field(default_factory=Rules)
    """Those of the files, without what Calends brings along."""
    file: Path = Path("calends.yaml")
    """The settings file: its rules are read again when it changes, and at SIGHUP."""
    threads: Threads = field(init=False)
    looking: Threads = field(init=False)
    """For what only looks at the ledger: a pause is read in time however busy the others are."""
    accounts: dict[str, Account] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    registry: Registry | None = field(init=False)
    intake: Intake = field(init=False)
    housekeeping: Housekeeping = field(init=False)
    reloading: Reloading = field(init=False)
    composed: bool = False
    """Whether there are loops: before that it waits for the ledger."""

    def __post_init__(self) -> None:
        self.threads = Threads(1 if self.ledger.automatic else 6)
        self.looking = Threads(2)
        self.telemetry.locate("ledger", self.ledger.address)
        self.ledger.listener = Listener(self.telemetry.ledger_went_back, self.telemetry.entries_marked)
        config = kafka_config(self.settings, self.rules)
        self.registry = None if config.registry is None else Registry(config.registry)
        self.reloading = Reloading(
            self.file,
            self.settings,
            self.ledger.rules,
            self.threads,
            self.telemetry,
            config,
            self._install,
            worker_name(),
            self.own_rules,
            self.rules,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Raises what a loop cannot go on from, e.g. `LedgerLost`."""
        started = time.monotonic()
        serving = asyncio.create_task(self._serve())
        try:
            await self._prepare_ledger(stopping, serving)
            if not stopping.is_set():
                await self._compose()
                await self._loops(stopping, serving)
        finally:
            await self._close(serving)
            self.telemetry.stopped(time.monotonic() - started)

    async def _prepare_ledger(self, stopping: asyncio.Event, serving: asyncio.Task[None]) -> None:
        """Waits for the ledger, and for its tables, for as long as they are not there, and says so."""
        while not stopping.is_set():
            if serving.done():
                serving.result()  # the port cannot be opened
            opening = asyncio.create_task(self._open_ledger())
            if not await before(stopping, self._answer_of(opening)):
                opening.cancel()
                return
            in_the_way = opening.result()
            if in_the_way is None:
                return
            self.telemetry.waiting_for("ledger", in_the_way)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stopping.wait()

    async def _answer_of(self, opening: asyncio.Task[str | None]) -> None:
        """Once it is there. A database that takes connections and is silent is told; SQLite's is at work itself."""
        while not (await asyncio.wait({opening}, timeout=SILENT))[0]:
            if not self.ledger.automatic:
                self.telemetry.waiting_for("ledger", NO_ANSWER)

    async def _open_ledger(self) -> str | None:
        """Migrates SQLite's, declares the accounts and takes the rules. What keeps the ledger from being used; None:
        nothing any more. A newer version's tables are fine."""
        try:
            if self.ledger.automatic:
                await self.threads(self.ledger.migrate)
            elif await self.threads(self.ledger.behind):
                return TO_MIGRATE
            await self.threads(self.ledger.declare)
            self.rules = await self.reloading.begin()
        except LedgerUnavailable as error:
            return str(error)
        return None

    async def _compose(self) -> None:
        config = kafka_config(self.settings, self.rules)
        self.accounts = _accounts(self.settings, self.telemetry)
        self.intake = Intake(
            self.rules,
            self.ledger,
            self.threads,
            self.telemetry,
            self.settings.kafka.dead_letter_topic,
            self.wake,
            self.missing,
            self.registry,
        )
        self.intake.consumer = Consumer(config, self.intake.assigned, self.telemetry)
        self.lanes = _lanes(self, self.intake.in_burst)
        destinations = {name: self.settings.account_of(name)[0] for name in self.settings.destinations}
        self.telemetry.declare(
            ((name, self.settings.vendor_of(name).name, account) for name, account in destinations.items()),
            config.bootstrap_servers,
        )
        self._tell_certificate()
        kafka = self.settings.kafka
        written = [kafka.dead_letter_topic, *filter(None, [kafka.outcome_topic])]
        producer = Producer(config, self.telemetry, written)
        self.housekeeping = Housekeeping(
            self.ledger,
            self.threads,
            self.telemetry,
            self.accounts,
            destinations,
            producer,
            self.wake,
            self.settings.seal(),
            self.looking,
            self.pause,
            self.intake.lag,
        )
        self.composed = True
        self.telemetry.started(__version__, "sqlite" if self.ledger.automatic else "postgresql", list(destinations))

    def _tell_certificate(self) -> None:
        """Once: a process goes on with the certificate that it started with."""
        file = self.settings.kafka.ssl_certfile
        end = ends_at(file) if file is not None else None
        if end is not None:
            self.telemetry.certificate_read("kafka.ssl_certfile", end)

    async def _install(self, rules: RuleSet) -> None:
        """Between two batches of records: what was read under the old rules has been written whole."""
        self.rules = self.intake.rules = rules
        if self.intake.consumer is not None:
            self.intake.consumer.subscribe(kafka_config(self.settings, rules))

    def wake(self, destinations: Iterable[str]) -> None:
        for destination in destinations:
            if destination in self.lanes:
                self.lanes[destination].work.set()

    async def watch(self) -> None:
        await self.housekeeping.watch()

    def pause(self, destinations: Collection[str]) -> None:
        for name, lane in self.lanes.items():
            lane.paused = name in destinations

    async def _serve(self) -> None:
        app = admin.page(self.telemetry, self._not_live, self._not_ready, self._not_started)
        await admin.serve(app, self.settings.admin.host, self.settings.admin.port)

    async def _loops(self, stopping: asyncio.Event, serving: asyncio.Task[None]) -> None:
        """All loops until `stopping`; then they have the grace period to end what is under way."""
        housekeeping_stop = asyncio.Event()
        intake = asyncio.create_task(self.intake.run(stopping), name="intake")
        producing = asyncio.create_task(self.housekeeping.producer.start())
        lanes = [asyncio.create_task(self._sending(lane, stopping), name="lane") for lane in self.lanes.values()]
        housekeeping = asyncio.create_task(self.housekeeping.run(housekeeping_stop), name="housekeeping")
        reloading = asyncio.create_task(self.reloading.run(stopping), name="reloading")
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reloading.nudge)
        stopped = asyncio.create_task(stopping.wait())
        loops = {intake, housekeeping, serving, reloading, *lanes}
        done, _ = await asyncio.wait({*loops, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        stopped.cancel()
        failed = next(
            (task for task in done if task is not stopped and not task.cancelled() and task.exception()), None
        )
        if failed is None:
            self.telemetry.stopping("signal")
            await asyncio.wait({intake, reloading, *lanes}, timeout=max(0.0, self.settings.grace_period - LAST_WORDS))
        producing.cancel()
        housekeeping_stop.set()
        await asyncio.wait({housekeeping}, timeout=LAST_WORDS / 2)
        for task in loops - {serving}:
            task.cancel()
        with contextlib.suppress(TimeoutError):  # one that says good-bye to a ledger that hangs is cancelled again
            async with asyncio.timeout(LAST_WORDS / 2):
                await asyncio.gather(*(loops - {serving}), return_exceptions=True)
        if failed is not None:
            raise failed.exception() or RuntimeError(failed.get_name())

    async def _sending(self, lane: Lane, stopping: asyncio.Event) -> None:
        """Only once it is known that the ledger is not an older copy: what it calls new may be at the vendor."""
        if await before(stopping, self.intake.checked.wait()):
            await lane.run(stopping)

    async def _close(self, serving: asyncio.Task[None]) -> None:
        serving.cancel()
        closing = [account.caller.close() for account in self.accounts.values()]
        closing += [account.tokens.close() for account in self.accounts.values() if account.tokens]
        if self.composed and self.intake.consumer is not None:
            closing += [self.intake.consumer.stop(), self.housekeeping.producer.stop()]
        await asyncio.gather(serving, *closing, return_exceptions=True)
        self.threads.close()
        self.looking.close()
        self.ledger.close()

    def _not_live(self) -> str | None:
        if not self.composed:
            return None
        late = self.housekeeping.late()
        if late > STUCK:
            return f"housekeeping has not come round for {late:.0f} s"
        if self.housekeeping.silence() > UNANSWERED:  # nothing can be read then; a restart would help nobody
            return None
        consumer = self.intake.consumer
        if self.intake.ready and consumer is not None and not self.intake.waiting and not consumer.healthy():
            return "nothing is read from Kafka although there is something to read"
        return None

    def _not_ready(self) -> str | None:
        if not self.composed:
            return "the ledger is not there yet, or waits for calends migrate"
        if not self.intake.ready:
            return "the consumer group has not been joined yet"
        return "the ledger does not answer" if self.housekeeping.silence() > UNANSWERED else None

    def _not_started(self) -> str | None:
        return None if self.composed and self.intake.ready else self._not_ready()


def _accounts(settings: Settings, telemetry: Telemetry) -> dict[str, Account]:
    found: dict[str, Account] = {}
    for name in settings.destinations:
        if settings.account_of(name)[0] not in found:
            made = account_of(settings, name, telemetry)
            found[made.name] = made
    return found


def account_of(settings: Settings, name: str, events: TokenEvents) -> Account:
    """What it takes to call the vendor of a destination."""
    account_name, account = settings.account_of(name)
    vendor = settings.vendor_of(name)
    concurrency = Concurrency(vendor.defaults.concurrency, account.concurrency or MOST)
    options = settings.options_of(name)
    timeout = account.timeout or vendor.defaults.timeout
    caller = Caller(account.base_url or vendor.defaults.base_url, concurrency, timeout)
    credential = functools.partial(credential_of, account)
    tokens = (
        Tokens(vendor.tokens, credential, options, caller.send, time.monotonic, events, account_name)
        if vendor.tokens
        else None
    )
    return Account(account_name, vendor, options, caller, Pace(windows_of(account, vendor)), credential, tokens)


def _lanes(worker: Worker, in_burst: Callable[[], bool]) -> dict[str, Lane]:
    settings = worker.settings
    owner, lanes = f"{worker_name()}-{random.randrange(16**6):06x}", {}
    for name in settings.destinations:
        account_name, account = settings.account_of(name)
        vendor = settings.vendor_of(name)
        interval = max((w.seconds / w.calls for w in windows_of(account, vendor)), default=0.0)
        lanes[name] = Lane(
            destination=name,
            account=worker.accounts[account_name],
            options=settings.options_of(name),
            vendor_key=vendor_keys(settings, name),
            ledger=worker.ledger,
            in_threads=worker.threads,
            telemetry=worker.telemetry,
            owner=owner,
            interval=interval,
            in_burst=in_burst,
            watch=worker.watch,
            random=random.random,
            wall=lambda: datetime.now(UTC),
        )
    return lanes


def worker_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


class Process(Protocol):
    async def run(self, stopping: asyncio.Event) -> None: ...


async def run_until_signal(process: Process, grace: float) -> None:
    """Runs the worker, or the receiver, until SIGTERM or SIGINT.

    It ends by itself within `grace` seconds and a little. Where something hangs that nobody thought of, the process is
    ended with 1: all that it leaves behind is what a kill leaves.
    """
    stopping = asyncio.Event()

    def stop() -> None:
        if not stopping.is_set():
            last = threading.Timer(grace + GOOD_BYE, os._exit, (1,))
            last.daemon = True
            last.start()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await process.run(stopping)
