"""From an event to its changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.model.change import Version
from pipeline.model.event import DomainEvent, decode
from pipeline.model.facts import Facts, Policy
from pipeline.model.wanted import apply
from pipeline.model.wire import Coordinates, Record
from pipeline.rules.adapt import DestinationView, desired
from pipeline.rules.changes import default_key
from pipeline.rules.evaluate import Evaluation, RuleSet
from pipeline.rules.reading import load_inline, load_paths
from tests.rules.conftest import NOW

RULES = Path(__file__).parents[2] / "configs" / "rules"
DUE = {
    "number": 45009, "customer_id": 17, "amount": 1250.5, "currency": "EUR", "due_date": "2026-12-24",
    "pay_url": "https://pay.acme.example/45009",
}  # fmt: skip
Make = Callable[..., DomainEvent]
Destinations = dict[str, DestinationView]


@pytest.fixture
def invoices(destinations: Destinations) -> RuleSet:
    return RuleSet(load_paths([RULES / "invoices.yaml"], ("ecal", "calreply")), destinations, ("base", "payment"), 3)


def inline(destinations: Destinations, **send: Any) -> RuleSet:
    rule = {"name": "r", "from": ["t"], "send": [{"to": ["acme-ecal"], "key": "K", **send}]}
    return RuleSet(load_inline([rule], "f", 1, ("ecal", "calreply")), destinations)


def only(result: Evaluation) -> Any:
    assert result.failures == ()
    (change,) = result.changes
    return change


def test_an_invoice_becomes_an_entry(invoices: RuleSet, event: Make) -> None:
    due = event("billing.invoices", "com.acme.invoice.due", DUE, 5, time="2026-11-20T10:00:00Z")
    change = only(invoices.evaluate(due))
    assert change.content == {
        "title": "Your payment is due",
        "description": "Invoice 45009: 1,250.50 EUR",
        "location": "Online",
        "start": "2026-12-24",
        "all_day": True,
        "alerts": [1440, 60],
        "links": [{"name": "Pay now", "url": "https://pay.acme.example/45009"}],
        "ecal": {"objective": "payment_reminder"},
    }
    assert (change.destination, change.key, change.layer, change.subscriber) == ("acme-ecal", "INV-45009", "base", "17")
    assert change.version == Version(1795168800000000, "billing.invoices", 0, 5, 3)
    assert change.matters_at == datetime(2026, 12, 24, tzinfo=UTC)
    assert change.expires_at == datetime(2027, 1, 23, tzinfo=UTC)


def test_paid_and_due_end_alike_in_either_order(invoices: RuleSet, event: Make, destinations: Destinations) -> None:
    due = only(invoices.evaluate(event("billing.invoices", "com.acme.invoice.due", DUE)))
    paid = only(invoices.evaluate(event("billing.payments", "com.acme.invoice.paid", {"number": 45009})))
    assert (paid.layer, paid.if_unsent) == ("payment", "skip")
    content = desired([due.content, paid.content], destinations["acme-ecal"])
    assert (content["title"], content["links"], content["start"]) == ("✅ Paid", [], "2026-12-24")


def test_a_failure_names_rule_and_slot_and_no_value(invoices: RuleSet, event: Make) -> None:
    result = invoices.evaluate(event("billing.invoices", "com.acme.invoice.due", {**DUE, "due_date": "someday"}))
    assert result.changes == ()
    (failure,) = result.failures
    assert (failure.rule, failure.slot, failure.code) == ("invoice-due", "send[0].entry.start", "format")
    assert "someday" not in failure.explanation


def test_a_rule_without_a_key_relays(destinations: Destinations, event: Make) -> None:
    rules = inline(destinations, key=None, entry={"title": "{{ data.x }}"})
    first = event("t", "k", {"x": "a"}, id="1", source="/s")
    assert only(rules.evaluate(first)).key == default_key(event("t", "k", {}, 9, id="1", source="/s"))
    assert default_key(event("t", "k", {}, 1)) != default_key(event("t", "k", {}, 2))
    assert len(default_key(first)) == 32


@pytest.mark.parametrize("bad", ["a b", "", "ü", "x" * 201])
def test_a_key_is_held_to_its_pattern(destinations: Destinations, event: Make, bad: str) -> None:
    result = inline(destinations, key="{{ data.k }}", entry={"title": "T"}).evaluate(event("t", "k", {"k": bad}))
    assert result.failures[0].slot == "send[0].key"


def test_an_instant_becomes_local_time(destinations: Destinations, event: Make) -> None:
    entry = {"title": "T", "start": "{{ data.at }}"}
    rules = inline(destinations, to=["acme-ecal", "acme-calreply"], entry=entry)
    utc, berlin = rules.evaluate(event("t", "k", {"at": "2026-07-01T10:00:00Z"})).changes
    assert (utc.content["start"], utc.content["time_zone"]) == ("2026-07-01T10:00:00", "UTC")
    assert (berlin.content["start"], "time_zone" in berlin.content) == ("2026-07-01T12:00:00", False)
    assert utc.matters_at == berlin.matters_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("at", ["2026-03-29T02:30", "2026-10-25T01:30:00Z"])
def test_clock_changes_that_cannot_be_said(destinations: Destinations, event: Make, at: str) -> None:
    rules = inline(destinations, entry={"start": "{{ data.at }}", "time_zone": "Europe/Berlin"})
    assert rules.evaluate(event("t", "k", {"at": at})).failures[0].code == "format"


def test_null_clears_and_omit_says_nothing(destinations: Destinations, event: Make) -> None:
    entry = {"title": "T", "location": None, "description": "{{ data.d | default(omit) }}"}
    assert only(inline(destinations, entry=entry).evaluate(event("t", "k", {}))).content == {
        "title": "T",
        "location": None,
    }


def test_each_vendor_gets_only_its_own_section(destinations: Destinations, event: Make) -> None:
    rules = inline(
        destinations, to=["acme-ecal", "acme-calreply"], entry={"title": "T"}, ecal={"draft": "{{ data.d }}"}
    )
    ecal, calreply = rules.evaluate(event("t", "k", {"d": True})).changes
    assert ecal.content == {"title": "T", "ecal": {"draft": True}}
    assert calreply.content == {"title": "T"}
    assert rules.evaluate(event("t", "k", {"d": "true"})).failures[0].slot == "send[0].ecal.draft"


def test_two_changes_of_one_layer_are_a_failure_of_the_later_rule(destinations: Destinations, event: Make) -> None:
    send = {"to": "acme-ecal", "key": "K", "entry": {"title": "T"}}
    raw = [{"name": name, "from": "t", "send": send} for name in ("a", "b")]
    result = RuleSet(load_inline(raw, "f", 1, ()), destinations).evaluate(event("t", "k", {}))
    assert [change.rule for change in result.changes] == ["a"]
    assert [(failure.rule, failure.code) for failure in result.failures] == [("b", "duplicate")]


def test_cancel_and_what_an_unlinked_entry_does(destinations: Destinations, event: Make) -> None:
    change = only(inline(destinations, cancel=True, if_unlinked="drop").evaluate(event("t", "k", {})))
    assert (change.kind, change.content, change.if_unlinked) == ("cancel", {}, None)
    for said in ("wait 2d", {"wait": "2d"}):
        rules = inline(destinations, entry={"title": "T"}, if_unlinked=said)
        assert only(rules.evaluate(event("t", "k", {}))).if_unlinked == 2 * 86_400


def test_a_rule_teaches_the_directory(destinations: Destinations, event: Make) -> None:
    link = {"destination": "acme-ecal", "subscriber": "{{ data.id }}", "identity": "{{ data.ecal }}"}
    raw = [{"name": "r", "from": "t", "sequence": "{{ data.n }}", "link": link}]
    rules = RuleSet(load_inline(raw, "f", 1, ()), destinations)
    (linked,) = rules.evaluate(event("t", "k", {"id": 17, "ecal": "E1", "n": 4})).links
    assert (linked.subscriber, linked.identity, linked.version.order) == ("17", "E1", 4)
    assert rules.evaluate(event("t", "k", {"id": 17, "ecal": None, "n": 4})).links[0].identity is None


def test_the_digest_names_the_rules_not_their_file(invoices: RuleSet) -> None:
    again = load_paths([RULES / "invoices.yaml"], ("ecal", "calreply"))
    assert RuleSet(again, invoices.destinations, invoices.layers, 9).digest == invoices.digest
    assert invoices.with_revision(8).revision == 8
    assert invoices.topics == ("billing.invoices", "billing.payments")


def test_a_destination_adapts_what_is_wanted(destinations: Destinations) -> None:
    content = {"title": "T", "description": "D", "links": [{"name": "Pay", "url": "https://a"}]}
    assert desired([content], destinations["acme-calreply"]) == {
        "title": "T",
        "description": "D\n\nPay: https://a",
        "time_zone": "Europe/Berlin",
    }


def test_a_record_without_a_value_ends_the_entry_that_its_key_names(destinations: Destinations, event: Make) -> None:
    """What a compacted topic says of a thing that is gone: no event, no time of its own, only its key."""
    to = {"to": ["acme-ecal"], "key": "{{ event.subject }}"}
    rules = [
        {"name": "there", "from": ["t"], "on": "there", "send": [to | {"entry": {"title": "t"}}]},
        {"name": "gone", "from": ["t"], "on": "calends.tombstone", "send": [to | {"delete": True}]},
    ]
    read = RuleSet(load_inline(rules, "f", 1, ("ecal", "calreply")), destinations)
    policy = Policy("acme-ecal", "a", needs_identity=lambda content: False)
    there = only(read.evaluate(event("t", "there", {}, 1, subject="INV-1", time="2026-11-20T11:59:59Z")))
    gone = only(read.evaluate(decode(Record(Coordinates("t", 0, 2), b"INV-1", None, (), NOW))))
    assert (gone.kind, gone.key) == ("delete", "INV-1")
    row = apply(Facts("acme-ecal", "INV-1"), gone, {}, 0.0, policy)
    assert row is not None
    row = apply(row, there, {}, 0.0, policy)
    assert row is not None
    assert (row.state, row.desired) == ("idle", None), "an older event revives nothing"
    again = apply(row, only(read.evaluate(event("t", "there", {}, 3, subject="INV-1"))), {}, 0.0, policy)
    assert again is not None
    assert again.state == "ready"
