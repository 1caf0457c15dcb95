"""Each alert fires when it should and not before, by promtool; it names only metrics that are there, and a runbook."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.cli import COMMANDS
from pipeline.telemetry.reference import all_metrics, page
from tests.chart.promtool import promtool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "calends" / "files" / "alerts.yaml"
GROUPS = YAML(typ="safe").load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
PARTS = ("What it means to the customers", "How to see it", "What to do", "How to know it is over")


@dataclass(frozen=True)
class Case:
    """A series a minute, in promtool's notation, and whether the alert fires at its end."""

    alert: str
    series: dict[str, str]
    minutes: int
    fires: int
    """How many series of the alert."""

    def told(self) -> str:
        return f"{self.alert}, {'fires' if self.fires else 'quiet'} after {self.minutes} min"


def fresh(accepted: int, in_time: int, minutes: int, urgent: str = "yes") -> dict[str, str]:
    """`accepted` entries a minute, of which `in_time` are there no more than five minutes after they matter."""
    labels = f'destination="d",vendor="v",urgent="{urgent}"'
    return {
        f"calends_lateness_seconds_count{{{labels}}}": f"0+{accepted}x{minutes}",
        f'calends_lateness_seconds_bucket{{{labels},le="300.0"}}': f"0+{in_time}x{minutes}",
    }


def freshness(accepted: int, in_time: int, minutes: int) -> dict[str, str]:
    """The time since their events of as many."""
    labels = 'destination="d",vendor="v"'
    return {
        f"calends_freshness_seconds_count{{{labels}}}": f"0+{accepted}x{minutes}",
        f'calends_freshness_seconds_bucket{{{labels},le="300.0"}}': f"0+{in_time}x{minutes}",
    }


def hold(reason: str) -> dict[str, str]:
    """A hold that began at the start of time."""
    return {f'calends_hold_start_seconds{{destination="d",reason="{reason}"}}': "0x400"}


def partitions(**pods: int) -> dict[str, str]:
    """What each worker reads, all the time."""
    return {f'calends_assigned_partitions{{pod="{pod}"}}': f"{count}x20" for pod, count in pods.items()}


LAG = 'calends_consumer_lag_records{instance="w",topic="t"}'
BATCHES = 'calends_intake_batch_records_count{instance="w"}'
TOKENS = 'calends_token_failures_total{account="a",reason="refused"}'
TOKENLESS = 'calends_token_failing_start_seconds{account="a"}'

