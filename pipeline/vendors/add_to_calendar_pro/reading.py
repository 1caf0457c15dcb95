"""What the vendor says of an event, in both of its shapes, and whether that is what is wanted.

Before 2025-05 a read answered with an array of one and `event_group: {prokey}`, since then with an object and a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.model.entry import Content
from pipeline.model.wire import json_of
from pipeline.vendors.add_to_calendar_pro.dates import FIELDS
from pipeline.vendors.add_to_calendar_pro.payload import TOP, event

There = Mapping[str, Any]

# What stands in a read of which nothing was said (samples of Get an event; Pipedream's webhook samples, 2025-06).
_UNSAID: Mapping[str, Sequence[Any]] = {
    "simplified_recurrence": (True,),
    "distribution": (True,),
    "recurrence_interval": (1,),
    "timeZone": ("GMT", "Etc/GMT", "UTC"),
    "status": ("CONFIRMED",),
    "availability": ("busy",),
}


def single(body: bytes) -> There | None:
    """The one object of an answer, bare or in an array of one."""
    found = json_of(body)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    return found if isinstance(found, dict) else None


def rows(there: There) -> list[There] | None:
    """Its dates; None where they cannot be read."""
    found = there.get("dates")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return None
    return found


def group_of(there: There) -> Any:
    found = there.get("event_group")
    return found.get("prokey") if isinstance(found, dict) else found


def movable(there: There, wanted: Content) -> bool:
    """Whether a PATCH can lead to what is wanted: it changes no group, and takes no date away that it does not know.

    The group of an event that was created with a new one is not known here, so it never is.
    """
    group = wanted.get("collection")
    found = rows(there)
    return bool(group) and group_of(there) == group and found is not None and len(found) <= len(event(wanted)["dates"])


def same(there: There, wanted: Content) -> bool:
    return movable(there, wanted) and not list(differing(there, event(wanted)))


def differing(there: There, said: There) -> Iterator[str]:
    """The vendor's names of what is not as it was said; `dates` where there are more of them, or fewer."""
    found = rows(there) or []
    yield from (name for name in TOP if not _alike(name, said, there))
    if len(found) != len(said["dates"]):
        yield "dates"
        return
    for one, row in zip(said["dates"], found, strict=True):
        yield from (f"dates.{name}" for name in FIELDS if not _alike(name, one, row))


def _alike(name: str, said: Mapping[str, Any], there: There) -> bool:
    wanted, found = said.get(name), there.get(name)
    if wanted is not None:
        return str(wanted) == str(found)  # a block's id is sent as a text and read as a number
    if name == "endDate" and found == said.get("startDate"):
        return True
    return found in (None, "", False) or found in _UNSAID.get(name, ())
