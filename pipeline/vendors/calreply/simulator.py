"""CalReply (now Rokt Calendar) as its documents describe it, for the sandbox: tokens, subscriptions, events, feeds.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
What the documents leave open is answered in the way that hurts most: a repeated `eventId` becomes a second item, a
repeated subscriber a second subscription.
Sources: CalReply API pages (all resources, Webhooks, Timezones) and the Rokt Calendar pages, read 2026-11.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import UUID

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_answers import (
    details_of,
    event_lines,
    folded,
    iso,
    json_answer,
    name_of,
    shown_entry,
)
from pipeline.vendors.calreply.simulator_checks import (
    CHECKS,
    REQUIRED,
    ROKT_FIELDS,
    Event,
    RefusedError,
    TokenRefusedError,
    check_either,
    checked,
    is_guid,
)
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
        self._account = str(config["account_code"])
        self._client = (str(config["client_id"]), str(config["client_secret"]))
        self._is_rokt = config.get("api", "calreply") == "rokt"
        self._access_seconds = float(config.get("access_seconds", 300))
        self._refresh_seconds = float(config.get("refresh_seconds", 3600))
        self._delay = float(config.get("apply_delay", 0))
        self._own_uid = config.get("feed_uid", "event_id") == "own"
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}
        self._protected = frozenset(config.get("protected", ()))
        self._consent_delay = config.get("consent_delay", 0.0)
        self._webhooks = int(config.get("webhooks", 2))
        self._items: dict[str, list[Event]] = {}
        self._subscriptions: dict[str, Event] = {}
        self._pending: list[tuple[float, int, Callable[[float], None]]] = []
        self._counter = self._refusals = 0
        self._revoked = False
        self._last = 0.0
        self.notices: deque[Event] = deque(maxlen=1000)
        """What the webhooks would have been sent, the newest last."""
        self.writes: dict[str, list[tuple[float, str, str]]] = {}
        self.tokens_issued = {"client_credentials": 0, "refresh_token": 0, "refused": 0}

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response:
        """The answer to one request; `path` is below the account's base URL, `now` in Unix seconds."""
        self._settle(now)
        if path == self.token_path:
            return self._token(method, headers, body, now)
        try:
            answer = self._route(method, path, headers, body, now)
        except RefusedError as refused:
            return self._refuse(refused)
        self._settle(now)
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
        self._revoked = True
        self._access.clear()
        self._refresh.clear()

    def restore(self, now: float) -> None:
        self._revoked = False

    def items(self, now: float | None = None) -> list[tuple[str, str]]:
        """(key, id) of everything that exists, subscriptions too."""
        self._settle(self._last if now is None else now)
        events = [(key, item["id"]) for key, items in self._items.items() for item in items]
        return events + [
            (name_of(one), identity) for identity, one in self._subscriptions.items() if one["ended"] is None
        ]

    def entries(self, now: float | None = None) -> list[dict[str, Any]]:
        """What stands in calendars now, one for each event and subscription. An all-day `end` is exclusive."""
        self._settle(self._last if now is None else now)
        return [
            shown_entry(key, item, calendar)
            for key, items in self._items.items()
            for item in items
            for calendar in item["subscriptions"]
        ]

    def subscriptions(self, now: float | None = None) -> list[Event]:
        """The active subscriptions, each with all that was said of it, in the names of its first table."""
        self._settle(self._last if now is None else now)
        return [{"id": identity, **one} for identity, one in self._subscriptions.items() if one["ended"] is None]

    def withdraw(self, identity: str) -> None:
        """The person takes back the permission given at Google: the next update needs a new consent."""
        self._subscriptions[identity]["withdrawn"] = True

    # Tokens

    def _token(self, method: str, headers: Mapping[str, str], body: bytes, now: float) -> Response:
        try:
            return self._grant(method, headers, body, now)
        except TokenRefusedError as refused:
            self.tokens_issued["refused"] += 1
            more = {"www-authenticate": "Basic"} if refused.status == 401 else {}
            return json_answer(refused.status, {"error": refused.error}, more)

    def _grant(self, method: str, headers: Mapping[str, str], body: bytes, now: float) -> Response:
        if method != "POST":
            raise TokenRefusedError("invalid_request", 405)
        # Its samples show JSON, its text and three other sources say form data: only the form is taken.
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise TokenRefusedError("invalid_request")
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        self._check_client(headers, form)
        grant = form.get("grant_type")
        if grant == "refresh_token":
            self._use_refresh(form.get("refresh_token", ""), headers, now)
        elif grant != "client_credentials":
            raise TokenRefusedError("unsupported_grant_type" if grant else "invalid_request")
        self.tokens_issued[grant] += 1
        return self._issue(now)

    def _check_client(self, headers: Mapping[str, str], form: Mapping[str, str]) -> None:
        basic = basic_of(headers)
        given = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        if self._revoked or given != self._client:
            raise TokenRefusedError("invalid_client", 401 if basic else 400)

    def _use_refresh(self, token: str, headers: Mapping[str, str], now: float) -> None:
        if basic_of(headers) is None:  # the header is required to refresh
            raise TokenRefusedError("invalid_client")
        if self._refresh.pop(token, 0.0) <= now:  # used, unknown or too old
            raise TokenRefusedError("invalid_grant")

    def _issue(self, now: float) -> Response:
        access, refresh = self._secret_text("access"), self._secret_text("refresh")
        self._access = {token: end for token, end in self._access.items() if end > now}
        self._refresh = {token: end for token, end in self._refresh.items() if end > now}
        self._access[access] = now + self._access_seconds
        self._refresh[refresh] = now + self._refresh_seconds
        content = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": int(self._access_seconds),
            "refresh_token": refresh,
            "as:client_id": self._client[0],
            ".issued": formatdate(now, usegmt=True),
            ".expires": formatdate(now + self._access_seconds, usegmt=True),
        }
        return json_answer(200, content, {"cache-control": "no-store"})

    def _secret_text(self, kind: str) -> str:
        self._counter += 1
        return hashlib.sha256(f"{kind} {self._counter} {self._client[1]}".encode()).hexdigest()

    def _check_bearer(self, headers: Mapping[str, str], now: float) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._access.get(token.strip(), 0.0) <= now:
            raise RefusedError(401, "the access token is missing, unknown or expired", "Unauthorized")

    # Routes

    def _route(self, method: str, path: str, headers: Mapping[str, str], body: bytes, now: float) -> Response:
        parts = path.strip("/").split("/")
        if method == "GET" and parts[:2] == ["v1", "webcal"] and len(parts) == 3:
            return self._feed(parts[2], headers, now)
        self._check_bearer(headers, now)
        if body and headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise RefusedError(400, "Content-Type must be application/json")
        if parts[1:2] == ["subscriptionevent"] or parts[4:5] == ["subscriptionevent"]:
            return self._route_event(method, parts, body, now)
        return self._route_subscription(method, parts, body, now)

    def _route_event(self, method: str, parts: list[str], body: bytes, now: float) -> Response:
        self._check_account(parts[2] if len(parts) > 2 else "")
        match method, parts:
            case "POST", ["v1", "subscriptionevent", _]:
                return self._create(body, now)
            case "POST", ["v1", "subscriptionevent", _, "update"] if self._is_rokt:
                return self._update(body, now)
            case "DELETE", ["v1", "subscriptionevent", _, key] if self._is_rokt:
                return self._accept(now, lambda at: self._remove(key, None, at))
            case "DELETE", ["v2", "subscription", _, subscription, "subscriptionevent", key] if self._is_rokt:
                return self._accept(now, lambda at: self._remove(key, subscription, at))
            case _:
                raise RefusedError(404, "no such resource", "NotFound")

    def _route_subscription(self, method: str, parts: list[str], body: bytes, now: float) -> Response:
        match method, parts:
            case "GET", ["v1", "subscription", identity]:
                return json_answer(200, details_of(*self._one(identity)))
            case "GET", ["v1", "subscription", account, calendar, user]:
                self._check_account(account)
                return json_answer(200, [details_of(*pair) for pair in self._of_user(calendar, user)])
            case "POST", ["v2", "subscribe", account, calendar]:
                self._check_account(account)
                return self._subscribe(calendar, checked(body, "subscribe"), now)
            case "POST", ["v1", "webcal", account, calendar]:
                self._check_account(account)
                return self._webcal(calendar, checked(body, "webcal"), now)
            case "POST", ["v1", "google", account, calendar]:
                self._check_account(account)
                return self._google(calendar, checked(body, "google"), now)
            case "PUT", ["v1", "subscription", account, calendar, identity]:
                self._check_account(account)
                return self._change_subscription(calendar, identity, checked(body, "update"), now)
            case "DELETE", ["v1", "subscription", account, calendar]:
                self._check_account(account)
                return self._deactivate(calendar, object_of(body) or {}, now)
            case _:
                raise RefusedError(404, "no such resource", "NotFound")

    def _check_account(self, account: str) -> None:
        if account != self._account:
            raise RefusedError(400, "account code is not known")

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
        return self._accept(now, lambda at: self._add(event, list(dict.fromkeys(subscriptions)), at))

    def _update(self, body: bytes, now: float) -> Response:
        event = object_of(body)  # flat, without wrapper and subscriptionIds
        if event is None or not event.get("eventId"):
            raise RefusedError(400, "event id parameter is missing")
        self._check_event(event)
        return self._accept(now, lambda at: self._change(event, at))

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

    # Acts, carried out some time after the 202

    def _accept(self, now: float, act: Callable[[float], None]) -> Response:
        self._counter += 1
        heapq.heappush(self._pending, (now + self._delay, self._counter, act))
        return Response(202)

    def _settle(self, now: float) -> None:
        self._last = max(self._last, now)
        while self._pending and self._pending[0][0] <= now:
            due, _, act = heapq.heappop(self._pending)
            act(due)

    def _add(self, event: Event, subscriptions: list[str], at: float) -> None:
        self._counter += 1
        identity = hashlib.md5(f"item {self._counter}".encode(), usedforsecurity=False).hexdigest()
        item = {"id": identity, "event": event, "subscriptions": subscriptions, "at": at, "sequence": 0}
        self._items.setdefault(event["eventId"], []).append(item)
        self._note(event["eventId"], "create", event["title"], at)
        for subscription in subscriptions:
            self._tell_event("Added", event, subscription)

    def _change(self, event: Event, at: float) -> None:
        items = self._items.get(event["eventId"], [])
        for item in items:
            item["event"] = {**item["event"], **event}
            item.update(at=at, sequence=item["sequence"] + 1)
        if items:
            self._note(event["eventId"], "update", items[0]["event"]["title"], at)
            self._tell_event("Updated", items[0]["event"], None)

    def _remove(self, key: str, subscription: str | None, at: float) -> None:
        for item in self._items.get(key, []):
            # Deleted carries Removed's type: so it stands in the successor's sample.
            self._tell_event("Removed", item["event"], subscription)
            item["subscriptions"] = [s for s in item["subscriptions"] if subscription not in (None, s)]
        if key in self._items and (subscription is None or not any(i["subscriptions"] for i in self._items[key])):
            del self._items[key]
            self._note(key, "delete", "", at)

    def _note(self, key: str, kind: str, title: str, at: float) -> None:
        self.writes.setdefault(key, []).append((at, kind, title))

    # Subscriptions

    def _one(self, identity: str) -> tuple[str, Event]:
        if identity not in self._subscriptions:
            raise RefusedError(404, "no such subscription", "NotFound")
        return identity, self._subscriptions[identity]

    def _of_user(self, calendar: str, user: str) -> list[tuple[str, Event]]:
        found = self._subscriptions.items()
        return [
            (id_, one) for id_, one in found if (one["calendar"], one["said"].get("subscriberId")) == (calendar, user)
        ]

    def _subscribe(self, calendar: str, said: Event, now: float) -> Response:
        """Which way it goes the caller says, else the user agent."""
        if not said.get("redirectTo"):
            raise RefusedError(400, "redirectTo is required")
        if not said.get("subscriptionMethod") and not said.get("userAgent"):
            raise RefusedError(400, "userAgent is required where there is no subscriptionMethod")
        method = said.get("subscriptionMethod") or ("Google" if "Android" in said["userAgent"] else "WebCal")
        answer: Event = {"success": True, "subscriptionType": method.lower()}
        if "subscriberId" in said:
            answer["subscriberId"] = said["subscriberId"]
        if method == "WebCal":
            identity = self._begin(calendar, method, said, now)
            more = {"subscriptionUrl": self._url(identity), "isNewSubscription": True}
            return json_answer(200, {**answer, "subscriptionId": identity, **more})
        known = self._consented(calendar, said)
        if known is None:
            return json_answer(
                200, {**answer, "redirectTo": self._ask_consent(lambda at: self._grant_new(calendar, said, at), now)}
            )
        self._merge(known, said, now)
        return json_answer(200, {**answer, "subscriptionId": known, "isNewSubscription": False})

    def _webcal(self, calendar: str, said: Event, now: float) -> Response:
        if calendar in self._protected and not said.get("username"):
            raise RefusedError(400, "username is required: the calendar is protected")
        said = {**said, **({"subscriberId": said["username"]} if said.get("username") else {})}
        identity = self._begin(calendar, "WebCal", said, now)
        return Response(200, {"content-type": "text/plain"}, self._url(identity).encode())

    def _google(self, calendar: str, said: Event, now: float) -> Response:
        if not said.get("redirectTo"):
            raise RefusedError(400, "redirectTo is required")
        known = self._consented(calendar, said)
        if known is None:
            return Response(302, {"location": self._ask_consent(lambda at: self._grant_new(calendar, said, at), now)})
        self._merge(known, said, now)
        result = f"success=true&new=false&subscriptionId={known}"
        return Response(302, {"location": f"{said['redirectTo']}{'&' if '?' in said['redirectTo'] else '?'}{result}"})

    def _consented(self, calendar: str, said: Event) -> str | None:
        there = self._of_user(calendar, said["subscriberId"]) if "subscriberId" in said else []
        return next((id_ for id_, one in there if one["method"] == "Google" and one["ended"] is None), None)

    def _ask_consent(self, act: Callable[[float], None], now: float) -> str:
        self._counter += 1
        if self._consent_delay is not None:
            heapq.heappush(self._pending, (now + float(self._consent_delay), self._counter, act))
        state = hashlib.sha256(f"consent {self._counter}".encode()).hexdigest()[:24]
        scope = quote("https://www.googleapis.com/auth/calendar", safe="")
        return f"https://accounts.google.com/o/oauth2/auth?response_type=code&scope={scope}&state={state}"

    def _grant_new(self, calendar: str, said: Event, at: float) -> None:
        """A person who consents twice, from two redirects, has one subscription."""
        known = self._consented(calendar, said)
        if known is None:
            self._begin(calendar, "Google", said, at)
        else:
            self._merge(known, said, at)

    def _begin(self, calendar: str, method: str, said: Event, at: float) -> str:
        self._counter += 1
        identity = str(UUID(hashlib.md5(f"subscription {self._counter}".encode(), usedforsecurity=False).hexdigest()))
        one: Event = {"calendar": calendar, "method": method, "said": dict(said), "at": at, "ended": None}
        protected = calendar in self._protected
        one["password"] = hashlib.sha256(identity.encode()).hexdigest()[:16] if protected else None
        self._subscriptions[identity] = one
        self._note(name_of(one), "create", "", at)
        for event in said.get("events", ()):
            self._add_own(identity, event, at)
        self._tell("Subscribe", "SubscriptionViaWebApi", identity)
        return identity

    def _add_own(self, identity: str, event: Event, at: float) -> None:
        """An event that belongs solely to this subscription; its times are local whatever their offset."""
        self._counter += 1
        local = {name: event[name][:19] for name in ("start", "end")}
        item: Event = {
            "id": hashlib.md5(f"item {self._counter}".encode(), usedforsecurity=False).hexdigest(),
            "subscriptions": [identity],
        }
        item |= {"event": {"timezone": "UTC", **event, **local}, "at": at, "sequence": 0}
        self._items[f"{identity}/{event['eventId']}"] = [item]

    def _url(self, identity: str) -> str:
        one = self._subscriptions[identity]
        secret = f"{quote(one['said']['username'], safe='')}:{one['password']}@" if one["password"] else ""
        return f"webcal://{secret}api.calreply.net/v1/webcal/{identity}"

    def _change_subscription(self, calendar: str, identity: str, said: Event, now: float) -> Response:
        _, one = self._one(identity)
        if one["calendar"] != calendar:
            raise RefusedError(400, "Invalid combination of tag details and merchant/calendar codes")
        if one["ended"]:
            raise RefusedError(404, "the subscription is not active", "NotFound")
        answer: Event = {"success": True, "subscriptionId": identity, "subscriptionType": one["method"]}
        if one.get("withdrawn"):
            if not said.get("redirectTo"):
                raise RefusedError(400, "redirectTo is required: the person has to consent anew")
            return json_answer(
                200, {**answer, "redirectTo": self._ask_consent(lambda at: self._merge(identity, said, at), now)}
            )
        self._merge(identity, said, now)
        return json_answer(200, {**answer, "message": "Subscription updated"})

    def _merge(self, identity: str, said: Event, at: float) -> None:
        one = self._subscriptions[identity]
        merged = {**one["said"], **said}
        check_either(merged)
        one["said"] = merged
        one["withdrawn"] = False
        self._note(name_of(one), "update", "", at)
        self._tell("SubscriptionDetailsUpdated", "SubscriptionViaWebApi", identity)

    def _deactivate(self, calendar: str, said: Event, now: float) -> Response:
        match said:
            case {"id": str() as identity} if is_guid(identity):
                _, one = self._one(identity)
                if one["calendar"] != calendar:
                    raise RefusedError(400, "Invalid combination of subscription and calendar codes")
                return self._accept(now, lambda at: self._end([identity], "DeactivatedById", at))
            case {"username": str() as user} if user:
                return self._accept(
                    now,
                    lambda at: self._end([i for i, _ in self._of_user(calendar, user)], "DeactivatedByUsername", at),
                )
            case _:
                raise RefusedError(400, "id or username is required")

    def _end(self, identities: list[str], action: str, at: float) -> None:
        for identity in identities:
            one = self._subscriptions[identity]
            if one["ended"] is None:
                one["ended"] = at
                self._items = {key: kept for key, kept in self._items.items() if not key.startswith(f"{identity}/")}
                self._note(name_of(one), "delete", "", at)
                self._tell("Unsubscribe", action, identity)

    # Webhooks

    def _tell(self, kind: str, action: str, identity: str) -> None:
        one = self._subscriptions[identity]
        about = {
            "calendarSubscriptionId": identity,
            "calendarTitle": one["calendar"],
            "subscriptionMethod": one["method"],
            "createdDateTimeUtc": iso(one["at"]),
            **{name: one["said"][name] for name in ("emailAddress", "additionalOptIn") if name in one["said"]},
            **({"subscriberExternalId": one["said"]["subscriberId"]} if "subscriberId" in one["said"] else {}),
        }
        if self._webhooks == 2:
            self._send(kind, {"actionType": action, "accountCode": self._account, "subscription": about})
        elif kind in ("Subscribe", "Unsubscribe"):
            self._send(kind, {"actionType": action, "merchantName": self._account, **about})

    def _tell_event(self, kind: str, event: Event, subscription: str | None) -> None:
        if self._webhooks == 2:
            about = {"subscription": {"calendarSubscriptionId": subscription}} if subscription else {}
            detail = {"accountCode": self._account, **about, "subscriptionEvent": dict(event)}
            self._send(f"SubscriptionEvent{kind}", detail)

    def _send(self, kind: str, details: Event) -> None:
        identity = str(
            UUID(
                hashlib.md5(
                    f"notice {self._counter} {len(self.notices)} {kind}".encode(), usedforsecurity=False
                ).hexdigest()
            )
        )
        self.notices.append({"eventId": identity, "eventType": kind, "eventDetails": details})

    # Feed

    def _feed(self, subscription: str, headers: Mapping[str, str], now: float) -> Response:
        one = self._subscriptions.get(subscription)
        if one is not None and one["password"]:
            if basic_of(headers) != (one["said"]["username"], one["password"]):
                return Response(401, {"www-authenticate": "Basic"})
        elif "authorization" in headers:  # its sample sends none, as calendar clients do; a wrong one is refused
            self._check_bearer(headers, now)
        if not is_guid(subscription):
            return Response(400)
        text = "\r\n".join(map(folded, self._feed_lines(subscription))) + "\r\n"
        kind = {"content-type": "text/calendar", "cache-control": "private"}
        return Response(200, {**kind, "content-disposition": "attachment; filename=calendar.ics"}, text.encode())

    def _feed_lines(self, subscription: str) -> Iterator[str]:
        yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//CalReply Inc//CalReply 1.0//EN", "METHOD:REFRESH")
        yield f"X-WR-RELCALID:{subscription}"
        for key, items in self._items.items():
            for item in items:
                if subscription in item["subscriptions"]:
                    yield from event_lines(item["id"] if self._own_uid else key, item)
        yield "END:VCALENDAR"

    # Errors

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
