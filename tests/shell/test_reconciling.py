"""A vendor that is read back while the lanes go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.ledger import Ledger, Quota
from pipeline.model.change import Change, Version
from pipeline.model.facts import Policy
from pipeline.model.outcome import Accepted
from pipeline.operate.reconcile import Reconciling
from pipeline.vendors.contract import Item, Page, Situation
from pipeline.vendors.ecal import VENDOR
from tests.ledger.acts import claim, result

ENTRY = {"title": "t", "location": "Online", "start": "2027-03-01T09:00:00", "time_zone": "Europe/Paris"}


@pytest.fixture
def ledger(tmp_path: Any) -> Iterator[Ledger]:
    policies = {"d": Policy("d", "a", needs_identity=lambda content: False)}
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db", policies, {"a": Quota("a", ())}, lambda facts: [])
    made.migrate()
    made.declare()
    yield made
    made.close()


def wanted(ledger: Ledger, key: str) -> None:
    change = Change("d", key, "upsert", Version(1, "t", 0, 0, 1), "r", content=ENTRY, identity="ann")
    ledger.take([(change, {"value": "x"})], [], [], {})


def sent(ledger: Ledger, key: str) -> None:
    wanted(ledger, key)
    ledger.settle([result(claim(ledger).grants[0], Accepted(f"id-{key}"))])


@dataclass
class Shows:
    """A vendor's list, and what the lanes do while it is read."""

    ledger: Ledger
    listed: list[str]
    made: str
    under_way: str
    calls: int = 0
    sending: Any = field(default_factory=lambda: SimpleNamespace(account=SimpleNamespace(options={})))

    @property
    def back(self) -> Any:
        return VENDOR.read_back

    async def pages(self, place: str) -> AsyncIterator[Page]:
        sent(self.ledger, self.made)
        wanted(self.ledger, self.under_way)
        claim(self.ledger)
        yield Page(tuple(Item(f"id-{key}", self.back.mark(key), ENTRY) for key in self.listed))

    async def look(self, situation: Situation) -> Page:
        return Page()


async def test_what_the_lanes_make_during_the_reading_is_no_item_that_nobody_knows(ledger: Ledger) -> None:
    sent(ledger, "old")
    vendor = Shows(ledger, ["old", "made", "under way", "somebody's"], made="made", under_way="under way")

    seen = await Reconciling("d", ["d"], ledger, cast(Any, vendor), lambda key: key).read()

    assert (seen.counts["looked"], seen.counts["strangers"]) == (1, 1)
