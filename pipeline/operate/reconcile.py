"""Reads a destination's vendor back and compares it with what the ledger says that the vendor holds.

Findings are kept in the ledger as they are made, so that a reading that was broken off goes on where it was. Nothing is
changed here but by `repair`: the lane puts right what is marked, and what stands beside an entry is deleted by its id.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.ledger import Ledger
from pipeline.ledger.drift import Seen
from pipeline.model.drift import Drift, in_step
from pipeline.model.facts import Facts
from pipeline.model.outcome import Rejected
from pipeline.operate.reader import Reader
from pipeline.operate.standing import CHUNK, Entry, Standing
from pipeline.vendors.contract import Item, ReadBack, Situation, Unread

Progress = Callable[[int, int], None]
ENTRIES, STRANGERS = "entries", "strangers"
"""The two parts of a place: what should be there, then what else is."""
END = (STRANGERS, "")
"""Where a place that was judged whole ends."""
BEFORE = ("entries", "moving")
"""What is counted before anything is read, at each beginning."""
ONLY_LISTED = "not_listed"
"""A vendor's code for: its list is all there is to be read."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one entry: drift, or why nothing can be said of it; neither: it is as it was acknowledged."""

    drifts: tuple[Drift, ...] = ()
    unread: str | None = None


@dataclass(slots=True)
class Reconciling:
    """One destination. `siblings`: the destinations of its account, itself among them."""

    destination: str
    siblings: Sequence[str]
    ledger: Ledger
    reader: Reader
    vendor_key: Callable[[str], str]
    progress: Progress = lambda done, total: None
    counts: Counter[str] = field(default_factory=Counter)
    _standing: Standing = field(init=False)

    @property
    def _back(self) -> ReadBack:
        return self.reader.back

    # reading -------------------------------------------------------------------------------------------------------

    async def read(self, again: bool = False) -> Seen:
        """Reads on where the last reading was broken off; from the beginning where it had ended, or `again`. Raises
        Halted; what was found until then is kept."""
        seen = await asyncio.to_thread(self.ledger.drift.seen, self.destination)
        if seen is None or seen.ended is not None or again:
            seen = await asyncio.to_thread(self.ledger.drift.begin, self.destination)
        self.counts = Counter(
            {name: n for name, n in seen.counts.items() if name not in BEFORE and "unplaced" not in name}
        )
        with TemporaryDirectory(prefix="calends-") as folder:
            self._standing = Standing(Path(folder) / "standing.db")
            try:
                await asyncio.to_thread(self._stand)
                async for part in self._parts(seen.after or ("", "", "")):
                    seen = await self._noted(seen, *part)
                await asyncio.to_thread(self._acquaint)
                return await self._noted(seen, (), seen.after or ("", "", ""), ended=True)
            finally:
                self._standing.close()

    def _stand(self) -> None:
        """Writes down how the ledger has it, before anything is read: what changes later is not judged."""
        now = self.ledger.now()
        for destination in self.siblings:
            after = ""
            while rows := self.ledger.drift.rows(destination, after):
                after = rows[-1].key
                self._standing.know(row.vendor_id for row in rows if row.vendor_id is not None)
                if destination == self.destination:
                    self._standing.add(self._placed(rows, now))

    def _acquaint(self) -> None:
        """What the lanes made while the vendor was being read is strange no longer."""
        if not self._standing.has_strange():
            return
        for destination in self.siblings:
            after = ""
            while names := self.ledger.drift.names(destination, after):
                after = names[-1].key
                moving = (one.key for one in names if one.moving and destination == self.destination)
                ids = [one.vendor_id for one in names if one.vendor_id is not None]
                known = self._standing.acquaint(ids, (self._back.mark(self.vendor_key(key)) for key in moving))
                self.counts["strangers"] -= known

    def _placed(self, rows: Sequence[Facts], now: float) -> Iterator[tuple[str, Entry]]:
        for row in rows:
            self.counts["entries"] += 1
            if not in_step(row, now):
                self.counts["moving"] += 1
                continue
            told = {name: getattr(row, name) for name in ("observed", "identity", "observed_identity", "vendor_id")}
            mark = self._back.mark(self.vendor_key(row.key))
            places = self._back.places(self._situation(Entry(row.key, mark, 0, row.epoch, told)))
            if isinstance(places, Unread):
                self.counts[f"unplaced {places.reason}"] += 1
                continue
            entry = Entry(row.key, mark, len(places), row.epoch, told)
            yield from ((place, entry) for place in places)

    async def _parts(self, after: tuple[str, str, str]) -> AsyncIterator[tuple[Sequence[Drift], tuple[str, str, str]]]:
        """What was found, part by part, each with what was judged last. Small places are read together."""
        total = self._standing.total()
        self.progress(self.counts["looked"], total)
        if after != ("", "", "") and after[1:] != END:
            async for part in self._place(after[0], after):
                yield part
                self.progress(self.counts["looked"], total)
        for group in _together(self._standing.places(after[0])):
            if len(group) == 1:
                async for part in self._place(group[0], (group[0], ENTRIES, "")):
                    yield part
                    self.progress(self.counts["looked"], total)
                continue
            found = await asyncio.gather(*(self._whole(place) for place in group))
            yield [drift for drifts in found for drift in drifts], (group[-1], *END)
            self.progress(self.counts["looked"], total)

    async def _whole(self, place: str) -> list[Drift]:
        return [drift async for drifts, _ in self._place(place, (place, ENTRIES, "")) for drift in drifts]

    async def _place(
        self, place: str, after: tuple[str, str, str]
    ) -> AsyncIterator[tuple[Sequence[Drift], tuple[str, str, str]]]:
        unread = await self._list(place)
        _, part, name = after
        if part == ENTRIES:
            while entries := self._standing.entries(place, name):
                name = entries[-1].key
                judged = await asyncio.gather(*(self._judge(place, one, unread) for one in entries))
                self._count(judged)
                yield [drift for one in judged for drift in one.drifts], (place, ENTRIES, name)
            name = ""
        while not unread and (strangers := self._standing.strangers(place, name)):
            name = strangers[-1].id or ""
            looked = await asyncio.gather(*(self._stranger(place, one) for one in strangers))
            yield [drift for drift in looked if drift is not None], (place, STRANGERS, name)
        self._standing.forget(place)
        yield (), (place, *END)

    async def _list(self, place: str) -> str | None:
        """Reads a place's list into the file; why it cannot be read."""
        async for shown in self.reader.pages(place):
            if isinstance(shown, Unread):
                return shown.reason
            self._standing.shows(place, shown.items)
        return None

    def _count(self, judged: Sequence[Judged]) -> None:
        self.counts["looked"] += len(judged)
        self.counts.update(f"unread {one.unread}" for one in judged if one.unread)

    async def _noted(
        self, seen: Seen, found: Sequence[Drift], after: tuple[str, str, str], ended: bool = False
    ) -> Seen:
        noted = replace(seen, after=after, counts=dict(self.counts))
        await asyncio.to_thread(self.ledger.drift.note, self.destination, noted, found, ended)
        return noted

    # judging -------------------------------------------------------------------------------------------------------

    def _situation(self, entry: Entry) -> Situation:
        row = entry.row
        return Situation(
            key=self.vendor_key(entry.key),
            wanted=row["observed"],
            observed=row["observed"],
            identity=row["identity"],
            observed_identity=row["observed_identity"],
            vendor_id=row["vendor_id"],
            options=self.reader.sending.account.options,
        )

    async def _judge(self, place: str, entry: Entry, unread: str | None) -> Judged:
        if unread is not None:
            return Judged(unread=unread)
        situation = self._situation(entry)
        items = self._standing.items(place, situation.vendor_id, entry.mark)
        own = _own(items, situation.vendor_id)
        others = tuple(one.id for one in items if one is not own and one.id is not None)
        beside = (Drift(entry.key, "doubled", (), others, entry.epoch),) if len(items) > (own is not None) else ()
        if own is None or own.content is None:
            looked = await self.reader.look(situation)
            if isinstance(looked, Unread):
                return self._unlisted(place, entry, situation, looked, beside)
            own = next(iter(looked.items), None)
        return Judged((*beside, *self._compared(entry, situation, own)))

    def _compared(self, entry: Entry, situation: Situation, own: Item | None) -> Iterator[Drift]:
        if own is None:
            yield Drift(entry.key, "deleted", epoch=entry.epoch)
        elif own.mark is not None and own.mark != entry.mark:
            # Another's item by now, as far as our key goes: it goes, and the entry is made again.
            yield Drift(entry.key, "deleted", ("key",), (own.id,) if own.id else (), entry.epoch)
        elif fields := tuple(self._back.differences(situation, own)):
            yield Drift(entry.key, "changed", fields, epoch=entry.epoch)

    def _unlisted(
        self, place: str, entry: Entry, situation: Situation, why: Unread, beside: tuple[Drift, ...]
    ) -> Judged:
        """Not in the list, and there is no other read. An item that shows nothing of a key may be it."""
        nameless = self._standing.nameless(place)
        if any(not self._back.differences(situation, item) for item in nameless):
            return Judged(beside)
        if why.reason != ONLY_LISTED or nameless or entry.places > 1:
            return Judged(beside, unread="unclear" if why.reason == ONLY_LISTED else why.reason)
        return Judged((*beside, Drift(entry.key, "deleted", epoch=entry.epoch)))

    async def _stranger(self, place: str, item: Item) -> Drift | None:
        """An item that the ledger knows nothing of: a copy of an entry, or none of ours, which nobody touches."""
        if item.content is None and item.id is not None:
            looked = await self.reader.look(Situation("", None, None, None, vendor_id=item.id, options=self._options))
            item = next(iter(looked.items), item) if not isinstance(looked, Unread) else item
        copied = self._standing.of_mark(item.mark) if item.mark else None
        if copied is None:
            self.counts["strangers"] += 1
            self._standing.strange(item)
            return None
        return Drift(copied.key, "doubled", (), (item.id,) if item.id else (), copied.epoch)

    @property
    def _options(self) -> dict[str, object]:
        return dict(self.reader.sending.account.options)

    # repairing -----------------------------------------------------------------------------------------------------

    async def repair(self) -> Counter[str]:
        """What became of the findings that nothing had become of: how many of each. Each is marked by itself, so that
        it may be broken off and begun again."""
        became: Counter[str] = Counter()
        total = sum(n for (_, done), n in self.ledger.drift.counts(self.destination).items() if done is None)
        while found := await asyncio.to_thread(self.ledger.drift.open, self.destination):
            cleared = await asyncio.gather(*(self._cleared(one) for one in found))
            marked = [one for one, clear in zip(found, cleared, strict=True) if clear is None]
            for one, clear in zip(found, cleared, strict=True):
                if clear is not None:
                    await asyncio.to_thread(self.ledger.drift.close, self.destination, one, clear)
                    became[clear] += 1
            became.update((await asyncio.to_thread(self._mark, marked)).values())
            self.progress(sum(became.values()), total)
        return became

    def _mark(self, found: Sequence[Drift]) -> dict[str, str]:
        return self.ledger.drift.mark(self.destination, found, self._refusal)

    def _refusal(self, row: Facts) -> str | None:
        situation = Situation.of(row, self.vendor_key(row.key), self.reader.sending.account.options)
        step = self.reader.vendor.plan(situation)
        return f"{step.reason} {step.detail}".strip() if isinstance(step, Rejected) else None

    async def _cleared(self, one: Drift) -> str | None:
        """Deletes what stands beside an entry, or in its place: what became of that; None: the entry is next."""
        if one.kind == "doubled" and not one.ids:
            return "cannot be removed"
        if one.kind == "doubled" and not await self._is_kept(one):
            return "moved on"
        for identity in one.ids:
            came = await self.reader.remove(identity)
            if came != "removed":
                return came
        return "removed" if one.kind == "doubled" else None

    async def _is_kept(self, one: Drift) -> bool:
        """Whether the entry itself stands there still, or is made again: somebody may have deleted that one of two."""
        row, kinds = await asyncio.to_thread(self.ledger.drift.about, self.destination, one.key)
        if row is None or row.epoch != one.epoch:
            return False
        if "deleted" in kinds:
            return True
        looked = await self.reader.look(Situation.of(row, self.vendor_key(one.key), self._options))
        return isinstance(looked, Unread) or bool(looked.items)


def _own(items: Sequence[Item], vendor_id: str | None) -> Item | None:
    """The item that the ledger means; without an id of the vendor's the first under our key."""
    if vendor_id is None:
        return next(iter(items), None)
    return next((one for one in items if one.id == vendor_id), None)


def _together(places: Iterator[tuple[str, int]]) -> Iterator[list[str]]:
    """Places that are read at the same time: a large one by itself."""
    group, size = list[str](), 0
    for place, entries in places:
        if group and size + entries > CHUNK:
            yield group
            group, size = [], 0
        group.append(place)
        size += entries
    if group:
        yield group
