"""Threads in which the ledger's methods run: it is synchronous, and the loop must not wait for it.

They end with the process. A pool of the standard library would be waited for at its exit, and a database that hangs
would keep it from ending.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Call = tuple[Future[Any], Callable[[], Any]]


class InThreads(Protocol):
    """Runs one of the ledger's methods in a thread."""

    def __call__(self, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


class Threads:
    """One thread for SQLite's one writer, several for PostgreSQL."""

    def __init__(self, count: int) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._count = count
        for number in range(count):
            Thread(target=_work, args=(self._calls,), name=f"ledger-{number}", daemon=True).start()

    async def __call__(self, method: Any, /, *args: Any, **kwargs: Any) -> Any:
        future: Future[Any] = Future()
        self._calls.put((future, functools.partial(method, *args, **kwargs)))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """What has not begun never will; what is under way is not waited for."""
        while (call := _waiting(self._calls)) is not None:
            call[0].cancel()
        for _ in range(self._count):
            self._calls.put(None)


def _waiting(calls: SimpleQueue[Call | None]) -> Call | None:
    try:
        return calls.get_nowait()
    except Empty:
        return None


def _work(calls: SimpleQueue[Call | None]) -> None:
    while (call := calls.get()) is not None:
        future, method = call
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(method())
            except BaseException as error:  # whoever asked for it is told
                future.set_exception(error)
        del call, future, method  # nothing is kept while it waits for the next one
