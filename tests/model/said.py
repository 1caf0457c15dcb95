"""What events say of one entry, and what should stand at the end: told from that alone, never from a `Change`.

A content that is lost on the way to the ledger would else be missing from what is expected too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.model.change import BASE, Change, Version

KEY, NOTE = "k", "note"


class Said(NamedTuple):
    """What an event says."""

    version: Version
    what: str
    person: str
    content: Mapping[str, Any]


def said_of(version: Version, what: str, person: str, extra: Mapping[str, Any]) -> Said:
    content = {"title": f"v{version.order}", "location": "Online", "start": "2027-03-01T09:00:00", **extra}
    return Said(version, what, person, {"location": f"room {version.order}"} if what == NOTE else content)


def change_of(said: Said) -> Change:
    """As a rule asks for it."""
    match said.what:
        case "cancel" | "delete" as kind:
            return Change("d", KEY, kind, said.version, "rule")
        case "note":
            return Change("d", KEY, "upsert", said.version, "rule", layer=NOTE, content=said.content)
        case _:
            return Change("d", KEY, "upsert", said.version, "rule", content=said.content, identity=said.person)


def newest(published: list[Said]) -> list[tuple[str, dict[str, Any]]]:
    """What should stand at the end."""

    def last(*of: str) -> Said | None:
        return max((said for said in published if said.what in of), key=lambda said: said.version, default=None)

    base, note, end = last(BASE), last(NOTE), last("cancel", "delete")
    if base is None or (end is not None and end.version > base.version):
        return []
    return [(base.person, dict(base.content) | (dict(note.content) if note is not None else {}))]
