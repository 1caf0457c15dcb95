"""Groups in the ledger, on both databases: the newest roster says which entries of a group are over."""

from __future__ import annotations

import threading
from typing import Any

from pipeline.ledger import Ledger
from pipeline.model.change import Change, Roster, Version
from pipeline.model.outcome import Accepted
from tests.ledger.acts import RAW, change, claim, result, take
from tests.ledger.conftest import Open


def roster(order: int, *keys: str, group: str = "g") -> tuple[Roster, dict[str, Any]]:
    return Roster("d", group, Version(order, "topic", 0, order, 1), frozenset(keys), "rule", ("/s", f"e{order}")), RAW


def member(key: str, order: int, group: str = "g") -> tuple[Change, dict[str, Any]]:
    return change(key, order, group=group)


def wanted(ledger: Ledger, *keys: str) -> list[bool]:
    return [row.wanted_hash != "" for key in keys for row in ledger.entry(key)]


def test_what_the_group_no_longer_names_is_taken_away_at_the_vendor(opened: Open) -> None:
    ledger = opened()
    ledger.take([member("a", 1), member("b", 1)], [], [], {}, [roster(1, "a", "b")])
    for grant in claim(ledger).grants:
        ledger.settle([result(grant, Accepted("V"))])
    assert ledger.take([member("a", 2)], [], [], {}, [roster(2, "a")]).ready == {"d"}
    assert wanted(ledger, "a", "b") == [True, False]
    (gone,) = ledger.entry("b")
    assert (gone.state, gone.raws, gone.events) == ("ready", {"!group": RAW}, None)


def test_an_entry_that_is_read_after_its_group_left_it_out_is_never_made(opened: Open) -> None:
    ledger = opened()
    ledger.take([], [], [], {}, [roster(2, "a")])
    take(ledger, member("b", 1), member("c", 3))
    assert wanted(ledger, "b", "c") == [False, True]
    assert [row.state for row in ledger.entry("b")] == ["idle"]


def test_an_older_roster_changes_nothing(opened: Open) -> None:
    ledger = opened()
    ledger.take([member("a", 3)], [], [], {}, [roster(3, "a")])
    ledger.take([], [], [], {}, [roster(2)])
    assert wanted(ledger, "a") == [True]


def test_who_moves_to_another_group_is_judged_by_that_one(opened: Open) -> None:
    ledger = opened()
    take(ledger, member("a", 1))
    ledger.take([], [], [], {}, [roster(3)])
    assert wanted(ledger, "a") == [False]
    take(ledger, member("a", 2, group="h"))
    assert wanted(ledger, "a") == [True]


def test_a_roster_and_its_entry_never_pass_each_other(opened: Open) -> None:
    ledger, other = opened(), opened()
    for n in range(20):
        group = f"g{n}"
        works = [
            threading.Thread(target=take, args=(ledger, member(f"k{n}", 1, group))),
            threading.Thread(target=other.take, args=([], [], [], {}, [roster(2, group=group)])),
        ]
        for work in works:
            work.start()
        for work in works:
            work.join()
    assert wanted(ledger, *(f"k{n}" for n in range(20))) == [False] * 20
