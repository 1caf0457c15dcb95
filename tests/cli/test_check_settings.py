"""`calends check` of settings: good ones, changed at one place, and the one problem that this is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.meaning import policies_of
from pipeline.operate.check import check
from pipeline.rules.problem import Problem

FINE = """\
log_level: info
kafka: {bootstrap_servers: "localhost:9092", pattern: orders}
accounts:
  cal:
    vendor: calreply
    credential: {client_id: {env: CALREPLY_CLIENT_ID}, client_secret: {env: CALREPLY_CLIENT_SECRET}}
    quota: [{calls: 5, per: 1m}]
destinations:
  replies:
    account: cal
    options: {account_code: acme, api: rokt}
    links: in_description
    omit: [alerts]
    defaults: {time_zone: Europe/Berlin}
rules:
  - name: booked
    from: [orders]
    send:
      to: [replies]
      key: k
      identity: x
      entry: {title: x, start: "2026-12-24T09:00", alerts: [1d], links: [{name: a, url: "https://b"}]}
  - name: gone
    from: [orders]
    on: gone
    send: {to: [replies], key: g, delete: true}
"""


def problems_of(tmp_path: Path, old: str, new: str) -> list[Problem]:
    """What check finds in the good settings, changed at one place."""
    assert old in FINE
    file = tmp_path / "calends.yaml"
    file.write_text(FINE.replace(old, new))
    return list(check(file).problems)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("api: rokt", "api: rock", "api is not right"),
        ("account_code:", "acount_code:", "an unknown option of CalReply"),
        ("client_id: {", "clientid: {", "an unknown part of the credential"),
        ("links: in_description", "links: in_descripton", "destinations.replies.links is not right"),
        ("links: in", "lniks: in", "an unknown key: destinations.replies.lniks"),
        ("omit: [alerts]", "omit: [alarms]", "an unknown field in omit"),
        ("omit: [alerts]", "omit: [title]", "replies needs title"),
        ("Europe/Berlin", "Europe/Belrin", "time_zone is not right"),
        ("Europe/Berlin", "'{{ data.zone }}'", "time_zone: defaults take no templates"),
        ("time_zone: Europe/Berlin", "description: 'See {{ data.x }}'", "description: defaults take no templates"),
        ("vendor: calreply", "vendor: calrepli", "an unknown vendor"),
        ("vendor: calreply", "vendro: calreply", "an unknown key: accounts.cal.vendro"),
        ("account: cal", "account: cla", "an unknown account"),
        ("account: cal", "acount: cal", "an unknown key: destinations.replies.acount"),
        ("per: 1m", "per: 1x", "accounts.cal.quota.0.per is not right"),
        ("calls: 5", "cals: 5", "an unknown key: accounts.cal.quota.0.cals"),
        ("{env: CALREPLY_CLIENT_ID}", "[a]", "accounts.cal.credential.client_id is not right"),
    ],
)
def test_a_mistake_is_told_at_its_root_alone(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert [problem.message for problem in problems_of(tmp_path, old, new)] == [message]


@pytest.mark.usefixtures("credentials")
def test_a_misspelt_time_zone_among_the_defaults_gets_the_nearest_name(tmp_path: Path) -> None:
    told = [problem.suggestion for problem in problems_of(tmp_path, "Europe/Berlin", "europe/Belrin")]

    assert told == ["did you mean Europe/Berlin?"]


@pytest.mark.usefixtures("credentials")
def test_rules_that_are_none_are_told_once(tmp_path: Path) -> None:
    told = problems_of(tmp_path, FINE[FINE.index("rules:") :], "rules: 1\n")

    assert [(problem.message, problem.expected) for problem in told] == [("rules is not right", "a text or a list")]


@pytest.mark.usefixtures("credentials")
def test_accounts_that_are_no_mapping_are_told_beside_who_names_one(tmp_path: Path) -> None:
    """Found by the fuzzer: the suggestion of a name tripped over names that were none."""
    told = problems_of(tmp_path, FINE[FINE.index("accounts:") : FINE.index("destinations:")], "accounts: [{cal: {}}]\n")
    assert "accounts is not right" in [problem.message for problem in told]


@pytest.mark.usefixtures("credentials")
def test_the_good_settings_of_these_tests_are_good(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "", "") == []


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("localhost:9092", "localhost", "host:port, several with commas between"),
        ("log_level: info", "ledger: {url: x}", "sqlite:///file or postgresql://user@host/database"),
        ("pattern: orders", 'pattern: "(orders"', "a ) for each ("),
    ],
)
def test_what_is_expected_is_told_in_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert [problem.expected for problem in problems_of(tmp_path, old, new)] == [expected]


@pytest.mark.usefixtures("credentials")
def test_rules_that_are_not_there_are_told_where_the_settings_name_them(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: []\n")

    (problem,) = problems_of(tmp_path, FINE[FINE.index("rules:") :], "rules: ruls.yaml\n")

    assert (problem.where, problem.message) == (f"{tmp_path}/calends.yaml:15:1", "no such file or folder")
    assert (problem.found, problem.suggestion) == ("ruls.yaml", "did you mean rules.yaml?")


@pytest.mark.usefixtures("credentials")
def test_a_secret_in_the_file_is_told_what_to_write(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "{env: CALREPLY_CLIENT_ID}", "abcdef123456")

    assert (problem.found, "abcdef" in str(problem)) == ("", False)
    assert problem.suggestion == "write {env: NAME}; if a secret stood here, have it changed"


@pytest.mark.usefixtures("credentials")
def test_a_wrong_part_deep_inside_hides_nothing_of_what_holds_it(tmp_path: Path) -> None:
    own = "account: cal\n    vendor: ecal\n    credential: {api_key: x}"

    assert [problem.message for problem in problems_of(tmp_path, "account: cal", own)] == [
        "destinations.replies is not right",
        "destinations.replies.credential.api_key is not right",
    ]


@pytest.mark.usefixtures("credentials")
def test_rules_in_the_settings_have_names_of_their_own(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "name: gone", "name: booked")

    assert [(problem.line, problem.message) for problem in told] == [(23, "two rules have one name")]


@pytest.mark.usefixtures("credentials")
def test_a_date_that_does_not_exist_is_told_at_its_line(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, '"2026-12-24T09:00"', "2026-02-30")

    assert (problem.line, problem.message, problem.found) == (22, "start is not right", "'2026-02-30'")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("variable", "value", "message", "suggestion"),
    [
        ("KAFKA__BOOTSTRAP_SERVERS", "s3cret", "kafka.bootstrap_servers is not right", ""),
        ("KAFKA", '{"bootstrap_servers": "s3cret"}', "kafka.bootstrap_servers is not right", ""),
        (
            "KAFKA__BOOTSTRAP_SERVER",
            "s3cret",
            "an unknown key: kafka.bootstrap_server",
            "did you mean bootstrap_servers?",
        ),
        ("KAKFA__GROUP_ID", "s3cret", "an unknown key: kakfa", "did you mean kafka?"),
        ("KAFKA__PATTERN", "[s3cret", "kafka.pattern is not right", r"write \[ where the character itself is meant"),
        ("KAFKA__TOPICS", "s3cret", "cannot be read", ""),
        ("LAYERS", "s3cret", "cannot be read", ""),
        ("GRACE_PERIOD", "s3cret", "grace_period is not right", ""),
        ("ACCOUNTS__CAL__VENDOR", "s3cret", "an unknown vendor", ""),
        ("ACCOUNTS__NEW", '{"base_url": "http://s3cret"}', "accounts.new.vendor is missing", ""),
    ],
)
def test_a_mistake_in_a_variable_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str, suggestion: str
) -> None:
    monkeypatch.setenv(f"CALENDS_{variable}", value)

    (problem,) = problems_of(tmp_path, "", "")

    assert (problem.where, problem.message) == (f"environment variable CALENDS_{variable}", message)
    assert (problem.suggestion, "s3cret" in str(problem)) == (suggestion, False)


@pytest.mark.usefixtures("credentials")
def test_a_variable_lies_over_the_file_and_hides_no_other_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALENDS_KAFKA__BOOTSTRAP_SERVERS", "broker")
    monkeypatch.setenv("CALENDS_LOG_LEVEL", "debug")

    told = [problem.where for problem in problems_of(tmp_path, "log_level: info", "log_level: loud\ngrace: 1s")]

    assert told == [f"{tmp_path}/calends.yaml:2:1", "environment variable CALENDS_KAFKA__BOOTSTRAP_SERVERS"]


@pytest.mark.usefixtures("credentials")
def test_outcomes_of_a_vendor_with_secret_links_need_a_key_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("k" * 32)
    told = "pattern: orders, outcome_topic: outcomes}"
    found = problems_of(tmp_path, "pattern: orders}", told)
    assert [(problem.found, problem.expected) for problem in found] == [("no key_file", "key_file: FILE")]
    assert problems_of(tmp_path, "pattern: orders}", f"{told}\nkey_file: {tmp_path}/keys") == []


@pytest.mark.usefixtures("credentials")
def test_a_key_file_is_judged(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short")
    (problem,) = problems_of(tmp_path, "log_level: info\n", f"key_file: {tmp_path}/keys\n")
    assert problem.message == "key_file cannot be used"
    assert "32 characters" in problem.expected


@pytest.mark.usefixtures("credentials")
def test_a_missing_key_file_is_told_where_the_topic_stands(tmp_path: Path) -> None:
    told = "kafka:\n  bootstrap_servers: localhost:9092\n  outcome_topic: outcomes"
    old = 'kafka: {bootstrap_servers: "localhost:9092", pattern: orders}'

    (problem,) = problems_of(tmp_path, old, told)

    assert (problem.line, problem.found) == (4, "no key_file")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("budget: {credits: 5}", "a budget that nothing uses up: no call to CalReply costs credits"),
        ("batch: 5", "CalReply takes one entry in a call"),
        ("batch: 0", "accounts.cal.batch is not right"),
    ],
)
def test_what_an_account_says_in_vain_is_told(tmp_path: Path, more: str, message: str) -> None:
    problems = problems_of(tmp_path, "    quota:", f"    {more}\n    quota:")

    assert [(problem.line, problem.message) for problem in problems] == [(7, message)]


@pytest.mark.usefixtures("credentials")
def test_a_batch_of_the_account_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECK_KEY", "k")
    file = tmp_path / "calends.yaml"
    own = "    vendor: apptoto\n    credential: {user: {env: CHECK_KEY}, api_key: {env: CHECK_KEY}}\n"
    entry = "{title: x, collection: c, time_zone: UTC, start: 2026-12-24T09:00}"
    rules = f"rules: [{{name: r, from: t, send: {{to: d, entry: {entry}}}}}]\n"
    file.write_text(f"accounts:\n  a:\n{own}    batch: 25\n  b:\n{own}destinations:\n"
                    f"  d: {{account: a}}\n  e: {{account: b}}\n{rules}")  # fmt: skip

    report = check(file)

    assert (report.problems, report.settings is not None) == ((), True)
    assert report.settings is not None
    assert {name: one.batch for name, one in policies_of(report.settings).items()} == {"d": 25, "e": 20}
