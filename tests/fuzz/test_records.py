"""Whatever a topic holds: a record is an event or a dead letter with its reason, and what is around it gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake import Intake
from pipeline.ledger import DataRefused, Ledger, LedgerUnavailable, Message, Posted
from pipeline.meaning import ledger_of
from pipeline.model.entry import Content
from pipeline.model.event import Undecodable, decode
from pipeline.model.wire import Coordinates, Record
from pipeline.operate.check import check
from pipeline.threads import Threads
from tests.fuzz.planted import Watched, assert_shows_nothing, tries, watched
from tests.fuzz.records import GOOD, HEADERS, RECORDS, TOPIC, record, written
from tests.services import fresh_database

REASONS = {
    "too_large", "key_too_large", "headers_too_large", "attribute_too_long", "not_an_object", "two_data",
    "content_type", "no_type", "missing_attribute", "specversion", "attribute_type", "time", "future_time", "base64",
    "encoding",
    "characters", "json", "too_deep", "number", "set_kafka.schema_registry",
}  # fmt: skip
RULE_REASONS = {"missing", "type", "format", "key", "duplicate", "limit", "template", "schema"}
RULES = """
rules:
  - name: sponge
    from: [strange]
    on: "[!w]*"
    send:
      - to: [ecal, calreply, apptoto, pro]
        key: "{{ data.key | default(omit) }}"
        subscriber: "{{ data.person | default(omit) }}"
        identity: "{{ data.identity | default(omit) }}"
        entry:
          title: "{{ data.title | default('-') }}"
          description: "about {{ data.description | default('nothing') }}"
          location: "{{ data.location | default('-') }}"
          start: "{{ data.start | default('2026-12-24T09:00:00') }}"
          end: "{{ data.end | default(omit) }}"
          time_zone: "{{ data.zone | default('Europe/Berlin') }}"
          alerts: "{{ data.alerts | default(omit) }}"
          links: "{{ data.links | default(omit) }}"
        ecal: {social: "{{ data.own | default(omit) }}"}
        apptoto: {custom_data: "{{ data.own | default(omit) }}"}
        expires_at: "{{ data.expires | default(omit) }}"
  - name: witness
    from: [strange]
    on: witness
    send:
      to: ecal
      key: "{{ data.key }}"
      identity: "5"
      entry: {title: w, location: w, start: "2026-12-24", all_day: true}
"""
SETTINGS = """
kafka: {outcome_topic: outcomes}
ledger: {url: "URL"}
key_file: keys
rules: rules.yaml
destinations:
  ecal: {vendor: ecal, credential: {api_key: {env: X}, api_secret: {env: X}}, omit: [alerts]}
  calreply:
    vendor: calreply
    credential: {client_id: {env: X}, client_secret: {env: X}}
    options: {account_code: a, api: rokt}
    links: in_description
  apptoto:
    vendor: apptoto
    credential: {user: {env: X}, api_key: {env: X}}
    links: in_description
    omit: [alerts]
    defaults: {collection: "7", participants: [{name: Ann, email: ann@example.org}]}
  pro:
    vendor: add_to_calendar_pro
    credential: {api_key: {env: X}}
    links: in_description
    omit: [alerts]
    defaults: {collection: g1}
