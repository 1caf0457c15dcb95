"""One row of the ledger: where its facts place it, line by line, and what each transition makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.model import facts as f
from pipeline.model import wanted
from pipeline.model.blame import backoff, settle
from pipeline.model.facts import NOTHING, UNSURE, Policy
from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Look,
    Outcome,
    Rejected,
    Retry,
    Split,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
)
from tests.model.row import AT_ONCE, NOW, POLICY, READY, WANTED, answer, applied, change, claimed, settled, there

# where the facts place a row, the first line that fits ------------------------------------------------------------

ALL_AT_ONCE = replace(
    READY,
    lease_until=NOW + 20,
    observed_hash=WANTED,
    rejected_hash=WANTED,
    expires_at=NOW,
    linked=False,
    retry_at=NOW + 5,
)
LINES: list[tuple[str, dict[str, Any], tuple[str, float | None]]] = [
    ("leased, whatever else", {}, ("sending", NOW + 20)),
    ("no base yet, nor an end", {"lease_until": None, "layers": {}}, ("waiting", None)),
    ("observed is wanted", {"layers": READY.layers}, ("idle", None)),
    ("this very content was rejected", {"observed_hash": NOTHING}, ("dead", None)),
    ("expired, never created", {"rejected_hash": "other"}, ("expired", None)),
    ("not linked: until the wait ends", {"expires_at": NOW + 9, "wait_until": NOW + 7}, ("waiting", NOW + 7)),
    ("not linked: until it no longer matters", {"wait_until": NOW + 11}, ("waiting", NOW + 9)),
    ("not linked, the wait is over", {"wait_until": NOW}, ("expired", None)),
    ("to be tried later", {"linked": True}, ("held", NOW + 5)),
    ("to be delivered later still", {"deliver_at": NOW + 6}, ("held", NOW + 6)),
    ("quiet for longest", {"quiet_until": NOW + 8, "quiet_hash": "other"}, ("held", NOW + 8)),
    ("the time has come", {"retry_at": NOW, "deliver_at": NOW, "quiet_until": NOW}, ("ready", None)),
]


def test_place_goes_by_the_first_line_that_fits() -> None:
    row, found = ALL_AT_ONCE, []
    for name, facts, _ in LINES:
        row = replace(row, **facts)
        placed = f.place(row, NOW, POLICY)
        found.append((name, (placed.state, placed.wake_at)))
    assert found == [(name, expected) for name, _, expected in LINES]


@pytest.mark.parametrize(
    ("facts", "policy", "state"),
    [
        ({"quiet_hash": WANTED}, AT_ONCE, "ready"),
        ({"quiet_hash": WANTED}, POLICY, "held"),
        ({"quiet_hash": UNSURE}, AT_ONCE, "held"),
        ({"quiet_hash": "other"}, AT_ONCE, "held"),
    ],
)
def test_in_the_quiet_time_only_the_same_content_goes_and_only_where_a_late_twin_fails(
    facts: dict[str, Any], policy: Policy, state: str
) -> None:
    assert f.place(replace(READY, quiet_until=NOW + 8, **facts), NOW, policy).state == state


def test_what_exists_does_not_expire_and_is_not_delivered_later() -> None:
    row = replace(there(), observed_hash="older", expires_at=NOW - 1, deliver_at=NOW + 9)
    assert f.place(row, NOW, POLICY).state == "ready"


# until when it is kept --------------------------------------------------------------------------------------------

DAY = 86_400.0


def test_what_never_came_to_be_or_is_gone_may_go_after_a_while() -> None:
    gone = settled(
        claimed(
            wanted.apply(
                settled(claimed(applied(change(1))), Accepted("id")), change(2, kind="delete"), {}, NOW, POLICY
            )
            or applied()
        ),
        Accepted(),
        step="delete",
    )
    never = applied(change(1), change(2, kind="cancel"))
    orphan = applied(change(1, layer="note"))
    expired = applied(change(1, expires_at=datetime.fromtimestamp(NOW - 1, UTC)))
    assert [row.state for row in (gone, never, orphan, expired)] == ["idle", "idle", "waiting", "expired"]
    assert {row.prune_at for row in (gone, never, orphan, expired)} == {NOW + POLICY.keep}


@pytest.mark.parametrize(
    ("content", "over"),
    [
        ({"start": "1970-01-11T09:00:00"}, 12 * DAY),
        ({"start": "1970-01-11", "end": "1970-01-21", "all_day": True}, 22 * DAY),
        ({"start": "1970-01-01T00:00:00"}, 2 * DAY),
        ({"title": "without a date"}, None),
        ({"start": "1970-01-11T09:00:00", "recurrence": "FREQ=DAILY"}, None),
        ({"start": "1970-01-11T09:00:00", "add_to_calendar_pro": {"recurrence_simple_type": "daily"}}, None),
        ({"dates": [{"start": "1970-01-11T09:00:00"}]}, None),
        ({"kind": "subscription"}, None),
    ],
)
def test_what_is_at_the_vendor_may_go_once_it_is_long_over(content: dict[str, Any], over: float | None) -> None:
    row = settled(claimed(applied(change(content=content))), Accepted("id"))
    assert row.prune_at == (None if over is None else over + POLICY.keep)


def test_what_may_still_be_needed_stays() -> None:
    ready = applied(change(content={"start": "1970-01-01T00:00:00"}))
    leased = claimed(ready)
    unsure = settled(leased, Unknown("timeout"))
    held = settled(leased, Retry(60.0))
    unlinked = applied(change(identity=None, subscriber="ann"))
    assert [row.state for row in (ready, leased, unsure, held, unlinked)] == [
        "ready",
        "sending",
        "held",
        "held",
        "waiting",
    ]
    assert {row.prune_at for row in (ready, leased, unsure, held, unlinked)} == {None}


def test_a_time_that_somebody_left_standing_is_judged_anew() -> None:
    ready = replace(applied(change()), prune_at=NOW)
    assert f.judged_anew(ready, POLICY).prune_at is None


# under way --------------------------------------------------------------------------------------------------------


def test_a_claim_leases_and_says_what_is_sent() -> None:
    row = claimed(READY)
    assert (row.state, row.wake_at, row.epoch, row.sent_hash) == ("sending", NOW + 20, 1, WANTED)


def test_a_call_that_was_never_made_leaves_no_trace() -> None:
    row = claimed(READY)
    assert f.release(row, row.epoch, NOW, POLICY) == replace(READY, epoch=1, sent_hash=WANTED)
    assert f.release(row, row.epoch - 1, NOW, POLICY) == row


def test_a_lease_that_runs_out_is_an_answer_that_was_lost() -> None:
    row = f.expire(claimed(READY), NOW + 20, POLICY)
    assert (row.state, row.wake_at, row.observed_hash, row.expiries) == ("held", NOW + 50, UNSURE, 1)
    assert f.expire(claimed(READY), NOW + 19, POLICY).state == "sending"
    assert f.expire(row, NOW + 50, POLICY).state == "ready"


def test_a_lost_create_is_recovered_at_once_where_a_late_twin_fails_but_a_lost_replacement_is_not() -> None:
    assert f.expire(claimed(READY), NOW + 20, AT_ONCE).state == "ready"
    moved = wanted.apply(there(AT_ONCE), change(2, identity="bob"), {}, NOW, AT_ONCE)
    assert moved is not None
    assert f.expire(claimed(moved, AT_ONCE), NOW + 20, AT_ONCE).state == "held"
    lost = settled(claimed(moved, AT_ONCE), Unknown(), step="delete", policy=AT_ONCE)
    assert (lost.state, lost.wake_at) == ("held", NOW + 30)


def test_a_call_that_nobody_heard_of_again_was_about_whom_it_was_claimed_for() -> None:
    moved = wanted.apply(claimed(READY), change(2, identity="bob"), {}, NOW, POLICY)
    assert moved is not None
    assert f.expire(moved, NOW + 20, POLICY).observed_identity == "ann"
    assert f.release(moved, moved.epoch, NOW, POLICY).observed_identity is None


def test_a_call_under_way_is_about_whoever_was_linked_when_it_left() -> None:
    """The directory may learn better meanwhile: if the answer is lost, it is the first calendar that may have it."""
    unlinked = applied(change(identity=None, subscriber="P-1"))
    moved = wanted.link(claimed(wanted.link(unlinked, "ann", NOW, POLICY)), "bob", NOW, POLICY)
    assert (moved.identity, f.expire(moved, NOW + 20, POLICY).observed_identity) == ("bob", "ann")
    assert f.doubt(moved, NOW, POLICY).observed_identity == "ann"


# settled ----------------------------------------------------------------------------------------------------------


def test_what_was_accepted_is_there() -> None:
    row = there()
    assert (row.state, row.observed, row.observed_identity, row.vendor_id) == ("idle", {"title": "old"}, "ann", "id")


def test_what_changed_meanwhile_is_ready_again() -> None:
    row = wanted.apply(claimed(READY), change(2, "new"), {}, NOW, POLICY)
    assert row is not None
    after = settled(row, Accepted("id"), sent=READY.desired)
    assert (after.state, after.observed) == ("ready", {"title": "t"})


def test_a_delete_leaves_nothing() -> None:
    row = wanted.apply(there(), change(2, kind="delete"), {}, NOW, POLICY)
    assert row is not None
    after = settled(claimed(row), Accepted(), step="delete")
    assert (after.state, after.observed_hash, after.vendor_id) == ("idle", NOTHING, None)


def test_what_is_not_confirmed_keeps_other_content_quiet() -> None:
    row = settled(claimed(READY), Unconfirmed("id"))
    assert (row.state, row.quiet_until) == ("idle", NOW + 30)
    after = wanted.apply(row, change(2, "new"), {}, NOW, POLICY)
    assert after is not None
    assert (after.state, after.wake_at) == ("held", NOW + 30)


def test_absent_is_believed_only_once_nothing_can_act_late() -> None:
    unsure = f.expire(claimed(READY), NOW + 20, AT_ONCE)
    early = settled(claimed(unsure, AT_ONCE), Absent(), step="write", at=NOW + 21)
    assert (early.observed_hash, early.absent) == (UNSURE, True)
    asked_early = settled(claimed(unsure, AT_ONCE), Absent(), step="write", asked=NOW + 49, at=NOW + 50)
    assert (asked_early.observed_hash, asked_early.absent) == (UNSURE, True)
    late = settled(claimed(unsure, AT_ONCE), Absent(), step="write", at=NOW + 50)
    assert (late.observed_hash, late.absent) == (NOTHING, False)


def test_what_was_absent_too_early_is_looked_for_again_before_anything_else_is_created() -> None:
    early = replace(READY, observed_hash=UNSURE, absent=True, quiet_until=NOW + 8, quiet_hash=WANTED)
    assert claimed(early, AT_ONCE).absent
    assert not claimed(early, AT_ONCE, now=NOW + 8).absent


def test_a_delete_that_found_nothing_too_early_asks_again_later() -> None:
    lost = f.expire(claimed(READY), NOW + 20, AT_ONCE)
    ended = wanted.apply(lost, change(2, kind="delete"), {}, NOW, AT_ONCE)
    assert ended is not None
    row = settled(claimed(ended, AT_ONCE), Absent(), step="delete", at=NOW + 21, policy=AT_ONCE)
    assert (row.state, row.wake_at) == ("held", NOW + 50)


def test_to_find_what_a_lost_call_made_is_no_failure_but_to_find_it_again_and_again_is() -> None:
    lost = settled(claimed(READY), Unknown("timeout"))
    found = settled(claimed(lost), Exists("id"), good=NOW + 1, step="find")
    assert (found.attempts, found.vendor_id) == (lost.attempts, "id")
    again = settled(claimed(found), Exists("id"), good=NOW + 1)
    assert again.attempts == lost.attempts + 1


def test_what_exists_already_is_written_over_at_once() -> None:
    row = settled(claimed(READY), Exists("id"))
    assert (row.state, row.observed_hash, row.vendor_id) == ("ready", UNSURE, "id")


def test_a_lost_look_leaves_what_was_known() -> None:
    row = settled(claimed(there()), Unknown("timeout"), step="find")
    assert (row.observed_hash, row.error) == (there().observed_hash, "unknown timeout")


@pytest.mark.parametrize("outcome", [Throttled(), Unauthorized()])
def test_what_concerns_the_account_is_no_failure_of_the_entry(outcome: Outcome) -> None:
    row = settled(claimed(READY), outcome)
    assert (row.state, row.failures, row.attempts) == ("ready", 0, 0)


def test_a_retry_waits_as_long_as_it_was_told_and_longer_each_time() -> None:
    assert settled(claimed(READY), Retry(60.0)).wake_at == NOW + 60
    waits, row = [], READY
    for _ in range(4):
        row = settled(claimed(row), Retry())
        waits.append((row.wake_at or 0) - NOW)
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_failures_spend_attempts_only_where_the_account_was_good_since() -> None:
    row = READY
    for _ in range(9):
        row = settled(claimed(row), Retry(), good=NOW - 1)
    assert (row.state, row.attempts) == ("held", 0)
    for _ in range(3):
        row = settled(claimed(row), Retry(), good=NOW + 1)
    assert (row.state, row.attempts) == ("dead", 3)


def test_a_failure_in_a_row_with_others_spends_no_attempt() -> None:
    once = settled(claimed(READY), Unknown("timeout"))
    assert settled(claimed(once), Unknown("timeout"), good=NOW + 1, in_a_row=True).attempts == 0
    assert settled(claimed(once), Unknown("timeout"), good=NOW + 1).attempts == 1


def test_a_refused_entry_dies_once_the_account_was_seen_good_since() -> None:
    once = settled(claimed(READY), Rejected("invalid", "http_422"), good=NOW - 1)
    assert (once.state, once.attempts) == ("held", 0)
    again = settled(claimed(once), Rejected("invalid", "http_422"), good=NOW + 1)
    assert (again.state, again.attempts, again.error) == ("dead", 1, "invalid http_422")
    newer = wanted.apply(again, change(2, "new"), {}, NOW, POLICY)
    assert newer is not None
    assert newer.state == "ready"


def test_what_cannot_even_be_worded_dies_at_once() -> None:
    assert settled(claimed(READY), Rejected("unsupported"), certain=True).state == "dead"


def test_a_refusal_of_what_is_no_longer_wanted_kills_nothing() -> None:
    row = wanted.apply(claimed(READY), change(2, "new"), {}, NOW, POLICY)
    assert row is not None
    assert settled(row, Rejected("invalid"), certain=True).state == "ready"


def test_an_answer_that_another_claim_has_overtaken_only_raises_a_doubt() -> None:
    first = claimed(READY)
    expired = f.expire(first, NOW + 20, AT_ONCE)
    second = settled(claimed(expired, AT_ONCE), Accepted("new id"), step="write", policy=AT_ONCE)
    late = settle(second, answer(first, Accepted("id")), None, NOW, AT_ONCE)
    assert (late.state, late.observed_hash, late.vendor_id) == ("ready", UNSURE, "new id")
    assert settle(second, answer(first, Unknown()), None, NOW, AT_ONCE) == second


def test_a_refused_entry_asks_again_within_seconds_however_often_it_was_refused() -> None:
    row = READY
    for _ in range(8):
        row = settled(claimed(row), Rejected("invalid"), jitter=1.0)
    assert (row.failures, row.retry_at) == (8, NOW + 4.0)


def test_the_backoff_is_bounded_on_both_sides() -> None:
    assert [backoff(0, 0.0), backoff(3, 0.5), backoff(99, 1.0)] == [0.1, 4.0, 300.0]


def test_what_is_to_be_looked_at_is_kept_until_something_is_known() -> None:
    unsure = settled(claimed(READY), Unknown("timeout"), step="create")
    looked = settled(claimed(unsure), Look(("a", "b")), step="find")
    assert looked.candidates == ["a", "b"]
    known = settled(claimed(looked), Accepted("a"), step="find")
    assert (known.candidates, known.vendor_id, known.state) == (None, "a", "idle")


def test_a_call_that_is_refused_as_one_is_made_with_fewer_until_one_gets_through() -> None:
    fewer = settled(claimed(READY), Split(), together=9)
    assert (fewer.batch_limit, fewer.state, fewer.attempts) == (4, "ready", 0)
    through = settled(claimed(fewer), Accepted("v"), together=4)
    assert through.batch_limit is None


def test_alone_nobody_is_refused_as_one() -> None:
    alone = settled(claimed(READY), Split(), good=NOW, together=1)
    assert alone.batch_limit is None
    assert alone.failures + alone.attempts > 0
