"""What is wanted of one row: changes, layers, ends, ranks and links."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from pipeline.model import facts as f
from pipeline.model import wanted
from pipeline.model.change import Kind
from pipeline.model.outcome import Accepted, Retry
from tests.model.row import NOW, POLICY, READY, applied, change, claimed, settled, there


def test_older_and_repeated_changes_are_none() -> None:
    row = applied(change(2))
    assert [wanted.apply(row, change(order), {}, NOW, POLICY) for order in (1, 2)] == [None, None]


def test_a_layer_waits_for_its_base_and_lies_over_it() -> None:
    note = change(5, "Paid", layer="note", identity=None)
    assert (applied(note).state, applied(note, change(1)).state) == ("waiting", "ready")
    assert applied(note, change(1)).desired == applied(change(1), note).desired == {"title": "Paid"}


@pytest.mark.parametrize("kind", ["cancel", "delete"])
def test_an_end_is_lifted_by_a_newer_base_only(kind: Kind) -> None:
    end = change(5, kind=kind)
    assert applied(change(1), end).desired is None
    assert applied(end, change(4)).desired is None
    assert applied(end, change(1), change(6, layer="note")).desired is None
    assert applied(end, change(6, "again")).desired == {"title": "again"}


def test_a_cancel_is_a_status_where_the_vendor_has_one() -> None:
    says = dataclasses.replace(POLICY, says_cancelled=True)
    ended = change(5, kind="cancel"), change(5, kind="delete")
    assert [applied(change(), end, policy=says).desired for end in ended] == [
        {"title": "t", "status": "cancelled"},
        None,
    ]


def test_created_and_ended_before_it_was_sent_is_no_call() -> None:
    assert applied(change(), change(2, kind="delete")).state == "idle"


def test_if_unsent_skip_creates_nothing_and_updates_what_is_there() -> None:
    note = change(5, "Paid", layer="note", if_unsent="skip")
    assert applied(change(1), note).state == "idle"
    after = wanted.apply(there(), note, {}, NOW, POLICY)
    assert after is not None
    assert after.state == "ready"


def test_the_rank_is_when_it_matters_but_no_later_than_patience_allows() -> None:
    def rank(at: float) -> float:
        return applied(change(matters_at=datetime.fromtimestamp(at, UTC))).rank

    assert [rank(NOW - 50), rank(NOW + 50), rank(NOW + 5000)] == [NOW, NOW + 50, NOW + 500]


def test_who_keeps_changing_while_it_waits_is_no_less_urgent() -> None:
    row = applied(change(1))
    for order, now in ((2, NOW + 100.0), (3, NOW + 200.0)):
        row = wanted.apply(row, change(order), {}, now, POLICY) or row
    assert row.rank == NOW
    sooner = wanted.apply(row, change(4, matters_at=datetime.fromtimestamp(NOW - 50.0, UTC)), {}, NOW, POLICY)
    assert sooner is not None
    assert sooner.rank == NOW
    there = settled(claimed(applied(change(1))), Accepted("id"))
    later = wanted.apply(there, change(2), {}, NOW + 100.0, POLICY)
    assert later is not None
    assert later.rank == NOW + 100.0


def test_an_unlinked_entry_waits_and_is_ready_once_it_is_linked() -> None:
    row = applied(change(subscriber="C1", identity=None, if_unlinked=60.0))
    assert (row.state, row.wake_at) == ("waiting", NOW + 60)
    assert wanted.link(row, "ann", NOW, POLICY).state == "ready"
    assert wanted.link(wanted.link(row, "ann", NOW, POLICY), None, NOW, POLICY).state == "waiting"
    assert f.expire(row, NOW + 60, POLICY).state == "expired"


def test_an_entry_to_drop_where_nobody_is_linked_is_dropped() -> None:
    assert applied(change(subscriber="C1", identity=None, if_unlinked=None)).state == "expired"


@pytest.mark.parametrize("if_unlinked", [None, 60.0])
def test_what_was_dropped_is_not_revived_by_a_link_but_by_a_newer_change(if_unlinked: float | None) -> None:
    unlinked = {"subscriber": "C1", "identity": None, "if_unlinked": if_unlinked}
    later = NOW + 61
    dropped = wanted.link(applied(change(1, **unlinked)), "ann", later, POLICY)
    assert (f.place(dropped, later, POLICY).state, dropped.identity) == ("expired", None)
    newer = wanted.apply(dropped, change(2, "new", **unlinked), {}, later, POLICY)
    assert newer is not None
    assert wanted.identified(newer, "ann", later, POLICY).state == "ready"


def test_a_newer_base_waits_anew_whatever_its_older_layers_say() -> None:
    note = change(1, "Paid", layer="note", subscriber="C1", identity=None, if_unlinked=None)
    row = wanted.apply(applied(note), change(2, subscriber="C1", identity=None, if_unlinked=60.0), {}, NOW + 9, POLICY)
    assert row is not None
    assert (row.state, row.wake_at) == ("waiting", NOW + 69)
    assert wanted.link(row, "ann", NOW + 10, POLICY).state == "ready"


def test_what_exists_is_linked_again_however_long_nobody_was() -> None:
    unlinked = applied(change(subscriber="C1", identity=None, if_unlinked=5.0))
    row = settled(claimed(wanted.link(unlinked, "ann", NOW, POLICY)), Accepted())
    away = wanted.link(row, None, NOW + 5, POLICY)
    assert (away.state, wanted.link(away, "ann", NOW + 50, POLICY).state) == ("expired", "idle")


def test_what_the_vendor_cannot_say_is_dead_until_a_change_puts_it_right() -> None:
    picky = dataclasses.replace(POLICY, problems=lambda content: ["title"] if content["title"] == "bad" else [])
    bad = applied(change(1, "bad"), policy=picky)
    assert (bad.state, bad.error) == ("dead", "invalid")
    assert applied(change(1, "bad"), change(2, "good"), policy=picky).state == "ready"


def test_a_change_forgets_the_failures_of_what_it_replaces() -> None:
    failed = settled(claimed(READY), Retry())
    after = wanted.apply(failed, change(2, "new"), {}, NOW, POLICY)
    assert after is not None
    assert (after.state, after.failures, after.retry_at, after.error) == ("ready", 0, None, None)


@pytest.mark.parametrize(
    ("starts", "deliver", "at", "urgent"),
    [
        (None, None, 0, True),  # no start: at once
        (-3600, None, 0, True),
        (60, None, 60, True),
        (100_000, None, 500, False),  # by its rank: its patience is over before it begins
        (60, 90, 90, True),
        (None, 100_000, 100_000, False),
    ],
)
def test_an_entry_is_late_once_it_matters(starts: int | None, deliver: int | None, at: int, urgent: bool) -> None:
    def moment(seconds: int | None) -> datetime | None:
        return None if seconds is None else datetime.fromtimestamp(NOW + seconds, UTC)

    row = applied(change(matters_at=moment(starts), deliver_at=moment(deliver), event_time=moment(0)))
    assert wanted.due(row, POLICY) == (NOW + at, urgent)


def test_a_bulk_read_long_after_its_events_has_time_from_then_on() -> None:
    event, start = datetime.fromtimestamp(NOW - 90_000, UTC), datetime.fromtimestamp(NOW + 90_000, UTC)
    row = applied(change(matters_at=start, event_time=event))
    assert wanted.due(row, POLICY) == (NOW + POLICY.patience, False)


def test_without_the_time_of_its_event_nothing_is_late() -> None:
    assert wanted.due(READY, POLICY) is None
