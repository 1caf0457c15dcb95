"""Who is measured: Calends in several shapes, the workers that one would write by hand, and the peers.

Each starts its processes on a topic, and is told nothing that the others are not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.delivery import VARIABLE, Settings
from bench.environments import PEERS, Peer, environment
from bench.surroundings import ACCOUNT, IN_FLIGHT, PARTITIONS, TOPIC, Conditions
from tests.flow.assembly import ECAL, Assembly

ROOT = Path(__file__).parents[1]
Processes = list[subprocess.Popen[bytes]]


@dataclass(frozen=True, slots=True)
class Contestant:
    title: str
    start: Callable[[Assembly, Conditions], Processes]
    sqlite: bool = False
    """Its ledger; else PostgreSQL."""


def _calends(workers: int, assembly: Assembly, _conditions: Conditions) -> Processes:
    return [assembly.worker() for _ in range(workers)]


def _by_hand(client: str, assembly: Assembly, conditions: Conditions) -> Processes:
    return [_relay([sys.executable, "-m", "bench.plain_worker"], client, assembly, conditions)]


def _peer(peer: Peer, assembly: Assembly, conditions: Conditions) -> Processes:
    return [_relay([str(environment(peer)), "-m", peer.module], "aiohttp", assembly, conditions)]


def _relay(command: list[str], client: str, assembly: Assembly, conditions: Conditions) -> subprocess.Popen[bytes]:
    settings = Settings(
        bootstrap=assembly.bootstrap,
        topic=assembly.topic(TOPIC),
        group=f"relay{assembly.suffix}",
        base_url=f"{assembly.sandbox.url}/{ACCOUNT}/{ACCOUNT}",
        client=client,
        in_flight=IN_FLIGHT,
        partitions=PARTITIONS,
        calls=conditions.quota[0],
        seconds=conditions.quota[1],
        **ECAL,
    )
    with (assembly.folder / "relay.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {VARIABLE: settings.model_dump_json()}, stdout=log, stderr=log
        )


CONTESTANTS: Mapping[str, Contestant] = {
    "calends": Contestant("Calends", partial(_calends, 1)),
    "sqlite": Contestant("Calends, SQLite", partial(_calends, 1), sqlite=True),
    "two": Contestant("two of Calends", partial(_calends, 2)),
    "httpx": Contestant("by hand, httpx", partial(_by_hand, "httpx")),
    "aiohttp": Contestant("by hand, aiohttp", partial(_by_hand, "aiohttp")),
    **{peer.name: Contestant(peer.title, partial(_peer, peer)) for peer in PEERS},
}
