"""What a running worker takes for a change of its rules: their files, and the schemas that they name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.operate.watching import changes, watched

SETTINGS = """
destinations:
  calendar: {vendor: apptoto, credential: {user: {env: NOBODY}, api_key: {env: NOBODY}}}
rules: [{name: made, from: [t], on: made, send: {to: calendar, key: K, cancel: true}}]
"""
NAMING = SETTINGS.replace("on: made", "on: {type: made, schema: schemas/made.json}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "made.json").write_text("{}")
    (tmp_path / "calends.yaml").write_text(NAMING)
    return tmp_path


async def told(folder: Path, *writes: Callable[[], object]) -> bool:
    """Each is done again until it is told, as a watch takes its time to begin."""
    stopping = asyncio.Event()
    found: asyncio.Queue[None] = asyncio.Queue()

    async def watch() -> None:
        async for change in changes(folder / "calends.yaml", stopping):
            await found.put(change)

    task = asyncio.create_task(watch())
    for write in writes:
        ends = time.monotonic() + 30
        while found.empty() and time.monotonic() < ends:
            write()
            await asyncio.sleep(0.2)
        if found.empty():
            break
        await quiet(found)
    else:
        stopping.set()
        await task
        return True
    task.cancel()
    return False


async def quiet(found: asyncio.Queue[None]) -> None:
    """Until nothing more is told of what was written."""
    with suppress(TimeoutError):
        while True:
            await asyncio.wait_for(found.get(), 2)


def test_a_change_of_a_schema_is_one_of_the_rules(folder: Path) -> None:
    schema = folder / "schemas" / "made.json"

    assert asyncio.run(told(folder, lambda: schema.write_text(f'{{"title": "{time.monotonic()}"}}')))


def test_a_change_of_a_schema_that_the_rules_name_later_is_one_too(folder: Path) -> None:
    settings, schema = folder / "calends.yaml", folder / "schemas" / "made.json"
    settings.write_text(SETTINGS)

    def name() -> None:
        settings.write_text(NAMING)

    assert asyncio.run(told(folder, name, lambda: schema.write_text(f'{{"title": "{time.monotonic()}"}}')))


def test_a_mounted_configmap_that_changes_is_a_change(folder: Path) -> None:
    assert watched([folder / "calends.yaml"]).heeds(None, str(folder / "..data"))
