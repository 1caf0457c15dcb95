"""What a batch of intake comes to in the ledger, and whom a link makes ready."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pipeline.ledger.tables import metadata
from pipeline.model.change import Link, Version
from tests.ledger.acts import LINKED, change, claim, take, unlinked
from tests.ledger.conftest import Open


def test_the_migrations_make_the_tables_that_the_code_uses(opened: Open) -> None:
    ledger = opened()
    with ledger._database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_changes_and_next_offsets_are_written_together(opened: Open) -> None:
    ledger = opened()
    assert ledger.take([change("k")], [], [], {("topic", 0): 7}).applied == 1
    assert ledger.every_offset() == {("topic", 0): 7}


def test_an_offset_never_goes_back(opened: Open) -> None:
    ledger = opened()
    ledger.take([], [], [], {("topic", 0): 7})
    ledger.take([], [], [], {("topic", 0): 3})
    assert ledger.every_offset() == {("topic", 0): 7}


def test_somebody_may_decide_to_start_elsewhere(opened: Open) -> None:
    ledger = opened()
    ledger.take([], [], [], {("topic", 0): 7})
    ledger.start_at({("topic", 0): 3})
    assert ledger.every_offset() == {("topic", 0): 3}


def test_redelivery_is_stale_and_changes_nothing(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k", 2, "new"))
    assert take(ledger, change("k", 1, "old"), change("k", 2, "new")).stale == {("d", "upsert"): 2}
    assert claim(ledger).grants[0].entries[0].desired == {"title": "new"}


def test_an_entry_waits_for_its_link_and_is_ready_when_it_comes(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, change("k", subscriber="person"))
    assert claim(ledger).grants == ()
    take(ledger, links=[Link("d", "person", "vendor-person", Version(1, "t", 0, 0, 1))])
    assert claim(ledger).grants[0].entries[0].identity == "vendor-person"


def test_a_link_that_came_first_is_found(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, links=[Link("d", "person", "vendor-person", Version(1, "t", 0, 0, 1))])
    take(ledger, change("k", subscriber="person"))
    assert claim(ledger).grants[0].entries[0].identity == "vendor-person"


def test_a_link_that_comes_after_the_wait_revives_nothing_until_a_newer_change(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, change("drop", subscriber="person", if_unlinked=None))
    take(ledger, change("wait", subscriber="person", if_unlinked=0.02))
    time.sleep(0.05)
    take(ledger, links=[Link("d", "person", "vendor-person", Version(1, "t", 0, 0, 1))])
    ledger.sweep()
    assert [ledger.entry(key)[0].state for key in ("drop", "wait")] == ["expired", "expired"]
    take(ledger, change("drop", 2, subscriber="person", if_unlinked=None))
    assert [grant.entries[0].key for grant in claim(ledger).grants] == ["drop"]


def test_a_link_and_its_entry_never_pass_each_other(opened: Open) -> None:
    ledgers = [opened(LINKED), opened(LINKED)]
    for number in range(20):
        person = f"p{number}"
        link = Link("d", person, "id", Version(1, "t", 0, 0, 1))
        work = [
            threading.Thread(target=take, args=(ledgers[0], change(f"k{number}", subscriber=person))),
            threading.Thread(target=take, args=(ledgers[1],), kwargs={"links": [link]}),
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert ledgers[0].entry(f"k{number}")[0].state == "ready"


def test_the_revision_rises_with_each_new_rule_set(opened: Open) -> None:
    ledger = opened()
    found = [ledger.rules.activate(digest) for digest in ("a", "a", "b", "b", "a")]
    assert found[0] == found[1] < found[2] == found[3] < found[4]


def test_workers_that_begin_at_once_run_one_revision(opened: Open) -> None:
    ledgers = [opened() for _ in range(6)]
    for number in range(10):
        with ThreadPoolExecutor(len(ledgers)) as pool:
            found = list(pool.map(lambda ledger, digest=f"r{number}": ledger.rules.activate(digest), ledgers))
        assert found == [found[0]] * len(ledgers)


def test_an_entry_that_changes_hands_never_goes_to_whom_it_was(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, change("k", subscriber="one"), links=[Link("d", "one", "vendor-one", Version(1, "t", 0, 0, 1))])
    take(ledger, change("k", 2, subscriber="two"))
    assert (ledger.entry("k")[0].state, ledger.entry("k")[0].identity) == ("waiting", None)


def test_a_large_batch_is_taken_whole(opened: Open) -> None:
    ledger = opened()
    assert take(ledger, *(change(f"k{number:05}") for number in range(12_000))).applied == 12_000


def test_an_end_without_a_name_ends_the_link_of_whoever_has_that_identity(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, change("k", subscriber="ann"), links=[Link("d", "ann", "s1", Version(1, "t", 0, 0, 1))])
    take(ledger, links=[unlinked(2, "stranger")])
    assert ledger.entry("k")[0].state == "ready"
    take(ledger, links=[unlinked(3, "s1")])
    assert ledger.entry("k")[0].state == "waiting"


def test_the_end_of_an_earlier_link_leaves_the_later_one(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, change("k", subscriber="ann"), links=[Link("d", "ann", "s1", Version(1, "t", 0, 0, 1))])
    take(ledger, links=[Link("d", "ann", "s2", Version(2, "t", 0, 1, 1))])
    take(ledger, links=[unlinked(3, "s1", "ann"), unlinked(4, "s1")])
    assert ledger.entry("k")[0].identity == "s2"


def test_a_link_made_and_ended_in_one_batch_is_ended(opened: Open) -> None:
    ledger = opened(LINKED)
    take(
        ledger,
        change("k", subscriber="ann"),
        links=[Link("d", "ann", "s1", Version(1, "t", 0, 0, 1)), unlinked(2, "s1")],
    )
    assert ledger.entry("k")[0].state == "waiting"
