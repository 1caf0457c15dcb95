"""What is claimed, with which tokens, and which entries share a call."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pipeline.ledger import Ledger, Result
from pipeline.ledger.draining import HORIZONS
from pipeline.ledger.values import STRAY
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted, Unknown
from tests.ledger.acts import BATCHED, RAW, change, claim, result, sizes, take
from tests.ledger.conftest import Open


def test_a_claim_takes_no_more_than_there_are_tokens_and_nobody_else_gets_them(opened: Open) -> None:
    first, second = opened(), opened()
    take(first, *(change(f"k{number}") for number in range(9)))
    assert len(claim(first, 3).grants) == 3
    assert len(claim(second).grants) == 2
    assert claim(second).wait is not None


def test_a_token_is_free_a_window_after_the_answer(opened: Open) -> None:
    ledger = opened(windows=((2, 0.4),))
    take(ledger, *(change(f"k{number}") for number in range(4)))
    grants = claim(ledger).grants
    ledger.settle([result(grant, Accepted()) for grant in grants])
    assert claim(ledger).grants == ()
    time.sleep(0.45)
    assert len(claim(ledger).grants) == 2


def test_a_call_that_was_never_sent_frees_its_token_at_once(opened: Open) -> None:
    ledger = opened(windows=((1, 60.0),))
    take(ledger, change("k"))
    (grant,) = claim(ledger).grants
    ledger.settle([Result(grant, (), "a", sent="never")])
    assert len(claim(ledger).grants) == 1


def test_a_call_that_was_never_sent_frees_no_token_before_the_window_of_the_one_before(opened: Open) -> None:
    ledger = opened(windows=((1, 0.4),))
    take(ledger, change("k1"), change("k2"))
    (sent,) = claim(ledger).grants
    ledger.settle([result(sent, Accepted())])
    while not (early := claim(ledger).grants):  # granted shortly before its token is free
        time.sleep(0.01)
    ledger.settle([Result(early[0], (), "a", sent="never")])
    (again,) = claim(ledger).grants
    assert again.free >= early[0].free


def test_the_token_of_a_call_that_was_not_heard_of_waits_for_what_may_still_be_on_its_way(opened: Open) -> None:
    ledger = opened(windows=((1, 1.0),))
    take(ledger, change("k1"), change("k2"))
    (grant,) = claim(ledger).grants
    ledger.settle([result(grant, Unknown("timeout"), sent="lost")])
    wait = claim(ledger).wait
    assert wait is not None
    assert 1.0 < wait <= 1.0 + STRAY


def test_a_destination_claims_its_own_entries_alone(opened: Open) -> None:
    names = ("d", "e")
    ledger = opened({name: Policy(name, "a", needs_identity=lambda content: False) for name in names}, ((20, 1.0),))
    for name in names:
        take(ledger, *((replace(change(f"{name}{n}")[0], destination=name), RAW) for n in range(3)))
    found = ledger.claim("e", "worker", 10, 20.0)
    assert sorted(facts.key for grant in found.grants for facts in grant.entries) == ["e0", "e1", "e2"]


def test_two_claims_at_once_never_share_an_entry(opened: Open) -> None:
    ledgers = [opened(windows=((200, 60.0),)) for _ in range(2)]
    take(ledgers[0], *(change(f"k{number:03}") for number in range(100)))
    got: list[str] = []

    def work(ledger: Ledger) -> None:
        while grants := claim(ledger, 7).grants:
            got.extend(grant.entries[0].key for grant in grants)

    threads = [threading.Thread(target=work, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [f"k{number:03}" for number in range(100)]


def test_a_lease_that_runs_out_leaves_the_entry_unsure_and_quiet(opened: Open) -> None:
    ledger = opened({"d": Policy("d", "a", needs_identity=lambda content: False, settle_time=1.5)})
    take(ledger, change("k"))
    claim(ledger, lease=0.05)
    time.sleep(0.1)
    assert ledger.sweep()[1] == {"d": 1}
    facts = ledger.entry("k")[0]
    assert (facts.observed_hash, facts.state) == ("?", "held")
    assert facts.quiet_until is not None
    time.sleep(max(0.0, facts.quiet_until - ledger.now()) + 0.01)
    ledger.sweep()
    assert ledger.entry("k")[0].state == "ready"


def test_a_claim_that_finds_only_expired_entries_asks_again_at_once(opened: Open) -> None:
    ledger = opened()
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    take(ledger, change("k", expires_at=soon))
    time.sleep(0.2)
    assert claim(ledger).wait == 0.0


def test_entries_share_a_call_and_its_one_token(opened: Open) -> None:
    ledger = opened(BATCHED, windows=((3, 60.0),))
    take(ledger, *(change(f"k{number}") for number in range(9)))
    assert sizes(claim(ledger)) == [4, 4, 1]
    take(ledger, change("l"))
    assert sizes(claim(ledger)) == []


def test_entries_that_cannot_share_a_call_have_their_own(opened: Open) -> None:
    ledger = opened(BATCHED, windows=((9, 60.0),))
    take(ledger, *(change(f"k{number}", title="ab"[number % 2]) for number in range(6)))
    found = claim(ledger)
    assert sorted(sizes(found)) == [3, 3]
    assert all(len({str(facts.desired) for facts in grant.entries}) == 1 for grant in found.grants)


def test_who_finds_no_place_in_a_call_is_not_claimed(opened: Open) -> None:
    ledger = opened(BATCHED, windows=((1, 60.0),))
    take(ledger, *(change(f"k{number}", title="ab"[number % 2]) for number in range(6)))
    assert sizes(claim(ledger)) == [3]
    assert ledger.counted(HORIZONS).backlog["d", "ready"][0] == 3
