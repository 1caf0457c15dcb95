"""Rules that change under a running worker: under load, wrong ones, and ones that would end too much."""

from __future__ import annotations

import json
import signal
from functools import partial

from pipeline.ledger import RulesState
from pipeline.meaning import ledger_of
from pipeline.operate.check import check
from tests.flow.assembly import APPOINTMENT, Assembly, appointment, until

WRONG = APPOINTMENT.replace("start:", "strat:")
DEADLY = APPOINTMENT.replace("on: appointment.cancelled", "on: appointment.*")


def rewrite(assembly: Assembly, rules: str) -> None:
    text = rules.format(to="[ecal, calreply]", cancels="[ecal, calreply]")
    (assembly.folder / "rules.yaml").write_text(text.replace("[appointments]", f"[{assembly.topic('appointments')}]"))


def titled(word: str) -> str:
    return APPOINTMENT.replace('title: "', f'title: "{word} ')


def metric(assembly: Assembly, name: str) -> float:
    values = [float(line.split()[-1]) for line in assembly.metrics().splitlines() if line.startswith(name)]
    return sum(values)


def holds(assembly: Assembly, account: str, count: int) -> bool:
    return len(assembly.sandbox.entries(account)) == count


def loaded(assembly: Assembly, times: int) -> bool:
    return metric(assembly, 'calends_rules_reloads_total{outcome="loaded"}') == times


def state(assembly: Assembly) -> RulesState:
    settings = check(assembly.folder / "calends.yaml", secrets=False, tests=False).settings
    assert settings is not None
    ledger = ledger_of(settings)
    try:
        return ledger.rules.state()
    finally:
        ledger.close()


def lines(assembly: Assembly, event: str) -> list[dict[str, object]]:
    said = [json.loads(line) for line in assembly.log().splitlines() if line.startswith("{")]
    return [line for line in said if line["event"] == event]


def test_a_reload_under_load_loses_and_repeats_nothing_and_wrong_rules_change_nothing(assembly: Assembly) -> None:
    assembly.start(rules=titled("old"))
    assert assembly.calends("migrate").returncode == 0
    assembly.worker()
    assembly.ready()
    keys = [f"K{number}" for number in range(300)]
    assembly.publish((key, appointment(key, "a")) for key in keys[:100])
    until(lambda: len(assembly.sandbox.entries("ecal")) > 10, 30, "the load is on")
    rewrite(assembly, titled("new"))
    assembly.publish((key, appointment(key, "a")) for key in keys[100:200])
    until(lambda: loaded(assembly, 2), 30, "the new rules are there")
    assembly.publish((key, appointment(key, "a")) for key in keys[200:])

    for account in ("ecal", "calreply"):
        until(partial(holds, assembly, account, 300), 60, "all entries")
        titles = {entry["key"]: entry["title"] for entry in assembly.sandbox.entries(account)}
        assert {titles[key] for key in keys[:10]} == {"old a"}
        assert {titles[key] for key in keys[200:]} == {"new a"}
        assert assembly.sandbox.judge(account)["doubles"] == []
    assert assembly.sandbox.counters("ecal")["calls"] == 300

    rewrite(assembly, WRONG)
    assembly.workers[-1].send_signal(signal.SIGHUP)
    until(lambda: metric(assembly, "calends_rules_refused") == 1, 30, "the wrong rules are refused")
    assembly.publish([("L", appointment("L", "b"))])
    until(lambda: "new b" in {entry["title"] for entry in assembly.sandbox.entries("ecal")}, 30, "the old rules go on")
    readings = state(assembly).readings
    assert "rules.yaml:13:11: an unknown key" in str(readings[0].refused)
    assert (readings[0].revision, state(assembly).active.revision) == (2, 2)
    assert "goes on with revision 2" in assembly.calends("status").stdout
    assert "unknown key" in str(lines(assembly, "rules refused")[-1]["problem"])

    rewrite(assembly, titled("new"))
    until(lambda: metric(assembly, "calends_rules_refused") == 0, 30, "the rules are right again")
    assert state(assembly).readings[0].refused is None


def test_rules_that_would_end_too_much_wait_for_an_approval(assembly: Assembly) -> None:
    assembly.start()
    assert assembly.calends("migrate").returncode == 0
    assembly.worker()
    assembly.ready()
    keys = [f"K{number}" for number in range(20)]
    assembly.publish((key, appointment(key, "a")) for key in keys)
    until(lambda: len(assembly.sandbox.entries("ecal")) == 20, 30, "all entries")

    rewrite(assembly, DEADLY.replace("name: appointment-cancelled", "name: deadly").replace("appointment.made", "x.y"))
    until(lambda: metric(assembly, "calends_rules_held") == 1, 60, "the rules are held")
    assembly.publish([("L", appointment("L", "b"))])
    until(lambda: len(assembly.sandbox.entries("ecal")) == 21, 30, "the old rules go on")
    held = state(assembly).holds[0]
    assert (held.ended, held.live) == (40, 40)
    assert "would cancel or delete 40 of 40 live entries" in held.reason
    assert held.reason in str(state(assembly).readings[0].refused)

    restarted = assembly.workers[-1]
    restarted.terminate()
    assert restarted.wait(20) == 0
    assembly.worker()
    assembly.ready()
    until(lambda: metric(assembly, "calends_rules_held") == 1, 60, "a restart is no approval")
    assert f"rules {held.digest[:12]} held" in assembly.calends("status").stdout

    assert assembly.calends("approve").returncode == 0
    until(lambda: metric(assembly, "calends_rules_held") == 0, 30, "the rules are approved")
    assembly.publish([("L", appointment("L", "c"))])
    until(lambda: len(assembly.sandbox.entries("ecal")) == 20, 30, "the new rules act")
