"""CalReply's webhooks, of the first version and the second: what each tells.

Only `subscriberExternalId`, the id that we gave, links: never an address, which anybody can type into a page.
Sources: Object Data; the successor's pages for the second version, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.model.wire import object_of
from pipeline.vendors.contract import Notice

# Deleted's own sample carries Removed's type, so both mean that the entry is there no more.
_ENTRY: Mapping[str, Literal["accepted", "changed", "deleted"]] = {
    "subscriptioneventadded": "accepted",
    "subscriptioneventupdated": "changed",
    "subscriptioneventremoved": "deleted",
    "subscriptioneventdeleted": "deleted",
}

Fields = Mapping[str, Any]


def inbound(body: bytes) -> Sequence[Notice] | None:
    notice = _notice(object_of(body))
    return None if notice is None else [notice]


def _notice(data: Fields) -> Notice | None:
    envelope = _lower(data)
    identity, details = _text(envelope, "eventid"), _lower(envelope.get("eventdetails"))
    kind = (_text(envelope, "eventtype") or "").lower()
    if kind == "test" or (not kind and {"message", "date"} <= envelope.keys()):
        return Notice("test", id=identity, data=data)
    # The second version has one object for each thing, the first has all in one.
    subscription = {**details, **_lower(details.get("subscription"))}
    event = _text(_lower(details.get("subscriptionevent")), "eventid")
    if kind in _ENTRY:
        return None if event is None else _about_entry(kind, event, subscription, identity, data)
    return _about_person(kind, subscription, identity, data)


def _about_entry(kind: str, event: str, subscription: Fields, identity: str | None, data: Fields) -> Notice:
    return Notice(_ENTRY[kind], _own_id(subscription), _subscription_id(subscription), event, identity, data)


def _about_person(kind: str, subscription: Fields, identity: str | None, data: Fields) -> Notice | None:
    subscriber, there = _own_id(subscription), _subscription_id(subscription)
    if there is None:
        return None
    match kind:
        case "subscribe" if subscriber is not None:
            return Notice("linked", subscriber, there, id=identity, data=data)
        case "unsubscribe":
            return Notice("unlinked", subscriber, there, id=identity, data=data)
        case "subscriptiondetailsupdated":
            return Notice("changed", subscriber, there, there, identity, data)
        case _:
            return Notice("seen", identity=there, id=identity, data=data)


def _own_id(subscription: Fields) -> str | None:
    """None for one that is an address: nobody can tell who typed it."""
    found = _text(subscription, "subscriberexternalid")
    return None if found is None or "@" in found else found


def _subscription_id(subscription: Fields) -> str | None:
    return _text(subscription, "calendarsubscriptionid")


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value.strip() else None


def _lower(value: Any) -> Fields:
    """Names in lower case: the samples write `calendarSubscriptionid` and `Referer`, the tables otherwise."""
    return {name.lower(): one for name, one in value.items()} if isinstance(value, dict) else {}
