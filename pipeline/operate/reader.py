"""Reads of a vendor, one call each, within half of the account's quota: the lanes keep the other half.

A read is repeated; what stops the account ends the work with a word, and it may be begun again where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from pipeline.calls import CallFailed
from pipeline.ledger import Stopped
from pipeline.model.wire import MAX_IDENTITY, Request, Response
from pipeline.operate.sending import InQuota, NoPlace
from pipeline.tokens import TokenUnavailable
from pipeline.vendors.contract import Item, Page, ReadBack, Situation, Unread, Vendor, Window

ATTEMPTS = 5
THROTTLED = 429
MOST_PAGES = 10_000
"""Of one list: what an account holds is fewer, so that a list which never ends is told as one."""


class Halted(Exception):
    """The vendor cannot be read on; the text says why, and what has been done is kept."""


def bounded(shown: Page | Unread) -> Page | Unread:
    """What is shown, as it can be kept: whoever writes into the vendor's calendar chooses what stands there. An id that
    cannot be is none, and a key of ours that cannot be is another's."""
    if isinstance(shown, Unread):
        return shown
    return replace(shown, items=tuple(map(_bounded, shown.items)))


def _bounded(item: Item) -> Item:
    if _can_be(item.id) and _can_be(item.mark):
        return item
    return replace(item, id=item.id if _can_be(item.id) else None, mark=item.mark if _can_be(item.mark) else "")


def _can_be(name: str | None) -> bool:
    return name is None or (len(name) <= MAX_IDENTITY and name.isprintable())


@dataclass(slots=True)
class Reader:
    """What is asked of one destination's vendor. Every method raises Halted, and LedgerUnavailable."""

    sending: InQuota
    windows: tuple[Window, ...]
    calls: int = 0
    _under_way: int = 0
    _ended: asyncio.Condition = field(default_factory=asyncio.Condition)
    _next: float = 0.0
    """When the next read may leave, in monotonic time."""

    @property
    def vendor(self) -> Vendor:
        return self.sending.account.vendor

    @property
    def back(self) -> ReadBack:
        assert self.vendor.read_back is not None
        return self.vendor.read_back

    async def pages(self, place: str) -> AsyncIterator[Page | Unread]:
        """A place's list until its last page, or until one is unread. Halted where the list has no end."""
        before = Page()
        for number in range(1, MOST_PAGES + 1):
            shown = await self._read(self.back.list(place, number, self.sending.account.options))
            if isinstance(shown, Page) and shown.items and shown.items == before.items:
                raise Halted(f"the vendor shows page {number - 1} of a list again as page {number}: it has no end")
            yield shown
            if isinstance(shown, Unread) or not shown.more:
                return
            before = shown
        raise Halted(f"the vendor shows {MOST_PAGES:,} pages of a list and says that there are more")

    async def look(self, situation: Situation) -> Page | Unread:
        asked = self.back.look(situation)
        return asked if isinstance(asked, Unread) else await self._read(asked)

    async def remove(self, identity: str) -> str:
        """Deletes one item: `removed`, also where it is gone already, or `refused CODE`."""
        if self.back.remove is None:
            return "cannot be removed"
        came = await self._answer(self.back.remove(identity), lambda response: response.status < 500)
        gone = came.status in (404, 410) or 200 <= came.status < 300
        return "removed" if gone else f"refused http_{came.status}"

    async def _read(self, request: Request) -> Page | Unread:
        shown: list[Page | Unread] = []

        def readable(response: Response) -> bool:
            read = self.back.read(response)
            shown.extend([] if read is None else [bounded(read)])
            return read is not None

        await self._answer(request, readable)
        return shown[-1]

    async def _answer(self, request: Request, good: Callable[[Response], bool]) -> Response:
        """The first answer that is good. What may pass is tried again, each time later."""
        code = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self.sending.sleep(min(30.0, 0.5 * 2.0**attempt))
            came = await self._sent(request)
            if isinstance(came, Response) and came.status != THROTTLED and good(came):
                return came
            code = f"http_{came.status}" if isinstance(came, Response) else came.code
            if code in ("http_401", "http_403") and attempt:
                break
        raise Halted(f"the vendor cannot be read: {code}")

    async def _sent(self, request: Request) -> Response | CallFailed:
        account = self.sending.account
        async with self._room():
            await self._paced()
            access = await account.access()
            if isinstance(access, TokenUnavailable):
                raise Halted(f"there is no access token ({access.reason})")
            self.calls += 1
            came = await self.sending.send(account.signed(request, access))
        match came:
            case Stopped(reason="throttled", seconds=seconds):
                await self.sending.sleep(seconds)
                return CallFailed("not_sent", "throttled")
            case Stopped(reason=reason):
                raise Halted(f"the account is stopped ({reason}): see calends status")
            case NoPlace():
                raise Halted("the quota has no place: the lanes need it all, or it is spent; --timeout waits longer")
            case Response(status=401) if account.tokens is not None and access is not None:
                account.tokens.invalidate(access)
        return came

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """No more reads at once than calls may be under way: a place of the quota that waits for its turn grows old."""
        concurrency = self.sending.account.caller.concurrency
        async with self._ended:
            await self._ended.wait_for(lambda: self._under_way < int(concurrency.limit))
            self._under_way += 1
        try:
            yield
        finally:
            async with self._ended:
                self._under_way -= 1
                self._ended.notify_all()

    async def _paced(self) -> None:
        """Evenly, half as often as the quota allows."""
        now = time.monotonic()
        leaves = max(self._next, now)
        self._next = leaves + max((2.0 * one.seconds / one.calls for one in self.windows), default=0.0)
        if leaves > now:
            await self.sending.sleep(leaves - now)