"""


@dataclass
class Topic:
    """Where the intake reads from: one batch, and then the end."""

    records: Sequence[Record]
    stopping: asyncio.Event

    async def start(self) -> None: ...

    async def batch(self, max_records: int = 500, timeout_ms: int = 1000) -> Sequence[Record]:
        given, self.records = self.records, ()
        if not given:
            self.stopping.set()
        return given

    async def commit(self, next_offsets: object) -> bool:
        return True


@dataclass
class Desk:
    """An intake on a real ledger; offsets, and so the witnesses' keys, never come twice."""

    intake: Intake
    ledger: Ledger
    watch: Watched
    offsets: Iterator[int] = field(default_factory=count)

    def take(self, strange: Sequence[Record]) -> tuple[list[Record], list[Message]]:
        """Takes them in one batch, each between two good records that get in: where they lay, and their letters."""
        placed: list[Record] = []
        records = [self._witness()]
        for one in strange:
            placed.append(replace(one, at=self.next()))
            records += [placed[-1], self._witness()]
        self._run(records)
        assert self.ledger.every_offset() == {(TOPIC, 0): records[-1].at.offset + 1}
        for witness in records[::2]:
            assert len(self.ledger.entry(f"w-{witness.at.offset}")) == 1
        return placed, [one for one in self._posted() if one.topic == "calends.dead-letters"]

    def _run(self, records: Sequence[Record]) -> None:
        async def read() -> None:
            stopping = asyncio.Event()
            topic: Any = Topic(records, stopping)
            self.intake.consumer = topic
            await asyncio.wait_for(self.intake.run(stopping), 60)

        asyncio.run(read())

    def _posted(self) -> list[Message]:
        found: list[Message] = []

        def send(messages: Sequence[Message]) -> Posted:
            found.extend(messages)
            return Posted([message.id for message in messages])

        while self.ledger.outbox(send):
            pass
        return found

    def next(self) -> Coordinates:
        return Coordinates(TOPIC, 0, next(self.offsets))

    def _witness(self) -> Record:
        at = self.next()
        event = {**GOOD, "type": "witness", "id": f"w-{at.offset}", "data": {"key": f"w-{at.offset}"}}
        return replace(record(written(event)), at=at)


@contextmanager
def desk_at(folder: Path, url: str) -> Iterator[Desk]:
    (folder / "rules.yaml").write_text(RULES)
    (folder / "keys").write_text("k" * 64)
    (folder / "calends.yaml").write_text(
        SETTINGS.replace("URL", url).replace("key_file: keys", f"key_file: {folder}/keys")
    )
    report = check(folder, secrets=False)
    assert report.problems == ()
    assert report.settings is not None
    ledger = ledger_of(report.settings)
    ledger.migrate()
    ledger.declare()
    with watched() as watch:
        threads = Threads(1)
        intake = Intake(
            report.rule_set(), ledger, threads, watch.telemetry, "calends.dead-letters", wake=lambda names: None
        )
        yield Desk(intake, ledger, watch)
        threads.close()
    ledger.close()


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("sqlite")
    with desk_at(folder, f"sqlite:///{folder}/ledger.db") as desk:
        yield desk


@pytest.fixture(scope="module")
def on_postgresql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    url = fresh_database(request.getfixturevalue("postgres_service"))
    with desk_at(tmp_path_factory.mktemp("postgresql"), url) as desk:
        yield desk


def assert_taken(desk: Desk, strange: Sequence[Record]) -> None:
    placed, letters = desk.take(strange)
    by_offset = {one.at.offset: one for one in placed}
    for letter in letters:
        added = dict(letter.headers)  # what is ours comes last
        original = by_offset[int(added["calends-offset"])]
        assert (letter.key, letter.value) == (original.key, original.value)
        assert letter.headers[: len(original.headers)] == original.headers
        assert added["calends-reason"].decode() in REASONS | RULE_REASONS | {"invalid"}
        assert_shows_nothing(*(one for one in letter.headers if one not in original.headers))
    told = desk.watch.told()
    assert_shows_nothing(told)
    assert "loop failed" not in told


@given(RECORDS)
@tries(200)
def test_a_record_is_an_event_or_has_a_reason(one: Record) -> None:
    try:
        decode(one)
    except Undecodable as error:
        reason = error.reason_code
        assert_shows_nothing(error, error.explanation, error.__cause__)
    else:
        reason = None
    assert reason in {None, *REASONS}
    assert_shows_nothing(one)


@given(strange=st.lists(RECORDS, min_size=1, max_size=3))
@tries(60)
def test_what_is_around_a_strange_record_gets_into_sqlite(on_sqlite: Desk, strange: list[Record]) -> None:
    assert_taken(on_sqlite, strange)


