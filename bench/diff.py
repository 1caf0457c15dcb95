"""`calends diff` over a topic: its processor time a record and its memory, which must not grow with the records.

The records and rules are those of `bench.rules`, all in one topic; of the new rules, one writes another description.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bench.report import Progress, markdown
from bench.rules import each_record, rules
from tests.services import kafka

TARGET = 250.0
"""Microseconds of CPU a record, of all processes."""
PARTITIONS = 12
SETTINGS = """\
kafka: {{bootstrap_servers: "{bootstrap}", topics: [{topic}]}}
layers: [note]
accounts:
  ecal: {{vendor: ecal, credential: {{api_key: {{env: ECAL_API_KEY}}, api_secret: {{env: ECAL_API_SECRET}}}}}}
  apptoto: {{vendor: apptoto, credential: {{user: {{env: APPTOTO_USER}}, api_key: {{env: APPTOTO_API_KEY}}}}}}
destinations:
  ecal: {{account: ecal}}
  apptoto: {{account: apptoto, defaults: {{time_zone: Europe/Berlin}}}}
rules: {rules}.yaml
"""


@dataclass(frozen=True, slots=True)
class Run:
    records: int
    entries: int
    changed: int
    wall_seconds: float
    us_per_record: float
    """Processor time, from the start of the command to its end, all of its processes."""
    memory_mb: float
    """The most that each of its processes ever held, together."""
    completed: bool


def measure(records: int) -> list[dict[str, Any]]:
    """Over a quarter of the records, then over all: from some 100,000 on, when every buffer has been full, the memory
    is the same."""
    runs: list[Run] = []
    with kafka() as broker, tempfile.TemporaryDirectory(prefix="calends-bench-") as folder:
        for count in (max(1, records // 4), records):
            topic = f"invoices.{uuid.uuid4().hex[:8]}"
            _publish(broker.bootstrap, topic, count)
            runs.append(_run(Path(folder), broker.bootstrap, topic, count))
    return [asdict(run) for run in runs]


def table(runs: list[dict[str, Any]]) -> str:
    head = ("records", "entries", "would change", "wall", "CPU a record", "memory, all processes")
    rows = [
        (f"{run['records']:,}", f"{run['entries']:,}", f"{run['changed']:,}", f"{run['wall_seconds']} s",
         f"{run['us_per_record']} µs", f"{run['memory_mb']} MB")
        for run in runs
    ]  # fmt: skip
    return f"calends diff, 50 rules of which one changes, {os.cpu_count()} cores\n\n{markdown(head, rows)}"


def _publish(bootstrap: str, topic: str, count: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20})
    progress = Progress("publishing", count)
    for n, record in enumerate(each_record(count)):
        while True:
            try:
                producer.produce(
                    topic, record.value, str(n), headers=[("content-type", "application/cloudevents+json")]
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        progress.at(n)
    assert producer.flush(60) == 0
    progress.end()


def _run(folder: Path, bootstrap: str, topic: str, count: int) -> Run:
    old, new = (_version(folder / name, bootstrap, topic, name) for name in ("old", "new"))
    command = [sys.executable, "-m", "pipeline.cli", "diff", str(old), str(new), "--json", "--examples", "1"]
    before, begun = _children(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"NO_COLOR": "1"}) as process:
        memory = _Memory(process.pid)
        answer = process.communicate()[0]
    if process.returncode != 0:
        sys.exit(f"calends diff ended with {process.returncode}")
    said = json.loads(answer)
    us = (_children() - before) / count * 1e6
    most = memory.most() / 1e6
    good = said["records"] == count and us <= TARGET
    seconds = time.monotonic() - begun
    return Run(count, said["entries"], said["changed"], round(seconds, 1), round(us, 1), round(most, 1), good)


def _version(folder: Path, bootstrap: str, topic: str, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "calends.yaml").write_text(SETTINGS.format(bootstrap=bootstrap, topic=topic, rules=name))
    (folder / f"{name}.yaml").write_text(json.dumps({"rules": list(_rules(topic, name == "new"))}))
    return folder


def _rules(topic: str, new: bool) -> Iterator[dict[str, Any]]:
    for rule in rules():
        rule = {**rule, "from": topic}
        if new and rule["name"] == "due-0":
            rule["send"] = {
                **rule["send"],
                "entry": {**rule["send"]["entry"], "description": "Invoice {{ data.number }}"},
            }
        yield rule


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Memory:
    """What a process and each of its children held at the most, as the system remembers it: no moment is missed."""

    def __init__(self, pid: int) -> None:
        self._peaks: dict[int, int] = {}
        threading.Thread(target=self._look, args=(psutil.Process(pid),), daemon=True).start()

    def _look(self, process: psutil.Process) -> None:
        while process.is_running():
            time.sleep(0.05)
            try:
                family = [process.pid, *(one.pid for one in process.children(recursive=True))]
                self._peaks |= {pid: _peak(pid) for pid in family}
            except (psutil.NoSuchProcess, OSError, StopIteration):
                continue

    def most(self) -> int:
        """Bytes."""
        return sum(self._peaks.values())


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
