"""A disk that is full, as SQLite tells it: SQLITE_FULL, which its own limit of pages brings about in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from pipeline.ledger import Ledger, LedgerUnavailable
from tests.ledger.acts import change, claim, take
from tests.ledger.conftest import Open

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@contextmanager
def full(ledger: Ledger) -> Iterator[None]:
    """No page more in any connection that is made meanwhile."""

    def limited(connection: Any, _record: Any) -> None:
        connection.execute("pragma max_page_count = 1")  # SQLite takes the present size where that is more

    event.listen(Engine, "connect", limited)
    ledger._database.engine.dispose()
    try:
        yield
    finally:
        event.remove(Engine, "connect", limited)
        ledger._database.engine.dispose()


def test_what_a_full_disk_does_not_take_is_nowhere_and_is_taken_later(opened: Open, tmp_path: Path) -> None:
    ledger = opened()
    take(ledger, change("before"))
    large = [change(f"k{number}", title="t" * 500) for number in range(200)]
    with full(ledger):
        size = (tmp_path / "ledger.db").stat().st_size
        with pytest.raises(LedgerUnavailable):
            ledger.take(large, [], [], {("topic", 0): 7})
        assert [facts.key for grant in claim(ledger).grants for facts in grant.entries] == ["before"]
        assert (tmp_path / "ledger.db").stat().st_size <= size
    assert ledger.every_offset() == {}
    assert ledger.take(large, [], [], {("topic", 0): 7}).applied == len(large)
    assert ledger.every_offset() == {("topic", 0): 7}
