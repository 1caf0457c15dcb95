"""Rules that put the entries of all events into one person's calendar are warned of; one that may be meant is not."""

from __future__ import annotations

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.reading import load_text
from pipeline.rules.whose import one_calendar
from pipeline.vendors import vendors

VIEWS = {
    "people": DestinationView("people", vendors()["ecal"], options={"api": "private"}),
    "public": DestinationView("public", vendors()["ecal"], options={"api": "event"}),
    "buttons": DestinationView("buttons", vendors()["add_to_calendar_pro"]),
    "calreply": DestinationView("calreply", vendors()["calreply"], options={"api": "rokt"}),
}
RULE = """rules:
  - name: r
    from: [t]
    {}
"""


def warned(said: str) -> list[tuple[str, str]]:
    rules = load_text(RULE.format(said), "r.yaml", vendors())
    assert rules.problems == ()
    return [(problem.message, problem.found) for problem in one_calendar(rules.rules, VIEWS)]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ('send: {to: people, key: "A-{{ data.n }}", subscriber: jane@example.com, entry: {title: x}}', "subscriber"),
        ('send: {to: [public, people], subscriber: 7, entry: {title: x}}', "subscriber"),
        ('send: {to: people, key: "A-{{ data.n }}", identity: "{{ \'E1\' }}", entry: {title: x}}', "identity"),
        ('send: {to: calreply, kind: subscription, key: "{{ data.n }}", subscriber: 7, entry: {}}', "subscriber"),
    ],
)  # fmt: skip
def test_one_calendar_for_the_entries_of_all_events_is_warned_of(said: str, name: str) -> None:
    assert warned(said) == [("the entries of all events go into one calendar", f"a {name} that is always the same")]


def test_one_entry_of_many_people_is_warned_of() -> None:
    said = 'send: {to: people, key: INV, subscriber: "{{ data.s }}", entry: {title: x}}'

    assert [message for message, _ in warned(said)] == ["one entry for all events moves from calendar to calendar"]


@pytest.mark.parametrize("said", ["subscriber: S, identity: '{{ data.i }}'", "subscriber: '{{ data.s }}', identity: I"])
def test_one_link_for_all_is_warned_of(said: str) -> None:
    assert [message for message, _ in warned(f"link: {{destination: people, {said}}}")] == ["all are linked to one"]


@pytest.mark.parametrize(
    "said",
    [
        'send: {to: people, key: "A-{{ data.n }}", subscriber: "{{ data.s }}", entry: {title: x}}',
        "send: {to: people, key: status, subscriber: team, entry: {title: x}}",
        'send: {to: people, key: "A-{{ data.n }}", cancel: true, subscriber: team}',
        'send: {to: public, key: "A-{{ data.n }}", entry: {collection: c, title: x}}',
        'send: {to: buttons, key: "A-{{ data.n }}", subscriber: team, entry: {collection: c, title: x}}',
        'when: "{{ data.room == \'A\' }}"\n    send: {to: people, key: "{{ data.n }}", identity: E1, entry: {}}',
        'link: {destination: people, subscriber: "{{ data.s }}", identity: null}',
    ],
)
def test_what_may_be_meant_is_not(said: str) -> None:
    assert warned(said) == []
