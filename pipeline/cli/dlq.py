"""`calends dlq`: what is in the dead-letter topic, and what is to become of it."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pipeline.cli.bars import progress_bar
from pipeline.cli.configured import sound_settings
from pipeline.cli.ledger import opened
from pipeline.cli.letters import HEAD, NAMED, Kind, by_kind, lines, outcomes, plain, row
from pipeline.cli.options import HERE, PROBLEMS, USAGE, AsJson, Config, Destination, give_up, refuse
from pipeline.cli.since import instant
from pipeline.cli.words import moment, table
from pipeline.dead_letters import Letter
from pipeline.ledger import Act, Ledger
from pipeline.operate.call import actor
from pipeline.operate.check import Report
from pipeline.operate.dlq import Box, Stranger, Wanted
from pipeline.operate.dlq import replay as replayed
from pipeline.rules.evaluate import RuleSet
from pipeline.stream import StreamError
from pipeline.stream.configured import kafka_config
from pipeline.stream.connection import NO_TOPIC

Names = Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...", help="partition:offset, as `list` shows.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="CODE", help="Only with this reason.")]
Stage = Annotated[str | None, typer.Option("--stage", metavar="decode|rule|ledger|send", help="Only of this stage.")]
Rule = Annotated[str | None, typer.Option("--rule", metavar="NAME", help="Only of this rule.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only from then on: 2h, 2026-11-20, an instant.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=0, metavar="N", help="The newest N only; 0: all.")]
ShowData = Annotated[bool, typer.Option("--show-data", help="Show the original record too: treat it like the event.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would become of each, and change nothing.")]
All = Annotated[bool, typer.Option("--all", help="Of all of them, where neither letters nor filters are given.")]

T = TypeVar("T")
KEPT = 5_000
"""Letters in memory before only the newest are kept."""

dlq = typer.Typer(help="List, show, replay or discard dead letters.", no_args_is_help=True, add_completion=False)


@dlq.command("list")
def list_(
    config: Config = HERE,
    reason: Reason = None,
    stage: Stage = None,
    rule: Rule = None,
    destination: Destination = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """The dead letters that nobody has replayed or discarded: how many of which kind, and the newest."""
    wanted = _wanted((), reason, stage, rule, destination, since)
    report = sound_settings(config)
    with _box(report) as box:
        kinds, shown, strangers = _counted(box, wanted, limit)
    strangers.tell()
    if as_json:
        typer.echo(json.dumps([plain(one, False) for one in shown], indent=2))
        return
    typer.echo("\n".join(by_kind(kinds)))
    if shown:
        typer.echo("\n" + "\n".join(table(HEAD, [row(one) for one in shown])))


@dlq.command()
def show(names: Names, config: Config = HERE, as_json: AsJson = False, data: ShowData = False) -> None:
    """One or several letters in full; the original record with --show-data only."""
    wanted = _wanted(names or (), None, None, None, None, None)
    with _box(sound_settings(config)) as box:
        letters, strangers = _all(box, wanted)
    if as_json:
        typer.echo(json.dumps([plain(one, data) for one in letters], ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join("\n".join(lines(one, data)) for one in letters))
    _missing(wanted, letters, strangers)


@dataclass(frozen=True)
class Task:
    """What somebody wants done with which letters."""

    action: str
    wanted: Wanted
    config: Path
    dry_run: bool


Action = Callable[[Task], dict[str, str]]
"""What is done with letters; letter → what became of it."""


def _with_options(act: Action) -> Action:
    """Makes a command of it, of the same name."""

    def command(
        names: Names = None,
        config: Config = HERE,
        reason: Reason = None,
        stage: Stage = None,
        rule: Rule = None,
        destination: Destination = None,
        since: Since = None,
        everything: All = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        wanted = _wanted(names or (), reason, stage, rule, destination, since)
        _meant(wanted, everything, act.__name__)
        came = act(Task(act.__name__, wanted, config, dry_run))
        if as_json:
            typer.echo(json.dumps([{"letter": name, "became": became} for name, became in came.items()], indent=2))
        else:
            typer.echo("\n".join(outcomes(came, dry_run)))
        raise typer.Exit(PROBLEMS if any(became.startswith("fails") for became in came.values()) else 0)

    command.__doc__ = act.__doc__
    dlq.command(act.__name__)(command)
    return act


@_with_options
def replay(task: Task) -> dict[str, str]:
    """Run today's rules over the original records. What comes of them goes out inside the quota, each once.

    What is stale is refused. May be broken off and begun again. Ends with 1 where a letter fails again.
    """
    report = sound_settings(task.config)
    with _box(report) as box:
        rules = _todays(report, box.ledger)
        letters = _opened(box, _named(box, task.wanted))
        return _each(letters, lambda one: replayed(one, rules, box.ledger, task.dry_run), box, task)


@_with_options
def discard(task: Task) -> dict[str, str]:
    """Nobody is to look at these letters again. They stay in Kafka for as long as the topic keeps them."""
    with _box(sound_settings(task.config)) as box:

        def end(one: Letter) -> str:
            places = [(one.at.topic, one.at.partition, one.at.offset)]
            return "discarded" if task.dry_run or box.ledger.letters.discard(places) else "ended"

        return _each(_named(box, task.wanted), end, box, task)


# which ------------------------------------------------------------------------------------------------------------


def _wanted(
    names: Sequence[str],
    reason: str | None,
    stage: str | None,
    rule: str | None,
    destination: str | None,
    since: str | None,
) -> Wanted:
    for name in names:
        if not re.fullmatch(r"\d+:\d+", name):
            give_up(f"{name}: a letter is named by partition:offset, as calends dlq list shows it", USAGE)
    return Wanted(frozenset(names), reason, stage, rule, destination, None if since is None else instant(since))


def _meant(wanted: Wanted, everything: bool, what: str) -> None:
    if wanted.everything and not everything:
        give_up(f"name letters or a filter, or say --all to {what} every letter", USAGE)


@dataclass(slots=True)
class Strangers:
    """Records of the topic that are no letters: how many, and the first of them."""

    n: int = 0
    first: list[Stranger] = field(default_factory=list)

    def met(self, strangers: Sequence[Stranger]) -> None:
        self.n += len(strangers)
        self.first += strangers[: NAMED - len(self.first)]

    def tell(self) -> None:
        """On standard error: what the command is for is not mixed with it."""
        if not self.n:
            return
        more = [f"  and {self.n - len(self.first)} more"] if self.n > len(self.first) else []
        named = [f"  {one.at}: {one.why}" for one in self.first]
        topic = f"{self.n} records of the topic are no dead letters of Calends; nothing is done with them:"
        typer.echo("\n".join([topic, *named, *more]), err=True)


def _missing(wanted: Wanted, letters: Sequence[Letter], strangers: Strangers) -> None:
    lost = sorted(wanted.names - {one.name for one in letters})
    if lost:
        strangers.tell()
        give_up(f"{', '.join(lost)}: no such open letter; it may be replayed, discarded or expired", PROBLEMS)


@contextmanager
def _box(report: Report) -> Iterator[Box]:
    """The dead-letter topic and the ledger of a configuration."""
    with opened(report.usable) as ledger:
        yield Box(kafka_config(report.usable, None), report.usable.kafka.dead_letter_topic, ledger)


def _all(box: Box, wanted: Wanted) -> tuple[list[Letter], Strangers]:
    """In the order of their writing; and, of those that are named, what is no letter."""
    letters, strangers = _asked(box, _gathered(box, wanted))
    return sorted(letters, key=_written), strangers


def _named(box: Box, wanted: Wanted) -> list[Letter]:
    """All that are wanted; ends the command where one that was named is not there."""
    letters, strangers = _all(box, wanted)
    _missing(wanted, letters, strangers)
    return letters


def _asked(box: Box, work: Coroutine[Any, Any, T]) -> T:
    gc.disable()  # what is read stays, or goes by itself: to look through it for garbage costs as much as reading it
    try:
        return asyncio.run(work)
    except StreamError as error:
        give_up(_not_there(box) if error.code == NO_TOPIC else _unread(box, error.code))
    finally:
        gc.freeze()
        gc.enable()


def _unread(box: Box, code: str) -> str:
    return f"Kafka does not answer, or refuses ({code}): the dead letters are in its topic {box.topic}"


def _not_there(box: Box) -> str:
    make = f"kafka-topics.sh --bootstrap-server {box.kafka.bootstrap_servers} --create --topic {box.topic}"
    return (
        f"the topic {box.topic} (kafka.dead_letter_topic) is not there, or not for this login; make it: {make}. "
        "Dead letters wait in the ledger until then"
    )


def _counted(box: Box, wanted: Wanted, limit: int) -> tuple[Counter[Kind], list[Letter], Strangers]:
    """How many of each kind, and the newest in the order of their writing. Only those are kept, without their data."""
    kinds, newest, strangers = Counter[Kind](), list[Letter](), Strangers()

    async def count() -> None:
        nonlocal newest
        with progress_bar(True) as progress:
            async for found in box.open(wanted):
                kinds.update((one.stage, one.reason, one.rule or "-", one.destination or "-") for one in found.letters)
                newest += [_slim(one) for one in sorted(found.letters, key=_written)[-limit:]]
                if limit and len(newest) > KEPT + limit:
                    newest = sorted(newest, key=_written)[-limit:]
                strangers.met(found.strangers)
                progress(found.seen, found.total)

    _asked(box, count())
    newest.sort(key=_written)
    return kinds, newest[-limit:], strangers


def _slim(one: Letter) -> Letter:
    """Without the original, which may be of a mebibyte."""
    return replace(one, record=replace(one.record, key=None, value=None, headers=()))


def _written(one: Letter) -> tuple[datetime, int, int]:
    return one.posted, one.at.partition, one.at.offset


def _opened(box: Box, letters: Sequence[Letter]) -> list[Letter]:
    try:
        return asyncio.run(box.opened(letters))
    except StreamError as error:
        give_up(f"the schemas of framed records cannot be read ({error}): nothing was replayed")


async def _gathered(box: Box, wanted: Wanted) -> tuple[list[Letter], Strangers]:
    letters, strangers = list[Letter](), Strangers()
    with progress_bar(True) as progress:
        async for found in box.open(wanted):
            letters += found.letters
            strangers.met([one for one in found.strangers if one.name in wanted.names])
            progress(found.seen, found.total)
    return letters, strangers


# what becomes of them ---------------------------------------------------------------------------------------------


def _todays(report: Report, ledger: Ledger) -> RuleSet:
    if report.problems:
        refuse(report.problems)
    rules = report.rule_set()
    active = ledger.rules.active()
    if active is None or active.digest != rules.digest:
        theirs = "no worker has run yet" if active is None else f"revision {active.revision}"
        give_up(f"these rules are not the workers' ({theirs}): replay with the configuration that they run")
    return rules.with_revision(active.revision)


def _each(letters: Sequence[Letter], work: Callable[[Letter], str], box: Box, task: Task) -> dict[str, str]:
    """Letter → what became of it; written down, unless it was only to see."""
    came: dict[str, str] = {}
    act = Act(actor(), f"dlq {task.action}", task.wanted.destination or "", _words(task.wanted))
    number = None if task.dry_run else box.ledger.begin(act)
    try:
        with progress_bar(True, task.action) as progress:
            for one in letters:
                came[one.name] = work(one)
                progress(len(came), len(letters))
    finally:
        if number is not None:
            told = ", ".join(f"{n} {became}" for became, n in Counter(came.values()).items()) or "nothing to do"
            box.ledger.end(number, told if len(came) == len(letters) else f"broken off: {told}")
    return came


def _words(wanted: Wanted) -> str:
    filters = [f"{name}={getattr(wanted, name)}" for name in ("reason", "stage", "rule") if getattr(wanted, name)]
    since = [f"since={moment(wanted.since.timestamp())}"] if wanted.since else []
    return " ".join([*sorted(wanted.names)[:20], *filters, *since]) or "all"
