"""What a worker holds does not grow with the backlog: everything it reads of the ledger is a slice."""

from __future__ import annotations

import tracemalloc

from pipeline.ledger import Ledger, Message, Posted
from pipeline.ledger.draining import HORIZONS
from tests.ledger.acts import change, claim, take
from tests.ledger.conftest import Open


def one_turn_of_everything(ledger: Ledger) -> None:
    claim(ledger, 5)
    ledger.sweep()
    ledger.prune()
    ledger.counted(HORIZONS)
    ledger.holds()
    ledger.outbox(lambda messages: Posted())


def peak(ledger: Ledger) -> int:
    tracemalloc.start()
    try:
        one_turn_of_everything(ledger)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def backlog(ledger: Ledger, first: int, last: int) -> None:
    """Ready entries, and messages that Kafka does not take; in batches, as they come."""
    for start in range(first, last, 500):
        changes = [change(f"k{number:05}", title="t" * 200) for number in range(start, start + 500)]
        letters = [Message("dead", b"k", b"v" * 200, ()) for _ in changes]
        ledger.take(changes, [], letters, {})


def test_ten_times_the_backlog_takes_no_more_memory(opened: Open) -> None:
    ledger = opened(windows=((100, 0.001),))
    take(ledger, change("first"))
    one_turn_of_everything(ledger)  # what is made once, such as compiled statements
    backlog(ledger, 0, 500)
    small = peak(ledger)
    backlog(ledger, 500, 5000)
    assert peak(ledger) < 1.5 * small
