"""Whatever lies in the dead-letter topic: a letter or a stranger with its place; no traceback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.dead_letters import Letter, NoLetter, of_record, read
from pipeline.embedded import EmbeddedBroker
from pipeline.model.entry import Content
from pipeline.model.wire import Coordinates, Record
from pipeline.operate.dlq import replay
from tests.fuzz.planted import assert_shows_nothing, tries
from tests.fuzz.records import GOOD, RECORDS, record, written
from tests.fuzz.test_records import RULES, SETTINGS, Desk, desk_at

TOPIC = "calends.dead-letters"
WORDS = ("-reason", "-stage", "-rule", "-layer", "-destination", "-status", "-first-failure", "-last-failure", "-topic")
NUMBERS = ("-partition", "-offset", "-timestamp", "-attempts", "-headers")
ODD = (
    b"", b"9" * 5000, b"1" + b"0" * 30, b"-1", b"-" + b"9" * 18, b"9" * 19, b"9223372036854775807", b"2147483648",
    b"1_0", b" 5 ", "٣".encode(), b"1e3", b"NaN", b"0x10", b"+1", b"\xff\xfe", b"\0", b"\x1b[2J\x1b]0;x\x07",
    b"x" * 200_000, "\u202e".encode(), b"two\nlines", b"../..", b"send", b"ecal", b"sponge",
)  # fmt: skip
NAMES = st.sampled_from([f"calends{name}" for name in (*WORDS, *NUMBERS)])
VALUES = st.sampled_from(ODD) | st.binary(max_size=12) | st.integers().map(lambda n: str(n).encode())


def letter_of(original: Record, changes: Sequence[tuple[str, bytes | None]] = (), offset: int = 0) -> Record:
    """A letter as it is written, but for some of its own headers: changed, or without them."""
    message = of_record(TOPIC, original, "rule", "missing", "sponge")
    own = dict(message.headers[len(original.headers) :]) | dict(changes)
    kept = [(name, value) for name, value in own.items() if value is not None and name != "calends-headers"]
    last = own["calends-headers"]
    counted = [] if last is None else [("calends-headers", last)]
    headers = (*original.headers, *kept, *counted)
    return Record(
        Coordinates(TOPIC, 0, offset), message.key, message.value, headers, datetime(2026, 11, 22, tzinfo=UTC)
    )


CHANGES = [(f"calends{name}", value) for name in (*WORDS, *NUMBERS) for value in (*ODD, None)]
LETTERS = st.builds(letter_of, RECORDS, st.lists(st.tuples(NAMES, st.none() | VALUES), max_size=3)) | RECORDS


def assert_bounded(found: Letter) -> None:
    at = found.record.at
    assert 0 <= at.partition < 2**31
    assert 0 <= at.offset < 2**63
    assert found.attempts is None or 0 <= found.attempts < 2**31
    told = (at.topic, found.stage, found.reason, found.status, found.rule, found.layer, found.destination)
    for text in (*told, found.first_failure, found.last_failure):
        assert text is None or (text.isprintable() and 0 < len(text) <= 1000)


@given(LETTERS)
@example(letter_of(record(b"{}"), [("calends-headers", b"9" * 5000)]))
@example(letter_of(record(b"{}"), [("calends-offset", b"1" + b"0" * 30)]))
@example(letter_of(record(b"{}"), [("calends-reason", b"\x1b[2J")]))
@tries(200)
def test_a_record_is_a_letter_within_bounds_or_a_stranger(one: Record) -> None:
    started = time.process_time()
    try:
        assert_bounded(read(one))
    except NoLetter as error:
        assert_shows_nothing(error)
    assert time.process_time() - started < 1


# replayed ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("replayed")
    with desk_at(folder, f"sqlite:///{folder}/ledger.db") as desk:
        yield desk


@given(st.builds(letter_of, RECORDS) | LETTERS, st.booleans())
@example(letter_of(record(written(GOOD)), [("calends-rule", None), ("calends-offset", b"9223372036854775807")]), False)
@tries(60)
def test_a_letter_is_replayed_or_told_why_not(desk: Desk, one: Record, dry: bool) -> None:
    try:
        letter = replace(read(one), at=desk.next())
    except NoLetter:
        return
    became = replay(letter, desk.intake.rules, desk.ledger, dry)
    assert became in {"replayed", "stale", "unmatched"} or became.startswith("fails: ")
    assert_shows_nothing(became, letter)


def test_what_a_vendor_trips_over_fails_by_itself(desk: Desk) -> None:
    """A replay of a thousand letters must not end at the one that trips."""

    def trips(content: Content) -> Sequence[str]:
        raise OverflowError("date value out of range")

    before = desk.ledger.letters
    policies = {name: replace(one, problems=trips) for name, one in before.policies.items()}
    desk.ledger.letters = replace(before, policies=policies)
    letter = read(
        letter_of(record(written({**GOOD, "id": "trips", "data": {"identity": "5924fd21608e3beb118b4567"}}), 77))
    )
    became = replay(replace(letter, at=desk.next()), desk.intake.rules, desk.ledger)
    desk.ledger.letters = before
    assert became == "fails: refused_by_ledger"


# by command --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration whose dead-letter topic holds a good letter, and each odd value in the place of each header."""
    folder, broker = tmp_path_factory.mktemp("letters"), EmbeddedBroker()
    (folder / "rules.yaml").write_text(RULES)
    (folder / "keys").write_text("k" * 64)
    said = {"URL": f"sqlite:///{folder}/ledger.db", "keys": f"{folder}/keys"}
    written_ = SETTINGS.replace("URL", said["URL"]).replace("key_file: keys", f"key_file: {said['keys']}")
    topics = f"kafka: {{bootstrap_servers: {broker.bootstrap}, "
    (folder / "calends.yaml").write_text(written_.replace("kafka: {", topics))
    asyncio.run(_fill(broker, [letter_of(record(b"{}"), [change]) for change in CHANGES]))
    yield folder
    broker.close()


