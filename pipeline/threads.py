"""Threads in which the ledger's methods run: it is synchronous, and the loop must not wait for it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class InThreads(Protocol):
    """Runs one of the ledger's methods in a thread."""

    def __call__(self, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


class Threads:
    """One thread for SQLite's one writer, several for PostgreSQL."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, "ledger")

    async def __call__(self, method: Any, /, *args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(method, *args, **kwargs))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
