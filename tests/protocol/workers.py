"""A worker without a loop: the real lane's call, stepped by hand from claim to departure to answer.

Its time is its own monotonic clock, which runs apart from the database's. It can be killed and stopped like a process.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from pipeline.account import Account
from pipeline.calls import Caller, CallFailed
from pipeline.concurrency import Concurrency
from pipeline.lane import Lane
from pipeline.ledger import Grant, Ledger, Result
from pipeline.model.outcome import Outcome
from pipeline.model.wire import Credential, Request, Response
from pipeline.pacing import Pace
from pipeline.probing import Probing
from pipeline.telemetry import Telemetry
from pipeline.vendors.contract import Situation, Step
from tests.protocol.memory import Kind

TIMEOUT = 10.0
"""Seconds that a call may take."""
LOST = CallFailed("unknown", "timeout")
REFUSED = CallFailed("not_sent", "refused")


@dataclass(frozen=True, slots=True)
class Said(Response):
    """An answer that needs no reading: one outcome for each situation."""

    outcomes: tuple[Outcome, ...] = ()


PROBE = Request("GET", "/")


@types.coroutine
def suspended() -> Generator[None, Any, Any]:
    """Until somebody sends what it waits for."""
    return (yield)


class Departures:
    """A pace that lets go when it is told to."""

    async def turn(self) -> None:
        await suspended()


@dataclass(slots=True)
class Wire:
    """Instead of HTTP: tells which call has left, and waits for what came of it."""

    worded: list[tuple[Step, Sequence[Situation]]] = field(default_factory=list)
    left: tuple[Step, Sequence[Situation]] | None = None
    probed: bool = False
    """Whether a probe has left."""
    concurrency: Concurrency = field(default_factory=lambda: Concurrency(8, 8))
    timeout: float = TIMEOUT

    def request(self, step: Step, situations: Sequence[Situation]) -> Request:
        self.worded.append((step, list(situations)))
        return Request("POST", f"/{len(self.worded) - 1}")

    async def send(self, request: Request, may_go: Callable[[], bool]) -> Response | CallFailed:
        if request == PROBE:
            await suspended()  # until its turn
        if not may_go():
            return CallFailed("too_late", "too_late")
        if request == PROBE:
            self.probed = True
        else:
            self.left = self.worded[int(request.path[1:])]
        answered: Response | CallFailed = await suspended()
        return answered


def read(_step: Step, _situations: Sequence[Situation], response: Response, _now: datetime) -> Sequence[Outcome]:
    return cast(Said, response).outcomes


@dataclass(slots=True)
class Flight:
    """One call of a lane."""

    lane: Lane
    wire: Wire
    running: Coroutine[Any, Any, None]

    def go_on(self, came: Any = None) -> tuple[Step, Sequence[Situation]] | None:
        """Up to where it waits again. What has just left, if something has."""
        self.wire.left = None
        with contextlib.suppress(StopIteration):
            self.running.send(came)
        return self.wire.left

    def result(self) -> Result | None:
        """What the lane is to settle, once the call is over."""
        return None if self.lane._results.empty() else self.lane._results.get_nowait()


@dataclass(slots=True)
class Probe:
    """One probe of a held account, if it is this worker's turn."""

    wire: Wire
    running: Coroutine[Any, Any, None]
    over: bool = False

    def go_on(self, came: Any = None) -> bool:
        """Up to where it waits again. Whether it has just left."""
        self.wire.probed = False
        try:
            self.running.send(came)
        except StopIteration:
            self.over = True
        return self.wire.probed


@dataclass(slots=True)
class Worker:
    name: str
    ledger: Ledger
    telemetry: Telemetry
    ahead: float
    """Seconds by which its monotonic clock is ahead of the database's."""
    now: Callable[[], float]
    """The database's clock."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    probing: set[str] = field(default_factory=set)
    incarnation: int = 0
    stopped_until: float = 0.0

    def lane(self, kind: Kind) -> Lane:
        """The production lane with the vendor's own plan, and no HTTP."""
        if kind.name not in self.lanes:
            wire, secrets = Wire(), Credential({})
            vendor = replace(
                kind.vendor,
                request=wire.request,
                read=read,
                sign=lambda request, *_: request,
                probe=lambda options: PROBE,
            )
            pace, caller = cast(Pace, Departures()), cast(Caller, wire)
            account = Account(kind.name, vendor, kind.options, caller, pace, lambda: secrets)
            self.lanes[kind.name] = Lane(
                kind.name, account, kind.options, str, self.ledger, cast(Any, _in_place), self.telemetry, self.name,
                0.0, lambda: False, self._watched, lambda: 0.5, lambda: datetime.now(UTC),
            )  # fmt: skip
        return self.lanes[kind.name]

    async def _watched(self) -> None:
        self.watch()

    def watch(self) -> None:
        """Reads in the ledger whom nobody may call now."""
        holds = self.ledger.holds()
        paused = {hold.destination for hold in holds if hold.reason == "paused"}
        for name, lane in self.lanes.items():
            stopped = [hold.reason for hold in holds if hold.account == name and hold.reason != "budget"]
            lane.account.obstacle = stopped[0] if stopped else None
            lane.account.throttled = "throttled" in stopped
            lane.account.seen = self.now() + self.ahead
            lane.paused = name in paused

    def begin(self, kind: Kind, grant: Grant, monotonic: float) -> Flight:
        """The lane's own call, up to where it waits for its turn. Who steps it waits until its tokens are free."""
        lane = self.lane(kind)
        flight = Flight(lane, cast(Wire, lane.account.caller), lane._bring(grant, monotonic, monotonic))
        flight.go_on()
        return flight

    def probe(self, kind: Kind) -> Probe | None:
        """The worker's own probe, up to where it waits for its turn; None: there is nothing to probe now, or it is
        being probed."""
        account = self.lane(kind).account
        if not account.held() or not account.unpaused() or kind.name in self.probing:
            return None
        probing = Probing(self.ledger, cast(Any, _in_place), self.telemetry, self._watched, lambda: 0.5)
        probe = Probe(cast(Wire, account.caller), probing.probe(account))
        probe.go_on()
        if probe.over:
            return None
        self.probing.add(kind.name)
        return probe

    def die(self) -> None:
        self.incarnation += 1
        self.stopped_until = 0.0
        self.lanes.clear()
        self.probing.clear()


async def _in_place(method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return method(*args, **kwargs)
