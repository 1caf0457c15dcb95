"""The sender of one destination: claims what is ready, calls the vendor inside the quota, settles what came of it.

It decides nothing about an entry: the vendor words the call and reads the answer, the ledger's transitions do the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from pipeline.account import FRESH, Account
from pipeline.calls import CallFailed, told
from pipeline.ledger import HOLD_AFTER, SLACK, DataRefused, Grant, Ledger, LedgerUnavailable, Result, Settled
from pipeline.model.blame import Answer, verdict
from pipeline.model.facts import NOTHING, Facts
from pipeline.model.outcome import (
    Accepted,
    Outcome,
    Rejected,
    Retry,
    Unauthorized,
    Unconfirmed,
    Unknown,
    label,
)
from pipeline.model.pause import asked_for
from pipeline.model.trace import kept
from pipeline.model.wire import Response, SecretMissing, Sent
from pipeline.pacing import until
from pipeline.telemetry import Telemetry
from pipeline.threads import InThreads
from pipeline.tokens import TokenUnavailable
from pipeline.vendors.contract import Situation
from pipeline.wording import Worded, worded

IDLE_WAIT = 0.25
"""Seconds after which a lane looks again for what other workers or housekeeping made ready."""
TOKEN_WAIT = 0.05
"""Seconds after which it looks again for a token, or a quarter of what lies between two calls, whichever is longer:
another worker's call may have given one back."""
LONGEST_WAIT = 1.0
"""Seconds after which it looks again in any case."""
CLAIM_EVERY = 0.05
"""Seconds between two claims: what becomes ready in the meantime shares one transaction."""
SETTLE_EVERY = 0.05
"""Seconds for which results wait for others to be settled with: no token is free before a window has passed."""
UNTIL_HELD = 0.5
"""Seconds in which the ledger learns of failures that hold an account."""
IN_HAND = 0.1
"""Seconds' worth of calls that are claimed beyond those under way, so that none waits for the next claim."""


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
    interval: float
    """Seconds between two calls that the quota allows in the long run; 0: any number."""
    in_burst: Callable[[], bool]
    """Whether what is wanted is being superseded at this moment: then calls are not worth their quota yet."""
    watch: Callable[[], Awaitable[None]]
    """Reads anew what must not be called."""
    random: Callable[[], float]
    wall: Callable[[], Any]
    """The present time with a zone, for HTTP dates and freshness only."""
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something may have become ready."""
    paused: bool = False
    """By a person, as last read from the ledger."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _calls: set[asyncio.Task[None]] = field(default_factory=set)
    _unsent: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    """Calls of which no byte has left, by the identity of their grants."""
    _full: bool = False
    """Whether only calls that end let it claim more."""
    _resume: float = 0.0
    """When it may claim again, in monotonic time."""
    _results: asyncio.Queue[Result] = field(default_factory=asyncio.Queue)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping`; then gives back what has not left, lets what has end, and settles it. The caller bounds
        how long."""
        settler = asyncio.create_task(self._settle_all())
        self._stopping = stopping
        try:
            while not stopping.is_set():
                if settler.done():
                    settler.result()  # raises: who cannot settle must not go on calling
                await self._turn(stopping)
            await asyncio.sleep(0)  # each call has begun, and can give back what it holds
            for call in self._unsent.values():
                call.cancel()
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
        room = self._room()
        more, self._full = False, room <= 0
        if not self._full and not self.paused and self.account.open() and not (self.interval and self.in_burst()):
            try:
                more = await self._claim(room)
            except LedgerUnavailable as error:
                self.telemetry.waiting_for("ledger", str(error))
                self._resume = time.monotonic() + LONGEST_WAIT
        if not more:
            await _any_of(IDLE_WAIT, self.work, stopping)
        await _any_of(self._resume - time.monotonic(), stopping)

    def _room(self) -> int:
        """Calls to claim: as many as can be under way at once, and will leave until the next claim."""
        concurrency = self.account.caller.concurrency
        at_once, ahead = int(concurrency.limit), concurrency.rate()
        if self.interval:
            # No more than can leave, evenly spaced, while the claim is good to start a call.
            at_once, ahead = min(at_once, ceil(1.5 / self.interval)), min(ahead, 1 / self.interval)
        return at_once + int(ahead * IN_HAND) - len(self._calls)

    async def _claim(self, room: int) -> bool:
        """Starts calls for what it got; whether there is more, which only waits for tokens or room."""
        started = time.monotonic()
        claim = await self.in_threads(self.ledger.claim, self.destination, self.owner, room, self.account.lease)
        claimed = time.monotonic()
        if claim.grants or claim.wait is not None:  # else what comes next need not wait
            self._resume = claimed + self._rest(claim.wait)
        if claim.grants:
            self.telemetry.claim(len(claim.grants), claimed - started)
        for grant in claim.grants:
            call = asyncio.create_task(self._bring(grant, started, claim.at + grant.wait))
            self._calls.add(call)
            self._unsent[id(grant)] = call
            call.add_done_callback(self._called)
        return claim.wait is not None

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if self._full:
            self.work.set()

    def _rest(self, wait: float | None) -> float:
        """Seconds until the next claim, where this one said to `wait` for a token or to come again as work does."""
        return CLAIM_EVERY if wait is None else min(wait, max(TOKEN_WAIT, self.interval / 4), LONGEST_WAIT)

    # one call ------------------------------------------------------------------------------------------------------

    async def _bring(self, grant: Grant, claimed: float, departs: float) -> None:
        """One grant, from the claim to its result. It leaves once its tokens are free."""
        try:
            await until(departs)
            result = await self._attempt(grant, claimed)
        except asyncio.CancelledError:
            if id(grant) not in self._unsent:
                raise
            result = Result(grant, (), self.account.name, sent="never")
        except LedgerUnavailable as error:
            self.telemetry.waiting_for("ledger", str(error))
            result = Result(grant, (), self.account.name, sent="never")
        except Exception as error:  # whether it left is not known: its lease will run out, which makes it Unknown
            self.telemetry.loop_failed("lane", error)
            return
        finally:
            self._unsent.pop(id(grant), None)
        self._results.put_nowait(result)

    async def _attempt(self, grant: Grant, claimed: float) -> Result:
        situations = [Situation.of(facts, self.vendor_key(facts.key), self.options) for facts in grant.entries]
        call = worded(self.account.vendor, situations, lambda error: self.telemetry.loop_failed("wording", error))
        if call.request is None:
            return self._result(grant, call, (), time.monotonic(), sent="never")
        await self.account.pace.turn()
        access = await self.account.access()
        if isinstance(access, TokenUnavailable):
            return await self._held(grant, "unauthorized" if access.reason == "refused" else "token_server")
        try:
            signed = self.account.signed(call.request, access)
        except SecretMissing as missing:
            self.telemetry.secret_missing(self.account.name, missing.name, missing.why)
            return await self._held(grant, "unauthorized")
        except Exception as error:  # a secret that nothing can be signed with, as while somebody replaces it
            self.telemetry.loop_failed("signing", error)
            return await self._held(grant, "unauthorized")
        if time.monotonic() - max(claimed, self.account.seen) > FRESH / 2:
            await self.watch()
        begun = time.monotonic()
        with self.telemetry.spans.call(self.destination, call.step.value, grant.entries) as say:
            answered = await self.account.caller.send(signed, lambda: self._leaves(grant, claimed))
            result = self._answered(grant, call, answered, access, begun)
            spoken = verdict(result.answers)
            say("calends.outcome", "not_sent" if spoken is None else label(spoken.outcome))
            return result

    async def _held(self, grant: Grant, reason: str) -> Result:
        await self.in_threads(self.ledger.hold, self.account.name, reason)
        return Result(grant, (), self.account.name, sent="never")

    def _leaves(self, grant: Grant, claimed: float) -> bool:
        """Asked right before the bytes go out. From then on it cannot be given back."""
        leaves = self._may_go(claimed)
        if leaves:
            self._unsent.pop(id(grant), None)
        return leaves

    def _may_go(self, claimed: float) -> bool:
        """A claim is good for a while only, and void once somebody pauses; what was read of that is good for a shorter
        while. A worker that was frozen knows neither."""
        now, account = time.monotonic(), self.account
        open_now = not self.paused and account.open() and now - max(claimed, account.seen) < FRESH
        return open_now and now - claimed < SLACK and not self._stopping.is_set()

    def _answered(
        self, grant: Grant, call: Worded, answered: Response | CallFailed, access: str | None, begun: float
    ) -> Result:
        said = told(answered)
        match answered:
            case CallFailed(kind="too_late"):
                return Result(grant, (), self.account.name, sent="never")
            case CallFailed(kind="not_sent"):
                failed = self._result(grant, call, [Retry()] * len(call.situations), begun, "never", said)
                return self._judged(failed, access)
            case CallFailed(code=code):
                lost = self._result(grant, call, [Unknown(code)] * len(call.situations), begun, "lost", said)
                return self._judged(lost, access)
            case Response():
                read = self._result(grant, call, self._read(call, answered), begun, said=said)
                return self._judged(replace(read, pause=asked_for(answered, self.wall())), access)

    def _read(self, call: Worded, response: Response) -> Sequence[Outcome]:
        situations = list(call.situations.values())
        try:
            outcomes = list(self.account.vendor.read(call.step, situations, response, self.wall()))
            if len(outcomes) == len(situations):
                return outcomes
            raise ValueError("an outcome is missing")
        except Exception as error:
            self.telemetry.loop_failed("reading", error)
            return [Unknown("unreadable")] * len(situations)

    def _judged(self, result: Result, access: str | None) -> Result:
        """What the answer says of the account, at once in this process; the others read it in the ledger."""
        account, answer = self.account, verdict(result.answers)
        if answer is None:
            return result
        if result.throttled is not None:
            account.throttle(result.throttled, answer.asked, answer.at, answer.jitter)
        match answer.outcome:
            case Unauthorized() if account.tokens is not None:
                if access is not None:
                    account.tokens.invalidate(access)
                return replace(result, renewable=True)
            case Unauthorized():
                account.stop(answer.at + UNTIL_HELD)
            case Unknown() | Retry():
                account.failures += 1
                if account.failures >= HOLD_AFTER:
                    account.stop(answer.at + UNTIL_HELD)
                in_a_row = account.failures > 1
                return replace(result, answers=tuple(a and replace(a, in_a_row=in_a_row) for a in result.answers))
            case Accepted() | Unconfirmed():
                account.failures = account.refusals = 0
            case _:
                pass
        return result

    def _result(
        self,
        grant: Grant,
        call: Worded,
        outcomes: Sequence[Outcome],
        begun: float,
        sent: Sent = "answered",
        said: str = "",
    ) -> Result:
        """One answer for each entry; None for one that the call did not speak for."""
        now = time.monotonic()
        came = dict(zip(call.situations, outcomes, strict=True))
        answers = tuple(
            self._answer(facts, call, came.get(place), call.refused.get(place), begun, now)
            for place, facts in enumerate(grant.entries)
        )
        result = Result(grant, answers, self.account.name, sent, said=said)
        spoken = verdict(answers)
        if spoken is not None:
            vendor, came_to = self.account.vendor.name, label(spoken.outcome)
            self.telemetry.call_finished(
                self.destination, vendor, call.step.value, came_to, now - begun, len(came), grant.entries, said
            )
        return result

    def _answer(
        self, facts: Facts, call: Worded, came: Outcome | None, refused: Rejected | None, asked: float, at: float
    ) -> Answer | None:
        outcome = refused or came
        if outcome is None:
            return None
        return Answer(
            epoch=facts.epoch,
            outcome=outcome,
            step="find" if refused else call.step.value,
            sent=None if facts.wanted_hash == NOTHING else facts.desired,
            sent_hash=facts.sent_hash or NOTHING,
            identity=facts.identity,
            asked=asked,
            at=at,
            jitter=self.random(),
            # The vendor's folder cannot word it: nothing was sent.
            certain=refused is not None,
            together=len(call.situations),
        )

    # settling ------------------------------------------------------------------------------------------------------

    async def _settle_all(self) -> None:
        """Settles what has come in, as many as there are in one transaction; keeps them while the ledger is away."""
        while True:
            batch = [await self._results.get()]
            await asyncio.sleep(SETTLE_EVERY)
            while len(batch) < 200 and not self._results.empty():
                batch.append(self._results.get_nowait())
            await self._settle(batch)
            for _ in batch:
                self._results.task_done()

    async def _settle(self, batch: list[Result]) -> None:
        while True:
            try:
                settled = await self.in_threads(self.ledger.settle, batch)
            except LedgerUnavailable as error:
                self.telemetry.waiting_for("ledger", str(error))
                await asyncio.sleep(1.0)
                continue
            except DataRefused as error:
                # Left to its lease, which makes it Unknown; the others of the batch are settled one by one.
                self.telemetry.loop_failed("settling", error)
                for result in batch if len(batch) > 1 else ():
                    await self._settle([result])
                return
            for one in settled:
                self._tell(one)
            if any(one.after.state == "ready" for one in settled):
                self.work.set()
            return

    def _tell(self, one: Settled) -> None:
        if one.answer is None:
            return
        outcome = one.answer.outcome
        if isinstance(outcome, Accepted | Unconfirmed) or one.after.state in ("idle", "dead"):
            self.telemetry.entry_settled(self.destination, label(outcome), self.wall().timestamp(), one.good, one.due)
        if one.after.state == "dead" and one.before.state != "dead":
            reason = outcome.reason if isinstance(outcome, Rejected) else "too_many_attempts"
            key_hash = self.telemetry.key_hash(one.after.key)
            parent = kept(one.before.raws)
            self.telemetry.entry_dead(self.destination, self.account.vendor.name, reason, key_hash, parent)


async def _any_of(seconds: float, *events: asyncio.Event) -> None:
    """Until one of them is set, or so long."""
    if seconds <= 0:
        return
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
