"""`calends dlq` on a real Kafka: a topic that is not there; and what it says of many letters."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli.letters import outcomes
from tests.services import KafkaService

SETTINGS = """\
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
kafka: {{bootstrap_servers: "{bootstrap}", group_id: g, dead_letter_topic: "{topic}"}}
accounts:
  acme:
    vendor: ecal
    credential: {{api_key: {{env: X_KEY}}, api_secret: {{env: X_KEY}}}}
    quota: [{{calls: 60, per: 1m}}]
destinations: {{there: {{account: acme}}}}
rules:
  - name: r
    from: t
    send:
      to: there
      key: "{{{{ data.k }}}}"
      identity: x
      entry: {{title: a, location: b, start: "2026-12-24", all_day: true}}
"""


def test_a_topic_that_is_not_there_is_named_with_its_setting_and_how_to_make_it(
    kafka_service: KafkaService, topic_prefix: str, tmp_path: Path
) -> None:
    topic, file = f"{topic_prefix}.letters", tmp_path / "calends.yaml"
    file.write_text(SETTINGS.format(folder=tmp_path, bootstrap=kafka_service.bootstrap, topic=topic))
    assert CliRunner().invoke(app, ["migrate", "-c", str(file)]).exit_code == 0
    result = CliRunner().invoke(app, ["dlq", "list", "-c", str(file)])
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"calends: the topic {topic} (kafka.dead_letter_topic) is not there")
    assert f"--bootstrap-server {kafka_service.bootstrap} --create --topic {topic}" in line
    assert (result.exit_code, result.stdout) == (3, "")


def test_many_letters_are_a_line_for_each_outcome_and_what_fails_is_named() -> None:
    came = (
        {f"0:{n}": "stale" for n in range(60_000)} | {f"1:{n}": "fails: type" for n in range(25)} | {"2:0": "replayed"}
    )
    stale, fails, names, replayed = outcomes(came, dry=False)
    assert stale == "60000 stale: the ledger holds this, or something newer; discard them"
    assert fails == "25 fails: type; they stay dead letters"
    assert names == f"  {' '.join(f'1:{n}' for n in range(20))} and 5 more: --json names all"
    assert replayed == "1 replayed"
    assert list(outcomes({"2:0": "discarded"}, dry=True)) == ["1 would be discarded"]
    assert list(outcomes({}, dry=False)) == ["no open letter is meant"]
