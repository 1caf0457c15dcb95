"""Every problem: file, line, what was found, what was expected, and a suggestion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.operate.check import check as check_settings
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_paths, load_text

RULES = Path(__file__).parents[2] / "configs" / "rules"
VENDORS = ("ecal", "calreply")
GOOD = """rules:
  - name: due
    from: [billing]
    on: invoice.due
    when: "{{ data.amount > 0 }}"
    send:
      - to: [acme-ecal]
        key: "INV-{{ data.number }}"
        subscriber: "{{ data.customer }}"
        layer: base
        entry:
          title: Due
          location: Online
          start: "{{ data.due }}"
          all_day: true
          alerts: [1d]
        ecal: {objective: pay}
tests:
  - given: [{type: invoice.due, data: {number: 1, customer: C, amount: 2, due: "2026-12-24"}}]
    expect: [{to: acme-ecal, key: INV-1, entry: {title: Due, alerts: [1440]}}]
"""

Check = Callable[[str], list[Problem]]
"""A text of rules → what is wrong with it."""


@pytest.fixture
def check(destinations: dict[str, DestinationView]) -> Check:
    return lambda text: check_rules(load_text(text, "r.yaml", VENDORS), destinations, ("base", "payment"))


def test_a_mounted_configmap_is_read_once(tmp_path: Path) -> None:
    """As Kubernetes lays it out: a hidden folder with the files, and links to them that change all at once."""
    (tmp_path / "..2026_11_21").mkdir()
    (tmp_path / "..2026_11_21" / "billing.yaml").write_text(GOOD)
    (tmp_path / "..data").symlink_to("..2026_11_21")
    (tmp_path / "billing.yaml").symlink_to("..data/billing.yaml")

    rules = load_paths([tmp_path], VENDORS)

    assert ([sourced.rule.name for sourced in rules.rules], rules.problems) == (["due"], ())


def test_good_rules_have_no_problem(check: Check) -> None:
    assert check(GOOD) == []


def test_the_shipped_rules_have_no_problem(destinations: dict[str, DestinationView]) -> None:
    assert check_rules(load_paths([RULES], VENDORS), destinations, ("base", "payment")) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "found", "expected", "suggestion"),
    [
        ("    when:", "    wehn:", 5, "wehn", "when", "did you mean when?"),
        ("acme-ecal]", "acme-ecl]", 7, "acme-ecl", "acme-ecal", "did you mean acme-ecal?"),
        ("layer: base", "layer: paymnt", 10, "paymnt", "base, payment", "did you mean payment?"),
        ("          title:", "          titel:", 12, "titel", "title", "did you mean title?"),
        ("        ecal:", "        eacl:", 17, "eacl", "ecal", "did you mean ecal?"),
        ("{objective:", "{objectve:", 17, "objectve", "objective", "did you mean objective?"),
        ("data.amount", "dta.amount", 5, "dta", "data", "did you mean data?"),
        ("data.due }}", "data.due | dat }}", 14, "dat", "date", "did you mean date?"),
        ("data.due }}", "data.due.strip() }}", 14, "strip(", "a filter", "fields have no methods; use a filter"),
        ("data.due }}", "data.due + }}", 14, "unexpected end of variable block", "MiniJinja", ""),
        ("data.due }}", "data.due", 14, "{{", "{{ … }}", ""),
        ("name: due", "name: the due", 2, "'the due'", "1 to 100 of A-Z a-z 0-9 . _ -", ""),
        ("[1d]", "[1x]", 16, "['1x']", "a duration such as 1d", ""),
        ("all_day: true", 'all_day: "true"', 15, "'true'", "a bool", ""),
        (
            "all_day: true",
            "participants: []",
            15,
            "participants",
            "title",
            "let the destination say omit: [participants]",
        ),
        ("          location: Online\n", "", 11, "", "location:", "say it in the rule or in the destination's"),
        ('        subscriber: "{{ data.customer }}"\n', "", 7, "", "subscriber: or identity:", ""),
        ("    from: [billing]\n", "", 2, "", "from:", ""),
        ("[billing]", "[/bill(/]", 3, "/bill(/", "", ""),
        ('"{{ data.amount > 0 }}"', "data.amount", 5, "data.amount", "exactly one {{ … }}", ""),
        ("        ecal:", "        calreply:", 17, "calreply", "ecal", ""),
        ("layer: base", "cancel: true", 11, "entry", "no entry", ""),
        ("layer: base", "if_unlinked: 30d", 10, "30d", "wait 30d or drop", ""),
        ("{title: Due,", "{title: Paid,", 19, '"Due"', '"Paid"', ""),
        ("key: INV-1,", "key: INV-2,", 19, "acme-ecal/INV-1", "acme-ecal/INV-2", ""),
        ("amount: 2, ", "", 19, "missing from the event", "no refusal", ""),
        ("rules:", "rulez:", 1, "rulez", "rules or tests", "did you mean rules?"),
        ("    on: invoice.due", "    on: [", 6, "", "YAML", ""),
    ],
)
def test_a_problem(check: Check, old: str, new: str, line: int, found: str, expected: str, suggestion: str) -> None:
    assert old in GOOD
    problems: list[Problem] = check(GOOD.replace(old, new, 1))
    at_line = [problem for problem in problems if problem.line == line]
    assert at_line, problems
    assert any(
        problem.file == "r.yaml"
        and found in problem.found
        and expected in problem.expected
        and problem.suggestion.startswith(suggestion)
        for problem in at_line
    ), problems


@pytest.mark.parametrize(
    ("old", "new", "line", "found", "expected"),
    [
        ('"INV-{{ data.number }}"', '"has space"', 8, "'has space'", "1 to 200 of A-Z a-z 0-9 . _ : -"),
        ("layer: base", "deliver_at: tomorrow", 10, "'tomorrow'", "a date and time such as"),
        ("layer: base", "deliver_at: 0000-00-00", 10, "'0000-00-00'", "a date such as"),
        ("layer: base", 'expires_at: "2026-02-30"', 10, "'2026-02-30'", "a date such as 2026-12-24"),
        ("    send:", "    sequence: soon\n    send:", 6, "'soon'", "a date and time such as"),
        ('"{{ data.customer }}"', '""', 9, "", "1 to 500 characters"),
        ("{objective: pay}", "{objective: 7}", 17, "7", "JSON string"),
        ('subscriber: "{{ data.customer }}"', f"identity: {'ann@example.org' * 40}", 9, "", "1 to 500 characters"),
    ],
)
def test_a_literal_is_judged_at_once(check: Check, old: str, new: str, line: int, found: str, expected: str) -> None:
    assert old in GOOD

    (problem,) = check(GOOD.partition("tests:")[0].replace(old, new, 1))

    assert (problem.line, problem.found) == (line, found)
    assert expected in problem.expected


@pytest.mark.parametrize("when", ["2026-12-24", "2026-12-24T09:00", "2026-12-24T09:00:00Z", "{{ data.due }}"])
def test_a_literal_that_is_right_is_no_problem(check: Check, when: str) -> None:
    assert check(GOOD.replace("layer: base", f'deliver_at: "{when}"', 1)) == []


def test_two_changes_of_one_rule_to_one_layer(check: Check) -> None:
    problems = check(GOOD.replace("[acme-ecal]", "[acme-ecal, acme-ecal]", 1))
    assert [(problem.line, problem.message) for problem in problems] == [(7, "two changes to one layer of one entry")]


def test_a_destination_that_cannot_delete(destinations: dict[str, DestinationView]) -> None:
    ecal = destinations["acme-ecal"]
    frozen = replace(ecal.expression(), can_delete=False)
    views = {"acme-ecal": replace(ecal, vendor=replace(ecal.vendor, express=lambda options: frozen))}
    text = "rules: [{name: r, from: [t], send: [{to: [acme-ecal], cancel: true}]}]"
    assert "acme-ecal cannot delete" in str(check_rules(load_text(text, "r.yaml", VENDORS), views))


@pytest.mark.parametrize("text", ["", "#", "a word", "7", "- a"])
def test_a_file_that_holds_no_map_is_told_and_nothing_breaks(text: str) -> None:
    (problem,) = load_text(text, "r.yaml", VENDORS).problems
    assert problem.message == "not a rule file"


def test_two_rules_of_one_name(tmp_path: Path, destinations: dict[str, DestinationView]) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD.partition("tests:")[0])
    (problem,) = check_rules(load_paths([tmp_path], VENDORS), destinations)
    assert (problem.file, problem.line, problem.found) == (str(tmp_path / "b.yaml"), 2, "due")


def test_a_problem_reads_as_one_line() -> None:
    assert str(Problem("r.yaml", 5, "an unknown key", "wehn", "when", "did you mean when?")) == (
        "r.yaml:5: an unknown key; found wehn; expected when; did you mean when?"
    )


def test_what_is_missing_is_not_told_as_found(check: Check) -> None:
    (problem,) = check(GOOD.replace("          location: Online\n", "", 1))
    expected = "r.yaml:11:9: acme-ecal needs location; expected location:; "

    assert str(problem) == expected + "say it in the rule or in the destination's defaults"


def told(problems: list[Problem]) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.found, problem.suggestion) for problem in problems]


def test_an_unknown_key_hides_nothing_else_of_its_rule(check: Check) -> None:
    text = GOOD.replace("title: Due\n", 'titel: "{{ data.name | uper }}"\n', 1).replace(
        "data.due }}", "data.due | dat }}", 1
    )

    assert told(check(text)) == [
        (12, "uper", "did you mean upper?"),
        (12, "titel", "did you mean title?"),
        (14, "dat", "did you mean date?"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "found"),
    [
        ("name: due", "nmae: due", 2, "nmae"),
        ("from: [billing]", "form: [billing]", 3, "form"),
        ("to: [acme-ecal]", "too: [acme-ecal]", 7, "too"),
        ("title: Due", "headline: Due", 12, "headline"),
        ("send:\n", "sned:\n", 6, "sned"),
        ("layer: base", "if_unlinked: {wiat: 30d}", 10, "wiat"),
        ("layer: base", "if_unlinked: [drop]", 10, "['drop']"),
        ('key: "INV-{{ data.number }}"', "key: 1.5", 8, "1.5"),
        ("ecal: {objective: pay}", "eacl: {objective: pay}", 17, "eacl"),
    ],
)
def test_a_key_or_value_that_is_wrong_is_told_once(check: Check, old: str, new: str, line: int, found: str) -> None:
    assert old in GOOD

    assert [(p.line, p.found) for p in check(GOOD.replace(old, new, 1))] == [(line, found)]


def test_a_wrong_test_hides_no_other_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", "a-secret-value")
    tests = """  - given: [{type: other}]
    expect: [{to: acme-ecal, key: INV-1, state: presnt}]
