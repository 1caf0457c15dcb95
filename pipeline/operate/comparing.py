"""Two rule sets over the same records: which entries would differ. Reads only, in as many processes as help."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from operator import attrgetter, itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.model.change import BASE, Change
from pipeline.model.event import Undecodable, decode
from pipeline.model.outcome import Rejected
from pipeline.model.wire import Record
from pipeline.operate.shown import Shown, unsent
from pipeline.operate.spill import WHOSE, Layers, Pair, Side, Spill, State, pairs
from pipeline.rules.evaluate import Evaluation, RuleSet
from pipeline.rules.linking import linking
from pipeline.rules.requests import request_for
from pipeline.rules.schema import Rule, Rules
from pipeline.settings import Settings, views_of
from pipeline.stream import Bounds, KafkaConfig, Partition
from pipeline.stream.ranges import Span, bounds_of, read

Progress = Callable[[int, int], None]
"""Records done, of how many."""
BOTH: Side = "both"
OLD: Side = "old"
NEW: Side = "new"
FEW = 2_000
"""Records that are read in one process."""
KINDS = ("created", "changed", "cancelled", "gone")
"""Of differences, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Version:
    """Rules with the settings that they run under; goes from process to process."""

    settings: Settings
    rules: Rules

    def rule_set(self) -> RuleSet:
        own = linking(self.settings.kafka.inbound_topic, self.settings.hooked)
        return RuleSet(self.rules + own, views_of(self.settings), self.settings.all_layers)

    def topics(self) -> tuple[str, ...]:
        kafka = self.settings.kafka
        if kafka.pattern:
            return (f"/{kafka.pattern}/",)
        return kafka.topics or tuple(sorted({name for sourced in self.rules.rules for name in sourced.rule.from_}))


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry that would differ. `what` is created, changed, cancelled (by an event) or gone (no event asks for it
    any more). `fields`: field → (old, new). What is gone stays at the vendor: no event sends a `request`, only
    `reapply` of that rule would. Both None: the vendor cannot say it, or the new settings have no such destination."""

    what: str
    destination: str
    key: str
    rule: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    request: Shown | None = None
    reapplied: Shown | None = None


@dataclass(slots=True)
class Comparison:
    """What two rule sets come to."""

    records: int = 0
    entries: int = 0
    """Under either rule set."""
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(what, destination, rule) → entries."""
    examples: list[Difference] = field(default_factory=list)
    undecodable: int = 0
    failures: dict[str, Counter[str]] = field(default_factory=lambda: {"old": Counter(), "new": Counter()})
    """Side → rule → records that it fails on."""
    seconds: float = 0.0
    cpu: float = 0.0
    """CPU seconds of all processes while they read and evaluated."""

    def total(self, *what: str) -> int:
        return sum(n for (kind, _, _), n in self.counts.items() if kind in what)


@dataclass(frozen=True, slots=True)
class _Part:
    """One process's share."""

    kafka: KafkaConfig
    bounds: Mapping[Partition, Bounds]
    old: Version
    new: Version
    file: Path
    number: int


async def range_of(kafka: KafkaConfig, old: Version, new: Version, span: Span) -> dict[Partition, Bounds]:
    """Where the records lie that either rule set reads."""
    return await bounds_of(kafka, sorted({*old.topics(), *new.topics()}), span)


def compare(
    kafka: KafkaConfig,
    bounds: Mapping[Partition, Bounds],
    old: Version,
    new: Version,
    progress: Progress = lambda done, total: None,
    jobs: int | None = None,
    examples: int = 10,
) -> Comparison:
    """What would differ in the records within these bounds, with at most so many `examples` of each kind. `jobs`:
    processes; None: one for each core. Raises StreamError. Blocks: where there is an event loop, run it in a thread."""
    started = time.monotonic()
    result = Comparison()
    with TemporaryDirectory(prefix="calends-diff-") as folder:
        shares = _shares(bounds, jobs or os.cpu_count() or 1)
        parts = [_Part(kafka, share, old, new, Path(folder) / f"{n}.db", n) for n, share in enumerate(shares)]
        total = sum(bound.end - bound.begin for bound in bounds.values())
        for done in _here(parts, progress, total) if total < FEW or jobs == 1 else _run(parts, progress, total):
            result.records += done.records
            result.undecodable += done.undecodable
            result.cpu += done.cpu
            for side, failures in done.failures.items():
                result.failures[side].update(failures)
        _Judge(old, new, examples).judge(pairs([part.file for part in parts]), result)
    result.seconds = time.monotonic() - started
    return result


