"""The ledger's transactions, on both databases."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pipeline.ledger import Claim, Grant, Ledger, Message, Posted, Result
from pipeline.ledger.tables import metadata
from pipeline.model.blame import Answer
from pipeline.model.change import Change, Link, Version
from pipeline.model.facts import Facts, Policy
from pipeline.model.outcome import Accepted, Outcome, Rejected, Retry, Split, Throttled, Unauthorized, Unknown
from tests.ledger.conftest import Open

RAW: dict[str, Any] = {"value": "x"}
LINKED = {"d": Policy("d", "a")}


def change(key: str, order: int = 1, title: str = "t", **more: Any) -> tuple[Change, dict[str, Any]]:
    version = Version(order, "topic", 0, order, 1)
    return Change("d", key, "upsert", version, "rule", content={"title": title}, **more), RAW


def take(ledger: Ledger, *changes: tuple[Change, dict[str, Any]], links: Iterable[Link] = ()) -> Any:
    return ledger.take(changes, list(links), [], {})


def claim(ledger: Ledger, limit: int = 10, lease: float = 20.0) -> Claim:
    return ledger.claim("d", "worker", limit, lease)


def posted(ledger: Ledger, refused: Iterable[str] = ()) -> list[Message]:
    """What a Kafka is given that takes everything but what lies under these keys."""
    seen: list[Message] = []

    def send(messages: Sequence[Message]) -> Posted:
        seen.extend(messages)
        bad = {m.id: "TooLarge" for m in messages if m.key is not None and m.key.decode() in refused}
        return Posted([m.id for m in messages if m.id not in bad], bad)

    while ledger.outbox(send):
        pass
    return seen


def result(grant: Grant, outcome: Outcome, **more: Any) -> Result:
    facts = grant.entries[0]
    answer = Answer(
        epoch=facts.epoch, outcome=outcome, step="create", sent=facts.desired, sent_hash=facts.sent_hash or "",
        identity=facts.identity, asked=time.monotonic(), at=time.monotonic(), jitter=0.0,
    )  # fmt: skip
    return Result(grant, (answer,), "a", **more)


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
    assert take(ledger, change("k", 1, "old"), change("k", 2, "new")).stale == 2
    assert claim(ledger).grants[0].entries[0].desired == {"title": "new"}


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
    ledger.settle([Result(grant, (), "a", sent=False)])
    assert len(claim(ledger).grants) == 1


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
    take(ledger, change("never sent"), (replace(change("never sent", 2)[0], kind="delete", layer="base"), RAW))
    assert (ledger.entry("never sent")[0].state, ledger.entry("never sent")[0].raws) == ("idle", {})
    take(ledger, change("k"))
    ledger.settle([result(claim(ledger).grants[0], Accepted())])
    take(ledger, change("k", 2))
    assert ledger.entry("k")[0].raws == {}


def test_a_lease_that_runs_out_leaves_the_entry_unsure_and_quiet(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    claim(ledger, lease=0.05)
    time.sleep(0.1)
    assert ledger.sweep()[1] == {"d": 1}
    facts = ledger.entry("k")[0]
    assert (facts.observed_hash, facts.state) == ("?", "held")
    time.sleep(0.3)
    ledger.sweep()
    assert ledger.entry("k")[0].state == "ready"


def test_settling_twice_and_late_is_harmless(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    (grant,) = claim(ledger, lease=0.01).grants
    time.sleep(0.05)
    ledger.sweep()
    for _ in range(2):
        (settled,) = ledger.settle([result(grant, Accepted("id"))])
        assert settled.after.state == "idle"


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


def test_a_pause_and_a_hold_stop_every_worker(opened: Open) -> None:
    ledger, other = opened(), opened()
    take(ledger, change("k1"), change("k2"))
    (grant,) = claim(ledger, 1).grants
    ledger.settle([result(grant, Throttled(1.0))])
    assert claim(other).grants == ()
    assert other.obstacles()["a"][0] == "throttled"
    time.sleep(1.05)
    assert len(claim(other).grants) == 2
    ledger.hold("a", "unauthorized")
    take(ledger, change("k3"))
    assert claim(other).grants == ()
    assert other.obstacles()["a"][0] == "unauthorized"


def test_unauthorized_spends_no_attempt_and_holds_at_once(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k"))
    (settled,) = ledger.settle([result(claim(ledger).grants[0], Unauthorized())])
    assert (settled.after.state, settled.after.attempts) == ("ready", 0)
    assert ledger.obstacles()["a"][0] == "unauthorized"


def test_a_refusal_that_is_settled_after_a_probe_found_the_account_well_holds_nothing(opened: Open) -> None:
    ledger = opened(windows=((50, 1.0),))
    take(ledger, change("k"))
    late = result(claim(ledger).grants[0], Unauthorized())
    time.sleep(0.05)
    ledger.lift("a")
    ledger.settle([late])
    assert ledger.obstacles() == {}


def test_failures_in_a_row_hold_the_account_until_a_probe_lifts_it(opened: Open) -> None:
    ledger = opened(windows=((50, 1.0),))
    take(ledger, *(change(f"k{number}") for number in range(6)))
    ledger.settle([result(grant, Unknown("timeout")) for grant in claim(ledger).grants])
    assert ledger.obstacles()["a"][0] == "failing"
    assert all(row.attempts == 0 for number in range(6) for row in ledger.entry(f"k{number}"))
    assert not ledger.probe_due("a")
    time.sleep(1.05)
    assert ledger.probe_due("a")
    assert not ledger.probe_due("a")
    ledger.lift("a")
    assert ledger.obstacles() == {}


def test_a_refused_entry_dies_only_once_the_destination_was_seen_good(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("bad"))
    (settled,) = ledger.settle([result(claim(ledger).grants[0], Rejected("invalid"))])
    assert settled.after.state == "held"
    take(ledger, change("good"))
    time.sleep(0.15)
    ledger.sweep()
    grants = {grant.entries[0].key: grant for grant in claim(ledger).grants}
    ledger.settle([result(grants["good"], Accepted())])
    (settled,) = ledger.settle([result(grants["bad"], Rejected("invalid"))])
    assert settled.after.state == "dead"
    assert [message.key for message in posted(ledger)] == [b"base"]
    take(ledger, change("bad", 2, "better"))
    assert ledger.entry("bad")[0].state == "ready"


def test_what_kafka_did_not_take_stays_in_the_outbox(opened: Open) -> None:
    ledger = opened()
    ledger.take([], [], [Message("t", b"k", None, (("h", b"\x00\xff"),))], {})
    assert ledger.outbox(lambda messages: Posted()) == 0
    (seen,) = posted(ledger)
    assert (seen.key, seen.value, seen.headers) == (b"k", None, (("h", b"\x00\xff"),))
    assert posted(ledger) == []


def test_what_kafka_will_not_take_stays_and_stops_no_other(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ledger.outbox.REFUSED_WAIT", 0.2)
    ledger = opened()
    ledger.take([], [], [Message("t", key, b"v", ()) for key in (b"bad", b"good")], {})
    assert [message.key for message in posted(ledger, refused=["bad"])] == [b"bad", b"good"]
    ledger.take([], [], [Message("t", b"later", b"v", ())], {})
    assert [message.key for message in posted(ledger)] == [b"later"]
    assert ledger.outbox_refused() == {"t": 1}
    time.sleep(0.25)
    assert [message.key for message in posted(ledger)] == [b"bad"]
    assert ledger.outbox_refused() == {}


def test_the_revision_rises_with_each_new_rule_set(opened: Open) -> None:
    ledger = opened()
    found = [ledger.rules.activate(digest) for digest in ("a", "a", "b", "b", "a")]
    assert found[0] == found[1] < found[2] == found[3] < found[4]


@pytest.mark.parametrize("outcome", [Retry(), Unknown("x")])
def test_an_answer_keeps_the_quota_counted(opened: Open, outcome: Outcome) -> None:
    ledger = opened(windows=((1, 60.0),))
    take(ledger, change("k"), change("l"))
    ledger.settle([result(claim(ledger).grants[0], outcome)])
    assert claim(ledger).grants == ()


def test_an_entry_that_changes_hands_never_goes_to_whom_it_was(opened: Open) -> None:
    ledger = opened(LINKED)
    take(ledger, change("k", subscriber="one"), links=[Link("d", "one", "vendor-one", Version(1, "t", 0, 0, 1))])
    take(ledger, change("k", 2, subscriber="two"))
    assert (ledger.entry("k")[0].state, ledger.entry("k")[0].identity) == ("waiting", None)


def test_an_entry_that_dies_in_the_sweep_leaves_a_dead_letter(opened: Open) -> None:
    policy = Policy(
        "d",
        "a",
        needs_identity=lambda content: False,
        problems=lambda content: [] if content["title"] == "t" else ["bad"],
    )
    ledger = opened({"d": policy})
    take(ledger, change("k"))
    claim(ledger, lease=0.05)
    take(ledger, change("k", 2, "unsayable"))
    time.sleep(0.1)
    ledger.sweep()
    assert (ledger.entry("k")[0].state, len(posted(ledger))) == ("dead", 1)


def test_a_large_batch_is_taken_whole(opened: Open) -> None:
    ledger = opened()
    assert take(ledger, *(change(f"k{number:05}") for number in range(12_000))).applied == 12_000


def test_a_result_whose_row_is_gone_gives_its_token_back(opened: Open) -> None:
    ledger = opened(windows=((1, 0.05),))
    take(ledger, change("k"))
    (grant,) = claim(ledger).grants
    gone = Grant((msgspec.structs.replace(grant.entries[0], key="gone"),), grant.tokens)
    assert ledger.settle([result(gone, Accepted())]) == []
    take(ledger, change("l"))
    time.sleep(0.1)
    assert len(claim(ledger).grants) == 1


def test_a_claim_that_finds_only_expired_entries_asks_again_at_once(opened: Open) -> None:
    ledger = opened()
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    take(ledger, change("k", expires_at=soon))
    time.sleep(0.2)
    assert claim(ledger).wait == 0.0


BATCHED = {"d": Policy("d", "a", needs_identity=lambda content: False, settle_time=0.2, batch=4,
                       together=lambda facts: (facts.desired or {}).get("title"))}  # fmt: skip


def answer(facts: Facts, outcome: Outcome, together: int) -> Answer:
    now = time.monotonic()
    return Answer(
        epoch=facts.epoch, outcome=outcome, step="create", sent=facts.desired, sent_hash=facts.sent_hash or "",
        identity=None, asked=now, at=now, jitter=0.0, together=together,
    )  # fmt: skip


def told(grant: Grant, outcome: Outcome) -> Result:
    entries = grant.entries
    return Result(grant, tuple(answer(facts, outcome, len(entries)) for facts in entries), "a")


def sizes(found: Claim) -> list[int]:
    return [len(grant.entries) for grant in found.grants]


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
    assert ledger.backlog()["d", "ready"][0] == 3


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


TOLD = {"d": Policy("d", "a", needs_identity=lambda content: False, answers_for=3)}


def outcomes(ledger: Ledger) -> list[dict[str, Any]]:
    """What the outbox holds, oldest first; it is emptied."""
    found: list[dict[str, Any]] = []

    def send(messages: Sequence[Message]) -> Posted:
        found.extend(json.loads(message.value or b"{}") for message in messages)
        return Posted([message.id for message in messages])

    ledger.outbox(send)
    return found


def test_an_outcome_names_the_vendors_id_its_links_and_every_event_that_it_answers_for(opened: Open) -> None:
    ledger = opened(TOLD)
    for order in (1, 2):
        take(ledger, change("k", order, f"t{order}", event=("/shop", f"e{order}")))
    (grant,) = claim(ledger).grants
    ledger.settle([result(grant, Accepted("v1", {"page": "https://x"}))])
    (event,) = outcomes(ledger)
    assert event["type"] == "calends.outcome.accepted"
    assert (event["data"]["vendor_id"], event["data"]["links"]) == ("v1", {"page": "https://x"})
    assert [(told["source"], told["id"], told["offset"]) for told in event["data"]["events"]] == [
        ("/shop", "e1", 1),
        ("/shop", "e2", 2),
    ]


def test_an_outcome_is_told_once_and_only_at_the_end(opened: Open) -> None:
    ledger = opened(TOLD)
    take(ledger, change("k", 1))
    (grant,) = claim(ledger).grants
    take(ledger, change("k", 2, "newer"))
    ledger.settle([result(grant, Accepted("v1"))])
    assert outcomes(ledger) == []  # what was sent is no longer what is wanted
    (grant,) = claim(ledger).grants
    ledger.settle([result(grant, Accepted("v1"))] * 2)
    assert [len(event["data"]["events"]) for event in outcomes(ledger)] == [2]
    take(ledger, change("k", 3, "newest"))
    ledger.settle([result(grant, Accepted("v1")) for grant in claim(ledger).grants])
    assert [[told["offset"] for told in event["data"]["events"]] for event in outcomes(ledger)] == [[3]]


def test_what_need_not_be_sent_and_what_dies_have_an_outcome_too(opened: Open) -> None:
    policy = replace(TOLD["d"], problems=lambda content: ["bad"] if content["title"] == "bad" else [])
    ledger = opened({"d": policy})
    take(ledger, change("k", 1), change("dead", 1, "bad"))
    cancel, raw = change("k", 2)
    take(ledger, (replace(cancel, kind="cancel"), raw))
    types = {event["subject"]: event["type"] for event in outcomes(ledger) if "subject" in event}
    assert types == {"k": "calends.outcome.unneeded", "dead": "calends.outcome.dead"}


def test_no_more_events_are_remembered_than_are_told(opened: Open) -> None:
    ledger = opened(TOLD)
    for order in range(1, 9):
        take(ledger, change("k", order, f"t{order}"))
    assert [event["offset"] for event in ledger.entry("k")[0].events or ()] == [6, 7, 8]


def test_a_subscription_links_its_subscriber_and_its_end_unlinks_them(opened: Open) -> None:
    ledger = opened({"d": Policy("d", "a", needs_identity=lambda content: content.get("kind") != "subscription")})
    subscription, raw = change("sub", 1, subscriber="ann")
    take(ledger, change("k", 1, subscriber="ann"))
    take(ledger, (replace(subscription, content={"kind": "subscription"}), raw))
    (grant,) = claim(ledger).grants
    assert (grant.entries[0].key, ledger.entry("k")[0].state) == ("sub", "waiting")
    ledger.settle([result(grant, Accepted("s1"))])
    row = ledger.entry("k")[0]
    assert (row.state, row.identity) == ("ready", "s1")
    assert ledger.entry("sub")[0].state == "idle"
    ended, raw = change("sub", 2, subscriber="ann")
    take(ledger, (replace(ended, kind="delete", content={}), raw))
    grant = next(grant for grant in claim(ledger).grants if grant.entries[0].key == "sub")
    ledger.settle([Result(grant, (replace(answer(grant.entries[0], Accepted(), 1), step="delete"),), "a")])
    assert ledger.entry("k")[0].identity is None
    assert ledger.entry("sub")[0].state == "idle"


def unlinked(order: int, ended: str, subscriber: str | None = None) -> Link:
    return Link("d", subscriber, None, Version(order, "t", 0, order, 1), ended)


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


def test_two_outcomes_of_equal_content_are_two(opened: Open) -> None:
    ledger = opened(TOLD)
    take(ledger, change("k", 1))
    ledger.settle([result(grant, Accepted("v")) for grant in claim(ledger).grants])
    take(ledger, change("k", 2))
    first, second = outcomes(ledger)
    assert (first["id"], first["type"]) != (second["id"], second["type"])
    assert first["id"] != second["id"]


def test_what_a_lost_update_added_is_known_even_if_something_else_is_wanted_by_then(opened: Open) -> None:
    ledger = opened()
    take(ledger, change("k", 1))
    ledger.settle([result(grant, Accepted("v")) for grant in claim(ledger).grants])
    added, raw = change("k", 2)
    take(ledger, (replace(added, content={"title": "t", "participants": [{"email": "x@y.example"}]}), raw))
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