CASES = [
    Case("CalendsLateFast", fresh(100, 50, 90), 90, 1),
    Case("CalendsLateFast", fresh(100, 95, 90), 90, 0),
    Case("CalendsLateFast", fresh(100, 92, 400), 400, 1),
    # A bulk that has time comes long after its events, and before it matters.
    Case("CalendsLateFast", fresh(3000, 3000, 90, "no") | freshness(3000, 0, 90), 90, 0),
    Case("CalendsLateSlow", fresh(3000, 3000, 5000, "no") | freshness(3000, 0, 5000), 5000, 0),
    # It does not hide a few that were urgent; and what had time is late once it matters.
    Case("CalendsLateFast", fresh(3000, 3000, 90, "no") | fresh(10, 5, 90), 90, 1),
    Case("CalendsLateFast", fresh(100, 50, 90, "no") | fresh(100, 100, 90), 90, 1),
    Case("CalendsLateSlow", fresh(100, 98, 5000), 5000, 1),
    Case("CalendsLateSlow", fresh(100, 100, 5000), 5000, 0),
    Case("CalendsCredentialRefused", hold("unauthorized"), 2, 1),
    Case("CalendsCredentialRefused", hold("failing"), 2, 0),
    Case("CalendsLaneHeld", hold("failing"), 16, 1),
    Case("CalendsLaneHeld", hold("failing"), 14, 0),
    Case("CalendsLaneHeld", hold("paused"), 300, 0),
    Case("CalendsLanePausedLong", hold("paused"), 241, 1),
    Case("CalendsLanePausedLong", hold("paused"), 239, 0),
    Case("CalendsRuleHeld", {'calends_rule_hold_start_seconds{destination="d",rule="r"}': "0x9"}, 2, 1),
    Case("CalendsRuleHeld", {'calends_rule_hold_start_seconds{destination="d",rule="r"}': "0 stale"}, 9, 0),
    Case("CalendsDeadLetters", {'calends_dead_letters_total{stage="send",reason="invalid"}': "0 0 1 1 1"}, 4, 1),
    Case("CalendsDeadLetters", {'calends_dead_letters_total{stage="send",reason="invalid"}': "0 0 1x200"}, 90, 0),
    # The first of its kind: there was no series that could have risen.
    Case("CalendsDeadLetters", {'calends_dead_letters_total{stage="send",reason="invalid"}': "_x9 1x9"}, 12, 1),
    Case("CalendsOutboxRefused", {'calends_outbox_refused_records{topic="t"}': "1x20"}, 16, 1),
    Case("CalendsOutboxRefused", {'calends_outbox_refused_records{topic="t"}': "1 1 1 0x20"}, 20, 0),
    Case("CalendsLedgerUnreachable", {'calends_waits_total{part="ledger"}': "0+60x9"}, 5, 1),
    Case("CalendsLedgerUnreachable", {'calends_waits_total{part="ledger"}': "0 1x20"}, 5, 0),
    # A failover of a minute: many waits at once, and then none.
    Case("CalendsLedgerUnreachable", {'calends_waits_total{part="ledger"}': "0 0 60 60x20"}, 5, 0),
    Case("CalendsKafkaUnreachable", {'calends_waits_total{part="kafka"}': "0+4x20"}, 12, 1),
    Case("CalendsKafkaUnreachable", {'calends_waits_total{part="kafka"}': "0 0 0 3x20"}, 8, 0),
    Case("CalendsSchemaRegistryAway", {'calends_waits_total{part="schema_registry"}': "0+9x20"}, 8, 1),
    Case("CalendsSchemaRegistryAway", {'calends_waits_total{part="schema_registry"}': "0 0 9x20"}, 8, 0),
    Case("CalendsConsumerStuck", {LAG: "7x30", BATCHES: "5x30"}, 21, 1),
    Case("CalendsConsumerStuck", {LAG: "7x30", BATCHES: "5+1x30"}, 21, 0),
    Case("CalendsConsumerStuck", {LAG: "0x30", BATCHES: "5x30"}, 21, 0),
    # Another worker that reads does not make up for one that does not.
    Case("CalendsConsumerStuck", {LAG: "7x30", BATCHES: "5x30", BATCHES.replace("w", "v"): "5+1x30"}, 21, 1),
    Case("CalendsNothingRead", partitions(a=0, b=0), 11, 1),
    Case(
        "CalendsNothingRead", {f'calends_assigned_partitions{{pod="{p}"}}': f"{n}x20" for p, n in ("a0", "b6")}, 11, 0
    ),
    Case("CalendsNotDrained", {'calends_drained_late_seconds{destination="d"}': "1000x30"}, 16, 1),
    Case("CalendsNotDrained", {'calends_drained_late_seconds{destination="d"}': "800x30"}, 16, 0),
    Case("CalendsQuotaTooHigh", {'calends_pauses_total{account="a"}': "0+1x20"}, 20, 1),
    Case("CalendsQuotaTooHigh", {'calends_pauses_total{account="a"}': "0 1 2x20"}, 20, 0),
    Case(
        "CalendsQuotaTooHigh", {f'calends_pauses_total{{account="a",pod="{pod}"}}': "0 1 2x20" for pod in "xyz"}, 20, 0
    ),
    Case("CalendsBudgetNearlySpent", {'calends_budget_used_ratio{account="a"}': "0.95x5"}, 3, 1),
    Case("CalendsBudgetNearlySpent", {'calends_budget_used_ratio{account="a"}': "0.85x5"}, 3, 0),
    # Who is refused asks again each five minutes at most.
    Case("CalendsTokenRefused", {TOKENS: "0 0 1x4 2x4 3x4 4x4 5x4 6x4 7x4", TOKENLESS: "60x40"}, 32, 1),
    Case("CalendsTokenRefused", {TOKENS: "0 9x20", TOKENLESS: "60 60 stale"}, 8, 0),
    Case("CalendsTokenRefused", {TOKENS: "0 2x30", TOKENLESS: "60x30"}, 20, 0),
    Case("CalendsRulesNotTaken", {"calends_rules_refused": "0 1x20", "calends_rules_held": "0x20"}, 8, 1),
    Case("CalendsRulesNotTaken", {"calends_rules_refused": "0x20", "calends_rules_held": "0 1x20"}, 8, 1),
    Case("CalendsRulesNotTaken", {"calends_rules_refused": "0 1 1 0x20", "calends_rules_held": "0x20"}, 8, 0),
    Case("CalendsCertificateEnds", {'calends_certificate_end_seconds{setting="s"}': "1200000x5"}, 3, 1),
    Case("CalendsCertificateEnds", {'calends_certificate_end_seconds{setting="s"}': "1300000x5"}, 3, 0),
    Case("CalendsAbsent", {"up": "1x20"}, 6, 1),
    Case("CalendsAbsent", {'calends_build_info{version="1"}': "1x20"}, 6, 0),
]


