"""Probes of held accounts, in virtual time: a real ledger; a vendor and a token server that do as they are told."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from pipeline import account as accounts
from pipeline import probing as probing_module
from pipeline.account import Account
from pipeline.calls import TOO_LATE, CallFailed
from pipeline.ledger import Ledger, Quota
from pipeline.model.facts import Policy
from pipeline.model.outcome import Throttled
from pipeline.model.wire import Credential, Request, Response
from pipeline.pacing import Pace
from pipeline.probing import Probing
from pipeline.telemetry import Telemetry, configure_logging
from pipeline.tokens import Tokens
from pipeline.vendors.calreply import VENDOR as CALREPLY
from pipeline.vendors.ecal import VENDOR as ECAL
from tests.protocol.clocks import EPOCH, SqliteClock
from tests.shell.test_lane import in_place

TOKEN = b'{"access_token": "t", "expires_in": 3600, "token_type": "bearer"}'
WELL, DOWN = Response(200, {}, b"{}"), Response(503)


@dataclass
class Vendor:
    """Answers what it is told to, once it is let."""

    answer: Response | CallFailed = DOWN
    timeout: float = 10.0
    calls: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def send(self, request: Request, deadline_check: Callable[[], bool]) -> Response | CallFailed:
        if not deadline_check():
            return TOO_LATE
        self.calls += 1
        await self.may_answer.wait()
        return self.answer


@dataclass
class TokenServer:
    """Answers what it is told to; what happens `meanwhile` takes time."""

    answer: Response | CallFailed
    asked: int = 0
    meanwhile: Callable[[], None] = lambda: None

    async def send(self, request: Request) -> Response | CallFailed:
        self.asked += 1
        self.meanwhile()
        return self.answer


@dataclass
class World:
    """A worker's probes, beside a ledger whose clock and the worker's are one."""

    ledger: Ledger
    clock: SqliteClock
    accounts: dict[str, Account] = field(default_factory=dict)
    watched: int = 0

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(b"key")
        self.probing = Probing(self.ledger, in_place, self.telemetry, self.watch)

    def monotonic(self) -> float:
        return self.clock.now

    def tick(self, seconds: float) -> None:
        self.clock.now += seconds

    def account(self, name: str, vendor: Vendor, server: TokenServer | None = None) -> Account:
        credential = Credential({"api_key": "k", "api_secret": "s", "client_id": "c", "client_secret": "s"})
        kind, options = (ECAL, {}) if server is None else (CALREPLY, {"account_code": "acme", "api": "calreply"})
        made = Account(name, kind, options, cast(Any, vendor), Pace(()), lambda: credential)
        if server is not None and kind.tokens is not None:
            made.tokens = Tokens(
                kind.tokens, lambda: credential, options, server.send, self.monotonic, self.telemetry, name,
                jitter=lambda: 1.0,
            )  # fmt: skip
        self.accounts[name] = made
        return made

    async def watch(self) -> None:
        self.watched += 1
        holds = self.ledger.holds()
        for account in self.accounts.values():
            reasons = [hold.reason for hold in holds if hold.account == account.name]
            account.obstacle = reasons[0] if reasons else None
            account.throttled = "throttled" in reasons
            account.seen = self.clock.now

    async def turn(self) -> None:
        """One round of housekeeping; what can end at once has ended."""
        await self.watch()
        self.probing.begin(self.accounts.values())
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Rounds, five in a second; the seconds that passed."""
        began = self.clock.now
        while self.clock.now - began < seconds and not until():
            self.tick(0.2)
            await self.turn()
        return self.clock.now - began

    def held(self, name: str) -> str | None:
        reasons = [hold.reason for hold in self.ledger.holds() if hold.account == name]
        return reasons[0] if reasons else None

    def taken(self, name: str) -> int:
        return sum(one.calls for one in self.ledger.quota_taken()[name])


