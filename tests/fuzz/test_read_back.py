"""Whatever a vendor shows of what stands there: a page or none, kept and compared without a traceback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.model.wire import Response
from pipeline.operate.reader import bounded
from pipeline.operate.standing import Standing
from pipeline.vendors.contract import Item, Page, Situation, Unread, Vendor
from tests.fuzz.planted import assert_shows_nothing, tries
from tests.fuzz.test_answers import ANSWERS, SAMPLES, SHAPED, STATUSES, SUBJECTS

NOW = datetime(2026, 11, 22, tzinfo=UTC)
READ: list[tuple[Vendor, Situation]] = [
    (vendor, replace(one, observed=one.wanted))
    for vendor, _, given_ in SAMPLES
    for one in given_
    if vendor.read_back is not None and "start" in (one.wanted or {})
]
JSON_READ = [one for one in READ if one[0].name != "calreply"]
"""What they show is kept as it came; of a feed only what was understood."""

APPTOTO = next(one for one in READ if one[0].name == "apptoto")


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    made = Standing(Path(tmp_path_factory.mktemp("standing")) / "standing.db")
    yield made
    made.close()


def assert_kept(standing: Standing, vendor: Vendor, situation: Situation, items: tuple[Item, ...]) -> None:
    """As reconcile does: into the file, and out of it again."""
    assert vendor.read_back is not None
    standing.shows("place", items)
    for one in items:
        assert one.id is None or len(one.id) <= 500
        for kept in standing.items("place", one.id, one.mark or ""):
            found = vendor.read_back.differences(situation, kept)
            assert_shows_nothing(*found)
    standing.strangers("place", "")
    standing.forget("place")


@given(st.sampled_from(READ), STATUSES | st.just(200), ANSWERS)
@example(
    next(one for one in READ if one[0].name == "apptoto"), 200, b'{"events": [{"id": 1, "external_id": "\\ud800"}]}'
)
@tries(100)
def test_whatever_is_shown_is_a_page_or_none(
    standing: Standing, sample: tuple[Vendor, Situation], status: int, body: bytes
) -> None:
    vendor, situation = sample
    assert vendor.read_back is not None
    started = time.process_time()
    shown = vendor.read_back.read(Response(status, {}, body))
    assert shown is None or isinstance(shown, Page | Unread)
    assert_shows_nothing(shown)
    if isinstance(shown, Page):
        kept = bounded(shown)
        assert isinstance(kept, Page)
        assert_kept(standing, vendor, situation, kept.items)
    assert time.process_time() - started < 5


@given(st.sampled_from(JSON_READ), st.data())
@tries(60)
def test_what_is_shown_of_an_entry_is_compared_whatever_it_is(
    standing: Standing, sample: tuple[Vendor, Situation], data: st.DataObject
) -> None:
    """What the vendor's own documents show, with anything in the place of some of it."""
    vendor, situation = sample
    assert vendor.read_back is not None
    shape = _shapes(vendor)
    changed = {name: data.draw(SHAPED) for name in data.draw(st.sets(st.sampled_from(sorted(shape)), max_size=4))}
    item = Item("1", None, {**shape, **changed})
    assert_kept(standing, vendor, situation, (item,))


def _shapes(vendor: Vendor) -> dict[str, Any]:
    """All names that the vendor's samples use."""
    found: dict[str, Any] = {"id": 1, "start_time": "", "end_time": "", "dates": [], "alert": 1, "values": {}}
    for case in _bodies(vendor.name):
        try:
            said = json.loads(case)
        except ValueError:
            continue
        for one in _objects(said):
            found |= one
    return found


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _bodies(name: str) -> Iterator[str]:
    for subject in SUBJECTS:
        if subject.vendor.name == name:
            yield from (case["body"] for case in subject.cases("responses"))
