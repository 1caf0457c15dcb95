"""Events of subscriptions at the simulated CalReply: which calls there are, what they refuse, what they do.

A repeated `eventId` becomes a second item: the documents leave it open, and that hurts most.
"""

from __future__ import annotations

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_account import Account
from pipeline.vendors.calreply.simulator_checks import CHECKS, REQUIRED, ROKT_FIELDS, Event, RefusedError, is_guid
from pipeline.vendors.calreply.simulator_webhooks import Webhooks
from pipeline.vendors.simulated import object_of


class Events:
    """Those of one account; `is_rokt`: the successor's API, which can change and remove them."""

    def __init__(self, account: Account, webhooks: Webhooks, is_rokt: bool) -> None:
        self._account = account
        self._webhooks = webhooks
        self._is_rokt = is_rokt

    def answer(self, method: str, parts: list[str], body: bytes, now: float) -> Response:
        self._account.check_code(parts[2] if len(parts) > 2 else "")
        match method, parts:
            case "POST", ["v1", "subscriptionevent", _]:
                return self._create(body, now)
            case "POST", ["v1", "subscriptionevent", _, "update"] if self._is_rokt:
                return self._update(body, now)
            case "DELETE", ["v1", "subscriptionevent", _, key] if self._is_rokt:
                return self._account.accept(now, lambda at: self._remove(key, None, at))
            case "DELETE", ["v2", "subscription", _, subscription, "subscriptionevent", key] if self._is_rokt:
                return self._account.accept(now, lambda at: self._remove(key, subscription, at))
            case _:
                raise RefusedError(404, "no such resource", "NotFound")

    def _create(self, body: bytes, now: float) -> Response:
        request = object_of(body)
        if request is None or not request.keys() <= {"event", "subscriptionIds"}:
            raise RefusedError(400, "the body must be an object of event and subscriptionIds")
        event, subscriptions = request.get("event"), request.get("subscriptionIds", [])
        if not isinstance(event, dict):
            raise RefusedError(400, "event parameter is missing")
        self._check_event(event)
        self._check_required(event)
        if not isinstance(subscriptions, list) or not all(map(is_guid, subscriptions)):
            raise RefusedError(400, "subscriptionIds must be a list of GUIDs")
        return self._account.accept(now, lambda at: self._add(event, list(dict.fromkeys(subscriptions)), at))

    def _update(self, body: bytes, now: float) -> Response:
        event = object_of(body)  # flat, without wrapper and subscriptionIds
        if event is None or not event.get("eventId"):
            raise RefusedError(400, "event id parameter is missing")
        self._check_event(event)
        return self._account.accept(now, lambda at: self._change(event, at))

    def _check_event(self, event: Event) -> None:
        for name, value in event.items():
            valid = CHECKS.get(name) if self._is_rokt or name not in ROKT_FIELDS else None
            if valid is None:
                raise RefusedError(400, f"{name} is not a known parameter")
            if not valid(value):
                raise RefusedError(400, f"{name} parameter is not valid")

    def _check_required(self, event: Event) -> None:
        for name in REQUIRED:
            if not event.get(name) and not (name == "timezone" and event.get("timezoneIanaId")):
                raise RefusedError(400, f"{'event id' if name == 'eventId' else name} parameter is missing")

    def _add(self, event: Event, subscriptions: list[str], at: float) -> None:
        identity = self._account.new_id("item")
        item = {"id": identity, "event": event, "subscriptions": subscriptions, "at": at, "sequence": 0}
        self._account.items.setdefault(event["eventId"], []).append(item)
        self._account.note(event["eventId"], "create", event["title"], at)
        self._account.homes.setdefault(event["eventId"], set()).update(subscriptions)
        for subscription in subscriptions:
            self._webhooks.tell_event("Added", event, subscription)

    def _change(self, event: Event, at: float) -> None:
        items = self._account.items.get(event["eventId"], [])
        for item in items:
            item["event"] = {**item["event"], **event}
            item.update(at=at, sequence=item["sequence"] + 1)
        if items:
            self._account.note(event["eventId"], "update", items[0]["event"]["title"], at)
            self._webhooks.tell_event("Updated", items[0]["event"], None)

    def _remove(self, key: str, subscription: str | None, at: float) -> None:
        for item in self._account.items.get(key, []):
            # Deleted carries Removed's type: so it stands in the successor's sample.
            self._webhooks.tell_event("Removed", item["event"], subscription)
            item["subscriptions"] = [s for s in item["subscriptions"] if subscription not in (None, s)]
        left = any(item["subscriptions"] for item in self._account.items.get(key, []))
        if key in self._account.items and (subscription is None or not left):
            del self._account.items[key]
            self._account.note(key, "delete", "", at)
