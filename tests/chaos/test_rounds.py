"""A few rounds of real faults, always the same: each promise had its chances and was kept. `make chaos` plays more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.ground import ground
from tests.chaos.plan import plan
from tests.chaos.play import play
from tests.chaos.promises import TITLES, Verdict, judge

pytestmark = pytest.mark.xdist_group("chaos")

SEEDS = (100, 102, 107, 20001)
"""Together: workers killed, frozen and stopped, broker and ledger killed and frozen, a clock that is fast, revoked
tokens, a vendor that throttles, one whose answers are slow, and one that is down for as long as any machine needs to
notice."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Verdict]]:
    return asyncio.run(_play(tmp_path_factory.mktemp("chaos")))


async def _play(folder: Path) -> dict[int, list[Verdict]]:
    async with ground(folder) as up:
        return {seed: judge(await play(up, plan(seed), folder / f"seed-{seed}")) for seed in SEEDS}


@pytest.mark.parametrize("number", range(1, 14), ids=[title.replace(" ", "-") for title in TITLES])
def test_a_promise_is_kept(verdicts: dict[int, list[Verdict]], number: int) -> None:
    judged = {seed: found[number - 1] for seed, found in verdicts.items()}
    assert {seed: verdict.breaches for seed, verdict in judged.items() if verdict.breaches} == {}
    # How many pauses can be judged depends on how busy this machine is.
    assert number == 5 or sum(verdict.chances for verdict in judged.values()) > 0
