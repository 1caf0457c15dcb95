"""What a schema registry knows, for records that name a schema by its id. Needs the extra `calends[registry]`.

A schema never changes, so what was once fetched is kept, within bounds. What the registry does not know, or what does
not fit its schema, is that record's own fault; a registry that is away is nobody's, and is told by `RegistryAway`.
The libraries are imported by who opens the first framed record, and by nobody before.
"""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.model.event import Undecodable
from pipeline.model.framed import Parsed, Unreadable, is_framed, unframed
from pipeline.model.wire import Record

MAX_SCHEMA = 1 << 20
"""Bytes of a schema, with all that it refers to."""
MAX_SCHEMAS = 1000
MAX_KEPT = 16 << 20
"""Bytes of all schemas that are kept."""
_LIBRARIES = ("confluent_kafka", "fastavro", "httpx2")

Reader = Callable[[bytes], Parsed]
"""Data → what it is; raises Undecodable."""


class RegistryAway(Exception):
    """The registry does not answer, or not as one: all wait. The text is a code."""


class RegistryMissing(Exception):
    """The libraries are not installed."""


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    url: str
    username: str | None = None
    password: Callable[[], str | None] | None = field(default=None, repr=False)
    """As it is now: a rotated one is found."""
    ssl_cafile: Path | None = None
    timeout: float = 10.0
    """Seconds for one schema, with all that it refers to."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema as it was registered, those that it refers to before those that refer to them."""

    kind: str
    text: str = field(repr=False)
    references: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names, as the schemas write them, and texts."""

    @property
    def size(self) -> int:
        return len(self.text) + sum(len(text) for _, text in self.references)


class Registry:
    """Opens framed records. Raises RegistryMissing where it cannot ever."""

    def __init__(self, config: RegistryConfig) -> None:
        lacking = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
        if lacking:
            raise RegistryMissing(f"kafka.schema_registry needs {lacking[0]}: pip install 'calends[registry]'")
        self._config = config
        self._kept: OrderedDict[int, tuple[Reader | Unreadable, int]] = OrderedDict()
        self._size = 0

    async def opened(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records, the framed ones with their content. Raises RegistryAway."""
        framed = [record.value for record in records if is_framed(record.value)]
        if not framed:
            return records
        readers = await self._readers({frame[0] for value in framed if (frame := unframed(value or b""))})
        return [_opened(record, readers) if is_framed(record.value) else record for record in records]

    async def _readers(self, ids: Collection[int]) -> Mapping[int, Reader | Unreadable]:
        known = {one: self._kept[one][0] for one in ids if one in self._kept}
        for one in known:
            self._kept.move_to_end(one)
        if lacking := [one for one in ids if one not in known]:
            from pipeline.registry.client import fetched  # slow to import, and most never need it

            async for one, schema in fetched(self._config, lacking):
                known[one] = schema if isinstance(schema, Unreadable) else self._keep(one, schema)
        return known

    def _keep(self, one: int, schema: Schema) -> Reader | Unreadable:
        reader = _reader(schema)
        # The reason why it cannot be read is as much for ever as the schema, and costs next to nothing.
        size = 1 if isinstance(reader, Unreadable) else schema.size
        self._kept[one] = (reader, size)
        self._size += size
        while len(self._kept) > MAX_SCHEMAS or self._size > MAX_KEPT:
            self._size -= self._kept.popitem(last=False)[1][1]
        return reader


def _opened(record: Record, readers: Mapping[int, Reader | Unreadable]) -> Record:
    frame = unframed(record.value or b"")
    if frame is None:
        return replace(record, content=Unreadable("schema_frame", "the value ends before the data of its schema"))
    match readers[frame[0]]:
        case Unreadable() as reason:
            return replace(record, content=reason)
        case reader:
            return replace(record, content=_read(reader, frame[1]))


def _read(reader: Reader, data: bytes) -> Parsed | Unreadable:
    try:
        return reader(data)
    except Undecodable as error:
        return Unreadable(error.reason_code, error.explanation)


def _reader(schema: Schema) -> Reader | Unreadable:
    """What reads the data of a schema; its own faults are every record's that names it."""
    if schema.size > MAX_SCHEMA:
        return Unreadable("schema_too_large", "the schema, with all that it refers to, is larger than 1 MiB")
    try:
        match schema.kind:
            case "AVRO":
                from pipeline.registry import avro  # as above

                return avro.reader(schema.text, schema.references)
            case "JSON":
                from pipeline.registry import json_schema

                return json_schema.reader(schema.text, schema.references)
            case _:
                return Unreadable("schema_type", "only Avro and JSON Schema are read")
    except Undecodable as error:
        return Unreadable(error.reason_code, error.explanation)