async def _fill(broker: EmbeddedBroker, letters: Sequence[Record]) -> None:
    client = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await client.start()
    for one in [*letters, letter_of(record(b"{}", 42))]:
        await client.send_and_wait(TOPIC, one.value, key=one.key, headers=list(one.headers), partition=0)
    await client.stop()


def ran(folder: Path, *words: str) -> Result:
    found = CliRunner().invoke(app, ["dlq", *words, "--config", str(folder)])
    assert isinstance(found.exception, SystemExit | None), found.exception
    assert found.exit_code in {0, 1}, found.output
    assert "\x1b" not in found.output
    return found


def test_strangers_are_counted_and_named_and_stop_no_list(folder: Path) -> None:
    done = ran(folder, "list", "--json", "--limit", "0")
    listed = json.loads(done.stdout)
    assert listed[-1]["record"] == {"topic": "strange", "partition": 0, "offset": 42}
    strangers = len(CHANGES) + 1 - len(listed)
    assert f"{strangers} records of the topic are no dead letters of Calends" in done.stderr
    assert f"  {TOPIC}/0@0: the header calends-reason is no text of 1 to 1000 bytes as Calends writes it" in done.stderr
    assert f"  and {strangers - 20} more" in done.stderr


def test_who_asks_for_a_stranger_is_told_what_it_is(folder: Path) -> None:
    for action in ("show", "discard"):
        done = ran(folder, action, "0:0")
        assert (done.exit_code, "0:0: no such open letter" in done.stderr) == (1, True)
        assert f"  {TOPIC}/0@0: the header calends-reason is no text" in done.stderr


def test_all_that_are_letters_are_discarded(folder: Path) -> None:
    open_ = len(json.loads(ran(folder, "list", "--json", "-n", "0").stdout))
    assert ran(folder, "discard", "--all").stdout == f"{open_} discarded\n"
    assert json.loads(ran(folder, "list", "--json", "-n", "0").stdout) == []
