"""A record has one dead letter, however often its batch is written: late, in halves, or again after a lost answer."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dead_letters import of_record
from pipeline.ledger import Ledger, Message
from pipeline.model.facts import Policy
from pipeline.model.wire import Coordinates, Record
from tests.fuzz.records import NOW
from tests.ledger.acts import change, posted
from tests.ledger.conftest import Open

ODD = Policy(
    "d",
    "a",
    needs_identity=lambda content: False,
    problems=lambda content: ["odd"] if str(content["title"]).startswith("odd") else [],
)
TOPICS = (f"events-{n}" for n in count())
SIZE = 12
BATCHES = st.lists(st.tuples(st.booleans(), st.integers(0, SIZE), st.integers(1, SIZE)), max_size=8)
"""Whether it goes on where the ledger is; else from where; how many records."""


def letter(topic: str, offset: int, partition: int = 0) -> Message:
    return of_record("dead", Record(Coordinates(topic, partition, offset), b"k", b"{", (), NOW), "decode", "json")


def write(ledger: Ledger, topic: str, start: int, end: int) -> None:
    """A batch: of each even record a change that dies at once, of each odd one nothing but a letter."""
    changes = [change(f"{topic}.{n}", n + 1, f"odd {n}") for n in range(start, end) if n % 2 == 0]
    ledger.take(changes, [], [letter(topic, n) for n in range(start, end) if n % 2], {(topic, 0): end})


def offsets_of(letters: list[Message]) -> Counter[int]:
    return Counter(int(dict(one.headers)["calends-offset"]) for one in letters if one.topic == "dead" and one.headers)


@given(batches=BATCHES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_has_one_letter_however_often_it_is_written(
    opened: Open, batches: list[tuple[bool, int, int]]
) -> None:
    topic, ledger = next(TOPICS), opened({"d": ODD})
    read = 0
    for onward, start, n in batches:
        begin = read if onward else min(start, read)  # a late batch overlaps what was read, and leaves no gap
        write(ledger, topic, begin, begin + n)
        read = max(read, begin + n)
    came = posted(ledger)
    assert offsets_of(came) == Counter(range(1, read, 2))
    assert Counter(one.key for one in came if not one.headers) == Counter([b"base"] * len(range(0, read, 2)))
    ledger.close()


def test_a_partition_tells_nothing_of_another(opened: Open) -> None:
    ledger = opened()
    ledger.take([], [], [], {("events", 0): 10})
    ledger.take([], [], [letter("events", 4, 1), letter("events", 4, 0)], {("events", 1): 5, ("events", 0): 5})
    assert [dict(one.headers)["calends-partition"] for one in posted(ledger)] == [b"1"]


def test_who_begins_anew_gets_the_letters_again(opened: Open) -> None:
    """`--rebuild`: the letters of a ledger that was lost may be lost with it."""
    ledger = opened()
    for _ in range(2):
        ledger.start_at({("events", 0): 0})
        ledger.take([], [], [letter("events", 4)], {("events", 0): 5})
    assert offsets_of(posted(ledger)) == {4: 2}


def test_two_workers_that_write_a_batch_at_once_write_its_letters_once(opened: Open) -> None:
    workers = [opened() for _ in range(4)]
    workers[0].start_at({("events", 0): 0})
    at_once = threading.Barrier(4)

    def late(ledger: Ledger) -> None:
        letters = [letter("events", n) for n in range(5)]
        at_once.wait()
        ledger.take([], [], letters, {("events", 0): 5})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(late, workers))
    assert offsets_of(posted(workers[0])) == Counter(range(5))
