"""What no event can make right is told; what one may is not."""

from __future__ import annotations

import pytest

from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.reading import load_text

RULE = """rules:
  - name: r
    from: [t]
    on: {type: TYPE, schema: {properties: {paid: {type: [boolean, "null"]}, n: {type: number}, s: {type: string}}}}
    when: WHEN
    send:
      to: acme-ecal
      key: KEY
      subscriber: S
      MORE
      entry: {title: x, location: x, start: "2026-12-24", all_day: ALL_DAY, links: [{name: a, url: URL}]}
"""
FINE = {"TYPE": "a.b", "WHEN": "true", "KEY": "k", "MORE": "layer: base", "ALL_DAY": "true", "URL": "https://a.example"}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("KEY", '"A-{{ data.s }}:{{ data.s }}.x_1"'),
        ("KEY", "\"{{ data.s | default('none') }}\""),
        ("KEY", '"A {{- data.s -}} "'),
        ("KEY", '"{% if data.paid %}A{% else %}B{% endif %}"'),
        ("WHEN", "\"{{ data.s == 'x' or data.s == 'y' }}\""),
        ("WHEN", '"{{ data.s == \'x\' and data.n == 1 and data.s == \\"x\\" }}"'),
        ("WHEN", "\"{{ not (data.s == 'x' and data.s == 'y') }}\""),
        ("WHEN", '"{{ data.n == 1 and data.n == 1.0 and data.n == 1e0 }}"'),
        ("WHEN", '\'{{ data.s == "a\\x62" and data.s == "ab" }}\''),
        ("WHEN", '"{{ data.paid }}"'),
        ("WHEN", '"{{ data.s | bool }}"'),
        ("WHEN", '"{{ 2 > 1 }}"'),
        ("TYPE", "calends.entry.accepted"),
        ("TYPE", "calends.subscriber.seen"),
        ("TYPE", "calends.outcome.created"),
        ("TYPE", "calendar.made"),
        ("ALL_DAY", '"{{ data.paid }}"'),
        ("MORE", 'deliver_at: "2026-02-01T09:00"\n      expires_at: "2026-02-01T10:00"'),
        ("MORE", 'deliver_at: "2026-02-01"\n      expires_at: "{{ data.s }}"'),
        ("MORE", 'deliver_at: "{{ data.s }}T09:00:00+01:00"'),
        ("MORE", 'deliver_at: "{{ data.s }} {{ data.s }}"'),
        ("WHEN", '"{{ 0 < data.n and data.n < 5 }}"'),
        ("WHEN", '"{{ (data.n > 1) == data.paid }}"'),
        ("WHEN", "\"{{ data.n | money('EUR') == data.s }}\""),
        ("WHEN", "\"{{ data.s is startingwith 'x' or data.s is not endingwith('y') }}\""),
        ("URL", '"{{ data.s }}"'),
        ("URL", '"http{{ data.s }}"'),
        ("URL", '"{% if data.paid %}https://a{% else %}https://b{% endif %}"'),
        ("URL", "mailto:a@b.example"),
        ("URL", "'HTTPS://a.example/{b}'"),
    ],
)
def test_what_an_event_may_make_right_is_not_told(
    place: str, said: str, destinations: dict[str, DestinationView]
) -> None:
    text = RULE
    for name, value in {**FINE, place: said}.items():
        text = text.replace(name, value, 1)

    assert check_rules(load_text(text, "r.yaml", ()), destinations) == []


@pytest.mark.parametrize(
    ("end", "all_day"),
    [
        ("{{ data.s }}", '"{{ data.paid }}"'),
        ("{{ data.s }}", "false"),
        ("{{ data.s | default(omit) }}", "true"),
        ("{{ data.s | plus('1d') }}", "true"),
    ],
)
def test_an_end_that_may_be_after_the_start_is_not_told(
    end: str, all_day: str, destinations: dict[str, DestinationView]
) -> None:
    start = end.partition(" | plus")[0].removesuffix(" }}") + " }}"
    text = RULE.replace('start: "2026-12-24"', f'start: "{start}", end: "{end}"')
    for name, value in {**FINE, "ALL_DAY": all_day}.items():
        text = text.replace(name, value, 1)

    assert check_rules(load_text(text, "r.yaml", ()), destinations) == []


def test_a_key_whose_own_text_is_too_long_is_told(destinations: dict[str, DestinationView]) -> None:
    text = RULE
    for place, said in {**FINE, "KEY": "'" + "B" * 201 + "{{ data.s }}'"}.items():
        text = text.replace(place, said)
    (problem,) = check_rules(load_text(text, "r.yaml", ("ecal",)), destinations)

    assert (problem.line, problem.message, problem.found) == (8, "key is not right", "201 characters")