"""
    rules = GOOD.replace("{title: Due,", "{title: Paid,", 1).replace("pay}", "payment_reminder}") + tests
    (tmp_path / "rules.yaml").write_text(rules)
    credential = "{api_key: {env: K}, api_secret: {env: K}}"
    destinations = f"destinations: {{acme-ecal: {{vendor: ecal, credential: {credential}}}}}"
    (tmp_path / "calends.yaml").write_text(f"{destinations}\nrules: rules.yaml\n")

    told = [(problem.line, problem.found) for problem in check_settings(tmp_path).problems]

    assert told == [(19, '"Due"'), (22, "'presnt'")]


@pytest.mark.parametrize("old", ["Due\n", "Online", '"{{ data.due }}"', '"{{ data.customer }}"'])
def test_a_wrong_template_is_not_told_as_missing(check: Check, old: str) -> None:
    problems = check(GOOD.replace(old, '"{{ dat.x }}"\n', 1))

    assert [(problem.message, problem.found) for problem in problems] == [("an unknown root", "dat")]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("on: invoice.due", "on: 3", "on is not right; found 3; expected a text, or a list of texts"),
        ("[billing]", "[]", "from is not right; found []; expected at least one"),
        ("layer: base", "if_unlinked: 30x", "if_unlinked is not right; found 30x; expected wait 30d or drop"),
        ("layer: base", "if_unlinked: wait 30x", "found wait 30x; expected a duration such as 1d, 1h30m, 90m or PT90M"),
        ('key: "INV-{{ data.number }}"', 'key: ""', "key is not right; found ''; expected"),
        ("ecal: {objective: pay}", "cancel: 3", "send.0.cancel is not right; found 3; expected true or false"),
    ],
)
def test_what_is_expected_is_told_in_words_of_ours(check: Check, old: str, new: str, told: str) -> None:
    problems = "\n".join(map(str, check(GOOD.replace(old, new, 1))))

    assert told in problems
    assert "valid" not in problems


@pytest.mark.parametrize(
    "expression",
    ["1e999", "-1e999", "1e999 if data.x else 2", "data.a[1e999]", "data.a[2.5]", f"data.a[{'9' * 4400}]", "9" * 4400],
)
@pytest.mark.parametrize("template", ['"A {{ %s }}"', '"{{ %s }}"', '"{%% if %s %%}a{%% else %%}b{%% endif %%}"'])
@pytest.mark.parametrize("place", ["Due\n", '"{{ data.due }}"', '"INV-{{ data.number }}"', '"{{ data.amount > 0 }}"'])
def test_no_number_is_too_large_to_be_judged(check: Check, place: str, template: str, expression: str) -> None:
    problems = check(GOOD.replace(place, template % expression + "\n" * place.endswith("\n"), 1))

    assert {problem.file for problem in problems} <= {"r.yaml"}
