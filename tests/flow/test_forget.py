"""`calends forget`: no trace of the person at the vendor, in the ledger, logs, metrics and topics; no late event brings
them back. Everything else stays.
"""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

import psycopg

from pipeline.stream.retention import Kept, retention
from tests.flow.assembly import PERSON, Assembly, until

RULES = """
rules:
  - name: customer-linked
    from: [appointments]
    on: customer.linked
    link: [{{destination: ecal, subscriber: "{{{{ data.customer }}}}", identity: "{{{{ data.ecal }}}}"}}]
  - name: appointment
    from: [appointments]
    on: appointment.made
    send:
      - to: ecal
        key: "{{{{ data.key }}}}"
        subscriber: "{{{{ data.customer }}}}"
        entry: {{title: "{{{{ data.title }}}}", location: Online, start: "2027-03-01", all_day: true}}
  - name: note
    from: [appointments]
    on: appointment.noted
    send: [{{to: ecal, key: "{{{{ data.key }}}}", layer: note, entry: {{description: "{{{{ data.note }}}}"}}}}]
"""
THEIRS, OTHERS = "cust-forget-me", "cust-stays"
ECAL_ID = "5924fd21608e3beb118bdead"
NAMES = (THEIRS, ECAL_ID, "Secret-Title", "Secret-Note")


def event(kind: str, number: int, **data: str) -> tuple[str, bytes]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{number % 1_000_000:06d}Z"
    body = {"specversion": "1.0", "id": f"e{number}", "source": "/tests", "type": kind, "time": stamp, "data": data}
    return data.get("key") or data["customer"], json.dumps(body).encode()


def begun(assembly: Assembly) -> None:
    kafka = {
        "bootstrap_servers": assembly.bootstrap,
        "group_id": f"calends{assembly.suffix}",
        "dead_letter_topic": assembly.topic("dead-letters"),
        "outcome_topic": assembly.topic("outcomes"),
    }
    (assembly.folder / "keys").write_text("k" * 32)
    assembly.start(rules=RULES, extra={"kafka": kafka, "layers": ["note"], "key_file": str(assembly.folder / "keys")})
    if not assembly.embedded:
        _compacted(assembly, assembly.topic("outcomes"))
    checked = assembly.calends("check")
    assert checked.returncode == 0, checked.stderr
    if not assembly.embedded:
        assert assembly.calends("migrate").returncode == 0
    assembly.worker()
    assembly.ready()
    assembly.publish([
        event("customer.linked", 1, customer=THEIRS, ecal=ECAL_ID),
        event("customer.linked", 2, customer=OTHERS, ecal=PERSON),
    ])  # fmt: skip
    assembly.publish([
        *(event("appointment.made", 10 + n, key=f"t{n}", customer=THEIRS, title="Secret-Title") for n in range(5)),
        *(event("appointment.made", 20 + n, key=f"o{n}", customer=OTHERS, title="Title") for n in range(5)),
        event("appointment.noted", 30, key="t0", note="Secret-Note"),
    ])  # fmt: skip
    until(lambda: len(assembly.sandbox.entries("ecal")) == 10, 30, "all entries are at the vendor")
    assembly.messages("outcomes", 10, 30)


def _compacted(assembly: Assembly, topic: str) -> None:
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": assembly.bootstrap})
    made = admin.create_topics([NewTopic(topic, 1, 1, config={"cleanup.policy": "compact"})])
    made[topic].result(30)


def forget(assembly: Assembly) -> dict[str, Any]:
    done = assembly.calends("forget", THEIRS, "--yes", "--json", "--timeout", "50")
    assert done.returncode == 0, done.stderr
    assert THEIRS not in done.stdout
    return dict(json.loads(done.stdout))


def ledger(assembly: Assembly) -> str:
    """Every value of every table."""
    if assembly.ledger.startswith("sqlite"):
        with sqlite3.connect(assembly.ledger.removeprefix("sqlite:///")) as connection:
            tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
            return "\n".join(repr(connection.execute(f'select * from "{name}"').fetchall()) for name in tables)
    with psycopg.connect(assembly.ledger) as connection:
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        return "\n".join(repr(connection.execute(f'select * from "{name}"').fetchall()) for (name,) in found)


def told(assembly: Assembly) -> str:
    """Logs and metrics."""
    return assembly.log() + assembly.metrics()


def nothing_left(assembly: Assembly) -> list[str]:
    everything = {"ledger": ledger(assembly), "logs and metrics": told(assembly)}
    return [f"{name} in the {place}" for place, text in everything.items() for name in NAMES if name in text]


def titles(assembly: Assembly) -> list[str]:
    return sorted(entry["key"] for entry in assembly.sandbox.entries("ecal"))


def test_no_trace_is_left_and_a_late_event_does_not_bring_them_back(assembly: Assembly) -> None:
    begun(assembly)
    assembly.publish([event("appointment.made", 40, key="broken", customer=THEIRS)])  # a dead letter: no title
    assembly.dead_letters(1)
    assembly.calends("call", "ecal", "GET", f"/apiv2/subscriber/{ECAL_ID}")
    assert any(name in ledger(assembly) for name in NAMES)

    came = forget(assembly)
    assert (came["erased"], came["kept"], came["waiting"]) == ({"ecal": 5}, {}, {})
    assert came["vendors_keep"]["ecal"]
    assert titles(assembly) == [f"o{n}" for n in range(5)]
    assert nothing_left(assembly) == []

    assembly.publish([
        event("customer.linked", 50, customer=THEIRS, ecal=ECAL_ID),
        event("appointment.made", 51, key="t0", customer=THEIRS, title="Secret-Title"),
        event("appointment.made", 52, key="new", customer=THEIRS, title="Secret-Title"),
        event("appointment.noted", 53, key="t1", note="Secret-Note"),
        event("appointment.made", 54, key="o9", customer=OTHERS, title="Title"),
    ])  # fmt: skip
    until(lambda: "o9" in titles(assembly), 30, "a later event of somebody else is at the vendor")
    until(lambda: "o9" in str(ledger(assembly)), 30, "and in the ledger")
    replayed = assembly.calends("dlq", "replay", "--all")
    assert "replayed" not in replayed.stdout, replayed.stdout
    assert titles(assembly) == [f"o{n}" for n in (0, 1, 2, 3, 4, 9)]
    assert nothing_left(assembly) == []
    assert forget(assembly)["erased"] == {}


async def test_it_says_until_when_topics_hold_what_was_written(assembly: Assembly) -> None:
    begun(assembly)
    came = forget(assembly)
    if assembly.embedded:
        assert "Kafka does not tell" in str(came["topics"]) or came["topics"]
        return
    said = {name.removesuffix(assembly.suffix): words for name, words in came["topics"].items()}
    assert said["outcomes"].startswith("compacted: nulls take the outcomes of these entries away")
    assert said["dead-letters"] == said["appointments"] == "expires 7 days after it was written"
    newest: dict[bytes, bytes | None] = {}
    until(lambda: _nulls(assembly, newest) == 5, 30, "a null for each entry")
    assert {key for key, value in newest.items() if value is None} == {f"ecal/t{n}".encode() for n in range(5)}
    from pipeline.stream import KafkaConfig

    kept = await retention(KafkaConfig(assembly.bootstrap, "g", ()), [assembly.topic("outcomes")])
    assert kept == {assembly.topic("outcomes"): Kept(True, None)}


def _nulls(assembly: Assembly, newest: dict[bytes, bytes | None]) -> int:
    for message in assembly.messages("outcomes", 15, 3):
        newest[message.key()] = message.value()
    return sum(value is None for value in newest.values())
