"""Housekeeping and a ledger that is away: the loops make progress, whether it answers or not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, cast

import pytest

from pipeline.app import Worker
from pipeline.housekeeping import Housekeeping
from pipeline.ledger import Hold, Ledger, LedgerUnavailable
from pipeline.telemetry import Telemetry, configure_logging

AGES = 3600.0


@dataclass
class AwayLedger:
    """Refuses, or is silent."""

    refuses: bool

    async def holds(self) -> list[Hold]:
        if self.refuses:
            raise LedgerUnavailable("refused")
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def in_place(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    return await method(*args, **kwargs)


def housekeeping_of(ledger: object) -> Housekeeping:
    """It has not come round, nor heard of the ledger, for ages."""
    made = Housekeeping(cast(Ledger, ledger), in_place, Telemetry(b"key"), {}, {}, cast(Any, None), lambda names: None)
    made.asked_at -= AGES
    made.answered_at -= AGES
    return made


@pytest.mark.parametrize(
    ("hold", "answer"),
    [
        (Hold("paused", None, "d", since=1.0, detail="zuleika@example.org: her wedding"), None),
        (Hold("failing", "a", since=1.0, detail="answered 503"), "answered 503"),
    ],
)
@pytest.mark.usefixtures("logging_restored")
def test_a_hold_is_told_with_what_a_vendor_answered_and_not_with_what_a_person_wrote(
    hold: Hold, answer: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", json=True)
    housekeeping = housekeeping_of(AwayLedger(refuses=True))
    housekeeping.destinations = {"d": "a"}
    housekeeping._tell(hold)
    (line,) = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["event"], json.loads(line).get("answer")) == ("lane held", answer)
    assert "zuleika" not in line


@dataclass
class BusyLedger:
    """Gives up counting after a while."""

    asked: int = 0

    async def counted(self, horizons: object) -> None:
        self.asked += 1
        await asyncio.sleep(0.05)
        raise LedgerUnavailable("timeout")


async def test_a_count_that_fails_is_not_asked_for_again_at_once() -> None:
    ledger = BusyLedger()
    housekeeping = housekeeping_of(ledger)
    with pytest.raises(LedgerUnavailable):
        await housekeeping._count()
    await housekeeping._count()
    assert ledger.asked == 1


def worker_of(housekeeping: Housekeeping) -> Worker:
    worker = Worker.__new__(Worker)  # of all that a worker composes the probes ask these alone
    worker.composed, worker.housekeeping, worker.intake = True, housekeeping, cast(Any, Reading())
    return worker


@dataclass
class Reading:
    """An intake that has read nothing for ages, as its ledger is away."""

    ready: bool = True
    waiting: bool = False

    @property
    def consumer(self) -> Reading:
        return self

    def healthy(self) -> bool:
        return False


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_worker_whose_ledger_is_away_lives_and_is_not_ready(refuses: bool) -> None:
    housekeeping = housekeeping_of(AwayLedger(refuses))
    worker = worker_of(housekeeping)
    assert str(worker._not_live()).startswith("housekeeping has not come round for 36")
    asking = asyncio.create_task(housekeeping.watch())
    await asyncio.wait({asking}, timeout=0.05)
    assert (worker._not_live(), worker._not_ready()) == (None, "the ledger does not answer")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
