"""Rules that change under a running worker: read anew, checked, judged, then taken whole; else the old ones go on.

Nothing else of the settings changes without a restart. What would end too many live entries waits for a person.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.ledger import LedgerUnavailable, Revision
from pipeline.ledger.revisions import RuleBook
from pipeline.operate.check import check
from pipeline.operate.comparing import Version, compare, range_of
from pipeline.operate.watching import changes
from pipeline.rules.evaluate import RuleSet, RulesInvalid
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_inline
from pipeline.rules.schema import Rules
from pipeline.settings import Settings
from pipeline.stream import KafkaConfig, StreamError
from pipeline.stream.ranges import Span
from pipeline.telemetry import Telemetry
from pipeline.telemetry.rules import FIX, RESTART
from pipeline.threads import InThreads
from pipeline.vendors import vendors

POLL = 1.0
"""Seconds between two looks at whether somebody has approved what is held."""
AGAIN = 5.0
"""Seconds until a judgement that Kafka or the ledger did not allow is tried again."""
OTHERS = "other settings than the rules have changed: restart the worker to take them"
JUDGED = "the files hold other rules, which are being judged over the newest records"


class _Stopping(Exception):
    """The worker stops: what is being judged is of no interest any more."""


@dataclass(slots=True)
class Reloading:
    file: Path
    """The settings file."""
    settings: Settings
    book: RuleBook
    in_threads: InThreads
    telemetry: Telemetry
    kafka: KafkaConfig
    install: Callable[[RuleSet], Awaitable[None]]
    """Lets the rules read what comes from now on."""
    worker: str
    rules: Rules
    """Of the files as they were read last."""
    running: RuleSet
    held: RuleSet | None = None
    """Checked, and waiting to be approved."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _nudged: asyncio.Event = field(default_factory=asyncio.Event)

    def nudge(self) -> None:
        """Somebody says that the rules have changed."""
        self._nudged.set()

    async def begin(self) -> RuleSet:
        """The rules to start with: those of the files, unless entries live under others: then these go on until the new
        ones have been judged."""
        active = await self.in_threads(self.book.active)
        before = None if active is None or active.digest == self.running.digest else self._before(active)
        live = await self.in_threads(self.book.live)
        if active is not None and before is not None and live:
            self.running = before.with_revision(active.revision)
            self.nudge()
        else:
            self.running = await self._activated(self.running, self.rules)
        await self._note()
        self.telemetry.rules.loaded(self.running.revision)
        return self.running

    async def run(self, stopping: asyncio.Event) -> None:
        self.stopping = stopping
        watching = asyncio.create_task(self._watch(), name="watch")
        try:
            while not stopping.is_set():
                if await self._nudge_within(POLL if self.held else None):
                    await self._tried(self.reload)
                elif self.held is not None:
                    await self._tried(self._look)
        finally:
            watching.cancel()
            with suppress(LedgerUnavailable):
                await self.in_threads(self.book.forget, self.worker)

    async def reload(self) -> None:
        """Reads the rules anew. Whatever is wrong with them, the old ones go on."""
        report = await self.in_threads(check, self.file, part="worker")
        if report.problems or report.settings is None:
            await self._refuse(report.problems)
        elif _without_rules(report.settings) != _without_rules(self.settings):
            await self._refuse([Problem(str(self.file), 1, OTHERS)], RESTART)
        else:
            self.rules = report.rules
            await self._consider(report.rule_set())

    async def _consider(self, rules: RuleSet) -> None:
        if self.held is not None and self.held.digest != rules.digest:
            await self.in_threads(self.book.withdraw, self.held.digest)
            self.held = None
        if rules.digest == self.running.digest:
            self.telemetry.rules.unchanged(self.running.revision)
            await self._note()
            return
        known = await self.in_threads(self.book.held, rules.digest)
        reason = await self._judged(rules) if known is None else None if known.approved_by else known.reason
        if reason is None:
            await self._take(rules)
            return
        self.held = rules
        self.telemetry.rules.held(self.running.revision, reason)
        await self._note(f"held: {reason}")

    async def _judged(self, rules: RuleSet) -> str | None:
        """Why these rules must wait for a person; None: they need not. Over the newest records, in another process."""
        share, live = self.settings.brake.share, await self.in_threads(self.book.live)
        if share >= 1 or not live:
            return None
        await self._note(JUDGED)  # what was said of the reading before is over
        before, after = Version(self.settings, _own(self.running)), Version(self.settings, _own(rules))
        bounds = await range_of(self.kafka, before, after, Span())
        newest = max(1, self.settings.brake.records // max(1, len(bounds)))
        bounds = await range_of(self.kafka, before, after, Span(newest=newest))
        found = await asyncio.to_thread(compare, self.kafka, bounds, before, after, self._go_on, examples=0)
        ended = found.total("cancelled")
        if ended <= share * live:
            return None
        reason = f"would cancel or delete {ended} of {live} live entries, and brake.share is {share:g}"
        await self.in_threads(self.book.hold, rules.digest, reason, ended, live)
        return reason

    async def _look(self) -> None:
        assert self.held is not None
        known = await self.in_threads(self.book.held, self.held.digest)
        if known is None or known.approved_by is not None:  # where it is gone, another worker runs them by now
            await self._take(self.held)

    async def _take(self, rules: RuleSet) -> None:
        self.running, self.held = await self._activated(rules, self.rules), None
        await self.install(self.running)
        self.telemetry.rules.loaded(self.running.revision)
        await self._note()

    async def _activated(self, rules: RuleSet, own: Rules) -> RuleSet:
        return rules.with_revision(await self.in_threads(self.book.activate, rules.digest, written(own)))

    async def _refuse(self, problems: Sequence[Problem], advice: str = FIX) -> None:
        first = problems[0]
        self.telemetry.rules.refused(self.running.revision, first.where, first.message, len(problems), advice)
        await self._note(f"{first.where}: {first.message}", len(problems))

    async def _note(self, refused: str | None = None, problems: int = 0) -> None:
        await self.in_threads(self.book.note, self.worker, self.running.revision, refused, problems)

    def _before(self, active: Revision) -> RuleSet | None:
        """The rules that were active; None where they cannot be made out under these settings."""
        if active.rules is None:
            return None
        own = load_inline(json.loads(active.rules), f"revision {active.revision}", 1, vendors())
        try:
            return Version(self.settings, own).rule_set()
        except RulesInvalid:
            return None

    def _go_on(self, done: int, total: int) -> None:
        if self.stopping.is_set():
            raise _Stopping

    async def _tried(self, step: Callable[[], Awaitable[None]]) -> None:
        """A step that Kafka or the ledger did not allow is tried again."""
        try:
            await step()
        except _Stopping:
            return
        except (LedgerUnavailable, StreamError) as error:
            self.telemetry.waiting_for("ledger" if isinstance(error, LedgerUnavailable) else "kafka", str(error))
        except Exception as error:  # whatever the files held, the worker goes on
            self.telemetry.loop_failed("rules", error)
        else:
            return
        if not await self._nudge_within(AGAIN) and step == self.reload:
            self.nudge()

    async def _nudge_within(self, seconds: float | None) -> bool:
        """Whether somebody said so before the time was up, or the worker stops."""
        waiting = {asyncio.create_task(self._nudged.wait()), asyncio.create_task(self.stopping.wait())}
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        nudged = self._nudged.is_set() and not self.stopping.is_set()
        self._nudged.clear()
        return nudged

    async def _watch(self) -> None:
        """A change of a file is a nudge. Where files cannot be watched, SIGHUP still is one."""
        try:
            async for _ in changes(self.file, self.stopping):
                self.nudge()
        except OSError as error:
            self.telemetry.loop_failed("watch", error)


def written(rules: Rules) -> str:
    """Rules as JSON, as `load_inline` reads them."""
    return json.dumps([sourced.rule.model_dump(by_alias=True, exclude_unset=True) for sourced in rules.rules])


def _own(rules: RuleSet) -> Rules:
    """Without those that Calends brings along."""
    return Rules(tuple(sourced for sourced in rules.rules.rules if sourced.file != "calends"))


def _without_rules(settings: Settings) -> Settings:
    return settings.model_copy(update={"rules": "", "tests": []})
