"""What an answer, a lost one and a late one make of entries."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from msgspec import structs

from pipeline.ledger import Grant, Result
from pipeline.model.outcome import Accepted, Outcome, Rejected, Retry, Split, Unknown
from tests.ledger.acts import BATCHED, RAW, answer, change, claim, result, sizes, take, told
from tests.ledger.conftest import Open


def test_what_changed_while_it_was_sent_is_ready_again(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k", 1, "old"))
    (grant,) = claim(ledger).grants
    take(ledger, change("k", 2, "new"))
    (settled,) = ledger.settle([result(grant, Accepted("id"))])
    assert (settled.after.state, settled.after.observed, settled.after.vendor_id) == ("ready", {"title": "old"}, "id")


def test_a_settled_entry_forgets_its_raw_records(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    ledger.settle([result(claim(ledger).grants[0], Accepted())])
    assert ledger.entry("k")[0].raws == {}


def test_an_entry_that_needs_no_call_forgets_its_raw_records_too(opened: Open) -> None:
    ledger = opened()
    take(
        ledger,
        change("never sent"),
        (structs.replace(change("never sent", 2)[0], kind="delete", layer="base"), RAW),
    )
    assert (ledger.entry("never sent")[0].state, ledger.entry("never sent")[0].raws) == ("idle", {})
    take(ledger, change("k"))
    ledger.settle([result(claim(ledger).grants[0], Accepted())])
    take(ledger, change("k", 2))
    assert ledger.entry("k")[0].raws == {}


def test_settling_twice_and_late_is_harmless(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    (grant,) = claim(ledger, lease=0.01).grants
    time.sleep(0.05)
    ledger.sweep()
    for _ in range(2):
        (settled,) = ledger.settle([result(grant, Accepted("id"))])
        assert settled.after.state == "idle"


@pytest.mark.parametrize("outcome", [Retry(), Unknown("x")])
def test_an_answer_keeps_the_quota_counted(opened: Open, outcome: Outcome) -> None:
    ledger = opened(windows=((1, 60.0),))
    take(ledger, change("k"), change("l"))
    ledger.settle([result(claim(ledger).grants[0], outcome)])
    assert claim(ledger).grants == ()


def test_a_result_whose_row_is_gone_gives_its_token_back(opened: Open) -> None:
    ledger = opened(windows=((1, 0.05),))
    take(ledger, change("k"))
    (grant,) = claim(ledger).grants
    gone = Grant((structs.replace(grant.entries[0], key="gone"),), grant.tokens)
    assert ledger.settle([result(gone, Accepted())]) == []
    take(ledger, change("l"))
    time.sleep(0.1)
    assert len(claim(ledger).grants) == 1


def test_a_call_refused_as_one_is_halved_until_the_one_at_fault_is_alone(opened: Open) -> None:
    """Of eight entries one is bad: the others get through, and it dies alone."""
    ledger = opened({"d": replace(BATCHED["d"], batch=8)}, windows=((99, 60.0),))
    take(ledger, *(change(f"k{number}") for number in range(8)))
    calls = []
    while ledger.entry("k5")[0].state != "dead":
        for grant in claim(ledger).grants:
            calls.append(len(grant.entries))
            bad = any(facts.key == "k5" for facts in grant.entries)
            refused = Rejected("invalid") if len(grant.entries) == 1 else Split()
            ledger.settle([told(grant, refused if bad else Accepted())])
        take(ledger, change(f"other{len(calls)}", title="other"))  # what shows that the account is good
        time.sleep(0.11)
        ledger.sweep()
    assert [size for size in calls if size > 1] == [8, 4, 4, 2, 2]
    assert {ledger.entry(f"k{number}")[0].state for number in range(8) if number != 5} == {"idle"}


def test_a_call_that_breaks_a_server_down_is_halved_too(opened: Open) -> None:
    ledger = opened(BATCHED, windows=((99, 60.0),))
    take(ledger, *(change(f"k{number}") for number in range(4)))
    ledger.settle([told(grant, Unknown("http_502")) for grant in claim(ledger).grants])
    time.sleep(1.2)
    ledger.sweep()
    assert sizes(claim(ledger)) == [2, 2]


def test_each_entry_of_a_call_has_an_answer_of_its_own(opened: Open) -> None:
    ledger = opened(BATCHED, windows=((99, 60.0),))
    take(ledger, *(change(f"k{number}") for number in range(3)))
    (grant,) = claim(ledger).grants
    first, second, third = grant.entries
    answers = (answer(first, Accepted("v1"), 3), answer(second, Rejected("invalid"), 3), None)
    ledger.settle([Result(grant, answers, "a")])
    rows = [ledger.entry(facts.key)[0] for facts in (first, second, third)]
    assert [row.state for row in rows] == ["idle", "held", "ready"]


def test_what_a_lost_call_carried_is_known_even_if_something_else_is_wanted_by_then(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k", 1, "old"))
    claim(ledger, lease=0.1)
    take(ledger, change("k", 2, "new"))
    time.sleep(0.2)
    ledger.sweep()
    row = ledger.entry("k")[0]
    assert (row.observed_hash, row.observed, row.desired) == ("?", {"title": "old"}, {"title": "new"})


def test_what_a_lost_update_added_is_known_even_if_something_else_is_wanted_by_then(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k", 1))
    ledger.settle([result(grant, Accepted("v")) for grant in claim(ledger).grants])
    added, raw = change("k", 2)
    take(
        ledger,
        (structs.replace(added, content={"title": "t", "participants": [{"email": "x@y.example"}]}), raw),
    )
    claim(ledger, lease=0.05)
    take(ledger, change("k", 3, "u"))
    time.sleep(0.15)
    ledger.sweep()
    row = ledger.entry("k")[0]
    assert (row.observed_hash, "participants" in (row.observed or {})) == ("?", True)


def test_a_failure_that_is_settled_twice_counts_once(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    (grant,) = claim(ledger).grants
    for _ in range(6):
        ledger.settle([result(grant, Unknown("timeout"))])
    assert ledger.obstacles() == {}
