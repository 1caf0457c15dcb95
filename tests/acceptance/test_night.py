"""What a person at night waits for: status over two million entries, and a hundred thousand dead letters."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime

from confluent_kafka import Producer

from pipeline.dead_letters import of_record
from pipeline.model.wire import Coordinates, Record
from tests.acceptance.test_acceptance import say
from tests.acceptance.test_backlog import MORE, RULES, fill, pattern
from tests.flow.assembly import Assembly, appointment, until

BACKLOG, LETTERS, REPLAYED = 2_000_000, 100_000, 10_000
QUOTA = 400
CLOUDEVENTS = (("content-type", b"application/cloudevents+json"),)


def timed(assembly: Assembly, *words: str) -> float:
    """Seconds of the wall's clock, the start of the process included: the best of three."""
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        done = assembly.calends(*words)
        seconds.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
    return min(seconds)


def test_status_answers_within_a_second_over_two_million_entries(assembly: Assembly) -> None:
    assembly.start(rules=RULES + MORE, quota=(5, 1.0), ecal={"quota": [[5, 1]]})
    assert assembly.calends("migrate").returncode == 0
    assembly.worker()
    assembly.ready()
    pattern(assembly)
    assembly.workers[0].send_signal(signal.SIGTERM)
    assembly.workers[0].wait(30)
    fill(assembly.ledger, BACKLOG)
    seconds = timed(assembly, "status")
    say(backlog=BACKLOG, status_seconds=f"{seconds:.2f}")
    assert seconds < 1.0


def letters(assembly: Assembly, count: int) -> None:
    """Dead letters of records that today's rules take: what stopped them then has been mended."""
    producer = Producer({"bootstrap.servers": assembly.bootstrap, "linger.ms": 20})
    topic, source = assembly.topic("dead-letters"), assembly.topic("appointments")
    for number in range(count):
        value = appointment(f"k{number}", "t")
        record = Record(Coordinates(source, 0, number), f"k{number}".encode(), value, CLOUDEVENTS, datetime.now(UTC))
        one = of_record(topic, record, "rule", "missing", "appointment")
        producer.produce(topic, one.value, one.key, headers=list(one.headers))
        producer.poll(0)
    assert producer.flush(60) == 0


def test_a_hundred_thousand_dead_letters_are_listed_within_three_seconds(assembly: Assembly) -> None:
    assembly.start()
    assert assembly.calends("migrate").returncode == 0
    letters(assembly, LETTERS)
    seconds = timed(assembly, "dlq", "list")
    say(letters=LETTERS, list_seconds=f"{seconds:.2f}")
    assert f"{LETTERS}" in assembly.calends("dlq", "list").stdout
    assert seconds < 3.0


def test_ten_thousand_are_replayed_within_the_quota_and_none_twice(assembly: Assembly) -> None:
    assembly.start(quota=(QUOTA, 1.0), ecal={"quota": [[QUOTA, 1]]}, calreply={"quota": [[QUOTA, 1]]})
    assert assembly.calends("migrate").returncode == 0
    assembly.worker()
    assembly.ready()
    letters(assembly, REPLAYED)
    began = time.monotonic()
    first = assembly.start_calends("dlq", "replay", "--all")
    until(lambda: _replayed(assembly) > REPLAYED // 4, 120, "a quarter is replayed")
    first.kill()
    first.wait()
    rest = assembly.calends("dlq", "replay", "--all", "--json", seconds=300)
    seconds = time.monotonic() - began
    assert Counter(one["became"] for one in json.loads(rest.stdout)).keys() == {"replayed"}
    titles = {f"k{number}": "t" for number in range(REPLAYED)}
    until(lambda: assembly.sandbox.counters("ecal")["items"] == REPLAYED, 120, "all are at the vendor")
    assert assembly.converged("ecal", titles)
    judged, counters = assembly.sandbox.judge("ecal"), assembly.sandbox.counters("ecal")
    say(replayed=REPLAYED, replay_seconds=f"{seconds:.1f}", creates=judged["creates"], doubles=len(judged["doubles"]),
        refused_429=counters["refused_429"])  # fmt: skip
    assert (judged["creates"], judged["doubles"], counters["refused_429"]) == (REPLAYED, [], 0)


def _replayed(assembly: Assembly) -> int:
    import psycopg

    with psycopg.connect(assembly.ledger) as connection:
        (count,) = connection.execute("select count(*) from letters").fetchone() or (0,)
    return int(count)
