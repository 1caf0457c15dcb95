"""Probes of held accounts in virtual time: production's, from their turn to what the ledger is told of them.

They may leave late, or in a pause, only if production lets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.ledger import MARGIN, SLACK, Grant
from pipeline.model.outcome import Throttled
from pipeline.model.wire import Response
from tests.protocol.fates import Fate, Timing, Weather
from tests.protocol.memory import Broken, Kind
from tests.protocol.workers import LOST, REFUSED, TIMEOUT, Probe, Worker

if TYPE_CHECKING:
    from tests.protocol.world import World

LEASE = SLACK + TIMEOUT + MARGIN
PAUSE = 5.0
"""Seconds that a throttled probe is told to wait."""


def begin(world: World, worker: Worker, fate: Fate = "answered", timing: Timing | None = None) -> bool:
    """Begins whatever probes are this worker's to make; whether there are any."""
    if worker.stopped_until > world.now:
        return False
    worker.watch()
    begun = False
    for kind in world.kinds.values():
        with world.seen_by(worker):
            probe = worker.probe(kind)
        if probe is not None:
            begun = True
            _departs(world, worker, kind, probe, fate, timing or Timing())
    return begun


def told_to_wait(world: World, kind: Kind) -> None:
    """Somebody who calls by hand is asked to leave the account alone."""
    granted = world.ledger.grant(kind.name, LEASE, force=True)
    if isinstance(granted, Grant):
        world.memories[kind.name].arrive(world.now)
        world.ledger.hand_back(kind.name, granted, "answered", Throttled(PAUSE))
        world.pauses[kind.name].append((world.now, world.now + PAUSE))


def _departs(world: World, worker: Worker, kind: Kind, probe: Probe, fate: Fate, timing: Timing) -> None:
    granted = world.now
    leaves = world.now + timing.leaves * (SLACK + 1.0)

    def leave() -> None:
        with world.seen_by(worker):
            left = probe.go_on()
        if not left:
            _over(world, worker, kind)
            return
        if world.now > granted + SLACK:
            raise Broken("late: a probe left after its place of the quota was void")
        world.paused_by_nobody(kind)
        _on_its_way(world, worker, kind, probe, fate, timing)

    world.at(max(world.now, leaves - 0.1), worker, worker.watch)
    world.at(leaves, worker, leave)


def _on_its_way(world: World, worker: Worker, kind: Kind, probe: Probe, fate: Fate, timing: Timing) -> None:
    ends = world.now + timing.ends * TIMEOUT
    said: list[Any] = [LOST]

    def arrive() -> None:
        said[0] = _how_it_is(world.arrives(kind), fate)

    def end() -> None:
        with world.seen_by(worker):
            probe.go_on(said[0])
        if isinstance(said[0], Response) and said[0].status == 429:
            world.pauses[kind.name].append((world.now, world.now + PAUSE))
        _over(world, worker, kind)

    world.at(timing.arrival(fate, world.now, ends), None, arrive)
    world.at(ends, worker, end)


def _over(world: World, worker: Worker, kind: Kind) -> None:
    worker.probing.discard(kind.name)
    held = {hold.account for hold in world.ledger.holds() if hold.reason in ("failing", "unauthorized", "token_server")}
    world.holds = {name: since for name, since in world.holds.items() if name in held}


def _how_it_is(weather: Weather, fate: Fate) -> Any:
    match weather, fate:
        case "refusing", _:
            return REFUSED
        case ("down", _) | (_, "unheard"):
            return LOST
        case "revoked", _:
            return Response(403)
        case _, "throttled":
            return Response(429, {"retry-after": f"{PAUSE:g}"})
        case _, "refused":
            return Response(503)
        case _:
            return Response(200)
