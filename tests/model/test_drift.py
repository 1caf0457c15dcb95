"""A row whose entry was found changed or gone at the vendor, and one whose person is forgotten."""

from __future__ import annotations

from msgspec.structs import replace

from pipeline.model.drift import drifted, in_step
from pipeline.model.erasure import erased, is_erased, is_over
from pipeline.model.facts import NOTHING, UNSURE, Facts
from pipeline.model.outcome import Accepted
from tests.model.row import NOW, POLICY, applied, change, claimed, settled


def there(**more: str) -> Facts:
    return settled(claimed(applied(change(**more))), Accepted("v1"))


def test_a_change_behind_our_back_is_written_over() -> None:
    row = there()
    assert in_step(row, NOW)
    after = drifted(row, "changed", NOW, POLICY)
    assert (after.state, after.observed_hash, after.vendor_id, after.observed) == ("ready", UNSURE, "v1", row.observed)


def test_what_is_gone_is_made_again_also_by_a_change_that_would_not_have_created_it() -> None:
    row = replace(there(), skip_unsent=True)
    after = drifted(row, "deleted", NOW, POLICY)
    assert (after.state, after.observed_hash, after.vendor_id) == ("ready", NOTHING, None)


def test_what_is_under_way_or_may_still_act_is_not_in_step() -> None:
    row = there()
    assert not in_step(claimed(applied(change())), NOW)
    assert not in_step(replace(row, quiet_until=NOW + 1), NOW)
    assert not in_step(replace(row, observed_hash=UNSURE), NOW)


def test_who_is_forgotten_leaves_nothing_wanted_and_what_it_takes_to_delete() -> None:
    after = erased(there(), "anna", NOW, POLICY)
    assert (after.state, after.desired, after.raws, after.events, after.subscriber) == ("ready", None, {}, None, "anna")
    assert (after.vendor_id, is_erased(after), is_over(after)) == ("v1", True, False)
    assert is_over(settled(claimed(after), Accepted(), step="delete"))


def test_who_was_never_sent_is_over_at_once() -> None:
    assert is_over(erased(applied(change()), "anna", NOW, POLICY))
