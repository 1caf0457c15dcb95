"""What has ended is forgotten by age, in small transactions, and nothing that may still be needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from pipeline.ledger import Act, Ledger, Quota
from pipeline.model.change import Change, Roster, Version
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted
from tests.ledger.acts import claim, result, take
from tests.protocol.clocks import EPOCH, Clock, PostgresClock, SqliteClock

DAY = 86_400.0
POLICIES = {"d": Policy("d", "a", needs_identity=lambda content: False, keep=30 * DAY)}
Later = Callable[[float], None]


@pytest.fixture
def clock(url: str) -> Iterator[Clock]:
    if url.startswith("sqlite"):
        yield SqliteClock()
        return
    clock = PostgresClock(url)
    yield clock
    clock.close()


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[Ledger]:
    ledger = Ledger(url, POLICIES, {"a": Quota("a", ((100, 1.0),))}, lambda facts: [])
    clock.watch(ledger._database.engine)
    ledger.migrate()
    ledger.declare()
    yield ledger
    ledger.close()


def upsert(key: str, order: int = 1, **content: Any) -> tuple[Change, dict[str, Any]]:
    version = Version(order, "topic", 0, order, 1)
    return Change("d", key, "upsert", version, "rule", content={"title": "t", **content}), {}


def end(key: str, order: int) -> tuple[Change, dict[str, Any]]:
    return Change("d", key, "delete", Version(order, "topic", 0, order, 1), "rule"), {}


def delivered(ledger: Ledger) -> None:
    ledger.settle([result(grant, Accepted("id")) for grant in claim(ledger).grants])


def test_a_cancelled_entry_is_forgotten_after_its_time_and_not_before(ledger: Ledger, clock: Clock) -> None:
    take(ledger, upsert("k", 1), end("k", 2))
    clock.set(EPOCH + 29 * DAY)
    assert ledger.prune()["entries"] == 0
    assert take(ledger, upsert("k", 1)).stale == {("d", "upsert"): 1}, "a late older event is known to be stale"
    clock.set(EPOCH + 31 * DAY)
    assert ledger.prune()["entries"] == 1
    assert ledger.entry("k") == []


def test_what_is_over_at_the_vendor_goes_and_what_is_to_come_stays(ledger: Ledger, clock: Clock) -> None:
    take(
        ledger,
        upsert("over", start="2027-01-01T09:00:00"),
        upsert("to-come", start="2028-01-01T09:00:00"),
        upsert("undated"),
    )
    delivered(ledger)
    clock.set(EPOCH + 60 * DAY)
    assert ledger.prune()["entries"] == 1
    assert [len(ledger.entry(key)) for key in ("over", "to-come", "undated")] == [0, 1, 1]


def test_what_waits_to_be_sent_is_never_forgotten(ledger: Ledger, clock: Clock) -> None:
    take(ledger, upsert("ready", start="2020-01-01T09:00:00"), upsert("gone"), end("gone", 2))
    take(ledger, upsert("gone", 3))
    clock.set(EPOCH + 1000 * DAY)
    assert ledger.prune()["entries"] == 0


def test_a_change_puts_the_end_off(ledger: Ledger, clock: Clock) -> None:
    take(ledger, upsert("k", 1), end("k", 2))
    clock.set(EPOCH + 20 * DAY)
    take(ledger, end("k", 3))
    clock.set(EPOCH + 40 * DAY)
    assert ledger.prune()["entries"] == 0


def test_each_transaction_takes_a_few_only_and_the_oldest_first(ledger: Ledger, clock: Clock) -> None:
    for day, key in enumerate(("a", "b", "c")):
        clock.set(EPOCH + day * DAY)
        take(ledger, upsert(key, 1), end(key, 2))
    clock.set(EPOCH + 60 * DAY)
    assert [ledger.prune(limit=2)["entries"] for _ in range(3)] == [2, 1, 0]


def test_what_a_worker_of_an_earlier_version_changed_is_judged_anew(ledger: Ledger, clock: Clock) -> None:
    take(ledger, upsert("k", 1))
    with ledger._database.engine.begin() as connection:
        connection.exec_driver_sql("update entries set prune_at = 1.0")
    clock.set(EPOCH + 60 * DAY)
    assert ledger.prune()["entries"] == 0
    assert ledger.entry("k")[0].prune_at is None


def test_what_people_did_is_forgotten_at_the_same_age(ledger: Ledger, clock: Clock) -> None:
    ledger.end(ledger.begin(Act("ann", "call", "d", "GET /")), "200")
    clock.set(EPOCH + 20 * DAY)
    ledger.end(ledger.begin(Act("bob", "call", "d", "GET /")), "200")
    clock.set(EPOCH + 31 * DAY)
    assert ledger.prune()["audit"] == 1
    assert [act.actor for act in ledger.acts()] == ["bob"]


def test_a_group_goes_once_none_of_its_entries_is_left(ledger: Ledger, clock: Clock) -> None:
    grouped = Change("d", "k", "upsert", Version(1, "topic", 0, 1, 1), "rule", content={"title": "t"}, group="g")
    version = Version(2, "topic", 0, 2, 1)
    take(ledger, (grouped, {}))
    clock.set(EPOCH + 31 * DAY)
    assert ledger.prune()["groups"] == 0
    ledger.take([], [], [], {}, [(Roster("d", "g", version, frozenset(), "rule", ("s", "1"), None), {})])
    clock.set(EPOCH + 62 * DAY)
    assert [ledger.prune()["groups"] for _ in range(2)] == [1, 0]


def test_a_change_of_what_is_being_forgotten_is_not_lost(postgres_url: str) -> None:
    """Somebody prunes right after the statement that finds its row."""
    clock = PostgresClock(postgres_url)
    first, second = (Ledger(postgres_url, POLICIES, {"a": Quota("a", ((100, 1.0),))}, lambda facts: []) for _ in "ab")
    first.migrate()
    take(first, upsert("k", 1), end("k", 2))
    clock.set(EPOCH + 31 * DAY)
    pruned: list[int] = []

    @event.listens_for(first._database.engine, "after_cursor_execute")
    def _prune(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("select t.destination"):
            pruned.append(second.prune()["entries"])

    take(first, upsert("k", 3))
    assert pruned == [0], "what is found is locked"
    assert second.entry("k")[0].desired == {"title": "t"}
    for part in (first, second, clock):
        part.close()
