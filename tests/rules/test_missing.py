"""What an event lacks is named by its path in the rule, and nothing of the event is quoted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.model.event import DomainEvent
from pipeline.rules.adapt import DestinationView
from pipeline.rules.evaluate import RuleSet
from pipeline.rules.reading import load_text

RULE = """rules:
  - name: r
    from: [t]
    send: {to: acme-ecal, each: data.items, key: "{{ item.id }}", subscriber: s,
           entry: {title: TITLE, location: x, start: "2026-12-24T09:00"}}
"""
DATA = {"a": "Anna", "b": {"c": None}, "items": [{"id": 1}]}


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("{{ data.x }}", "data.x is missing from the event"),
        ("{{ data.a }} {{ data.x }} {{ data.b.y.z }}", "data.x, data.b.y are missing from the event"),
        ("{{ data.x }} {{ data.x }}", "data.x is missing from the event"),
        ("{{ data.b.c.d }}", "data.b.c.d is missing from the event"),
        ("{{ data.site.zone | default('UTC') }}", "data.site is missing from the event"),
        ("{{ data.y | default('-') }} {{ data.x }}", "data.x is missing from the event"),
        ("{{ item.name }}", "item.name is missing from the event"),
        ("{{ event.time }}", "event.time is missing from the event"),
        ("{{ data['x'][0] }}", "data.x is missing from the event"),
    ],
)
def test_the_field_is_named(
    title: str, told: str, destinations: dict[str, DestinationView], event: Callable[..., DomainEvent]
) -> None:
    rules = RuleSet(load_text(RULE.replace("TITLE", f'"{title}"'), "r.yaml", ()), destinations)
    (failure,) = rules.evaluate(event("t", "a", DATA)).failures

    assert (failure.code, failure.explanation) == ("missing", told)


@pytest.mark.parametrize(
    ("data", "title"), [({}, "UTC"), ({"site": {"zone": "Europe/Berlin"}}, "Europe/Berlin")], ids=["missing", "there"]
)
def test_a_default_for_what_leads_to_a_field_is_an_if(
    data: dict[str, Any], title: str, destinations: dict[str, DestinationView], event: Callable[..., DomainEvent]
) -> None:
    said = "\"{{ data.site.zone if data.site is defined else 'UTC' }}\""
    rules = RuleSet(load_text(RULE.replace("TITLE", said), "r.yaml", ()), destinations)
    (change,) = rules.evaluate(event("t", "a", {**DATA, **data})).changes

    assert change.content["title"] == title
