"""A value in the wire format of a schema registry: the magic byte 0, the schema's id in four bytes, then the data.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format (read
2026-11). Only what is framed is said here; who knows the schema reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAGIC = b"\0"
"""No JSON text begins with it."""
_HEAD = 5


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a schema made of a value: JSON's types only. `name` is the schema's own, where it has one."""

    value: Any = field(repr=False)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why no schema made anything of it. The explanation quotes neither the record nor the schema."""

    reason_code: str
    explanation: str


def is_framed(value: bytes | None) -> bool:
    return value is not None and value.startswith(MAGIC)


def unframed(value: bytes) -> tuple[int, bytes] | None:
    """The schema's id and the data; None: cut off before the data."""
    return (int.from_bytes(value[1:_HEAD], "big"), value[_HEAD:]) if len(value) >= _HEAD else None
