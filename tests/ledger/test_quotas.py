"""Workers that were given different quotas of one account: one of them is in force, and no call is forgotten."""

from __future__ import annotations

import pytest

from pipeline.ledger import Ledger, declaring
from tests.ledger.acts import change, claim, take
from tests.ledger.conftest import Open

OLD, NEW = ((5, 60.0),), ((3, 1.0),)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not seen at once is away."""
    monkeypatch.setattr(declaring, "AWAY", -1.0)


def sent(ledger: Ledger) -> int:
    return len(claim(ledger).grants)


def taken(ledger: Ledger) -> list[tuple[int, int, float]]:
    return [(one.calls, one.of, one.seconds) for one in ledger.quota_taken()["a"]]


def test_a_new_quota_is_in_force_at_once_and_workers_with_other_windows_wait(opened: Open) -> None:
    old = opened(windows=OLD)
    take(old, change("k1"), change("k2"))
    assert sent(old) == 2
    new = opened(windows=NEW)
    take(old, change("k3"))
    waiting = claim(old)
    assert (waiting.grants, waiting.wait) == ((), None)
    assert (old.keep_quotas(), new.keep_quotas()) == (["a"], [])
    old.hold("a", "failing")
    assert old.probe_due("a", 10.0) is None


def test_a_new_window_begins_as_taken_by_what_was_sent_before(opened: Open) -> None:
    old = opened(windows=OLD)
    assert taken(old) == [(0, 5, 60.0)]
    take(old, change("k"))
    (grant,) = claim(old, lease=20.0).grants
    new = opened(windows=NEW)
    assert taken(new) == [(3, 3, 1.0)]
    (_, _, held_until), *_ = grant.tokens
    with new._database.engine.connect() as connection:
        free = connection.exec_driver_sql("select min(free_at) from tokens").scalar()
    # That call may still arrive until its lease ends, and no other within the new window after it.
    assert free == pytest.approx(held_until - 60.0 + 1.0)


def test_a_window_that_has_shrunk_keeps_what_is_taken_of_it(opened: Open) -> None:
    ledger = opened(windows=((5, 60.0),))
    take(ledger, *(change(f"k{n}") for n in range(3)))
    assert sent(ledger) == 3
    assert taken(opened(windows=((4, 60.0),))) == [(3, 4, 60.0)]
    assert taken(opened(windows=((2, 60.0),))) == [(2, 2, 60.0)]
    assert taken(opened(windows=((9, 60.0),))) == [(2, 9, 60.0)]


def test_a_worker_of_the_version_before_that_starts_again_takes_nothing_back(opened: Open) -> None:
    opened(windows=OLD)
    new = opened(windows=NEW)
    again = opened(windows=OLD)
    take(new, change("k"))
    assert claim(again).grants == ()
    assert (again.keep_quotas(), new.keep_quotas()) == (["a"], [])


def test_a_quota_comes_back_once_nobody_goes_by_the_newer_one(opened: Open, soon: None) -> None:
    old, new = opened(windows=OLD), opened(windows=NEW)
    assert old.keep_quotas() == []
    take(new, change("k"))
    assert claim(new).grants == ()
    assert taken(old) == [(5, 5, 60.0)]


def test_workers_that_differ_in_the_number_of_calls_go_by_the_one_in_force(opened: Open) -> None:
    old, new = opened(windows=((5, 60.0),)), opened(windows=((2, 60.0),))
    take(old, *(change(f"k{n}") for n in range(9)))
    assert old.keep_quotas() == []
    assert (sent(old), sent(new)) == (2, 0)


def test_a_quota_stays_in_force_while_its_worker_is_seen(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaring, "SEEN_EVERY", -1.0)
    old, new = opened(windows=OLD), opened(windows=NEW)
    with new._database.engine.begin() as connection:
        connection.exec_driver_sql("update accounts set quota_seen = 0")
    assert (new.keep_quotas(), old.keep_quotas()) == ([], ["a"])
