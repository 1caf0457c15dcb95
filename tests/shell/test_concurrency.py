"""As many calls at once as are needed and answered well."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from pipeline.concurrency import Concurrency


@dataclass
class Calls:
    """Calls that stay under way until they are told how they end."""

    concurrency: Concurrency
    under_way: list[asyncio.Future[bool]] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self, number: int) -> int:
        """So many more; how many are under way now."""
        self.tasks += [asyncio.create_task(self._call()) for _ in range(number)]
        return await self._settled()

    async def end(self, number: int, well: bool = True) -> int:
        """The first so many; how many are under way then."""
        ended, self.under_way = self.under_way[:number], self.under_way[number:]
        for one in ended:
            one.set_result(well)
        return await self._settled()

    async def _call(self) -> None:
        async with self.concurrency:
            begun, answer = time.monotonic(), asyncio.get_running_loop().create_future()
            self.under_way.append(answer)
            self.concurrency.ended(begun, await answer)

    async def _settled(self) -> int:
        for _ in range(20):
            await asyncio.sleep(0)
        return len(self.under_way)


async def test_while_calls_wait_twice_as_many_go_in_each_round_and_never_more_than_allowed() -> None:
    calls = Calls(Concurrency(2, 11))
    seen = [await calls.begin(100)]
    for _ in range(4):
        seen.append(await calls.end(seen[-1]))
    assert seen == [2, 4, 8, 11, 11]


async def test_where_no_call_waits_there_are_no_more() -> None:
    calls = Calls(Concurrency(4, 32))
    for _ in range(20):
        assert await calls.begin(3) == 3
        await calls.end(3)
    assert calls.concurrency.limit == 4


async def test_calls_that_fail_together_halve_it_once() -> None:
    calls = Calls(Concurrency(16, 32))
    await calls.begin(100)
    assert await calls.end(16, well=False) == 8
    assert await calls.end(8, well=False) == 4


async def test_calls_that_fail_never_leave_less_than_one_at_once() -> None:
    calls = Calls(Concurrency(2, 32))
    await calls.begin(10)
    assert [await calls.end(len(calls.under_way), well=False) for _ in range(4)] == [1, 1, 1, 1]


async def test_once_it_was_too_much_it_is_one_more_in_each_round() -> None:
    calls = Calls(Concurrency(8, 32))
    await calls.begin(100)
    seen = [await calls.end(8, well=False)]
    for _ in range(4):
        seen.append(await calls.end(seen[-1]))
    assert seen == [4, 4, 5, 6, 7]


async def test_who_no_longer_waits_takes_no_turn_along() -> None:
    calls = Calls(Concurrency(1, 1))
    await calls.begin(3)
    calls.tasks[1].cancel()
    assert await calls.end(1) == 1
    assert await calls.end(1) == 0
    assert await calls.begin(1) == 1


def test_the_rate_is_what_calls_take_of_late(monkeypatch: pytest.MonkeyPatch) -> None:
    concurrency = Concurrency(4, 4)
    assert concurrency.rate() == 400
    monkeypatch.setattr("pipeline.concurrency.time.monotonic", lambda: 1000.5)
    for _ in range(50):
        concurrency.ended(1000.0, well=True)
    assert concurrency.rate() == pytest.approx(8.0, rel=0.001)
