"""`calends diff`: two rule sets over the records of a broker, judged entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from tests.cli.one_calendar import event, published

RULES = """
rules:
  - name: due
    from: [invoices]
    on: due
    when: "{{ data.amount > 0 }}"
    send:
      to: calendar
      key: "{{ data.n }}"
      identity: A1
      entry: {title: "Due {{ data.amount }}", start: "2026-12-24"}
  - name: paid
    from: [payments]
    on: paid
    send: {to: calendar, key: "{{ data.n }}", layer: payment, entry: {title: Paid}}
  - {name: void, from: [invoices], on: void, send: {to: calendar, key: "{{ data.n }}", cancel: true}}
"""


def billed() -> Iterator[tuple[str, str, bytes]]:
    for number in range(40):
        data = {"n": f"I-{number}", "amount": number - 10}
        yield "invoices", str(number), event("due", 1, data)
        if number % 4 == 0:
            yield "payments", str(number), event("paid", 3, data)
    yield "invoices", "x", b"no event"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "rules.yaml").write_text(RULES)
    with published(tmp_path, "payment", billed()):
        yield tmp_path


def diff(folder: Path, new: str, *arguments: str) -> tuple[int, str]:
    (folder / "new.yaml").write_text(new)
    at = ("-c", str(folder), "--since", "beginning", *arguments)
    result = CliRunner().invoke(app, ["diff", str(folder / "rules.yaml"), str(folder / "new.yaml"), *at])
    return result.exit_code, result.output


def test_an_entry_counts_as_what_becomes_of_it(folder: Path) -> None:
    """29 have an amount; of these 7 are paid, so that their title stays."""
    wrong = RULES.replace("amount > 0", "amount > 9").replace("Due {{", "Pay {{")
    wrong = wrong.replace("[invoices], on: void", "[invoices, payments], on: [void, paid]")
    code, output = diff(folder, wrong, "--json", "--examples", "1")
    found = json.loads(output)

    assert code == 0
    assert (found["records"], found["undecodable"], found["failures"]) == (51, 1, {"old": {}, "new": {}})
    assert {name: found[name] for name in ("created", "changed", "cancelled", "gone")} == {
        "created": 0,
        "changed": 15,
        "cancelled": 7,
        "gone": 7,
    }


def test_an_example_has_its_fields_and_the_request(folder: Path) -> None:
    _, output = diff(folder, RULES.replace("Due {{", "Pay {{"), "--examples", "1")

    assert output.startswith(
        "22 of 32 entries would differ, in 51 records\n  22 would change\n    22 at calendar by due\n"
    )
    assert '      - "Due 1"\n      + "Pay 1"\n    PUT https://' in output
    assert '"name": "Pay 1"' in output
    assert "1 records are no events" in output


def test_what_no_rule_makes_any_more_stays_until_an_event_or_reapply(folder: Path) -> None:
    """No event sends the vendor anything: a request stands only where `reapply` of the base's rule would send it."""
    wrong = RULES.replace("amount > 0", "amount > 29")
    _, output = diff(folder, wrong, "--examples", "1")
    (one,) = json.loads(diff(folder, wrong, "--examples", "1", "--json")[1])["examples"]

    assert (
        "  29 would not be made any more, and stay at the vendor until an event or calends reapply ends them\n"
        in output
    )
    assert "until an event ends it, or `calends reapply --rule due` sends:\n    DELETE https://" in output
    assert (one["what"], one["rule"], one["request"], one["reapplied"]["method"]) == ("gone", "due", None, "DELETE")


def test_the_same_rules_differ_in_nothing_and_wrong_ones_are_told(folder: Path) -> None:
    assert diff(folder, RULES)[1].startswith("0 of 32 entries would differ")
    code, output = diff(folder, RULES.replace("to: calendar", "to: calender"))

    assert code == 3
    assert "did you mean calendar?" in output


def test_a_record_that_fails_under_the_new_rules_alone_is_told(folder: Path) -> None:
    _, output = diff(folder, RULES.replace("2026-12-24", "{{ data.due }}"))

    assert "rule due fails on 29 records; it failed on 0" in output


def test_an_entry_that_its_group_no_longer_names_counts_as_cancelled(folder: Path) -> None:
    """Each event names a group of one entry: with one group for all of them only the newest is left."""
    group = """
rules:
  - name: due
    from: [invoices]
    on: due
    send: {to: calendar, key: "{{ data.n }}", group: "%s", complete: true, identity: A1,
           entry: {title: Due, start: "2026-12-24"}}
"""
    (folder / "rules.yaml").write_text(group % "{{ data.n }}")
    found = json.loads(diff(folder, group % "all", "--json")[1])

    assert (found["entries"], found["cancelled"], found["changed"], found["gone"]) == (40, 39, 0, 0)
