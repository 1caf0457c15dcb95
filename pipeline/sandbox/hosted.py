"""One hosted account: the vendor's simulator behind its quota and its faults, and the counts of what it saw.

No I/O: it decides what happens to a call; the server carries it out.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import pairwise
from math import ceil
from typing import Any, Protocol

from pipeline.model.wire import Response
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.quota import Quota
from pipeline.sandbox.settings import Account
from pipeline.vendors import simulator

Query = tuple[tuple[str, str], ...]

ARRIVALS_KEPT = 200_000


class Vendor(Protocol):
    """What a `simulator` module's `Simulator` is."""

    token_path: str | None
    writes: dict[str, list[tuple[float, str, str]]]
    homes: dict[str, set[str]]
    """Key → each calendar in which an entry of that key has ever stood."""
    tokens_issued: dict[str, int]

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response: ...
    def refusal(self, status: int) -> Response: ...
    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]: ...
    def revoke(self, now: float) -> None: ...
    def restore(self, now: float) -> None: ...
    def items(self, now: float | None = None) -> list[tuple[str, str]]: ...
    def entries(self, now: float | None = None) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a client, whole; `path` is below the account's base URL."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Verdict:
    """What is to happen to a call: answer `refusal`, or let the vendor act and perhaps lose its answer."""

    key: str
    refusal: Response | None = None
    closed: bool = False
    """The connection is closed without an answer and nothing acts."""
    lost: str | None = None
    """The vendor acts, then: "close", "500" or "hang"."""
    latency: float = 0.0
    late: float = 0.0
    """Seconds by which the act of a lost answer comes later."""
    odd: str | None = None
    """The vendor acts and answers with the right status, but: "malformed", "huge" or "slow"."""


@dataclass(slots=True)
class Counts:
    """What an account saw since it was made or reset."""

    requests: int = 0
    refused_429: int = 0
    token_requests: int = 0
    tokens_now: int = 0
    token_concurrency_max: int = 0
    in_flight: int = 0
    in_flight_max: int = 0
    first_arrival: float | None = None
    last_arrival: float | None = None
    by_status: Counter[str] = field(default_factory=Counter)
    per_second: Counter[int] = field(default_factory=Counter)