def slow_tokens(world: World, meanwhile: Callable[[], None]) -> tuple[Vendor, TokenServer]:
    """A held account that is well, whose tokens are issued only after this has happened."""
    vendor, server = Vendor(WELL), TokenServer(Response(200, {}, TOKEN), meanwhile=meanwhile)
    world.account("a", vendor, server)
    world.ledger.hold("a", "failing")
    return vendor, server


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    clock = SqliteClock()
    quotas = {name: Quota(name, ((3, 1.0),)) for name in ("a", "b")}
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db", {"d": Policy("d", "a")}, quotas, lambda facts: [])
    clock.watch(ledger._database.engine)
    ledger.migrate()
    ledger.declare()
    made = World(ledger, clock)
    for module in (accounts, probing_module):
        monkeypatch.setattr(module, "time", made)
    yield made
    ledger.close()


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [(CallFailed("not_sent", "refused"), "token_server"), (Response(401), "unauthorized")],
    ids=["unreachable", "refused"],
)
async def test_after_a_long_outage_of_the_token_server_the_first_call_comes_within_five_seconds(
    world: World, trouble: Response | CallFailed, reason: Literal["token_server", "unauthorized"]
) -> None:
    server = TokenServer(trouble)
    vendor = Vendor(WELL)
    world.account("a", vendor, server)
    world.ledger.hold("a", reason)
    await world.pass_time(600.0)
    asked, server.answer = server.asked, Response(200, {}, TOKEN)
    took = await world.pass_time(400.0, until=lambda: world.held("a") is None)
    assert took <= 5.0
    assert (vendor.calls, asked <= 160) == (1, True)


async def test_all_but_a_due_probe_wait_for_the_token_server(world: World) -> None:
    server = TokenServer(CallFailed("not_sent", "refused"))
    account = world.account("a", Vendor(WELL), server)
    for _ in range(3000):
        world.tick(0.2)
        await account.access()
    assert server.asked <= 17


async def test_an_account_that_hangs_delays_no_other_and_is_probed_once(world: World) -> None:
    hanging, other = Vendor(WELL), Vendor(WELL)
    hanging.may_answer.clear()
    for name, vendor in (("a", hanging), ("b", other)):
        world.account(name, vendor)
        world.ledger.hold(name, "failing")
    took = await world.pass_time(9.0, until=lambda: world.held("b") is None)
    assert took < 2.0
    await world.pass_time(9.0)
    assert (hanging.calls, other.calls, world.held("a")) == (1, 1, "failing")
    hanging.may_answer.set()
    await world.turn()
    assert world.held("a") is None


async def test_a_stop_ends_a_probe_that_hangs(world: World) -> None:
    hanging = Vendor(WELL)
    hanging.may_answer.clear()
    world.account("a", hanging)
    world.ledger.hold("a", "failing")
    await world.pass_time(2.0, until=lambda: hanging.calls > 0)
    async with asyncio.timeout(5):
        await world.probing.close()
    assert (world.probing._running, world.held("a")) == ({}, "failing")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_that_a_probe_is_told_is_obeyed_by_all_also_by_probes(world: World, status: int) -> None:
    vendor = Vendor(Response(status, {"retry-after": "60"}))
    world.account("a", vendor)
    world.ledger.hold("a", "failing")
    await world.pass_time(2.0, until=lambda: vendor.calls > 0)
    (until,) = [hold.until for hold in world.ledger.holds() if hold.reason == "throttled"]
    assert until == pytest.approx(world.clock.now + 60.0, abs=0.001)
    vendor.answer = WELL
    await world.pass_time(59.0)
    assert (vendor.calls, world.held("a")) == (1, "failing")
    assert await world.pass_time(10.0, until=lambda: world.held("a") is None) <= 5.0


async def test_an_account_that_refuses_without_a_time_is_probed_ever_less_often(world: World) -> None:
    vendor = Vendor(Response(429))
    account = world.account("a", vendor)
    world.probing.random = lambda: 0.3
    world.ledger.hold("a", "failing")
    while vendor.calls < 8:
        await world.pass_time(70.0, until=lambda seen=vendor.calls: vendor.calls > seen)
        (until,) = [hold.until for hold in world.ledger.holds() if hold.reason == "throttled"]
        assert until == pytest.approx(account.paused_until, abs=0.001), "the ledger and the process agree"
    assert account.paused_until - world.clock.now == pytest.approx(60.0)
    vendor.answer = WELL
    assert await world.pass_time(100.0, until=lambda: world.held("a") is None) <= 60.0 + 5.0


