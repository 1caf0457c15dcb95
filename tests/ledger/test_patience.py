"""A PostgreSQL that is frozen with its connections open: nobody waits for it for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pipeline.ledger import Ledger, LedgerUnavailable, database, patience
from tests.services import PostgresService, fresh_database, postgres


@pytest.fixture
def own_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresService]:
    """A PostgreSQL of this test alone: it is frozen."""
    monkeypatch.delenv("CALENDS_TEST_POSTGRES", raising=False)
    with postgres() as service:
        yield service


def test_a_transaction_under_way_is_given_up_and_the_ledger_works_again_once_it_answers(
    own_postgres: PostgresService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience.Patient, "patience", 1.0)
    monkeypatch.setitem(database._POSTGRESQL, "connect_timeout", 2)
    ledger = Ledger(fresh_database(own_postgres), {}, {}, lambda facts: [])
    ledger.migrate()
    ledger.now()
    own_postgres.freeze()
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable, match="timeout"):
        ledger.now()
    assert time.monotonic() - began < 60
    own_postgres.thaw()
    assert ledger.now() > 0
    ledger.close()
