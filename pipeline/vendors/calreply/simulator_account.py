"""What a merchant's account at the simulated CalReply holds, and its acts that are still to be carried out.

It knows no call: what is asked for, and what is refused, is said elsewhere.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from uuid import UUID

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_checks import Event, RefusedError

Act = Callable[[float], None]
"""What is carried out, at its time."""


class Account:
    """`delay`: seconds between the 202 and the act."""

    def __init__(self, code: str, delay: float) -> None:
        self._code = code
        self.items: dict[str, list[Event]] = {}
        """Key → events of that key, more than one where it was said to be made twice."""
        self.subscriptions: dict[str, Event] = {}
        """Id → subscription; one that has `ended` stays."""
        self.writes: dict[str, list[tuple[float, str, str]]] = {}
        self.homes: dict[str, set[str]] = {}
        self._delay = delay
        self._pending: list[tuple[float, int, Act]] = []
        self._counter = 0
        self._last = 0.0

    def new_id(self, kind: str) -> str:
        """32 hexadecimal digits that nothing else has."""
        return hashlib.md5(f"{kind} {self._next()}".encode(), usedforsecurity=False).hexdigest()

    def new_guid(self, kind: str) -> str:
        return str(UUID(self.new_id(kind)))

    def accept(self, now: float, act: Act) -> Response:
        self.later(now + self._delay, act)
        return Response(202)

    def later(self, due: float, act: Act) -> None:
        heapq.heappush(self._pending, (due, self._next(), act))

    def settle(self, now: float | None = None) -> None:
        """Carries out what is due; None: at the newest time that was heard of."""
        now = self._last if now is None else now
        self._last = max(self._last, now)
        while self._pending and self._pending[0][0] <= now:
            due, _, act = heapq.heappop(self._pending)
            act(due)

    def check_code(self, code: str) -> None:
        if code != self._code:
            raise RefusedError(400, "account code is not known")

    def note(self, key: str, kind: str, title: str, at: float) -> None:
        self.writes.setdefault(key, []).append((at, kind, title))

    def _next(self) -> int:
        self._counter += 1
        return self._counter