def _shares(bounds: Mapping[Partition, Bounds], jobs: int) -> list[dict[Partition, Bounds]]:
    """The partitions, dealt out so that the shares are as even as they get."""
    shares: list[dict[Partition, Bounds]] = [{} for _ in range(max(1, min(jobs, len(bounds))))]
    sizes = [0] * len(shares)
    for part, bound in sorted(bounds.items(), key=lambda item: item[1].begin - item[1].end):
        least = sizes.index(min(sizes))
        shares[least][part] = bound
        sizes[least] += bound.end - bound.begin
    return shares


def _here(parts: Sequence[_Part], progress: Progress, total: int) -> Iterator[Comparison]:
    """In this process: for a few records no other is worth its start."""
    before = 0
    for part in parts:
        done = asyncio.run(_compare_part(part, _counting(progress, before, total)))
        before += done.records
        yield done


def _counting(progress: Progress, before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress(before + done, total)


def _run(parts: Sequence[_Part], progress: Progress, total: int) -> Iterator[Comparison]:
    context = multiprocessing.get_context("spawn")
    counts = context.Array("q", len(parts), lock=False)
    with ProcessPoolExecutor(len(parts), context, _share_counts, (counts,)) as pool:
        running = [pool.submit(_compared, part) for part in parts]
        try:
            while not all(future.done() for future in running):
                progress(sum(counts), total)
                time.sleep(0.1)
        except BaseException:  # nobody waits for the result any more
            for child in multiprocessing.active_children():
                child.kill()
            raise
        progress(sum(counts), total)
        yield from (future.result() for future in running)


class _Shared:
    """In a process of the pool: how many records each has done."""

    counts: Any = None


def _share_counts(counts: Any) -> None:
    _Shared.counts = counts


def _compared(part: _Part) -> Comparison:
    def count(done: int) -> None:
        _Shared.counts[part.number] = done

    return asyncio.run(_compare_part(part, count))


async def _compare_part(part: _Part, count: Callable[[int], None]) -> Comparison:
    sides = _Sides.of(part.old, part.new)
    spill, result, began = Spill(part.file), Comparison(), time.process_time()
    async for records in read(part.kafka, part.bounds):
        for record in records:
            sides.take(record, spill, result)
        result.records += len(records)
        count(result.records)
    spill.close()
    result.cpu = time.process_time() - began
    return result


_ASKED = attrgetter(
    "destination", "key", "kind", "layer", "group", "content", "subscriber", "identity", "deliver_at", "expires_at"
)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both rule sets. The rules that they share run once; where those meet the others in an entry, all run again."""

    old: RuleSet
    new: RuleSet
    shared: RuleSet
    only_old: RuleSet
    only_new: RuleSet

    @classmethod
    def of(cls, old: Version, new: Version) -> _Sides:
        olds, news = old.rule_set(), new.rule_set()
        known = [sourced.rule for sourced in news.rules.rules] if same_destinations(old.settings, new.settings) else []
        shared = [sourced.rule for sourced in olds.rules.rules if sourced.rule in known]
        return cls(
            olds,
            news,
            _some(olds, lambda rule: rule in shared),
            _some(olds, lambda rule: rule not in shared),
            _some(news, lambda rule: rule not in shared),
        )

    def take(self, record: Record, spill: Spill, result: Comparison) -> None:
        try:
            event = decode(record)
        except Undecodable:
            result.undecodable += 1
            return
        shared, before, after = (side.evaluate(event) for side in (self.shared, self.only_old, self.only_new))
        if _meet(shared, before) or _meet(shared, after):
            shared, before, after = Evaluation(), self.old.evaluate(event), self.new.evaluate(event)
        for name, evaluation in (("old", before), ("new", after)):
            failures = (*shared.failures, *evaluation.failures)
            result.failures[name].update(failure.rule for failure in failures)
        rosters = ((BOTH, shared.rosters), (OLD, before.rosters), (NEW, after.rosters))
        for side, named in rosters:
            for roster in named:
                spill.add_roster(roster, side)
        same = _same_changes(before.changes, after.changes)
        for change in (*shared.changes, *(before.changes if same else ())):
            spill.add(change, BOTH)
        for side, changes in ((OLD, before.changes), (NEW, after.changes)):
            for change in () if same else changes:
                spill.add(change, side)


def _some(rules: RuleSet, wanted: Callable[[Rule], bool]) -> RuleSet:
    chosen = tuple(sourced for sourced in rules.rules.rules if wanted(sourced.rule))
    return RuleSet(Rules(chosen), rules.destinations, rules.layers)


def _meet(one: Evaluation, other: Evaluation) -> bool:
    """Whether both change the same entry, or name the same group: then each rule has to know of the other."""
    return not _named(one).isdisjoint(_named(other))


def _named(found: Evaluation) -> set[tuple[str, str, str]]:
    entries = {("entry", change.destination, change.key) for change in found.changes}
    return entries | {("group", roster.destination, roster.group) for roster in found.rosters}


def _same_changes(before: Sequence[Change], after: Sequence[Change]) -> bool:
    return len(before) == len(after) and all(
        _ASKED(one) == _ASKED(other) and one.version[0] == other.version[0]
        for one, other in zip(before, after, strict=True)
    )


# what would differ --------------------------------------------------------------------------------------------------


def same_destinations(old: Settings, new: Settings) -> bool:
    """Whether the same rules come to the same entries under both."""
    return (old.destinations, old.accounts, old.layers) == (new.destinations, new.accounts, new.layers)


@dataclass(slots=True)
class _Judge:
    old: Version
    new: Version
    examples: int
    olds: RuleSet = field(init=False)
    news: RuleSet = field(init=False)

    def __post_init__(self) -> None:
        self.olds, self.news = self.old.rule_set(), self.new.rule_set()

    def judge(self, found: Iterator[Pair], result: Comparison) -> None:
        kept: Counter[str] = Counter()
        same_settings = same_destinations(self.old.settings, self.new.settings)
        for pair in found:
            result.entries += 1
            one = None if pair.same and same_settings else self._difference(pair)
            if one is None:
                continue
            result.counts[one.what, one.destination, one.rule] += 1
            if kept[one.what] < self.examples:
                kept[one.what] += 1
                result.examples.append(self._with_request(one, pair))

    def _states(self, pair: Pair) -> tuple[State, State]:
        return _state(pair.destination, pair.old, self.olds), _state(pair.destination, pair.new, self.news)

    def _difference(self, pair: Pair) -> Difference | None:
        (before, was), (after, would) = self._states(pair)
        what = _what(before, after)
        if what is None:
            return None
        fields = {name: (was.get(name), would.get(name)) for name in {*was, *would} if was.get(name) != would.get(name)}
        if what == "changed":
            whose = zip(WHOSE, pair.old.whose(), pair.new.whose(), strict=True)
            fields |= {name: (one, other) for name, one, other in whose if one != other}
            if not fields:
                return None
        rule = pair.old.slots[BASE][1]["rule"] if what == "gone" else _newest(pair.new)
        return Difference(what, pair.destination, pair.key, rule, dict(sorted(fields.items())))

    def _with_request(self, one: Difference, pair: Pair) -> Difference:
        """The request that takes the vendor from what the old rules want to what the new ones want."""
        view = self.news.destinations.get(pair.destination)
        if view is None:
            return one
        (before, was), (after, would) = self._states(pair)
        wanted, observed = would if after == "present" else None, was if before == "present" else None
        request = request_for(view, pair.key, wanted, observed)
        if isinstance(request, Rejected):
            return one
        told = unsent(request, view, self.new.settings)
        return replace(one, reapplied=told) if one.what == "gone" else replace(one, request=told)


def _newest(layers: Layers) -> str:
    """The rule that wrote last."""
    return str(max(layers.slots.values(), key=itemgetter(0))[1]["rule"])


def _state(destination: str, layers: Layers, rules: RuleSet) -> State:
    view = rules.destinations.get(destination)
    return ("absent", {}) if view is None else layers.state(view, rules.layers)


def _what(before: str, after: str) -> str | None:
    """What becomes of the entry; None: it is at no vendor, before and after."""
    match before, after:
        case "present", "present":
            return "changed"
        case _, "present":
            return "created"
        case "present", "cancelled" | "deleted":
            return "cancelled"
        case "present", _:
            return "gone"
        case _:
            return None
