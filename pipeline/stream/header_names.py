"""Records whose header names are not UTF-8. Kafka takes them; aiokafka 0.14 raises at one, again at each fetch.

Its partition would stop. A batch that holds one is read by aiokafka's own reader in Python, with `\\xff` in the name
for what is no text. It stands on aiokafka's inner classes: pyproject.toml pins its minor version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def tolerate() -> None:
    """From now on aiokafka's consumers, all of this process, read such batches."""
    fetcher.MemoryRecords = _Batches


class _Batches:
    """What a fetch brought, batch by batch."""

    def __init__(self, fetched: bytes) -> None:
        self._batches = _MemoryRecordsPy(fetched)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def next_batch(self) -> Any:
        whole = self._batches._next_slice
        batch = self._batches.next_batch()
        return _Batch(batch, whole) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch:
    def __init__(self, batch: Any, whole: memoryview) -> None:
        self._batch = batch
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        last = -1
        try:
            for record in self._batch:
                last = record.offset
                yield record
        except UnicodeDecodeError:
            yield from (record for record in _patient(self._whole) if record.offset > last)


def _patient(whole: memoryview) -> Any:
    """The batch as aiokafka's own reader in Python reads it, with names that are text in any case."""
    batch = _DefaultRecordBatchPy(whole)
    batch._maybe_uncompress()
    batch._buffer = _Buffer(batch._buffer)
    return batch


class _Buffer(bytearray):
    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Name(found) if isinstance(at, slice) else found


class _Name(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
