"""The commands of a runbook, run as they stand there: only what is in capitals is replaced."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.services.java import kafka_jars

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"
TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}
ELSEWHERE = ("kubectl",)
"""What needs a cluster, which is not here: tests/chart has one."""
SEEING, DOING = "How to see it", "What to do"


@dataclass(frozen=True)
class Ran:
    command: str
    code: int
    said: str


def commands(alert: str, section: str) -> list[str]:
    """Of a section, in their order, without the words behind them."""
    text = (FOLDER / f"{alert}.md").read_text()
    part = re.split(r"^## ", text, flags=re.MULTILINE)
    (found,) = [one for one in part if one.startswith(section)]
    lines = re.findall(r"^\$ (.+)$", found, re.MULTILINE)
    return [re.sub(r"\s{2,}# .*$", "", line).strip() for line in lines]


def run(command: str, values: Mapping[str, str], environment: Mapping[str, str], tools: Path) -> Ran:
    """As whoever is woken types it."""
    worded = re.sub(r"\b[A-Z][A-Z_]{2,}\b(?!=)", lambda found: values.get(found[0], found[0]), command)
    own = {"PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200"}
    done = subprocess.run(
        ["bash", "-c", worded], env=os.environ | environment | own, capture_output=True, text=True, timeout=120
    )
    return Ran(worded, done.returncode, done.stdout + done.stderr)


def kafka_tools(folder: Path) -> Path:
    """Kafka's own commands, by the names under which they are installed."""
    folder.mkdir(exist_ok=True)
    for name, main in TOOLS.items():
        words = " ".join(kafka_jars().command(main, options=("-Xmx128m", "-XX:TieredStopAtLevel=1")))
        file = folder / name
        file.write_text(f'#!/bin/bash\nexec {words.replace("*", chr(92) + "*")} "$@"\n')
        file.chmod(0o755)
    return folder
