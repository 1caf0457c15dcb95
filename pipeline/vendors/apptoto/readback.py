"""What Apptoto shows of its events, and whether that is what it acknowledged.

Sources: GET /v1/events in pages (names of its parameters by public clients), GET /v1/event by id or `external_id`. What
the list does not show, whatever its window is, is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.model.wire import Request, Response, object_of
from pipeline.vendors.apptoto.payload import BUSY, calendar, event
from pipeline.vendors.apptoto.responses import events_of, identified
from pipeline.vendors.contract import Item, Page, ReadBack, Situation, Unread

PAGE_SIZE = 200
"""As a client of years asks for."""
ACCOUNT = "account"
"""The one place: all events of the account."""
_PERSON = ("email", "contact_id", "contact_external_id", "name")
_CLOCK = ("start_time", "end_time")
# What may be read in another form than it was written: a zone's name, and people (see `_has_people`).
_OWN_FORM = frozenset({"time_zone"})
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _list(_place: str, page: int, _options: Mapping[str, Any]) -> Request:
    since = ("begin", "1970-01-01T00:00:00+00:00")
    return Request("GET", "/v1/events", (since, ("page_size", str(PAGE_SIZE)), ("page", str(page))))


def _look(situation: Situation) -> Request | Unread:
    name = ("id", situation.vendor_id) if situation.vendor_id else ("external_id", situation.key)
    return Request("GET", "/v1/event", (name,))


def _read(response: Response) -> Page | Unread | None:
    if response.status == 404:
        return Page()
    if response.status != 200:
        return None
    one, several = object_of(response.body), events_of(response.body)
    if several is None:
        return Page(tuple(_items([one]))) if "id" in one else None
    return Page(tuple(_items(several)), more=len(several) >= PAGE_SIZE)


def _items(events: Sequence[dict[str, Any]]) -> list[Item]:
    living = (one for one in events if one.get("is_deleted") is not True)
    return [Item(identified(one), _text(one.get("external_id")), one) for one in living]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _differences(situation: Situation, item: Item) -> Sequence[str]:
    content, there = situation.observed or {}, item.content or {}
    said = event(content, situation.options) | calendar(content, situation.options)
    names = dict.fromkeys([*said, "location", "content", "show_as"])
    return [
        name for name in names if name in there and name not in _OWN_FORM and not _alike(name, said.get(name), there)
    ]


def _alike(name: str, said: Any, there: Mapping[str, Any]) -> bool:
    found = there[name]
    if name in _CLOCK:
        return _instant(found) == _instant(said)
    if name == "show_as":
        return BUSY[True] in (said, 2) if found is None else found == (BUSY[True] if said is None else said)
    if name == "participants":
        return _has_people(said, found)
    if name == "custom_data":
        return isinstance(found, Mapping) and all(found.get(key) == value for key, value in said.items())
    return found in _EMPTY if said in _EMPTY else found == said


def _instant(text: Any) -> datetime | str:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)


def _has_people(said: Any, found: Any) -> bool:
    """Whether all are there who were named: the vendor adds those it finds in texts, and rewrites phone numbers."""
    people = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    return all(any(_is_same(one, there) for there in people) for one in said or ())


def _is_same(said: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    named = [name for name in _PERSON if name in said]
    return all(str(there.get(name)) == str(said[name]) for name in named)


READ_BACK = ReadBack(
    places=lambda _situation: (ACCOUNT,),
    list=_list,
    look=_look,
    read=_read,
    differences=_differences,
    remove=lambda identity: Request("DELETE", "/v1/events", (("id", identity),)),
    unseen=("time_zone",),
)
