"""The rules that Calends brings along: who is linked by a webhook, and who is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.inbound import TYPES
from pipeline.model.event import DomainEvent
from pipeline.rules.adapt import DestinationView
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.linking import LINKED, UNLINKED, linking

Make = Callable[..., DomainEvent]
KNOWN = {"destination": "acme-ecal", "subscriber": "C-7", "identity": "sub-1", "entry": None, "notification": {}}


@pytest.fixture
def rules(destinations: dict[str, DestinationView]) -> RuleSet:
    return RuleSet(linking("inbound", destinations), destinations)


def links(rules: RuleSet, event: DomainEvent) -> list[tuple[str, str, str | None]]:
    evaluation = rules.evaluate(event)
    assert evaluation.failures == ()
    return [(link.destination, link.subscriber, link.identity) for link in evaluation.links]


def test_linked_links_at_its_own_destination(rules: RuleSet, event: Make) -> None:
    assert links(rules, event("inbound", LINKED, KNOWN)) == [("acme-ecal", "C-7", "sub-1")]


def test_unlinked_ends_the_link_to_the_identity_that_it_names(rules: RuleSet, event: Make) -> None:
    (link,) = rules.evaluate(event("inbound", UNLINKED, KNOWN)).links
    assert (link.subscriber, link.identity, link.ended) == ("C-7", None, "sub-1")


def test_unlinked_without_a_name_ends_the_link_of_whoever_has_the_identity(rules: RuleSet, event: Make) -> None:
    (link,) = rules.evaluate(event("inbound", UNLINKED, KNOWN | {"subscriber": None})).links
    assert (link.subscriber, link.identity, link.ended) == (None, None, "sub-1")


def test_unlinked_without_an_identity_ends_the_subscribers_link(rules: RuleSet, event: Make) -> None:
    (link,) = rules.evaluate(event("inbound", UNLINKED, KNOWN | {"identity": None})).links
    assert (link.subscriber, link.identity, link.ended) == ("C-7", None, None)


@pytest.mark.parametrize("kind", sorted({*TYPES.values()} - {LINKED, UNLINKED}))
def test_nothing_else_links(rules: RuleSet, event: Make, kind: str) -> None:
    assert links(rules, event("inbound", kind, KNOWN)) == []


@pytest.mark.parametrize(
    ("topic", "kind", "other"),
    [
        ("inbound2", LINKED, {}),
        ("xinbound", UNLINKED, {}),
        ("inbound", LINKED, {"subscriber": None}),
        ("inbound", LINKED, {"identity": None}),
        ("inbound", UNLINKED, {"subscriber": None, "identity": None}),
        ("inbound", LINKED, {"destination": "acme"}),
        ("inbound", LINKED, {"destination": None}),
    ],
)
def test_what_does_not_say_all_of_it_links_nobody(
    rules: RuleSet, event: Make, topic: str, kind: str, other: dict[str, Any]
) -> None:
    assert links(rules, event(topic, kind, KNOWN | other)) == []


def test_without_webhooks_there_is_nothing_to_read(destinations: dict[str, DestinationView]) -> None:
    assert RuleSet(linking("inbound", ()), destinations).topics == ()
