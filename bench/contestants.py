"""Who is measured: Calends in several shapes, and the workers that one would write by hand.

Each starts its processes on a topic that is full, and is told nothing that the others are not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bench.surroundings import ACCOUNT, IN_FLIGHT, QUOTA, TOPIC
from tests.flow.assembly import ECAL, Assembly

Processes = list[subprocess.Popen[bytes]]


@dataclass(frozen=True, slots=True)
class Contestant:
    title: str
    start: Callable[[Assembly], Processes]
    sqlite: bool = False
    """Its ledger; else PostgreSQL."""


def _calends(workers: int, assembly: Assembly) -> Processes:
    return [assembly.worker() for _ in range(workers)]


def _by_hand(client: str, assembly: Assembly) -> Processes:
    settings = {
        "bootstrap": assembly.bootstrap,
        "topic": assembly.topic(TOPIC),
        "group": f"plain{assembly.suffix}",
        "base_url": f"{assembly.sandbox.url}/ecal/{ACCOUNT}",
        "client": client,
        "in_flight": IN_FLIGHT,
        "calls": QUOTA[0],
        "seconds": QUOTA[1],
        **ECAL,
    }
    return [
        subprocess.Popen(
            [sys.executable, "-m", "bench.plain_worker"],
            env=os.environ | {"PLAIN_WORKER": json.dumps(settings)},
            stderr=(assembly.folder / "plain.log").open("wb"),
        )
    ]


CONTESTANTS: Mapping[str, Contestant] = {
    "calends": Contestant("Calends", partial(_calends, 1)),
    "sqlite": Contestant("Calends, SQLite", partial(_calends, 1), sqlite=True),
    "two": Contestant("two of Calends", partial(_calends, 2)),
    "httpx": Contestant("by hand, httpx", partial(_by_hand, "httpx")),
    "aiohttp": Contestant("by hand, aiohttp", partial(_by_hand, "aiohttp")),
}
