"""No fault any more: the world runs until nothing is left to do, and what the vendors hold is compared with the log.

What should stand at the end is told from the published changes alone, not from the ledger.
"""

from __future__ import annotations

from typing import Any

from pipeline.model.change import BASE, Change, Link, Version, merge
from pipeline.model.facts import Facts
from tests.protocol import probes
from tests.protocol.fates import Timing
from tests.protocol.log import PARTITIONS, TOPIC, Published
from tests.protocol.memory import POISON, Broken
from tests.protocol.policies import ATTEMPTS, LAYERS
from tests.protocol.world import World

PEOPLE = ("ann", "bob")
TURNS = 400


def converge(world: World) -> None:
    """Everything ends, and each entry is at its vendor as the newest changes say."""
    for worker in world.workers:
        worker.stopped_until = 0.0
    for kind in world.kinds.values():
        world.change_weather(kind, "well")
        world.pause(kind, resumed=True)
    _link_everybody(world)
    for _ in range(3):  # who is dead is revived by something newer
        _run_dry(world)
        dead = [row for row in world.rows() if row.state == "dead"]
        if not dead:
            break
        for row in dead:
            _bury(world, row)
    for row in world.rows():
        _compare(world, row)
    for partition in range(PARTITIONS):
        assert world.ledger.every_offset().get((TOPIC, partition), 0) == world.log.next_offset(partition)


def _link_everybody(world: World) -> None:
    known = {(link.destination, link.subscriber) for published in world.log.all() for link in published.links}
    for kind in world.kinds.values():
        for person in PEOPLE:
            if kind.identified and (kind.name, person) not in known:
                world.publish(0, Published(links=(Link(kind.name, person, f"{person}-1", Version(1, "l", 0, 0, 0)),)))


def _run_dry(world: World) -> None:
    for partition in range(PARTITIONS):
        while world.intake(world.workers[0], partition):
            pass
    for _ in range(TURNS):
        if not _turn(world):
            return
    raise Broken(f"converge: it does not come to rest: {world.rows()}")


def _turn(world: World) -> bool:
    """One round of a worker's loops; False once nothing is left to do or to wait for."""
    first = world.workers[0]
    swept, probed = world.sweep(first) > 0, probes.begin(world, first)
    waits = [world.work(first, kind, 4, [("answered", Timing())]) for kind in world.kinds.values()]
    if world.events:
        world.advance(world.events[0][0])
        return True
    world.post()
    if swept or probed or 0.0 in waits or any(_resumed(world, name) for name in world.kinds):
        return True
    due = [row.wake_at for row in world.rows() if row.wake_at is not None]
    due += [world.now + wait for wait in waits if wait] + [world.now + 1.0 for _ in world.holds]
    if due:
        world.advance(max(min(due), world.now + 0.001))
    return bool(due)


def _resumed(world: World, destination: str) -> bool:
    """Somebody lifts the hold of a rule whose entries were refused again and again."""
    held = [hold.rule for hold in world.ledger.holds() if hold.destination == destination and hold.rule]
    for rule in held:
        world.ledger.resume(destination, rule)
    return world.ledger.wake_rule(destination) > 0 if held else False


def _bury(world: World, row: Facts) -> None:
    """Only what a vendor refuses for what it is may die, and then with a dead letter; something newer revives it."""
    spent = row.attempts >= ATTEMPTS
    if not spent and (row.desired or {}).get("title") != POISON:
        raise Broken(f"dead: nobody refused it: {row.error}")
    if row.raws and not world.dead_letters[f"{row.destination}/{row.key}"]:
        raise Broken("dead: without a dead letter")
    order = 1 + max(change.version.order for change in _changes(world, row))
    at = Version(order, TOPIC, 0, world.log.next_offset(0), 1)
    person = PEOPLE[0] if world.kinds[row.destination].identified else None
    healed = Change(row.destination, row.key, "upsert", at, "healed", content={"title": f"v{order}"}, subscriber=person)
    world.publish(0, Published((healed,)))


def _compare(world: World, row: Facts) -> None:
    items = [item for item in world.memories[row.destination].items if item.key == row.key]
    held = [(item.person, item.content) for item in items]
    base = _newest(world, row).get(BASE)
    if row.state == "expired":
        expires = base and base.expires_at
        if held or expires is None or expires.timestamp() > world.now:
            raise Broken(f"expires_at: dropped, and yet there, or too early: {row}")
        return
    if row.state not in ("idle", "waiting"):
        raise Broken(f"lost: it has not converged: {row}")
    if held != expected(world, row):
        raise Broken(f"lost: {held} is there instead of {expected(world, row)}")


def _changes(world: World, row: Facts) -> list[Change]:
    everything = [change for published in world.log.all() for change in published.changes]
    return [change for change in everything if (change.destination, change.key) == (row.destination, row.key)]


def _newest(world: World, row: Facts) -> dict[str, Change]:
    """The newest change of each layer; cancels and deletes are one of their own."""
    newest: dict[str, Change] = {}
    for change in _changes(world, row):
        layer = change.layer if change.kind == "upsert" else "end"
        if layer not in newest or change.version > newest[layer].version:
            newest[layer] = change
    return newest


def expected(world: World, row: Facts) -> list[tuple[str | None, dict[str, Any]]]:
    newest = _newest(world, row)
    base, end = newest.get(BASE), newest.get("end")
    if base is None or (end is not None and end.version > base.version):
        return []
    content = dict(merge([newest[layer].content for layer in LAYERS if layer in newest]))
    return [(_identity(world, row.destination, base.subscriber), content)]


def _identity(world: World, destination: str, subscriber: str | None) -> str | None:
    links = [link for published in world.log.all() for link in published.links]
    theirs = [link for link in links if (link.destination, link.subscriber) == (destination, subscriber)]
    return max(theirs, key=lambda link: link.version).identity if theirs else None