async def test_a_probe_that_comes_too_late_sends_nothing_and_gives_its_place_back(world: World) -> None:
    """Its worker was frozen, or the token server slow, for longer than its place is good for."""
    vendor, server = slow_tokens(world, lambda: world.tick(2.5))
    await world.pass_time(2.0, until=lambda: server.asked > 0)
    assert (vendor.calls, world.taken("a"), world.held("a")) == (0, 0, "failing")
    assert await world.pass_time(9.0, until=lambda: world.held("a") is None) <= 5.0


async def test_a_probe_that_waits_for_its_token_a_little_looks_again_and_goes(world: World) -> None:
    vendor, server = slow_tokens(world, lambda: world.tick(1.0))
    await world.pass_time(2.0, until=lambda: server.asked > 0)
    assert (vendor.calls, world.held("a")) == (1, None)


async def test_a_pause_that_is_stored_while_a_probe_gets_ready_stops_it(world: World) -> None:
    def paused_by_another() -> None:
        world.tick(0.3)
        granted = world.ledger.grant("a", 20.0, force=True)
        world.ledger.hand_back("a", cast(Any, granted), sent="answered", throttled=Throttled(30.0))

    vendor, server = slow_tokens(world, paused_by_another)
    await world.pass_time(29.0)
    assert (server.asked, vendor.calls) == (1, 0)
    assert await world.pass_time(20.0, until=lambda: world.held("a") is None) <= 5.0 + 2.0


async def test_a_probe_keeps_its_place_for_as_long_as_its_call_may_take(world: World) -> None:
    vendor = Vendor(WELL, timeout=60.0)
    vendor.may_answer.clear()
    world.account("a", vendor)
    world.ledger.hold("a", "failing")
    await world.pass_time(2.0, until=lambda: vendor.calls > 0)
    await world.pass_time(59.0)
    assert world.taken("a") == 1
    vendor.may_answer.set()
    await world.turn()
    await world.pass_time(1.2)
    assert (world.taken("a"), world.clock.now > EPOCH) == (0, True)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (WELL, "accepted"),
        (Response(404), "accepted"),
        (DOWN, "unknown"),
        (CallFailed("unknown", "timeout"), "unknown"),
        (CallFailed("not_sent", "refused"), "not_sent"),
        (Response(401), "unauthorized"),
        (Response(429), "throttled"),
    ],
)
async def test_each_probe_is_counted_by_what_came_of_it(
    world: World, answer: Response | CallFailed, outcome: str
) -> None:
    vendor = Vendor(answer)
    world.account("a", vendor)
    world.ledger.hold("a", "failing")
    await world.pass_time(2.0, until=lambda: vendor.calls > 0)
    await world.turn()
    assert probes(world) == {outcome: 1.0}


async def test_what_a_probe_was_answered_is_told_once_and_again_when_it_changes(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", json=True)
    vendor = Vendor(DOWN)
    world.account("a", vendor)
    world.ledger.hold("a", "failing")
    await world.pass_time(30.0, until=lambda: vendor.calls > 2)
    vendor.answer = CallFailed("unknown", "timeout")
    await world.pass_time(30.0, until=lambda: vendor.calls > 4)
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["answer"] for line in told if line["event"] == "account probed"] == ["503", "timeout"]


async def test_a_secret_that_is_missing_is_named_and_counts_as_refused(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", json=True)
    vendor = Vendor(WELL)
    account = world.account("a", vendor)
    account.credential = lambda: Credential({}, {"api_key": "the file /run/key is missing: put it back"})
    world.ledger.hold("a", "unauthorized")
    await world.pass_time(2.0, until=lambda: bool(probes(world)))
    (told,) = [line for line in map(json.loads, capfd.readouterr().err.splitlines()) if line["level"] == "error"]
    assert (told["event"], told["account"], told["part"]) == ("secret missing", "a", "accounts.a.credential.api_key")
    assert told["advice"] == "the file /run/key is missing: put it back"
    assert (probes(world), vendor.calls, world.held("a")) == ({"unauthorized": 1.0}, 0, "unauthorized")
    assert "calends_waits_total{" not in exposed(world)


def probes(world: World) -> dict[str, float]:
    """Those of account `a`, by what came of them."""
    lines = re.findall(r'^calends_probes_total\{account="a",outcome="(\w+)"\} (\S+)', exposed(world), re.MULTILINE)
    return {outcome: float(n) for outcome, n in lines if float(n)}


def exposed(world: World) -> str:
    return world.telemetry.exposition()[0].decode()
