"""The versions of everything that takes part in a contest."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import psycopg

from bench.environments import Peer, python_version
from bench.surroundings import Services
from tests.services.java import KAFKA

ROOT = Path(__file__).parents[1]
LIBRARIES = ("aiokafka", "aiohttp", "httpx", "pydantic", "uvloop")


def versions(both: Services, peers: Sequence[Peer]) -> dict[str, str]:
    with psycopg.connect(both.postgres.url) as connection:
        postgres = connection.info.parameter_status("server_version") or "?"
    return {
        "Calends": f"{version('calends')}, commit {_commit()}",
        "Python": platform.python_version(),
        "Kafka": KAFKA if both.kafka.servers else "the one that CALENDS_TEST_KAFKA names",
        "PostgreSQL": postgres.split()[0],
        **{name: version(name) for name in LIBRARIES},
        **{peer.title: f"{peer.version}, on Python {python_version(peer)}" for peer in peers},
    }


def _commit() -> str:
    """With `+` where files differ from it."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
