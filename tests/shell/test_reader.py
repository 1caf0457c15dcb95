"""Reading a vendor back: its list has an end, and no more reads wait for an answer than the account may have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.account import Account
from pipeline.concurrency import Concurrency
from pipeline.ledger import Ledger, Quota
from pipeline.model.wire import Credential, Request, Response
from pipeline.operate import reader as reading
from pipeline.operate.reader import Halted, Reader
from pipeline.operate.sending import InQuota
from pipeline.pacing import Pace
from pipeline.vendors.apptoto import VENDOR as APPTOTO
from pipeline.vendors.apptoto.readback import PAGE_SIZE
from pipeline.vendors.contract import Page, Situation, Unread


def full(first: int) -> Response:
    """A page of a list that goes on."""
    return Response(200, {}, json.dumps({"events": [{"id": first + n} for n in range(PAGE_SIZE)]}).encode())


@dataclass
class Vendor:
    """Answers with the next of these; each answer comes once it `may`."""

    answers: Iterator[Response]
    timeout: float = 10.0
    concurrency: Concurrency = field(default_factory=lambda: Concurrency(8, 32))
    under_way: int = 0
    most: int = 0
    may: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may.set()

    async def send(self, request: Request, deadline_check: Callable[[], bool]) -> Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.may.wait()
        self.under_way -= 1
        return next(self.answers)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db", {}, {"acme": Quota("acme", ())}, lambda facts: [])
    made.migrate()
    made.declare()
    yield made
    made.close()


def reader_of(vendor: Vendor, ledger: Ledger) -> Reader:
    credential = Credential({"user": "u", "api_key": "k"})
    account = Account("acme", APPTOTO, {}, cast(Any, vendor), Pace(()), lambda: credential)
    return Reader(InQuota(account, ledger), ())


async def read(reader: Reader) -> list[Page | Unread]:
    return [shown async for shown in reader.pages("account")]


async def test_a_list_is_read_to_its_last_page(ledger: Ledger) -> None:
    last = Response(200, {}, b'{"events": [{"id": 1}]}')
    shown = await read(reader_of(Vendor(iter([full(0), full(PAGE_SIZE), last])), ledger))
    assert [len(page.items) for page in shown if isinstance(page, Page)] == [PAGE_SIZE, PAGE_SIZE, 1]


async def test_a_vendor_that_shows_one_page_for_ever_is_told(ledger: Ledger) -> None:
    vendor = Vendor(full(1) for _ in count())
    with pytest.raises(Halted, match="shows page 1 of a list again as page 2"):
        await read(reader_of(vendor, ledger))


async def test_a_list_that_never_ends_is_told(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_PAGES", 3)
    vendor = Vendor(full(n * PAGE_SIZE) for n in count())
    with pytest.raises(Halted, match="shows 3 pages of a list and says that there are more"):
        await read(reader_of(vendor, ledger))


async def test_no_more_reads_have_a_place_of_the_quota_than_may_be_under_way(ledger: Ledger) -> None:
    """However many the account allows at most: one that waits for its turn would grow old."""
    vendor = Vendor((Response(200, {}, b'{"id": 1}') for _ in count()), concurrency=Concurrency(2, 64))
    vendor.may.clear()
    reader = reader_of(vendor, ledger)
    reads = [asyncio.create_task(reader.look(Situation("k", None, None, None, vendor_id="1"))) for _ in range(6)]
    for _ in range(20):  # time for a third, were it let
        await asyncio.sleep(0.01)
    vendor.may.set()
    await asyncio.gather(*reads)
    assert (vendor.most, reader.calls) == (2, 6)
