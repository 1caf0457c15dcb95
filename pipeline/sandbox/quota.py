"""A quota over any sliding window, kept as a log of arrivals. No clock: the time is passed in."""

from __future__ import annotations

from collections import deque

from pipeline.sandbox.settings import Windows


class Window:
    """At most `calls` admitted in any `seconds`; `worst` is the largest number that arrived in one."""

    def __init__(self, calls: int, seconds: float) -> None:
        self.calls, self.seconds, self.worst = calls, seconds, 0
        self.admitted: deque[float] = deque()
        self.arrived: deque[float] = deque()

    def arrive(self, now: float) -> None:
        for log in (self.admitted, self.arrived):
            while log and log[0] <= now - self.seconds:
                log.popleft()
        self.arrived.append(now)
        self.worst = max(self.worst, len(self.arrived))

    def wait(self, now: float) -> float:
        """Seconds until one more call would be admitted; 0 when it is now."""
        if len(self.admitted) < self.calls:
            return 0.0
        if self.calls == 0:
            return self.seconds
        return self.admitted[len(self.admitted) - self.calls] + self.seconds - now


class Quota:
    """All windows of an account. A refused call does not count towards them; it does count as arrived."""

    def __init__(self, windows: Windows, before: Quota | None = None) -> None:
        self.spec = windows
        self.windows = [Window(calls, seconds) for calls, seconds in windows]
        for window in self.windows if before else ():
            self._inherit(window, before)

    def take(self, now: float) -> float:
        """Admits the call and returns 0, or returns the seconds to wait."""
        for window in self.windows:
            window.arrive(now)
        wait = max((window.wait(now) for window in self.windows), default=0.0)
        if wait <= 0:
            for window in self.windows:
                window.admitted.append(now)
        return max(wait, 0.0)

    @staticmethod
    def _inherit(window: Window, before: Quota | None) -> None:
        longest = max(before.windows if before else (), key=lambda old: old.seconds, default=None)
        if longest is not None:
            window.admitted.extend(longest.admitted)
            window.arrived.extend(longest.arrived)
