"""CalReply (now Rokt Calendar) as its documents describe it, for the sandbox: tokens, subscriptions, events, feeds.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
What the documents leave open is answered in the way that hurts most: a repeated `eventId` becomes a second item, a
repeated subscriber a second subscription.
Sources: CalReply API pages (all resources, Webhooks, Timezones) and the Rokt Calendar pages, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_account import Account
from pipeline.vendors.calreply.simulator_answers import json_answer, name_of, shown_entry
from pipeline.vendors.calreply.simulator_checks import Event, RefusedError, is_guid
from pipeline.vendors.calreply.simulator_events import Events
from pipeline.vendors.calreply.simulator_feed import feed
from pipeline.vendors.calreply.simulator_subscriptions import Subscriptions
from pipeline.vendors.calreply.simulator_tokens import Tokens
from pipeline.vendors.calreply.simulator_webhooks import Webhooks
from pipeline.vendors.simulated import Query, basic_of, object_of


class Simulator:
    """One merchant's account.

    `config`: `account_code`, `client_id`, `client_secret`, `api` ("calreply" or "rokt"), `access_seconds`,
    `refresh_seconds`, `apply_delay` (seconds between the 202 and the act), `feed_uid` ("event_id", or "own" for
    the vendor's own UIDs), `protected` (codes of protected calendars), `consent_delay` (seconds until a person sent
    to Google consents; None: never), `webhooks` (1 or 2: the version of what `notices` keeps).
    """

    token_path: str | None = "/oauth2/token"

    def __init__(self, config: Mapping[str, Any]) -> None:
        code = str(config["account_code"])
        self._account = Account(code, delay=float(config.get("apply_delay", 0)))
        self._own_uid = config.get("feed_uid", "event_id") == "own"
        self._tokens = Tokens(config)
        webhooks = Webhooks(code, int(config.get("webhooks", 2)))
        self._events = Events(self._account, webhooks, config.get("api", "calreply") == "rokt")
        self._subscriptions = Subscriptions(self._account, webhooks, config)
        self._refusals = 0
        self.notices = webhooks.notices
        self.writes, self.homes = self._account.writes, self._account.homes
        self.tokens_issued = self._tokens.issued

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response:
        """The answer to one request; `path` is below the account's base URL, `now` in Unix seconds."""
        self._account.settle(now)
        if path == self.token_path:
            return self._tokens.answer(method, headers, body, now)
        try:
            answer = self._route(method, path, headers, body, now)
        except RefusedError as refused:
            return self._refuse(refused)
        self._account.settle(now)
        return answer

    def refusal(self, status: int) -> Response:
        """The vendor's own shape for a status that the server decides on (429, 500, 503, …)."""
        return self._refuse(RefusedError(status, f"the request was not served ({status})", "Error"))

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The key (an eventId, a subscriber) and the title a write is about, each "" where it says none."""
        if method == "GET" or path == self.token_path:
            return "", ""
        fields = object_of(body) or {}
        event = fields.get("event", fields)
        if method != "POST" or not isinstance(event, dict):
            return str(fields.get("id") or fields.get("username") or path.rpartition("/")[2]), ""
        return str(event.get("eventId") or event.get("subscriberId") or ""), str(event.get("title", ""))

    def revoke(self, now: float) -> None:
        """Refuses the credential and every token given for it."""
        self._tokens.revoke()

    def restore(self, now: float) -> None:
        self._tokens.restore()

    def items(self, now: float | None = None) -> list[tuple[str, str]]:
        """(key, id) of everything that exists, subscriptions too."""
        self._account.settle(now)
        events = [(key, item["id"]) for key, items in self._account.items.items() for item in items]
        return events + [
            (name_of(one), identity) for identity, one in self._account.subscriptions.items() if one["ended"] is None
        ]

    def entries(self, now: float | None = None) -> list[dict[str, Any]]:
        """What stands in calendars now, one for each event and subscription. An all-day `end` is exclusive."""
        self._account.settle(now)
        return [
            shown_entry(key, item, calendar)
            for key, items in self._account.items.items()
            for item in items
            for calendar in item["subscriptions"]
        ]

    def subscriptions(self, now: float | None = None) -> list[Event]:
        """The active subscriptions, each with all that was said of it, in the names of its first table."""
        self._account.settle(now)
        return [
            {"id": identity, **one} for identity, one in self._account.subscriptions.items() if one["ended"] is None
        ]

    def withdraw(self, identity: str) -> None:
        """The person takes back the permission given at Google: the next update needs a new consent."""
        self._account.subscriptions[identity]["withdrawn"] = True

    def _route(self, method: str, path: str, headers: Mapping[str, str], body: bytes, now: float) -> Response:
        parts = path.strip("/").split("/")
        if method == "GET" and parts[:2] == ["v1", "webcal"] and len(parts) == 3:
            return self._feed(parts[2], headers, now)
        self._tokens.check_bearer(headers, now)
        if body and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise RefusedError(400, "Content-Type must be application/json")
        if parts[1:2] == ["subscriptionevent"] or parts[4:5] == ["subscriptionevent"]:
            return self._events.answer(method, parts, body, now)
        return self._subscriptions.answer(method, parts, body, now)

    def _feed(self, subscription: str, headers: Mapping[str, str], now: float) -> Response:
        one = self._account.subscriptions.get(subscription)
        if one is not None and one["password"]:
            if basic_of(headers) != (one["said"]["username"], one["password"]):
                return Response(401, {"www-authenticate": "Basic"})
        elif "authorization" in headers:  # its sample sends none, as calendar clients do; a wrong one is refused
            self._tokens.check_bearer(headers, now)
        if not is_guid(subscription):
            return Response(400)
        text = feed(subscription, self._account.items, self._own_uid)
        kind = {"content-type": "text/calendar", "cache-control": "private"}
        return Response(200, {**kind, "content-disposition": "attachment; filename=calendar.ics"}, text)

    def _refuse(self, refused: RefusedError) -> Response:
        """The four shapes of `errors` that the documents show, in turn; one says 404 in a body sent with 400."""
        self._refusals += 1
        code, reason = refused.code, refused.reason
        shapes: list[tuple[int, Any]] = [
            (404 if refused.status == 400 else refused.status, {"code": code, "reason": reason}),
            (refused.status, {"Code": code, "Reason": reason}),
            (refused.status, [code, reason]),
            (refused.status, reason),
        ]
        stated, error = shapes[self._refusals % 4]
        more = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
        return json_answer(refused.status, {"success": False, "statusCode": stated, "errors": [error]}, more)
