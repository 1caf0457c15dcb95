"""The sender of one destination: claims what is ready, calls the vendor inside the quota, settles what came of it.

It decides nothing about an entry: the vendor words the call and reads the answer, the ledger's transitions do the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol, TypeVar

from pipeline.calls import Caller, CallFailed
from pipeline.ledger import MARGIN, SLACK, DataRefused, Grant, Ledger, LedgerUnavailable, Result, Settled
from pipeline.model.blame import Answer
from pipeline.model.facts import NOTHING, UNSURE, Facts
from pipeline.model.outcome import (
    Accepted,
    Outcome,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
    label,
)
from pipeline.model.wire import Credential, Request, Response
from pipeline.pacing import Pace
from pipeline.telemetry import Telemetry
from pipeline.tokens import Tokens, TokenUnavailable
from pipeline.vendors.contract import Situation, Step, Vendor

P = ParamSpec("P")
T = TypeVar("T")

IDLE_WAIT = 0.25
"""Seconds after which a lane looks again for what other workers or housekeeping made ready."""
TOKEN_WAIT = 0.05
"""Seconds after which it looks again for a token: another worker's call may have given one back."""


class InThreads(Protocol):
    """Runs one of the ledger's methods in a thread."""

    def __call__(self, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


@dataclass(slots=True)
class Account:
    """What the lanes of one account share in this process."""

    name: str
    vendor: Vendor
    options: Mapping[str, Any]
    caller: Caller
    pace: Pace
    credential: Callable[[], Credential] = field(repr=False)
    tokens: Tokens | None = None
    obstacle: str | None = None
    """Why nobody may call it now, as last read from the ledger."""

    async def access(self) -> str | TokenUnavailable | None:
        return None if self.tokens is None else await self.tokens.token()

    def signed(self, request: Request, access: str | None) -> Request:
        return self.vendor.sign(request, self.credential(), access)


@dataclass(slots=True)
class Lane:
    destination: str
    account: Account
    options: Mapping[str, Any]
    vendor_key: Callable[[str], str]
    ledger: Ledger
    in_threads: InThreads
    telemetry: Telemetry
    owner: str
    timeout: float
    capacity: int
    random: Callable[[], float]
    wall: Callable[[], Any]
    """The present time with a zone, for HTTP dates and freshness only."""
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something may have become ready."""
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _results: asyncio.Queue[Result] = field(default_factory=asyncio.Queue)
    _settling: int = 0

    @property
    def in_flight(self) -> int:
        return len(self._calls)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; then lets what is under way end and settles it. The caller bounds how long."""
        settler = asyncio.create_task(self._settle_all())
        try:
            while not stopping.is_set():
                if settler.done():
                    settler.result()  # raises: who cannot settle must not go on calling
                await self._turn(stopping)
            if self._calls:
                await asyncio.wait(self._calls)
            await self._results.join()
        finally:
            for call in self._calls:
                call.cancel()
            settler.cancel()
            await asyncio.gather(*self._calls, settler, return_exceptions=True)

    async def _turn(self, stopping: asyncio.Event) -> None:
        self.work.clear()
        room = self.capacity - len(self._calls)
        wait = IDLE_WAIT
        if room > 0 and self.account.obstacle is None:
            try:
                wait = await self._claim(room)
            except LedgerUnavailable as error:
                self.telemetry.waiting_for("ledger", str(error))
                wait = 1.0
        if wait > 0:
            await self._pause(wait, stopping)

    async def _claim(self, room: int) -> float:
        """Starts calls for what it got; the seconds until it is worth asking again."""
        started = time.monotonic()
        lease = SLACK + self.timeout + MARGIN
        claim = await self.in_threads(self.ledger.claim, self.destination, self.owner, room, lease)
        if not claim.grants:
            return IDLE_WAIT if claim.wait is None else min(max(claim.wait, 0.002), TOKEN_WAIT)
        self.telemetry.claim(len(claim.grants), time.monotonic() - started)
        for grant in claim.grants:
            call = asyncio.create_task(self._bring(grant, started))
            self._calls.add(call)
            call.add_done_callback(self._called)
        return 0.0

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self.work.set()

    async def _pause(self, seconds: float, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self.work.wait()), asyncio.ensure_future(stopping.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    # one call ------------------------------------------------------------------------------------------------------

    async def _bring(self, grant: Grant, claimed: float) -> None:
        """One grant, from the claim to its result."""
        try:
            result = await self._attempt(grant, claimed)
        except LedgerUnavailable as error:
            self.telemetry.waiting_for("ledger", str(error))
            result = Result(grant, None, self.account.name, sent=False)
        except Exception as error:  # whether it left is not known: its lease will run out, which makes it Unknown
            self.telemetry.loop_failed("lane", error)
            return
        self._results.put_nowait(result)

    async def _attempt(self, grant: Grant, claimed: float) -> Result:
        situation = self._situation(grant.facts)
        worded = self._worded(situation)
        if isinstance(worded, Rejected):
            return self._refused_here(grant, worded)
        step, request = worded
        await self.account.pace.turn()
        access = await self.account.access()
        if isinstance(access, TokenUnavailable):
            return await self._held(grant, "unauthorized" if access.reason == "refused" else "token_server")
        try:
            signed = self.account.signed(request, access)
        except Exception as error:  # a secret is missing or no text, as while somebody replaces it
            self.telemetry.loop_failed("signing", error)
            return await self._held(grant, "unauthorized")
        begun = time.monotonic()
        answered = await self.account.caller.send(signed, lambda: self._may_go(claimed))
        return self._result(grant, situation, step, answered, access, begun)

    def _worded(self, situation: Situation) -> tuple[Step, Request] | Rejected:
        """The call, unsigned. A vendor's folder that fails on one entry must not stop the others."""
        try:
            step = self.account.vendor.plan(situation)
            if isinstance(step, Rejected):
                return step
            return step, self.account.vendor.request(step, [situation])
        except Exception as error:
            self.telemetry.loop_failed("wording", error)
            return Rejected("invalid", type(error).__name__)

    async def _held(self, grant: Grant, reason: str) -> Result:
        await self.in_threads(self.ledger.hold, self.account.name, reason)
        return Result(grant, None, self.account.name, sent=False)

    def _may_go(self, claimed: float) -> bool:
        """Asked right before the bytes go out: a claim is good for a while only, and void once the account pauses."""
        return self.account.obstacle is None and time.monotonic() - claimed < SLACK

    def _situation(self, facts: Facts) -> Situation:
        wanted = None if facts.wanted_hash == NOTHING else facts.desired
        return Situation(
            key=self.vendor_key(facts.key),
            wanted=wanted,
            observed=facts.observed,
            identity=facts.identity,
            observed_identity=facts.observed_identity,
            vendor_id=facts.vendor_id,
            unsure=facts.observed_hash == UNSURE,
            absent=facts.absent,
            options=self.options,
        )

    def _result(
        self,
        grant: Grant,
        situation: Situation,
        step: Step,
        answered: Response | CallFailed,
        access: str | None,
        begun: float,
    ) -> Result:
        account, now = self.account, time.monotonic()
        outcome: Outcome
        sent = not (isinstance(answered, CallFailed) and answered.kind == "not_sent")
        match answered:
            case CallFailed(kind="too_late"):
                return Result(grant, None, account.name, sent=False)
            case CallFailed(kind="not_sent"):
                outcome = Retry()
            case CallFailed():
                outcome = Unknown(answered.code)
            case Response():
                outcome = self._read(step, situation, answered)
        renewable = isinstance(outcome, Unauthorized) and account.tokens is not None
        if renewable and account.tokens is not None and access is not None:
            account.tokens.invalidate(access)
        if isinstance(outcome, Throttled):
            account.obstacle = "throttled"
        self.telemetry.call_finished(self.destination, account.vendor.name, step.value, label(outcome), now - begun, 1)
        answer = self._answer(grant, outcome, step.value, situation, begun, now)
        after = outcome.after if isinstance(outcome, Throttled) else None
        return Result(grant, answer, account.name, sent, after, renewable)

    def _read(self, step: Step, situation: Situation, response: Response) -> Outcome:
        try:
            return self.account.vendor.read(step, [situation], response, self.wall())[0]
        except Exception as error:
            self.telemetry.loop_failed("reading", error)
            return Unknown("unreadable")

    def _answer(
        self, grant: Grant, outcome: Outcome, step: str, situation: Situation, asked: float, at: float
    ) -> Answer:
        return Answer(
            epoch=grant.facts.epoch,
            outcome=outcome,
            step=step,
            sent=situation.wanted,
            sent_hash=grant.facts.sent_hash or NOTHING,
            identity=situation.identity,
            asked=asked,
            at=at,
            jitter=self.random(),
        )

    def _refused_here(self, grant: Grant, outcome: Rejected) -> Result:
        """The vendor's folder cannot word it: certain, and nothing was sent."""
        facts = grant.facts
        answer = Answer(
            epoch=facts.epoch,
            outcome=outcome,
            step="find",
            sent=None,
            sent_hash=facts.sent_hash or NOTHING,
            identity=facts.identity,
            asked=time.monotonic(),
            at=time.monotonic(),
            jitter=0.0,
            certain=True,
        )
        return Result(grant, answer, self.account.name, sent=False)

    # settling ------------------------------------------------------------------------------------------------------

    async def _settle_all(self) -> None:
        """Settles what has come in, as many as there are in one transaction; keeps them while the ledger is away."""
        while True:
            batch = [await self._results.get()]
            while len(batch) < 200 and not self._results.empty():
                batch.append(self._results.get_nowait())
            await self._settle(batch)
            for _ in batch:
                self._results.task_done()
            self.work.set()

    async def _settle(self, batch: list[Result]) -> None:
        while True:
            try:
                for one in await self.in_threads(self.ledger.settle, batch):
                    self._tell(one)
                return
            except LedgerUnavailable as error:
                self.telemetry.waiting_for("ledger", str(error))
                await asyncio.sleep(1.0)
            except DataRefused as error:
                # Left to its lease, which makes it Unknown; the others of the batch are settled one by one.
                self.telemetry.loop_failed("settling", error)
                for result in batch if len(batch) > 1 else ():
                    await self._settle([result])
                return

    def _tell(self, one: Settled) -> None:
        if one.answer is None:
            return
        outcome = one.answer.outcome
        freshness = max(0.0, self.wall().timestamp() - one.good) if one.good is not None else None
        if isinstance(outcome, Accepted | Unconfirmed) or one.after.state in ("idle", "dead"):
            self.telemetry.entry_settled(self.destination, label(outcome), freshness)
        if one.after.state == "dead" and one.before.state != "dead":
            reason = outcome.reason if isinstance(outcome, Rejected) else "too_many_attempts"
            key_hash = self.telemetry.key_hash(one.after.key)
            self.telemetry.entry_dead(self.destination, self.account.vendor.name, reason, key_hash)


async def probe(account: Account) -> bool:
    """Whether the vendor answers and takes the credential. The caller has the token of the quota for it."""
    access = await account.access()
    if isinstance(access, TokenUnavailable):
        return False
    request = account.signed(account.vendor.probe(account.options), access)
    answered = await account.caller.send(request)
    if not isinstance(answered, Response):
        return False
    if answered.status == 401 and account.tokens is not None and access is not None:
        account.tokens.invalidate(access)
    return answered.status not in (401, 403, 429) and answered.status < 500