def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "test.yaml"
    with file.open("w") as out:
        YAML(typ="safe").dump({"rule_files": [str(RULES)], "tests": [as_test(case) for case in CASES]}, out)

    judged = subprocess.run(
        [promtool(), "test", "rules", file], capture_output=True, text=True, timeout=300, check=False
    )

    assert judged.returncode == 0, judged.stdout + judged.stderr


def as_test(case: Case) -> dict[str, Any]:
    """Of an alert, promtool knows the series `ALERTS`: how many fire, or none."""
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": case.fires}] if case.fires else []
    return {
        "name": case.told(),
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{case.minutes}m", "exp_samples": samples}],
    }


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tried_both_ways(name: str) -> None:
    assert {bool(case.fires) for case in CASES if case.alert == name} == {True, False}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_how_much_and_what_to_do(name: str) -> None:
    told = ALERTS[name]["annotations"]
    runbook = (ROOT / told["runbook_url"]).read_text()

    assert ALERTS[name]["labels"]["severity"] in ("page", "ticket")
    assert told["summary"]
    assert "$value" in told["description"] or "absent(" in ALERTS[name]["expr"]
    assert (ROOT / told["runbook_url"]).stem == name
    assert [line[3:] for line in runbook.splitlines() if line.startswith("## ")] == list(PARTS)


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {file.stem for file in (ROOT / "docs" / "runbooks").glob("*.md")} == set(ALERTS)


def test_the_rules_name_only_metrics_that_are_there() -> None:
    known = all_metrics()
    named = set(
        re.findall(r"\bcalends_\w+", " ".join(str(rule["expr"]) for group in GROUPS for rule in group["rules"]))
    )

    assert named
    assert sorted(name for name in named if re.sub(r"_(bucket|sum|count)$", "", name) not in known) == []


def test_the_runbooks_name_only_metrics_that_are_there() -> None:
    pages = " ".join(file.read_text() for file in (ROOT / "docs" / "runbooks").glob("*.md"))

    assert sorted(set(re.findall(r"\bcalends_\w+", pages)) - set(all_metrics())) == []


def test_the_runbooks_name_only_commands_that_are_there() -> None:
    pages = " ".join(file.read_text() for file in (ROOT / "docs" / "runbooks").glob("*.md"))
    named = re.findall(r"(?:`|\$ )calends ([a-z]+)", pages)

    assert named
    assert sorted(set(named) - set(COMMANDS)) == []


def test_the_page_of_metrics_is_current() -> None:
    assert page() == (ROOT / "docs" / "metrics.md").read_text(), "make docs"