class Hosted:
    """An account with its vendor."""

    def __init__(self, account: Account, seed: int, now: float) -> None:
        """Raises ValueError, which names the account and the key, where its `config` or its `faults` cannot be used."""
        self.account, self._seed, self.counts = account, seed, Counts()
        try:
            self.reset(now)
        except KeyError as error:
            raise ValueError(f"account {account.name}: its config needs {error.args[0]}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"account {account.name}: its config or faults cannot be used: {error}") from error

    def reset(self, now: float) -> None:
        """As on the first day."""
        self.vendor: Vendor = simulator(self.account.vendor)(self.account.config)
        self.faults = Faults(self.account.faults, now)
        self.quota = Quota(self.account.quota)
        self.counts = Counts(in_flight=self.counts.in_flight, tokens_now=self.counts.tokens_now)
        self.arrivals: deque[tuple[float, str, str, int]] = deque(maxlen=ARRIVALS_KEPT)
        self._random = random.Random(f"{self._seed} {self.account.name}")
        self._is_revoked, self._lost_tokens = False, 0

    def is_token(self, call: Call) -> bool:
        return call.path == self.vendor.token_path

    def arrive(self, call: Call, now: float) -> Verdict:
        """Counts the call in and decides about it. Each `arrive` is followed by one `depart`."""
        self._apply_standing_faults(now)
        self._count(call, now)
        key, title = self.vendor.peek(call.method, call.path, call.body)
        verdict = Verdict(key, latency=self.faults.get("latency_ms", now, 0.0) / 1000)
        wait = 0.0 if self.is_token(call) else self.quota.take(now)
        if self._is_down(call, verdict, now):
            return verdict
        if wait:
            self.counts.refused_429 += 1
            verdict.refusal = self._too_many(wait, now)
        else:
            self._strike(title, verdict, now)
        return verdict

    def act(self, call: Call, now: float) -> Response:
        return self.vendor.handle(call.method, call.path, call.query, call.headers, call.body, now)

    def depart(self, call: Call, verdict: Verdict, status: int, arrived: float) -> None:
        """Counts the call out; status 0: no answer was given."""
        self.counts.in_flight -= 1
        self.counts.tokens_now -= self.is_token(call)
        self.counts.by_status[str(status) if status else ("closed" if verdict.closed else "lost")] += 1
        self.arrivals.append((arrived, call.method, verdict.key, status))

    # Deciding

    def _apply_standing_faults(self, now: float) -> None:
        wanted = self.faults.get("quota", now, self.account.quota)
        if wanted != self.quota.spec:
            self.quota = Quota(wanted, self.quota)
        lost = self.faults.in_force("tokens_revoked", now)
        if lost not in (0, self._lost_tokens):
            self.vendor.revoke(now)
            self.vendor.restore(now)
            self._is_revoked = False
        self._lost_tokens = lost
        revoked = bool(self.faults.get("revoked", now, False))
        if revoked != self._is_revoked:
            self._is_revoked = revoked
            (self.vendor.revoke if revoked else self.vendor.restore)(now)

    def _is_down(self, call: Call, verdict: Verdict, now: float) -> bool:
        outage = self.faults.get("outage", now, False) or (
            self.is_token(call) and self.faults.get("token_outage", now, False)
        )
        verdict.closed = outage == "closed"
        if outage and not verdict.closed:
            verdict.refusal = self.vendor.refusal(503)
        return bool(outage)

    def _too_many(self, wait: float, now: float) -> Response:
        answer = self.vendor.refusal(429)
        match self.faults.get("retry_after", now, self.account.retry_after):
            case "seconds":
                more = {"retry-after": str(ceil(wait))}
            case "date":
                more = {"retry-after": formatdate(ceil(now + wait), usegmt=True)}
            case _:
                more = {}
        return Response(answer.status, {**answer.headers, **more}, answer.body)

    def _strike(self, title: str, verdict: Verdict, now: float) -> None:
        refused = self.faults.get("refuse_titles", now)
        if refused is not None and title and refused.search(title):
            verdict.refusal = self.vendor.refusal(400)
        elif self._random.random() < self.faults.get("error_rate", now, 0.0):
            verdict.refusal = self.vendor.refusal(self.faults.get("error_status", now, 500))
        elif self._random.random() < self.faults.get("lost_answer_rate", now, 0.0):
            verdict.lost = self.faults.get("lost_answer", now, "close")
            verdict.late = self.faults.get("late_act_ms", now, 0.0) / 1000
        elif self._random.random() < self.faults.get("odd_answer_rate", now, 0.0):
            self._answer_oddly(verdict, now)

    def _answer_oddly(self, verdict: Verdict, now: float) -> None:
        odd = self.faults.get("odd_answer", now, "malformed")
        if odd == "redirect":  # elsewhere at the same account: whoever follows it is seen to arrive
            place = f"/{self.account.vendor}/{self.account.name}/moved"
            verdict.refusal = Response(307, {"location": place}, b"")
        else:
            verdict.odd = odd

    # Counting

    def _count(self, call: Call, now: float) -> None:
        counts = self.counts
        counts.requests += 1
        counts.in_flight += 1
        counts.in_flight_max = max(counts.in_flight_max, counts.in_flight)
        counts.first_arrival = now if counts.first_arrival is None else counts.first_arrival
        counts.last_arrival = now
        if self.is_token(call):
            counts.token_requests += 1
            counts.tokens_now += 1
            counts.token_concurrency_max = max(counts.token_concurrency_max, counts.tokens_now)
        else:
            counts.per_second[int(now)] += 1

    def counters(self, now: float) -> dict[str, Any]:
        """What `GET /_counters` shows of this account."""
        counts = self.counts
        worst = [{"calls": w.calls, "seconds": w.seconds, "worst": w.worst} for w in self.quota.windows]
        return {
            "vendor": self.account.vendor,
            "requests": counts.requests,
            "by_status": dict(counts.by_status),
            "refused_429": counts.refused_429,
            "calls": counts.requests - counts.token_requests,
            "token_requests": counts.token_requests,
            "token_concurrency_max": counts.token_concurrency_max,
            "tokens_issued": dict(self.vendor.tokens_issued),
            "in_flight_max": counts.in_flight_max,
            "worst_window": worst[0]["worst"] if worst else 0,
            "worst_windows": worst,
            "first_arrival": counts.first_arrival,
            "last_arrival": counts.last_arrival,
            "per_second": sorted(counts.per_second.items()),
            "items": len(self.vendor.items(now)),
            "faults": self.faults.active(now),
        }

    def judgement(self, now: float) -> dict[str, Any]:
        """Doubles: keys with more than one item now, or created again without a delete between."""
        items = Counter(key for key, _ in self.vendor.items(now))
        kinds = {key: [kind for _, kind, _ in writes] for key, writes in self.vendor.writes.items()}
        doubles = {key for key, count in items.items() if count > 1} | {k for k, v in kinds.items() if _repeats(v)}
        total = Counter(kind for kept in kinds.values() for kind in kept)
        return {
            "doubles": sorted(doubles),
            "double_count": len(doubles),
            "items": items.total(),
            "keys": len(kinds),
            "writes": total.total(),
            "creates": total["create"],
            "updates": total["update"],
            "deletes": total["delete"],
        }


def _repeats(kinds: list[str]) -> bool:
    """Whether a create follows a create with no delete between them."""
    marks = [kind for kind in kinds if kind != "update"]
    return any(first == second == "create" for first, second in pairwise(marks))
