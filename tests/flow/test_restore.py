"""An older copy of the ledger is put back, on a real Kafka: nothing is lost, and nothing is made a second time."""

from __future__ import annotations

import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.assembly import Assembly, appointment, until
from tests.flow.test_flow import BOTH, arrive, clean, titles
from tests.services import KafkaService


@pytest.fixture
def assembly(kafka_service: KafkaService, tmp_path: Path) -> Iterator[Assembly]:
    url = f"sqlite:///{tmp_path}/ledger.db"
    made = Assembly(tmp_path, kafka_service.bootstrap, url, False, f".{uuid.uuid4().hex[:8]}")
    yield made
    made.close()


def stop(assembly: Assembly) -> None:
    assembly.workers[-1].send_signal(signal.SIGTERM)
    assert assembly.workers[-1].wait(60) == 0


def copy(assembly: Assembly, source: str, target: str) -> None:
    for end in ("", "-wal", "-shm"):
        (assembly.folder / f"{target}{end}").unlink(missing_ok=True)
        if (assembly.folder / f"{source}{end}").exists():
            shutil.copy(assembly.folder / f"{source}{end}", assembly.folder / f"{target}{end}")


def test_a_ledger_that_was_restored_makes_nothing_a_second_time(assembly: Assembly) -> None:
    assembly.start(partitions=3)
    now = time.time()
    assembly.worker()
    assembly.publish((key, appointment(key, title, at=now)) for key, title in titles(5).items())
    arrive(assembly, titles(5))
    assert assembly.calends("pause", "calreply").returncode == 0
    backlog = titles(10)
    assembly.publish((key, appointment(key, title, at=now)) for key, title in backlog.items())
    arrive(assembly, backlog, vendors=("ecal",))
    stop(assembly)
    copy(assembly, "ledger.db", "copy.db")

    assembly.worker()
    assert assembly.calends("resume", "calreply").returncode == 0
    newest = titles(15) | dict.fromkeys(list(titles(15))[:3], "changed")
    assembly.publish((key, appointment(key, title, at=now + 1)) for key, title in newest.items())
    arrive(assembly, newest)
    stop(assembly)

    copy(assembly, "copy.db", "ledger.db")
    assert assembly.calends("resume", "calreply").returncode == 0, "the copy is from before that"
    assembly.worker()
    until(lambda: "ledger went back" in assembly.log(), 30, "it notices")
    last = newest | {"k14": "after", "new": "t"}
    assembly.publish((key, appointment(key, title, at=now + 2)) for key, title in last.items() if key in ("k14", "new"))
    arrive(assembly, last, 60)
    clean(assembly)
    for vendor in BOTH:
        assert len(assembly.sandbox.entries(vendor)) == len(last)


def test_a_ledger_that_is_gone_is_refused_and_rebuilt_on_demand(assembly: Assembly) -> None:
    assembly.start(partitions=3)
    assembly.worker()
    assembly.publish((key, appointment(key, title)) for key, title in titles(6).items())
    arrive(assembly, titles(6))
    stop(assembly)
    copy(assembly, "nothing", "ledger.db")

    refused = assembly.calends("run")
    assert (refused.returncode, "group" in refused.stderr, "--rebuild" in refused.stderr) == (3, True, True)

    assembly._process("run", "--rebuild")
    assembly.publish([("new", appointment("new", "t"))])
    arrive(assembly, titles(6) | {"new": "t"}, 60)
    clean(assembly)
