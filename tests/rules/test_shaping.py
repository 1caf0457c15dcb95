"""A wrong value hides none of the other mistakes of its rule or test, and none is told that only follows from it."""

from __future__ import annotations

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text, twice_named

RULES = """rules:
  - name: due
    from: [billing]
    on: {type: invoice.due}
    when: "{{ data.amount > 0 }}"
    sequence: 7
    send:
      - to: [acme-ecal]
        each: data.items
        group: BK
        complete: true
        key: "INV-{{ item.number }}"
        subscriber: "{{ data.customer }}"
        if_unlinked: {wait: 30d}
        entry: {title: Due, location: Online, start: "{{ data.due | dat }}", all_day: true}
        ecal: {objective: x}
  - name: off
    from: [billing]
    on: invoice.off
    send: {to: acme-ecal, key: "INV-{{ dat.number }}", cancel: true}
  - name: known
    from: [billing]
    link: {destination: acme-ecal, subscriber: "{{ data.customer }}", identity: "{{ data.id | uper }}"}
"""
REST = [(15, "dat"), (20, "dat"), (23, "uper")]
TESTS = """tests:
  - name: due
    given: [{type: invoice.due}]
    orders: both
    expect:
      - {to: acme-ecal, key: A, state: present}
      - {refused: missing, at: key}
  - given: [{type: a}]
    expect: [{refuse: x}, {to: acme-ecal, key: 5, state: gone}]
"""
REST_OF_TESTS = [(32, "'gone'"), (32, "5"), (32, "refuse")]

Wrong = tuple[str, str, int, str]
"""What is right, what stands there instead, and what is told of it: its line, and what was found."""
IN_A_RULE: list[Wrong] = [
    ("name: due", "name: the due", 2, "'the due'"),
    ("name: due", "name: 7", 2, "7"),
    ("[billing]", "[billing, 5]", 3, "5"),
    ("[billing]", "[]", 3, "[]"),
    ("[billing]", "{topic: billing}", 3, "{'topic': 'billing'}"),
    ("{type: invoice.due}", "5", 4, "5"),
    ("{type: invoice.due}", "[{type: 5}, a]", 4, "5"),
    ("{type: invoice.due}", "{schema: {}}", 4, ""),
    ('"{{ data.amount > 0 }}"', "[1]", 5, "[1]"),
    ("sequence: 7", "sequence: 1.5", 6, "1.5"),
    ("[acme-ecal]", "[acme-ecal, 5]", 8, "5"),
    ("[acme-ecal]", "[]", 8, "[]"),
    ("each: data.items", "each: [data.items]", 9, "['data.items']"),
    ("group: BK", "group: [BK]", 10, "['BK']"),
    ("complete: true", "complete: 3", 11, "3"),
    ('key: "INV-{{ item.number }}"', "key: 1.5", 12, "1.5"),
    ('subscriber: "{{ data.customer }}"', "subscriber: 1.5", 13, "1.5"),
    ("{wait: 30d}", "{wait: 30}", 14, "30"),
    ("ecal: {objective: x}", "ecal: 5", 16, "5"),
]
IN_PLACE_OF_AN_ITEM: list[Wrong] = [
    ('"INV-{{ dat.number }}", cancel', "1.5, cancel", 20, "1.5"),
    ('{to: acme-ecal, key: "INV-{{ dat.number }}", cancel: true}', "[nothing]", 20, "'nothing'"),
]
IN_A_TEST: list[Wrong] = [
    ("name: due\n    given", "name: 7\n    given", 25, "7"),
    ("[{type: invoice.due}]", "[5]", 26, "5"),
    ("[{type: invoice.due}]", "[]", 26, "[]"),
    ("given: [{type: invoice.due}]", "givn: [{type: invoice.due}]", 26, "givn"),
    ("orders: both", "orders: some", 27, "'some'"),
    ("{to: acme-ecal, key: A, state: present}", "{to: 5, key: A, state: present}", 29, "5"),
    ("{to: acme-ecal, key: A, state: present}", "{key: A}", 29, "{'key': 'A'}"),
    ("at: key", "at: [key]", 30, "['key']"),
]


def told(text: str, destinations: dict[str, DestinationView]) -> list[tuple[int, str]]:
    rules = load_text(text, "r.yaml", ("ecal", "calreply"))
    problems = check_rules(rules, destinations, ("base", "payment"))
    return sorted((one.line, one.found) for one in [*problems, *twice_named(rules.rules)])


@pytest.mark.parametrize(
    ("text", "wrong", "rest"),
    [
        *((RULES, one, REST) for one in IN_A_RULE),
        *((RULES, one, [REST[0], REST[2]]) for one in IN_PLACE_OF_AN_ITEM),
        *((RULES + TESTS, one, REST + REST_OF_TESTS) for one in IN_A_TEST),
    ],
)
def test_a_wrong_value_hides_nothing_else(
    text: str, wrong: Wrong, rest: list[tuple[int, str]], destinations: dict[str, DestinationView]
) -> None:
    right, instead, line, found = wrong
    assert right in text

    assert told(text.replace(right, instead, 1), destinations) == sorted([(line, found), *rest])


def test_three_mistakes_of_three_kinds_are_told_in_one_run(destinations: dict[str, DestinationView]) -> None:
    text = RULES.replace('"{{ data.amount > 0 }}"', "[1]").replace("complete: true", "compleet: true")

    assert told(text, destinations) == [(5, "[1]"), (11, "compleet"), *REST]


def test_two_names_that_are_wrong_are_not_told_as_one(destinations: dict[str, DestinationView]) -> None:
    text = RULES.replace("name: due", "name: a b").replace("name: off", "name: c d")

    assert told(text, destinations) == [(2, "'a b'"), REST[0], (17, "'c d'"), *REST[1:]]


def test_a_link_without_its_wrong_subscriber_is_not_told_as_one_without(
    destinations: dict[str, DestinationView],
) -> None:
    text = RULES.replace('subscriber: "{{ data.customer }}", identity', "subscriber: 1.5, identity")

    assert told(text, destinations) == sorted([*REST, (23, "1.5")])
