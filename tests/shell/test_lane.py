"""A lane and what stops it, with a ledger that is slow to answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, cast

import pytest

from pipeline import account as accounts
from pipeline import lane as lanes
from pipeline.account import Account
from pipeline.calls import TOO_LATE, CallFailed
from pipeline.concurrency import Concurrency
from pipeline.housekeeping import Housekeeping
from pipeline.lane import Lane
from pipeline.ledger import SLACK, Claim, Grant, Hold, Ledger, LedgerUnavailable, Result, Settled
from pipeline.model.change import Change, Version
from pipeline.model.facts import Facts, Policy, claim
from pipeline.model.outcome import Throttled
from pipeline.model.wanted import apply
from pipeline.model.wire import Credential, Request, Response
from pipeline.pacing import Pace
from pipeline.telemetry import Telemetry
from pipeline.vendors.ecal import VENDOR

ENTRY = {"title": "t", "location": "Online", "start": "2027-03-01T09:00:00", "time_zone": "Europe/Paris"}


@dataclass
class SlowLedger:
    """Grants an entry at each claim, knows of these obstacles, and settles only once it is let."""

    may_settle: asyncio.Event = field(default_factory=asyncio.Event)
    granted: int = 0
    held: list[Hold] = field(default_factory=list)

    def claim(self, *_: object) -> Claim:
        self.granted += 1
        change = Change("d", "k", "upsert", Version(1, "t", 0, 0, 1), "rule", content=ENTRY, identity="ann")
        policy = Policy("d", "a")
        row = apply(Facts("d", "k"), change, {}, 0.0, policy)
        assert row is not None
        return Claim((Grant((claim(row, "worker", 20.0, 0.0, policy),), ()),))

    def holds(self) -> list[Hold]:
        return self.held

    async def settle(self, results: Sequence[Result]) -> list[Settled]:
        await self.may_settle.wait()
        rows = [(row, answer) for r in results for row, answer in zip_longest(r.grant.entries, r.answers)]
        return [Settled(row, row, answer, None) for row, answer in rows]


@dataclass
class Vendor:
    """Throttles everything, for `after` seconds."""

    after: float
    calls: list[float] = field(default_factory=list)
    timeout: float = 5.0
    concurrency: Concurrency = field(default_factory=lambda: Concurrency(1, 1))

    async def send(self, request: Request, deadline_check: Callable[[], bool]) -> Response | CallFailed:
        if not deadline_check():
            return TOO_LATE
        self.calls.append(time.monotonic())
        return Response(429, {"retry-after": f"{self.after:g}"}, json.dumps({"message": "Too many"}).encode())


@dataclass
class Clock:
    """Time that passes only where a test says so."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (accounts, lanes):
        monkeypatch.setattr(module, "time", made)
    return made