@given(strange=st.lists(RECORDS, min_size=1, max_size=3))
@tries(40)
def test_what_is_around_a_strange_record_gets_into_postgresql(on_postgresql: Desk, strange: list[Record]) -> None:
    assert_taken(on_postgresql, strange)


def test_what_a_vendor_trips_over_is_that_records_dead_letter(on_sqlite: Desk) -> None:
    """A vendor's folder judges content while the batch is written: what it raises there must not stop the partition."""

    def trips(content: Content) -> Sequence[str]:
        if content["title"] == "trip":
            raise OverflowError("date value out of range")
        return before.problems(content)

    before = on_sqlite.ledger.policies["ecal"]
    on_sqlite.ledger.policies = {**on_sqlite.ledger.policies, "ecal": replace(before, problems=trips)}
    event = {**GOOD, "data": {"title": "trip", "identity": "5924fd21608e3beb118b4567"}}
    _, letters = on_sqlite.take([record(written(event)), record(written({**GOOD, "id": "e-2"}))])
    on_sqlite.ledger.policies = {**on_sqlite.ledger.policies, "ecal": before}
    assert [dict(letter.headers)["calends-reason"] for letter in letters] == [b"refused_by_ledger"]
    on_sqlite.watch.log.truncate(0)  # it says that the loop failed, as it should


def test_halves_that_are_begun_again_write_each_letter_once(on_sqlite: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is refused whole and halved; then the ledger is away for a moment, and all of it is written again."""
    before, away = Ledger.take, [True]

    def take(ledger: Ledger, changes: Sequence[Any], links: Any, dead: Any, next_offsets: Any, *more: Any) -> Any:
        if len(next_offsets) and any(change.key == "refused" for change, _ in changes):
            raise DataRefused("22P05")
        if any(change.key == "last" for change, _ in changes) and away.pop():
            away.append(False)
            raise LedgerUnavailable("57P01")
        return before(ledger, changes, links, dead, next_offsets, *more)

    def event(key: str) -> Record:
        return record(written({**GOOD, "id": key, "data": {"key": key, "identity": "5924fd21608e3beb118b4567"}}))

    monkeypatch.setattr(Ledger, "take", take)
    strange = [record(b"{"), event("refused"), record(b"["), event("last")]
    _, letters = on_sqlite.take(strange)
    assert [dict(one.headers)["calends-reason"] for one in letters].count(b"refused_by_ledger") == 1
    offsets = [dict(one.headers)["calends-offset"] for one in letters if dict(one.headers)["calends-stage"] != b"send"]
    assert len(offsets) == len(set(offsets)) == 3


def test_a_batch_that_comes_to_many_changes_is_taken_in_several_transactions(
    on_sqlite: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One record may come to a thousand: what a poll brings must not be held in memory, nor locked, all at once."""
    sizes: list[int] = []

    def take(ledger: Ledger, changes: Sequence[Any], *others: Any) -> Any:
        sizes.append(len(changes))
        return before(ledger, changes, *others)

    before = Ledger.take
    monkeypatch.setattr(Ledger, "take", take)
    monkeypatch.setattr("pipeline.intake.CHANGES", 3)
    on_sqlite.take([record(written({**GOOD, "id": f"many-{n}"})) for n in range(5)])
    assert len(sizes) > 2
    assert max(sizes) <= 2 + 4  # what one record more comes to


@given(strange=st.lists(RECORDS, min_size=1, max_size=2), headers=HEADERS)
@tries(25)
def test_a_dead_letter_that_is_fed_back_dies_of_its_own(on_sqlite: Desk, strange: list[Record], headers: Any) -> None:
    """It is read like any record, with the headers that it got when it first died, and with others beside them."""
    _placed, letters = on_sqlite.take(strange)
    assert_taken(on_sqlite, [record(one.value, key=one.key, headers=(*one.headers, *headers)) for one in letters])
