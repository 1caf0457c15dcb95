"""Whatever happens on the way, nothing is lost, doubled or put out of order, and no quota, pause or budget is broken.

Hypothesis drives the world of `world.py` on SQLite and on PostgreSQL: two workers, two entries at one or two of four
kinds of vendor, in virtual time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from pipeline.model.change import BASE, Change, Kind, Link, Version
from tests.protocol import probes
from tests.protocol.clocks import Clock, PostgresClock, SqliteClock
from tests.protocol.ending import PEOPLE, converge
from tests.protocol.fates import Timing
from tests.protocol.log import PARTITIONS, TOPIC, Published
from tests.protocol.memory import KINDS, POISON
from tests.protocol.policies import NOTE
from tests.protocol.world import KEYS, World
from tests.services import fresh_database

What = Literal["base", "note", "cancel", "delete"]
SHARE = st.sampled_from((0.0, 0.5, 0.99))
WORKER = st.sampled_from((0, 1))
KILLED_AT = st.sampled_from((None,) * 6 + (0, 2, 3, 4, 5, 6, 8))
TIMING = st.builds(
    Timing,
    leaves=st.sampled_from((0.0, 0.0, 0.3, 0.6, 0.9)),
    arrives=SHARE,
    ends=SHARE,
    acts=st.sampled_from((None, 0.0, 0.3, 0.8, 0.99)),
    settles=st.sampled_from((0.0, 0.0, 1.0, 25.0)),
    strays=st.sampled_from((0.0, 0.0, 0.5, 0.99)),
)
FATE = st.tuples(st.sampled_from(("answered", "answered", "unheard", "unheard", "throttled", "refused")), TIMING)

# To look for a bug: CALENDS_EXAMPLES=1000 for more schedules, CALENDS_SHRINK=1 for the smallest that fails (minutes).
SHRINK = (Phase.shrink,) if os.environ.get("CALENDS_SHRINK") else ()
EFFORT = settings(
    max_examples=int(os.environ.get("CALENDS_EXAMPLES", "50")),
    stateful_step_count=30,
    deadline=None,
    database=None,
    phases=(Phase.generate, *SHRINK),
    suppress_health_check=list(HealthCheck),
)


class Protocol(RuleBasedStateMachine):
    world: World

    @initialize(
        first=st.integers(0, 3),
        second=st.sampled_from((None, None, 0, 1, 2, 3)),
        linked=st.sampled_from((True, True, False)),
    )
    def a_new_life(self, first: int, second: int | None, linked: bool) -> None:
        chosen = sorted({first} if second is None else {first, second})
        self.kinds = [KINDS[number] for number in chosen]
        self.world.begin(self.kinds)
        self.known: dict[tuple[str, int], tuple[Change, ...]] = {}
        self.order = 10
        for person in PEOPLE if linked else ():
            self.somebody_is_linked(person, 1, 0)
        self.something_is_published(1, "base", KEYS[0], 0, PEOPLE[0], None, None)

    @rule(
        newer=st.sampled_from((1, 1, 1, 2, 0, -1, -2)),
        what=st.sampled_from(("base", "base", "base", "note", "cancel", "delete", "poison")),
        key=st.sampled_from((KEYS[0], KEYS[0], KEYS[1])),
        partition=st.integers(0, PARTITIONS - 1),
        person=st.sampled_from(PEOPLE),
        delivered=st.sampled_from((None, None, 5.0, 60.0)),
        expires=st.sampled_from((None, None, None, 10.0, 100.0)),
    )
    def something_is_published(
        self,
        newer: int,
        what: str,
        key: str,
        partition: int,
        person: str,
        delivered: float | None,
        expires: float | None,
    ) -> None:
        """In any order; who comes again with a version that came before is the same once more."""
        order = self.order + newer
        self.order = max(self.order, order)
        changes = self.known.get((key, order))
        if changes is None:
            at = Version(order, TOPIC, partition, self.world.log.next_offset(partition), 1)
            times = (_at(self.world.now, delivered), _at(self.world.now, expires))
            changes = tuple(
                _change(kind.name, key, at, what, person if kind.identified else None, times) for kind in self.kinds
            )
            self.known[key, order] = changes
        self.world.publish(partition, Published(changes))

    @rule(person=st.sampled_from(PEOPLE), order=st.integers(1, 4), partition=st.integers(0, PARTITIONS - 1))
    def somebody_is_linked(self, person: str, order: int, partition: int) -> None:
        """And to somebody else later, in any order."""
        links = (Link(kind.name, person, f"{person}-{order}", Version(order, "l", 0, 0, 0)) for kind in self.kinds)
        self.world.publish(partition, Published(links=tuple(links)))

    @rule(worker=WORKER, again=st.sampled_from((0, 0, 1, 3)), killed_at=KILLED_AT)
    def a_worker_reads(self, worker: int, again: int, killed_at: int | None) -> None:
        for partition in range(PARTITIONS):
            self.world.intake(self.world.workers[worker], partition, 3, again, killed_at)

    @rule(
        worker=WORKER,
        of=st.integers(0, 1),
        limit=st.integers(1, 4),
        fates=st.lists(FATE, min_size=1, max_size=3),
        killed_at=KILLED_AT,
    )
    def a_lane_turns(self, worker: int, of: int, limit: int, fates: list[Any], killed_at: int | None) -> None:
        """As soon as there is something to call for."""
        kind = self.kinds[of % len(self.kinds)]
        self.world.intake(self.world.workers[0], 0)
        self.world.intake(self.world.workers[0], 1)
        for _ in range(2):
            wait = self.world.work(self.world.workers[worker], kind, limit, fates, killed_at)
            if wait is None or not 0.0 < wait < 60.0:
                break
            self.time_passes(wait)

    @rule(
        worker=WORKER,
        of=st.integers(0, 1),
        fate=FATE,
        what=st.sampled_from(("base", "base", "note", "delete")),
        key=st.sampled_from((KEYS[0], KEYS[0], KEYS[1])),
        person=st.sampled_from(PEOPLE),
    )
    def a_change_overtakes_a_call(self, worker: int, of: int, fate: Any, what: str, key: str, person: str) -> None:
        self.a_lane_turns(worker, of, 4, [fate], None)
        self.something_is_published(1, what, key, 0, person, None, None)
        self.world.intake(self.world.workers[0], 0)
        self.what_is_under_way_happens()
        self.a_lane_turns(1 - worker, of, 4, [("answered", Timing())], None)

    @rule(worker=WORKER, of=st.integers(0, 1), fate=FATE)
    def a_worker_dies_under_a_call(self, worker: int, of: int, fate: Any) -> None:
        """And another finds the lease run out."""
        self.a_lane_turns(worker, of, 4, [fate], None)
        self.world.kill(self.world.workers[worker])
        self.time_passes(31.0)
        self.a_lane_turns(1 - worker, of, 4, [("answered", Timing())], None)

    @rule(
        trouble=st.sampled_from(("killed", "killed", "stopped", "weather", "weather", "held", "paused")),
        worker=WORKER,
        of=st.integers(0, 1),
        seconds=st.sampled_from((1.5, 5.0, 21.0, 60.0)),
        weather=st.sampled_from(("down", "refusing", "revoked")),
    )
    def something_goes_wrong(self, trouble: str, worker: int, of: int, seconds: float, weather: Any) -> None:
        world, kind = self.world, self.kinds[of % len(self.kinds)]
        match trouble:
            case "killed":
                world.kill(world.workers[worker])
            case "stopped":
                world.stop(world.workers[worker], seconds)
            case "weather":
                world.change_weather(kind, weather)
            case "held":
                world.hold(kind)
            case _:
                world.pause(kind, resumed=False)

    @rule()
    def it_is_put_right(self) -> None:
        for kind in self.kinds:
            self.world.change_weather(kind, "well")
            self.world.pause(kind, resumed=True)

    @rule(seconds=st.sampled_from((0.3, 1.0, 3.0, 12.0, 31.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(self.world.now + seconds)
        self.world.sweep(self.world.workers[0])
        probes.begin(self.world, self.world.workers[0])

    @rule(
        worker=WORKER,
        of=st.integers(0, 1),
        fate=FATE,
        waited=st.sampled_from((0.0, 1.1, 4.5)),
        trouble=st.sampled_from((None, None, "frozen", "told to wait before", "told to wait meanwhile")),
    )
    def a_held_account_is_probed(self, worker: int, of: int, fate: Any, waited: float, trouble: str | None) -> None:
        world, kind = self.world, self.kinds[of % len(self.kinds)]
        world.hold(kind)
        if trouble == "told to wait before":
            probes.told_to_wait(world, kind)
        self.world.advance(world.now + waited)
        probes.begin(world, world.workers[worker], *fate)
        match trouble:
            case "frozen":
                world.stop(world.workers[worker], 21.0)
                self.time_passes(31.0)
            case "told to wait meanwhile":
                probes.told_to_wait(world, kind)
                self.what_is_under_way_happens()

    @rule()
    def what_is_under_way_happens(self) -> None:
        for _ in range(2):
            if self.world.events:
                self.world.advance(self.world.events[0][0])

    @rule()
    def what_is_due_wakes(self) -> None:
        """But for who waits for a link, for a month."""
        now = self.world.now
        due = [at for row in self.world.rows() if (at := row.wake_at) is not None and at < now + 400.0]
        if due:
            self.world.advance(max(min(due), now))
            self.world.sweep(self.world.workers[1])

    @invariant()
    def nothing_is_amiss(self) -> None:
        if hasattr(self, "kinds"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "kinds"):
            converge(self.world)


def _at(now: float, seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(now + seconds, UTC)


def _change(
    destination: str,
    key: str,
    at: Version,
    what: str,
    person: str | None,
    times: tuple[datetime | None, datetime | None],
) -> Change:
    if what in ("cancel", "delete"):
        kind: Kind = "cancel" if what == "cancel" else "delete"
        return Change(destination, key, kind, at, "rule")
    if what == NOTE:
        return Change(destination, key, "upsert", at, "rule", layer=NOTE, content={"location": f"room {at.order}"})
    content = {"title": POISON if what == "poison" else f"v{at.order % 3}"}  # what was once comes back
    if at.order % 2:
        content["description"] = "d"
    return Change(
        destination,
        key,
        "upsert",
        at,
        "poisoned" if what == "poison" else "rule",
        layer=BASE,
        content=content,
        subscriber=person,
        deliver_at=times[0],
        expires_at=times[1],
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    clock: Clock
    if request.param == "sqlite":
        url, clock = f"sqlite:///{tmp_path}/ledger.db", SqliteClock()
    else:
        url = fresh_database(request.getfixturevalue("postgres_service"))
        clock = PostgresClock(url)
    world = World(url, clock)
    yield world
    world.close()


def test_nothing_is_lost_doubled_late_or_over_quota(world: World) -> None:
    machine = type("Machine", (Protocol,), {"world": world})
    # Four times as slow as SQLite, and the same protocol.
    fewer = settings(EFFORT, max_examples=max(1, EFFORT.max_examples // 2))
    run_state_machine_as_test(machine, settings=fewer if isinstance(world.clock, PostgresClock) else EFFORT)