async def in_place(method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    found = method(*args, **kwargs)
    return await found if asyncio.iscoroutine(found) else found


async def nobody_answers() -> None:
    """Nothing is read in the ledger."""


def account_of(vendor: object) -> Account:
    credential = Credential({"api_key": "k", "api_secret": "s"})
    return Account("a", VENDOR, {}, cast(Any, vendor), Pace(()), lambda: credential)


def lane_of(
    account: Account, ledger: object, interval: float = 0.0, watch: Callable[[], Awaitable[None]] | None = None
) -> Lane:
    async def nobody_paused() -> None:
        account.seen = lanes.time.monotonic()

    telemetry = Telemetry(b"key")
    return Lane(
        "d", account, {}, str, cast(Ledger, ledger), in_place, telemetry, "worker", interval,
        lambda: False, watch or nobody_paused, lambda: 0.5, lambda: datetime.now(UTC),
    )  # fmt: skip


async def run_until_called(lane: Lane, called: asyncio.Event) -> None:
    """Lets it work, stops it once its vendor was called, and waits for its end."""
    stopping = asyncio.Event()
    running = asyncio.create_task(lane.run(stopping))
    async with asyncio.timeout(10):
        await called.wait()
        stopping.set()
        await running


def housekeeping_of(account: Account, ledger: object) -> Housekeeping:
    return Housekeeping(
        cast(Ledger, ledger),
        in_place,
        Telemetry(b"key"),
        {"a": account},
        {"d": "a"},
        cast(Any, None),
        lambda names: None,
    )


async def test_no_call_starts_in_a_pause_that_the_ledger_does_not_know_of_yet() -> None:
    ledger, vendor = SlowLedger(), Vendor(after=1.0)
    account = account_of(vendor)
    lane = lane_of(account, ledger)
    housekeeping = housekeeping_of(account, ledger)
    stopping = asyncio.Event()
    running = asyncio.create_task(lane.run(stopping))
    async with asyncio.timeout(10):
        while len(vendor.calls) < 2:
            await housekeeping._watch()
            await asyncio.sleep(0.01)
    ledger.may_settle.set()
    stopping.set()
    await running
    first, second = vendor.calls[:2]
    assert second - first >= 1.0


@dataclass
class LateVendor:
    """Answers once it is let."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    timeout: float = 5.0
    concurrency: Concurrency = field(default_factory=lambda: Concurrency(1, 1))

    async def send(self, request: Request, deadline_check: Callable[[], bool]) -> Response | CallFailed:
        self.called.set()
        if not deadline_check():
            return TOO_LATE
        await self.may_answer.wait()
        return Response(503)


@dataclass
class CrowdedVendor(LateVendor):
    """Has so many calls under way that the next one never gets its turn."""

    async def send(self, request: Request, deadline_check: Callable[[], bool]) -> Response | CallFailed:
        self.called.set()
        await self.may_answer.wait()
        return TOO_LATE


@dataclass
class OneEntry(SlowLedger):
    """Grants a single entry, and remembers what was settled."""

    settled: list[Result] = field(default_factory=list)

    def claim(self, *_: object) -> Claim:
        return super().claim() if self.granted == 0 else Claim(())

    async def settle(self, results: Sequence[Result]) -> list[Settled]:
        self.settled += results
        return []


async def test_a_stop_lets_the_call_under_way_end_and_settles_it() -> None:
    ledger, vendor = OneEntry(), LateVendor()
    account = account_of(vendor)
    lane = lane_of(account, ledger)
    stopping = asyncio.Event()
    running = asyncio.create_task(lane.run(stopping))
    async with asyncio.timeout(10):
        await vendor.called.wait()
        stopping.set()
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.3, vendor.may_answer.set)
        await running
    assert [result.sent for result in ledger.settled] == ["answered"]


async def test_a_stop_gives_back_at_once_what_waits_for_its_turn() -> None:
    ledger, vendor = OneEntry(), CrowdedVendor()
    await run_until_called(lane_of(account_of(vendor), ledger), vendor.called)
    assert [result.sent for result in ledger.settled] == ["never"]


async def test_what_was_read_before_a_freeze_lets_nothing_leave(clock: Clock) -> None:
    """A pause is stored while the worker is frozen: once awake it looks again before anything leaves."""
    ledger, vendor, looked = OneEntry(), Vendor(after=0.0), []
    account = account_of(vendor)

    async def paused_meanwhile() -> None:
        looked.append(clock.now)
        account.obstacle, account.seen = "paused", clock.now

    lane = lane_of(account, ledger, watch=paused_meanwhile)
    await lane._bring(ledger.claim().grants[0], clock.now - 1.0, departs=0.0)
    assert (looked, vendor.calls) == ([clock.now], [])
    assert [result.sent for result in [lane._results.get_nowait()]] == ["never"]


async def _calls(
    clock: Clock, claimed: float = 0.0, looked: float = 0.0, obstacle: str | None = None, paused: bool = False
) -> int:
    """How many calls a claim leads to that is so many seconds old, as is the last look at what must not be called."""
    ledger, vendor = OneEntry(), Vendor(after=0.0)
    account = account_of(vendor)
    lane = lane_of(account, ledger, watch=nobody_answers)
    account.seen, account.obstacle, lane.paused = clock.now - looked, obstacle, paused
    await lane._bring(ledger.claim().grants[0], clock.now - claimed, departs=0.0)
    return len(vendor.calls)


async def test_a_look_that_is_older_than_a_quarter_of_a_second_lets_nothing_leave(clock: Clock) -> None:
    assert await _calls(clock, claimed=1.0, looked=0.24) == 1
    assert await _calls(clock, claimed=1.0, looked=0.25) == 0


async def test_a_claim_that_is_older_than_its_slack_lets_nothing_leave(clock: Clock) -> None:
    assert await _calls(clock, claimed=SLACK - 0.01) == 1
    assert await _calls(clock, claimed=SLACK) == 0


async def test_a_pause_since_the_claim_lets_nothing_leave(clock: Clock) -> None:
    assert await _calls(clock) == 1
    assert await _calls(clock, obstacle="throttled") == 0
    assert await _calls(clock, paused=True) == 0


@dataclass
class AwayOnce(OneEntry):
    """Cannot be reached the first time that something is to be settled."""

    away: bool = True

    async def settle(self, results: Sequence[Result]) -> list[Settled]:
        if self.away:
            self.away = False
            raise LedgerUnavailable("away")
        return await super().settle(results)


async def test_results_are_kept_while_the_ledger_is_away() -> None:
    ledger, vendor = AwayOnce(), LateVendor()
    vendor.may_answer.set()
    await run_until_called(lane_of(account_of(vendor), ledger), vendor.called)
    assert (ledger.away, [result.sent for result in ledger.settled]) == (False, ["answered"])


@dataclass
class LaterWork(OneEntry):
    """Has nothing at the first claim."""

    claims: int = 0
    looked_in_vain: Callable[[], None] = lambda: None

    def claim(self, *_: object) -> Claim:
        self.claims += 1
        if self.claims > 1:
            return super().claim()
        asyncio.get_running_loop().call_soon(self.looked_in_vain)
        return Claim(())


async def test_what_comes_after_a_look_in_vain_need_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.lane.CLAIM_EVERY", 30.0)
    ledger, vendor = LaterWork(), LateVendor()
    vendor.may_answer.set()
    lane = lane_of(account_of(vendor), ledger)
    ledger.looked_in_vain = lane.work.set
    await run_until_called(lane, vendor.called)


async def test_a_lane_with_a_quota_claims_nothing_in_a_burst() -> None:
    """It is asked twice whether there still is one."""
    ledger, vendor = OneEntry(), LateVendor()
    vendor.may_answer.set()
    lane, asked = lane_of(account_of(vendor), ledger, interval=0.01), []

    def in_burst() -> bool:
        asked.append(ledger.granted)
        asyncio.get_running_loop().call_soon(lane.work.set)
        return len(asked) < 3

    lane.in_burst = in_burst
    await run_until_called(lane, vendor.called)
    assert asked[:3] == [0, 0, 0]


class NoToken:
    """Asks to be left alone for long."""

    def claim(self, *_: object) -> Claim:
        return Claim((), wait=3600.0)


async def test_a_lane_that_waits_for_a_token_stops_all_the_same() -> None:
    """With a few calls a day, the next token is an hour away."""
    stopping = asyncio.Event()
    running = asyncio.create_task(lane_of(account_of(Vendor(after=0.0)), NoToken(), interval=86_400.0).run(stopping))
    await asyncio.sleep(0.05)
    stopping.set()
    async with asyncio.timeout(5):
        await running


@dataclass
class MoodyVendor:
    """Answers with these statuses, one after the other."""

    statuses: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    concurrency: Concurrency = field(default_factory=lambda: Concurrency(1, 1))

    async def send(self, request: Request, deadline_check: Callable[[], bool]) -> Response:
        return Response(self.statuses.pop(0), self.headers, b'{"status": 200, "eventId": "e"}')


async def test_of_failures_in_a_row_only_the_first_may_be_an_entrys_own(clock: Clock) -> None:
    """In a row: until something is accepted, or a hold is lifted."""
    ledger = SlowLedger(held=[Hold("failing", "a")])
    account = account_of(MoodyVendor([503, 503, 200, 503, 503, 503]))
    lane, housekeeping = lane_of(account, ledger), housekeeping_of(account, ledger)

    async def in_a_row() -> bool | None:
        result = await lane._attempt(ledger.claim().grants[0], clock.now)
        (answer,) = result.answers
        return answer and answer.in_a_row

    assert [await in_a_row() for _ in range(5)] == [False, True, False, False, True]
    await housekeeping.watch()
    ledger.held = []
    await housekeeping.watch()
    assert await in_a_row() is False


@pytest.mark.parametrize(
    ("status", "headers"),
    [(503, {"retry-after": "60"}), (200, {"ratelimit": '"default";r=0;t=60'}), (429, {"retry-after": "60"})],
)
async def test_what_any_answer_asks_for_pauses_the_account_at_once(
    clock: Clock, status: int, headers: dict[str, str]
) -> None:
    account = account_of(MoodyVendor([status], headers))
    lane = lane_of(account, SlowLedger())
    result = await lane._attempt(SlowLedger().claim().grants[0], clock.now)
    assert (account.open(), result.throttled) == (False, Throttled(60.0))
    assert account.paused_until == clock.now + 60.0


async def test_refusals_without_a_time_pause_this_process_longer_each_time_until_something_is_accepted(
    clock: Clock,
) -> None:
    account = account_of(MoodyVendor([429, 429, 200, 429]))
    lane, ledger = lane_of(account, SlowLedger()), SlowLedger()

    async def pause() -> float:
        account.paused_until = clock.now
        await lane._attempt(ledger.claim().grants[0], clock.now)
        return account.paused_until - clock.now

    assert [await pause() for _ in range(4)] == pytest.approx([1.25, 2.5, 0.0, 1.25])
