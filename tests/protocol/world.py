"""The ledger's whole protocol in virtual time: a log, workers, vendors, faults, and what must never happen.

Everything that production decides is production's: ledger, lane, plans, transitions, on a real database. The world only
says what happens when. It decides nothing at random: who drives it says all.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from pipeline import account as accounts
from pipeline import lane as lanes
from pipeline import pacing, probing
from pipeline.ledger import MARGIN, SLACK, Budget, Claim, Grant, Ledger, Message, Posted, Quota, Result
from pipeline.ledger import tables as t
from pipeline.model.facts import Facts
from pipeline.model.outcome import Outcome, Throttled
from pipeline.telemetry import Telemetry
from tests.protocol.clocks import EPOCH, Clock
from tests.protocol.fates import Fate, Timing, Weather, foul
from tests.protocol.log import PARTITIONS, TOPIC, Log, Published
from tests.protocol.memory import KINDS, Asked, Broken, Kind, Memory
from tests.protocol.policies import SETTLE_TIME, buried, policy_of
from tests.protocol.workers import LOST, REFUSED, TIMEOUT, Flight, Said, Worker

LEASE = SLACK + TIMEOUT + MARGIN
KEYS = ("k1", "k2")
OBEYED_WITHIN = 0.25
"""Seconds after which a stored pause or hold stops every replica."""
BLUR = 0.001
"""Seconds: a Julian day as a float tells 40 microseconds apart."""


class Died(BaseException):
    """kill -9, in the middle of a transaction."""


class World:
    """One ledger at `url` whose clock is `clock`, for as many lives as there are examples."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.clock = clock
        kinds = {kind.name: kind for kind in KINDS}
        self.policies = {name: policy_of(kind) for name, kind in kinds.items()}
        self.ledger = Ledger(
            url,
            self.policies,
            {name: Quota(name, kind.windows) for name, kind in kinds.items()},
            buried,
            None,
            {name: Budget(name, kind.credits, 60.0) for name, kind in kinds.items() if kind.credits},
        )
        self.telemetry = Telemetry(b"key")
        self._fuse: int | None = None
        clock.watch(self.ledger._database.engine)
        event.listen(self.ledger._database.engine, "before_cursor_execute", self._burn)
        self.ledger.migrate()
        self.now = EPOCH
        self.patch = pytest.MonkeyPatch()

    def begin(self, kinds: Sequence[Kind]) -> None:
        """A new life: an empty ledger, two workers, everybody well."""
        with self.ledger._database.engine.begin() as connection:
            for table in reversed(t.metadata.sorted_tables):
                connection.execute(table.delete())
        self.kinds = {kind.name: kind for kind in kinds}
        self.ledger.declare()
        self.memories = {kind.name: Memory(kind) for kind in kinds}
        self.weather: dict[str, Weather] = dict.fromkeys(self.kinds, "well")
        ahead = {"a": 5.0, "b": -977.0}
        self.workers = [Worker(name, self.ledger, self.telemetry, by, lambda: self.now) for name, by in ahead.items()]
        self.log = Log()
        self.events: list[tuple[float, int, Worker | None, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.claimed: dict[tuple[str, str], tuple[str, int]] = {}
        self.pauses: dict[str, list[tuple[float, float]]] = {name: [] for name in self.kinds}
        self.holds: dict[str, float] = {}
        self.paused: dict[str, float] = {}
        self.innocent: dict[str, set[str]] = {name: set() for name in self.kinds}
        self.dead_letters: Counter[str] = Counter()

    def close(self) -> None:
        self.patch.undo()
        self.ledger.close()

    # time ----------------------------------------------------------------------------------------------------------

    def at(self, when: float, worker: Worker | None, act: Callable[[], None]) -> None:
        """`worker`: who does it; not at all once it is dead, later while it is stopped."""
        incarnation = 0 if worker is None else worker.incarnation
        heapq.heappush(self.events, (when, next(self.order), worker, incarnation, act))

    def advance(self, until: float) -> None:
        while self.events and self.events[0][0] <= until:
            when, order, worker, incarnation, act = heapq.heappop(self.events)
            self._set(max(self.now, when))
            if worker is not None and worker.incarnation != incarnation:
                continue
            if worker is not None and worker.stopped_until > self.now:
                heapq.heappush(self.events, (worker.stopped_until, order, worker, incarnation, act))
                continue
            act()
        self._set(max(self.now, until))

    def _set(self, now: float) -> None:
        self.now = now
        self.clock.set(now)

    @contextmanager
    def seen_by(self, worker: Worker) -> Iterator[None]:
        """The worker's own monotonic clock, as its lane reads it."""
        with self.patch.context() as patch:
            for module in (accounts, lanes, pacing, probing):
                patch.setattr(module, "time", _Monotonic(self, worker))
            yield

    # the database --------------------------------------------------------------------------------------------------

    def _burn(self, *_: Any) -> None:
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse < 0:
                self._fuse = None
                raise Died

    @contextmanager
    def _killed_at(self, worker: Worker, statement: int | None) -> Iterator[None]:
        """The worker dies at its so-many-eth statement from here; None: it lives."""
        self._fuse = statement
        try:
            yield
        except Died:
            self.kill(worker)
        finally:
            self._fuse = None

    # intake --------------------------------------------------------------------------------------------------------

    def publish(self, partition: int, published: Published) -> None:
        self.log.partitions[partition].append(published)

    def intake(
        self, worker: Worker, partition: int, count: int = 10, again: int = 0, killed_at: int | None = None
    ) -> bool:
        """`again`: so many records before the ledger's offset come once more. Whether there was something."""
        part = (TOPIC, partition)
        at = max(0, self.ledger.every_offset().get(part, 0) - again)
        batch = self.log.partitions[partition][at : at + count]
        if not batch or worker.stopped_until > self.now:
            return False
        changes = [(change, {"value": "x"}) for published in batch for change in published.changes]
        links = [link for published in batch for link in published.links]
        with self._killed_at(worker, killed_at):
            self.ledger.take(changes, links, [], {part: at + len(batch)})
        return True

    # lanes ---------------------------------------------------------------------------------------------------------

    def work(
        self, worker: Worker, kind: Kind, limit: int, fates: Sequence[tuple[Fate, Timing]], killed_at: int | None = None
    ) -> float | None:
        """One turn of a lane. Each call has its fate. The seconds to wait, None where there is nothing to wait for."""
        if worker.stopped_until > self.now:
            return None
        lane = worker.lane(kind)
        worker.watch()
        monotonic = self.now + worker.ahead
        claim = Claim(())
        with self.seen_by(worker):
            if lane.paused or not lane.account.open():
                return 1.0
            with self._killed_at(worker, killed_at):
                claim = self.ledger.claim(kind.name, worker.name, limit, LEASE)
            for grant, (fate, timing) in zip(claim.grants, itertools.cycle(fates), strict=False):
                self._claimed(grant)
                flight = worker.begin(kind, grant, monotonic)
                leaves = self.now + max(grant.wait, timing.leaves * (SLACK + 1.0))
                self.at(max(self.now, leaves - 0.1), worker, worker.watch)
                self.at(leaves, worker, self._departure(worker, kind, grant, flight, fate, timing))
        return 0.0 if claim.grants else claim.wait

    def _claimed(self, grant: Grant) -> None:
        for row in grant.entries:
            name = (row.destination, row.key)
            wanted, serial = self.claimed.get(name, ("", 0))
            if wanted != row.sent_hash:
                self.claimed[name] = (row.sent_hash or "", serial + 1)
            if row.never_created and row.deliver_at is not None and row.deliver_at > self.now + BLUR:
                raise Broken("deliver_at: claimed before its time")
            if row.never_created and row.expires_at is not None and row.expires_at <= self.now - BLUR:
                raise Broken("expires_at: claimed after its time")

    def _departure(
        self, worker: Worker, kind: Kind, grant: Grant, flight: Flight, fate: Fate, timing: Timing
    ) -> Callable[[], None]:
        serials = {row.key: self.claimed[row.destination, row.key][1] for row in grant.entries}

        def leave() -> None:
            with self.seen_by(worker):
                left = flight.go_on()
            if left is None:
                self._over(worker, flight, timing)
                return
            self._stopped_by_nobody(kind)
            step, situations = left
            asked = [Asked(step, one, serials[one.key]) for one in situations]
            self._on_its_way(worker, kind, grant, flight, asked, fate, timing)

        return leave

    def _stopped_by_nobody(self, kind: Kind) -> None:
        """A call departs now."""
        self.paused_by_nobody(kind)
        for stored in (self.holds.get(kind.name), self.paused.get(kind.name)):
            if stored is not None and stored + OBEYED_WITHIN < self.now:
                raise Broken("hold: a call left after it was stored")

    def paused_by_nobody(self, kind: Kind) -> None:
        """A call, or a probe, departs now."""
        for stored, until in self.pauses[kind.name]:
            if stored + OBEYED_WITHIN < self.now < until - 1e-3:
                raise Broken("pause: a call left after it was stored")

    def arrives(self, kind: Kind) -> Weather:
        """What a call, or a probe, meets now. Who is refused does not count as arrived."""
        weather = self.weather[kind.name]
        if weather != "refusing":
            self.memories[kind.name].arrive(self.now)
        return weather

    def _on_its_way(
        self, worker: Worker, kind: Kind, grant: Grant, flight: Flight, asked: list[Asked], fate: Fate, timing: Timing
    ) -> None:
        memory = self.memories[kind.name]
        ends = self.now + timing.ends * TIMEOUT
        said: list[Any] = [LOST]

        def arrive() -> None:
            weather = self.arrives(kind)
            if weather == "refusing":
                said[0] = REFUSED
                return
            if weather != "well" or fate in ("throttled", "refused"):
                said[0] = foul(weather, fate, len(asked))
                return
            told = memory.say(asked, promised=kind.acts_later)
            refused = any(one.poisoned for one in asked)
            if fate == "answered":
                said[0] = Said(200, outcomes=tuple(told or acted()))
            if refused or (fate == "answered" and told is None) or (fate == "unheard" and timing.acts is None):
                return
            latest = ends + SETTLE_TIME - self.now
            self.at(self.now + (timing.acts or 0.0) * latest, None, lambda: acted() and None)

        def acted() -> list[Outcome]:
            memory.charge(grant.period, asked)
            return memory.act(asked)

        def end() -> None:
            with self.seen_by(worker):
                flight.go_on(said[0])
            self._over(worker, flight, timing)

        self.at(timing.arrival(fate, self.now, ends), None, arrive)
        self.at(ends, worker, end)

    def _over(self, worker: Worker, flight: Flight, timing: Timing) -> None:
        result = flight.result()
        if result is not None:
            self.at(self.now + timing.settles, worker, lambda: self.settle(worker, result))

    def settle(self, worker: Worker, result: Result) -> None:
        before = self.ledger.obstacles()
        for answer in result.answers:
            match answer and answer.outcome:
                case Throttled(after=after) if answer is not None:
                    until = answer.at - worker.ahead + (after or 1.0)
                    self.pauses[result.account].append((self.now, until))
        self.ledger.settle([result], lambda: self.now + worker.ahead)
        self._note_holds(before)

    # what goes wrong -----------------------------------------------------------------------------------------------

    def kill(self, worker: Worker) -> None:
        """Its calls that have left go on without it."""
        worker.die()

    def stop(self, worker: Worker, seconds: float) -> None:
        worker.stopped_until = max(worker.stopped_until, self.now + seconds)

    def change_weather(self, kind: Kind, weather: Weather) -> None:
        """An outage, a vendor that refuses for now, a revoked credential; or all is well again."""
        if self.weather[kind.name] == "well" and weather != "well":
            self.innocent[kind.name] = {row.key for row in self.rows() if row.failures == 0}
        if weather == "well":
            self.innocent[kind.name] = set()
        self.weather[kind.name] = weather

    def hold(self, kind: Kind) -> None:
        before = self.ledger.obstacles()
        self.ledger.hold(kind.name, "failing")
        self._note_holds(before)

    def pause(self, kind: Kind, resumed: bool) -> None:
        if not resumed and self.ledger.pause(kind.name, "ann"):
            self.paused[kind.name] = self.now
        elif resumed and self.ledger.resume(kind.name):
            del self.paused[kind.name]

    def _note_holds(self, before: Mapping[str, tuple[str, float]]) -> None:
        for name, (reason, _) in self.ledger.obstacles().items():
            if reason != "throttled" and before.get(name, ("throttled",))[0] == "throttled":
                self.holds[name] = self.now

    # housekeeping --------------------------------------------------------------------------------------------------

    def sweep(self, worker: Worker, killed_at: int | None = None) -> int:
        looked = 0
        with self._killed_at(worker, killed_at):
            looked, _ = self.ledger.sweep()
        return looked

    def post(self) -> None:
        def send(messages: Sequence[Message]) -> Posted:
            self.dead_letters.update((message.key or b"").decode() for message in messages)
            return Posted([message.id for message in messages])

        self.ledger.outbox(send)

    # seen ----------------------------------------------------------------------------------------------------------

    def rows(self) -> list[Facts]:
        return [row for key in KEYS for row in self.ledger.entry(key) if row.destination in self.kinds]

    def check(self) -> None:
        """What holds at any moment."""
        offsets = self.ledger.every_offset()
        for partition in range(PARTITIONS):
            at = offsets.get((TOPIC, partition), 0)
            if at < self.log.taken[partition]:
                raise Broken("offsets: one went back")
            self.log.taken[partition] = at
        for row in self.rows():
            if row.key in self.innocent[row.destination] and row.attempts > 0:
                raise Broken("outage: it spent an attempt")
            if (row.lease_until is not None) != (row.state == "sending"):
                raise Broken("place: leased and not sending, or the other way round")


class _Monotonic:
    """The module `time` as one worker's lane sees it."""

    def __init__(self, world: World, worker: Worker) -> None:
        self._world, self._worker = world, worker

    def monotonic(self) -> float:
        return self._world.now + self._worker.ahead
