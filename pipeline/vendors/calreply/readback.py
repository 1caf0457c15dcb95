"""What CalReply shows of its events, and whether that is what it acknowledged.

Source: Get Subscription's feed, one for each subscription. It shows title, location, description and times. No document
says that its UID is our `eventId`: an item with a UID of the vendor's own is known by its content alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.model.wire import Request, Response
from pipeline.vendors.calreply import feed
from pipeline.vendors.calreply.address import segment
from pipeline.vendors.calreply.payload import subscriptions
from pipeline.vendors.calreply.subscribed import GUID
from pipeline.vendors.calreply.subscription import is_subscription
from pipeline.vendors.contract import Item, Page, ReadBack, Situation, Unread


def _places(situation: Situation) -> tuple[str, ...] | Unread:
    if is_subscription(situation.observed):
        return Unread("subscription")  # whether it still runs is the person's own choice
    found = subscriptions(situation.observed_identity or situation.identity)
    return tuple(found) or Unread("no_subscriber")


def _list(place: str, _page: int, _options: Mapping[str, Any]) -> Request:
    return Request("GET", f"/v1/webcal/{segment(place)}")


def _read(response: Response) -> Page | Unread | None:
    if response.status in (400, 404):  # "RESULT 400 no content" (Get Subscription)
        return Unread("subscription_ended")
    if response.status == 401 and response.headers.get("www-authenticate", "").lower().startswith("basic"):
        return Unread("protected")  # the feed wants the password of its own URL, not our token
    items = feed.items(response.body.decode("utf-8", "replace")) if response.status == 200 else None
    return None if items is None else Page(tuple(_items(items)))


def _items(events: Sequence[feed.Item]) -> Iterator[Item]:
    """Of two with the same UID the second has no id: no call could name it."""
    seen: set[str] = set()
    for one in events:
        uid = one.text("UID") or ""
        mark = None if GUID.fullmatch(uid) else uid
        yield Item(None if uid in seen else uid, mark, {"values": one.values, "parameters": one.parameters})
        seen.add(uid)


def _differences(situation: Situation, item: Item) -> Sequence[str]:
    return feed.differing(feed.Item(**(item.content or {})), situation.observed or {})


READ_BACK = ReadBack(
    places=_places,
    list=_list,
    look=lambda _situation: Unread("not_listed"),
    read=_read,
    differences=_differences,
    remove=None,
    unseen=("alerts", "calreply"),
)
