"""What Add to Calendar PRO shows of its events, and whether that is what it acknowledged.

Sources: Get an event, and the list of all (add2cal/docs), which shows ids, labels and days only: each event is looked
at by itself. A copy is known by its marker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.model.wire import Request, Response, json_of
from pipeline.vendors.add_to_calendar_pro import reading
from pipeline.vendors.add_to_calendar_pro.payload import address, event, marker
from pipeline.vendors.add_to_calendar_pro.responses import PAGE_SIZE, identified, says_none
from pipeline.vendors.contract import Item, Page, ReadBack, Situation, Unread

ACCOUNT = "account"
"""The one place: all events of the account."""


def _list(_place: str, page: int, _options: Mapping[str, Any]) -> Request:
    return Request("GET", "/event/all", (("page", str(page)),) if page > 1 else ())


def _look(situation: Situation) -> Request | Unread:
    return Request("GET", address(situation.vendor_id)) if situation.vendor_id else Unread("no_id")


def _read(response: Response) -> Page | Unread | None:
    """A list's row has a label, an event none. A 404 without the vendor's words is a wrong address."""
    if response.status == 404:
        return Page() if says_none(response.body) else None
    found = json_of(response.body) if response.status == 200 else None
    several: list[Any] = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in several):
        return None
    if all("label" in one for one in several):
        return Page(tuple(Item(identified(one), None, None) for one in several), more=len(several) >= PAGE_SIZE)
    whole = len(several) == 1 and reading.rows(several[0]) is not None
    return Page((_item(several[0]),)) if whole else None


def _item(one: Mapping[str, Any]) -> Item:
    mark = one.get("iCalFileName")
    return Item(identified(one), mark if isinstance(mark, str) else "", one)


def _differences(situation: Situation, item: Item) -> Sequence[str]:
    content: Mapping[str, Any] = situation.observed or {}
    moved = content.get("collection") and reading.group_of(item.content or {}) != content["collection"]
    return [*(["event_group"] if moved else []), *reading.differing(item.content or {}, event(content))]


READ_BACK = ReadBack(
    places=lambda _situation: (ACCOUNT,),
    list=_list,
    look=_look,
    read=_read,
    differences=_differences,
    remove=lambda identity: Request("DELETE", address(identity)),
    unseen=(),
    mark=marker,
)
