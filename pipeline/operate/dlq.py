"""Dead letters: which there are, and what becomes of them when a person replays or discards them.

A replay runs today's rules over the original record and writes to the live ledger: the lanes send it inside the quota.
Each letter is marked in the transaction that does its work, so that a replay may be broken off and begun again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.dead_letters import Letter, NoLetter, keep, name_at, read
from pipeline.ledger import Ledger, LedgerUnavailable, LedgerWentBack, Replayed
from pipeline.model.change import Change, Link, Roster
from pipeline.model.event import Undecodable, decode
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.evaluate import Evaluation, RuleSet
from pipeline.stream import KafkaConfig
from pipeline.stream.ranges import Opening
from pipeline.stream.reading import read as read_topic


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant; what is None is not looked at."""

    names: frozenset[str] = frozenset()
    """partition:offset of single ones; empty: all."""
    reason: str | None = None
    stage: str | None = None
    rule: str | None = None
    destination: str | None = None
    since: datetime | None = None
    """When the letter was written."""

    @property
    def everything(self) -> bool:
        return self == Wanted()

    def takes(self, letter: Letter) -> bool:
        if self.names and letter.name not in self.names:
            return False
        said = ("reason", "stage", "rule", "destination")
        return all(getattr(self, name) in (None, getattr(letter, name)) for name in said) and (
            self.since is None or letter.posted >= self.since
        )


@dataclass(frozen=True, slots=True)
class Stranger:
    """A record of the topic that is no letter of ours."""

    at: Coordinates
    why: str

    @property
    def name(self) -> str:
        return name_at(self.at)


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the letters, after `seen` of `total` records of the topic."""

    letters: tuple[Letter, ...]
    seen: int
    total: int
    strangers: tuple[Stranger, ...] = ()
    """Of these records of the topic."""


@dataclass(frozen=True, slots=True)
class Box:
    """The dead-letter topic, beside the ledger that knows what became of each letter."""

    kafka: KafkaConfig
    topic: str
    ledger: Ledger

    async def open(self, wanted: Wanted) -> AsyncIterator[Found]:
        """The letters that are meant and that nobody has replayed or discarded. Raises StreamError."""
        seen, ended = 0, dict[tuple[int, int], str]()
        async for part in read_topic(self.kafka, self.topic):
            if not part.records:
                begins = {place: bound.begin for place, bound in part.bounds.items()}
                ended = ended or self.ledger.letters.ended(self.topic, begins)
            seen += len(part.records)
            letters, strangers = _letters(part.records)
            meant = letters if wanted.everything else [one for one in letters if wanted.takes(one)]
            still = [one for one in meant if (one.at.partition, one.at.offset) not in ended]
            yield Found(tuple(still), seen, part.total, strangers)

    async def opened(self, letters: Sequence[Letter]) -> list[Letter]:
        """The letters, framed records among them opened. Raises StreamError."""
        records = await Opening.of(self.kafka).opened([one.record for one in letters])
        return [replace(one, record=record) for one, record in zip(letters, records, strict=True)]


def _letters(records: Iterable[Record]) -> tuple[list[Letter], tuple[Stranger, ...]]:
    letters, strangers = [], list[Stranger]()
    for record in records:
        try:
            letters.append(read(record))
        except NoLetter as error:
            strangers.append(Stranger(record.at, str(error)))
    return letters, tuple(strangers)


# what becomes of one -----------------------------------------------------------------------------------------------


def replay(letter: Letter, rules: RuleSet, ledger: Ledger, dry: bool = False) -> str:
    """What became of it, or would: `replayed`; `stale`: the ledger holds it, or something newer; `fails: CODE`: it
    would be dead again; `unmatched`: no rule wants it any more; `ended`: somebody was faster."""
    try:
        evaluation = rules.evaluate(decode(letter.record))
    except Undecodable as error:
        return f"fails: {error.reason_code}"
    except Exception:  # as the intake has it: nothing that is in a record may stop the others
        return "fails: unexpected"
    failure = next((one.code for one in evaluation.failures if letter.rule in (None, one.rule)), None)
    if failure is not None:
        return f"fails: {failure}"
    changes, links, rosters = _meant(letter, evaluation)
    if not (changes or links or rosters):
        return "unmatched"
    raw = keep(letter.record)
    place = (letter.at.topic, letter.at.partition, letter.at.offset)
    try:
        came = ledger.letters.replay(
            place, [(one, raw) for one in changes], links, [(one, raw) for one in rosters], dry
        )
    except (LedgerUnavailable, LedgerWentBack):
        raise
    except Exception:  # what the database refuses, or a vendor's own judgement trips over
        return "fails: refused_by_ledger"
    return _became(came, bool(links or rosters))


def _meant(letter: Letter, found: Evaluation) -> tuple[list[Change], list[Link], list[Roster]]:
    """Of what the rules make of the record, what the letter is about: the rest was done at the time."""
    changes, links, rosters = list(found.changes), list(found.links), list(found.rosters)
    if letter.stage == "send":
        layer = (letter.layer or "").lstrip("!")
        changes = [one for one in changes if one.destination == letter.destination and _layer(one) == layer]
        return changes, [], [one for one in rosters if one.destination == letter.destination]
    if letter.rule is None:
        return changes, links, rosters
    rules = [one for one in changes if one.rule == letter.rule]
    return rules, links, [one for one in rosters if one.rule == letter.rule]


def _layer(change: Change) -> str:
    return change.layer if change.kind == "upsert" else "end"


def _became(came: Replayed, others: bool) -> str:
    if came.ended:
        return "ended"
    if came.dead:
        return f"fails: {came.dead[0].split()[0]}"
    return "replayed" if came.done or others else "stale"
