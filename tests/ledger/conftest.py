"""Every test of the ledger runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.ledger import Budget, Ledger, Message, Quota
from pipeline.model.blame import Answer
from pipeline.model.facts import Facts, Policy
from pipeline.outcomes import of_entry
from tests.services import fresh_database

Open = Callable[..., Ledger]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(fresh_database(request.getfixturevalue("postgres_service")))


def buried(facts: Facts) -> list[Message]:
    return [Message("dead", layer.encode(), None, ()) for layer in facts.raws]


def told(facts: Facts, answer: Answer | None) -> Message:
    return of_entry("outcomes", facts, answer, 0.0, None)


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    """Opens the ledger; called again, a second worker's view of the same."""
    made: list[Ledger] = []

    def open_(
        policies: Mapping[str, Policy] | None = None,
        windows: tuple[tuple[int, float], ...] = ((5, 1.0),),
        budget: Budget | None = None,
    ) -> Ledger:
        policies = policies or {"d": Policy("d", "a", needs_identity=lambda content: False, settle_time=0.2)}
        ledger = Ledger(url, policies, {"a": Quota("a", windows)}, buried, told, {"a": budget} if budget else None)
        if not made:
            ledger.migrate()
        ledger.declare()
        made.append(ledger)
        return ledger

    yield open_
    for ledger in made:
        ledger.close()
