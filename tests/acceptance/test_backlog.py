"""Two million entries that wait at one destination: the other one, the worker's memory and a claim do not notice."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence

import psutil
import psycopg

from tests.acceptance.test_acceptance import say
from tests.flow.assembly import APPOINTMENT, Assembly, appointment, until

SMALL, LARGE = 1_000, 2_000_000
SAMPLES = 150
RULES = APPOINTMENT.replace("{to}", "calreply").replace("{cancels}", "calreply")
MORE = """
  - name: slow
    from: [appointments]
    on: appointment.slow
    send: [{{to: ecal, key: "{{{{ data.key }}}}", identity: "{{{{ data.person }}}}", entry: {{title: t, location: l,
            start: "2027-03-01T09:00:00", end: "2027-03-01T10:00:00", time_zone: Europe/Paris}}}}]
"""


def test_a_backlog_at_one_destination_slows_nothing(assembly: Assembly) -> None:
    assembly.start(rules=RULES + MORE, quota=(5, 1.0), ecal={"quota": [[5, 1]]})
    migrated = assembly.calends("migrate")
    assert migrated.returncode == 0, migrated.stderr
    assembly.worker()
    assembly.ready()
    bytes_each = pattern(assembly)
    seen = []
    for count in (SMALL, LARGE):
        fill(assembly.ledger, count)
        time.sleep(10)
        before = _claims(assembly)
        latencies = _latencies(assembly, count)
        after = _claims(assembly)
        claim = 1000 * (after[0] - before[0]) / (after[1] - before[1])
        memory = psutil.Process(assembly.workers[0].pid).memory_info().rss / 1e6
        seen.append((statistics.median(latencies), memory, claim))
        say(
            backlog=count,
            bytes_each=bytes_each,
            median_ms=f"{1000 * seen[-1][0]:.1f}",
            memory_mb=f"{memory:.1f}",
            claim_ms=f"{claim:.2f}",
        )
    (latency, memory, claim), (latency_large, memory_large, claim_large) = seen
    assert latency_large <= 1.2 * latency
    assert memory_large <= 1.1 * memory
    assert claim_large <= 2 * claim


def pattern(assembly: Assembly) -> int:
    """Keeps the row of an entry that waits at ECAL, with its record and all else; its size in bytes."""
    assert assembly.calends("pause", "ecal").returncode == 0
    assembly.publish([("pattern", appointment("pattern", "t", kind="slow"))])
    with psycopg.connect(assembly.ledger, autocommit=True) as connection:
        mine = "from entries where key = 'pattern' and state = 'ready' and raws not in ('', '{}')"
        until(lambda: connection.execute(f"select 1 {mine}".encode()).fetchone() is not None, 30, "the pattern")
        connection.execute(f"create table pattern as select * {mine}".encode())
        ((size,),) = connection.execute("select pg_column_size(pattern.*) from pattern").fetchall()
    assert assembly.calends("resume", "ecal").returncode == 0
    return int(size)


def fill(ledger: str, count: int) -> None:
    """So many entries ready at ECAL, each like the one that waited there, under a key of its own."""
    with psycopg.connect(ledger, autocommit=True) as connection:
        columns = "select column_name from information_schema.columns where table_name = 'entries'"
        names = [str(name) for (name,) in connection.execute(columns.encode()).fetchall()]
        own = {"key": "'b' || n", "rank": "extract(epoch from now()) + n"}
        values = ", ".join(own.get(name, name) for name in names)
        copied = f"select {values} from pattern, generate_series(1, {count}) n on conflict do nothing"
        connection.execute(f"insert into entries ({', '.join(names)}) {copied}".encode())
        connection.execute("analyze entries")


def _latencies(assembly: Assembly, run: int) -> Sequence[float]:
    """Seconds from the publication of each of some entries to its arrival at the other destination."""
    published = {}
    for number in range(SAMPLES):
        key = f"other-{run}-{number}"
        published[key] = time.time()
        assembly.publish([(key, appointment(key, "t"))])
        time.sleep(0.25)  # five calls a second are allowed
    until(lambda: len(_arrived(assembly, published)) == SAMPLES, 30, "all of them arrive")
    arrived = _arrived(assembly, published)
    return [arrived[key] - at for key, at in published.items()]


def _arrived(assembly: Assembly, published: dict[str, float]) -> dict[str, float]:
    rows = assembly.sandbox.arrivals("calreply", min(published.values()))
    return {row[2]: row[0] for row in rows if row[2] in published}


def _claims(assembly: Assembly) -> tuple[float, float]:
    """(seconds, claims) so far."""
    text = assembly.metrics()
    found = [re.search(rf"^calends_claim_seconds_{what} (\S+)", text, re.MULTILINE) for what in ("sum", "count")]
    seconds, count = (float(match.group(1)) if match else 0.0 for match in found)
    return seconds, count
