"""What ECAL shows of its events, and whether that is what it acknowledged.

Sources: Private Events (the list of one subscriber), Event (lists, one event by id). Drafts and what is past are asked
for; what a list leaves out all the same is looked at by its id, as no document promises a read by reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pipeline.model.wire import Request, Response
from pipeline.vendors.contract import Item, Page, ReadBack, Situation, Unread
from pipeline.vendors.ecal.defaults import is_public
from pipeline.vendors.ecal.payload import BITS, event
from pipeline.vendors.ecal.responses import identified, shown

PAGE_SIZE = 100
"""The newer page's most; the older takes more."""
_EVENTS = "/apiv2/event"
_CLOCK = ("startTime", "endTime")
# Of an event without them a read shows nothing, or these.
_EMPTY: tuple[Any, ...] = (None, "", "-", {}, [])
# What no sample of a read shows: compared only where it is shown.
_RARELY_SHOWN = ("objective", *BITS[1:], "referenceType", "calendarId", "social")


def _places(situation: Situation) -> tuple[str, ...] | Unread:
    if is_public(situation.options):
        collection = (situation.observed or {}).get("collection")
        return (collection,) if collection else Unread("no_calendar")
    whose = situation.observed_identity or situation.identity
    return (whose,) if whose else Unread("no_subscriber")


def _list(place: str, page: int, options: Mapping[str, Any]) -> Request:
    whose = (("calendarIds", place),) if is_public(options) else (("ecal_id", place), ("type", "private"))
    everything = (("showDraft", "1"), ("showPastEvents", "1"))
    return Request("GET", _EVENTS, (*whose, *everything, ("limit", str(PAGE_SIZE)), ("page", str(page))))


def _look(situation: Situation) -> Request | Unread:
    return _one("GET", situation.vendor_id) if situation.vendor_id else Unread("no_id")


def _one(method: str, name: str) -> Request:
    return Request(method, f"{_EVENTS}/{quote(name, safe=':')}")


def _read(response: Response) -> Page | Unread | None:
    if response.status in (204, 404):
        return Page()
    found = shown(response.body) if response.status == 200 else None
    if found is None:
        return None
    return Page(tuple(_item(one) for one in found), more=len(found) >= PAGE_SIZE)


def _item(one: Mapping[str, Any]) -> Item:
    reference = one.get("reference")
    return Item(identified(one), reference if isinstance(reference, str) else None, one)


def _differences(situation: Situation, item: Item) -> Sequence[str]:
    said, there = event(situation.observed or {}), item.content or {}
    names = dict.fromkeys([*said, "details", "alert", "alert2", "sponsored_message", *_links(there)])
    whole_day = said.get("allDay") == "yes"
    return [
        name
        for name in names
        if not (whole_day and name in _CLOCK)
        and not (name in _RARELY_SHOWN and name not in there)
        and not _alike(name, said.get(name), there)
    ]


def _links(there: Mapping[str, Any]) -> list[str]:
    """The quick links that a read shows; `original_url` is what a shortened one leads to."""
    return [name for name in there if name.startswith("quickLink") and not name.endswith("[original_url]")]


def _alike(name: str, said: Any, there: Mapping[str, Any]) -> bool:
    found = there.get(name)
    if name == "allDay":  # "yes" and "no", true and false, or nothing
        return bool((said == "yes") == (found in ("yes", True)))
    if name.endswith("[url]") and said and there.get(name.replace("[url]", "[original_url]")) == said:
        return True
    if name == "social":
        return all((found or {}).get(key, "") == value for key, value in (said or {}).items())
    if said in _EMPTY:
        return found in _EMPTY
    if name in _CLOCK:
        return str(found)[:5] == str(said)
    return str(found) == str(said)


READ_BACK = ReadBack(
    places=_places,
    list=_list,
    look=_look,
    read=_read,
    differences=_differences,
    remove=lambda identity: _one("DELETE", identity),
    unseen=("objective", "smartAlert", "smartDetails", "referenceType"),
)
