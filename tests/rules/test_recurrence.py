"""A recurrence rule is one of RFC 5545, in check and for each event; what is wrong with it is told, and not quoted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.model.event import DomainEvent
from pipeline.rules import slots
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.evaluate import RuleFailure, RuleSet
from pipeline.rules.reading import load_text
from pipeline.rules.recurrence import meant
from pipeline.rules.render import RenderError

RULE = """rules:
  - name: r
    from: [t]
    on: a
    send: {to: acme-ecal, key: k, subscriber: s,
           entry: {title: x, location: x, start: "2026-12-24T09:00", recurrence: RECURRENCE}}
"""


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=10",
        "FREQ=DAILY;UNTIL=19971224T000000Z",
        "FREQ=DAILY;UNTIL=19971224",
        "FREQ=DAILY;INTERVAL=2",
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "FREQ=DAILY;BYHOUR=9,10,11;BYMINUTE=0,20,40",
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10",
        "FREQ=MONTHLY;BYDAY=+1MO",
    ],
)
def test_what_the_rfc_has_is_taken_with_and_without_its_name(rule: str) -> None:
    assert (slots.recurrence(rule), slots.recurrence(f"RRULE:{rule}")) == (rule, rule)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;CONT=3", "only these parts"),
        ("FREQ=WEEKLY;BYDAY=MON", "BYDAY as days such as MO,TU"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY as days"),
        ("FREQ=MONTHLY;BYDAY=54MO", "BYDAY as days"),
        ("FREQ=WEEKLY;BYDAY=MO,", "BYDAY as days"),
        ("FREQ=WEEKLY;COUNT=10;UNTIL=20261224", "COUNT or UNTIL, not both"),
        ("FREQ=WEEKLY;UNTIL=2026-12-24", "UNTIL as 20261224 or"),
        ("FREQ=WEEKLY;UNTIL=20260230", "UNTIL as 20261224 or"),
        ("FREQ=WEEKLY;UNTIL=20261224T0900Z", "UNTIL as 20261224 or"),
        ("FREQ=WEEKLY;COUNT=0", "COUNT as a number from 1"),
        ("FREQ=WEEKLY;COUNT=ten", "COUNT as a number from 1"),
        ("FREQ=WEEKLY;INTERVAL=1,2", "INTERVAL as a number from 1"),
        ("FREQ=WEEKLY;COUNT=+3", "COUNT as a number from 1"),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH as numbers of 1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY as numbers of 1 to 31, or -1 to -31 from the end"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR as numbers of 0 to 23"),
        ("FREQ=WEEKLY;WKST=SUN", "WKST as one of MO"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY without numbers"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "BYDAY without numbers"),
        ("FREQ=WEEKLY;BYMONTHDAY=3", "no BYMONTHDAY in a rule with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "no BYWEEKNO in a rule with FREQ=MONTHLY"),
        ("FREQ=DAILY;BYYEARDAY=3", "no BYYEARDAY in a rule with FREQ=DAILY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS beside another BY"),
        ("FREQ=WEEKLY;COUNT=3;COUNT=4", "each part of a recurrence rule once"),
        ("FREQ=WEEKLY;", "a recurrence rule such as FREQ=WEEKLY;COUNT=10"),
        ("COUNT=10;FREQ=WEEKLY", "a recurrence rule such as FREQ=WEEKLY;COUNT=10"),
        ("every week", "a recurrence rule such as FREQ=WEEKLY;COUNT=10"),
    ],
)
def test_what_it_has_not_is_refused_with_what_the_part_takes(rule: str, expected: str) -> None:
    with pytest.raises(RenderError) as refusal:
        slots.recurrence(rule)
    assert refusal.value.code == "format"
    assert str(refusal.value).startswith(f"expected {expected}")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("FREQ=WEEKLY;CONT=3", "did you mean COUNT?"),
        ("RRULE:FREQ=MONTHLY;BYDAY=1MON,-1FRI", "write BYDAY=1MO,-1FR"),
        ("FREQ=WEEKLY;BYDAY=Monday,TU", ""),
        ("FREQ=WEEKLY;COUNT=0", ""),
        ("FREQ=WEEKLY;BYDAY=mon,tue", "write BYDAY=MO,TU"),
    ],
)
def test_what_was_meant_is_told_where_it_is_near(rule: str, told: str) -> None:
    assert meant(rule) == told


def test_check_tells_it_at_its_line(destinations: dict[str, DestinationView]) -> None:
    (problem,) = check_rules(load_text(RULE.replace("RECURRENCE", "FREQ=WEEKLY;BYDAY=MON"), "r.yaml", ()), destinations)

    assert (problem.line, problem.message, problem.suggestion) == (6, "recurrence is not right", "write BYDAY=MO")


@pytest.mark.parametrize(
    ("template", "problems"),
    [
        ('"FREQ=WEEKLY;COUNT={{ data.n }}"', 0),
        ('"FREQ=WEEKLY{{ data.more }}"', 0),
        ('"FREQ={{ data.often }};INTERVAL=2"', 0),
        ('"FREQ=WEEKLY;UNTIL={{ data.last }}T235959Z"', 0),
        ('"FREQ=MONTHLY;BYDAY={{ data.n }}MO"', 0),
        ("\"FREQ=WEEKLY;UNTIL={{ data.last | date('%Y%m%d') }}\"", 0),
        ('"{{ data.rule }};WKST=MO"', 0),
        ('"FREQ=WEEKLY;CONT={{ data.n }}"', 1),
        ("\"FREQ=WEEKLY;UNTIL={{ data.last | date('%Y-%m-%d') }}\"", 1),
    ],
)
def test_text_around_a_value_is_told_where_no_value_makes_it_right(
    template: str, problems: int, destinations: dict[str, DestinationView]
) -> None:
    found = check_rules(load_text(RULE.replace("RECURRENCE", template), "r.yaml", ()), destinations)

    assert [one.message for one in found] == ["recurrence can never be right"] * problems


def test_what_comes_out_of_an_event_is_refused_without_being_quoted(
    destinations: dict[str, DestinationView], event: Callable[..., DomainEvent]
) -> None:
    rules = RuleSet(load_text(RULE.replace("RECURRENCE", '"{{ data.rule }}"'), "r.yaml", ()), destinations)
    explanation = "expected BYDAY as days such as MO,TU or 1MO,-1FR, of MO TU WE TH FR SA SU"

    assert rules.evaluate(event("t", "a", {"rule": "FREQ=WEEKLY;BYDAY=MON"})).failures == (
        RuleFailure("r", "send[0].entry.recurrence", "format", explanation),
    )
