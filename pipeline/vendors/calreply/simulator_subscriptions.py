"""Subscriptions at the simulated CalReply: which calls there are, what they refuse, what they do.

A repeated subscriber becomes a second subscription: the documents leave it open, and that hurts most. Who is sent to
Google consents after a while, or never; nothing is subscribed before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_account import Account, Act
from pipeline.vendors.calreply.simulator_answers import details_of, json_answer, name_of
from pipeline.vendors.calreply.simulator_checks import Event, RefusedError, check_either, checked, is_guid
from pipeline.vendors.calreply.simulator_webhooks import Webhooks
from pipeline.vendors.simulated import object_of


class Subscriptions:
    """Those of one account. `config`: `protected`, `consent_delay`."""

    def __init__(self, account: Account, webhooks: Webhooks, config: Mapping[str, Any]) -> None:
        self._account = account
        self._webhooks = webhooks
        self._protected = frozenset(config.get("protected", ()))
        self._consent_delay = config.get("consent_delay", 0.0)

    def answer(self, method: str, parts: list[str], body: bytes, now: float) -> Response:
        match method, parts:
            case "GET", ["v1", "subscription", identity]:
                return json_answer(200, details_of(*self._one(identity)))
            case "GET", ["v1", "subscription", account, calendar, user]:
                self._account.check_code(account)
                return json_answer(200, [details_of(*pair) for pair in self._of_user(calendar, user)])
            case "POST", ["v2", "subscribe", account, calendar]:
                self._account.check_code(account)
                return self._subscribe(calendar, checked(body, "subscribe"), now)
            case "POST", ["v1", "webcal", account, calendar]:
                self._account.check_code(account)
                return self._webcal(calendar, checked(body, "webcal"), now)
            case "POST", ["v1", "google", account, calendar]:
                self._account.check_code(account)
                return self._google(calendar, checked(body, "google"), now)
            case "PUT", ["v1", "subscription", account, calendar, identity]:
                self._account.check_code(account)
                return self._change(calendar, identity, checked(body, "update"), now)
            case "DELETE", ["v1", "subscription", account, calendar]:
                self._account.check_code(account)
                return self._deactivate(calendar, object_of(body) or {}, now)
            case _:
                raise RefusedError(404, "no such resource", "NotFound")

    def _one(self, identity: str) -> tuple[str, Event]:
        if identity not in self._account.subscriptions:
            raise RefusedError(404, "no such subscription", "NotFound")
        return identity, self._account.subscriptions[identity]

    def _of_user(self, calendar: str, user: str) -> list[tuple[str, Event]]:
        found = self._account.subscriptions.items()
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

    def _ask_consent(self, act: Act, now: float) -> str:
        if self._consent_delay is not None:
            self._account.later(now + float(self._consent_delay), act)
        state = self._account.new_id("consent")[:24]
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
        identity = self._account.new_guid("subscription")
        one: Event = {"calendar": calendar, "method": method, "said": dict(said), "at": at, "ended": None}
        protected = calendar in self._protected
        one["password"] = hashlib.sha256(identity.encode()).hexdigest()[:16] if protected else None
        self._account.subscriptions[identity] = one
        self._account.note(name_of(one), "create", "", at)
        for event in said.get("events", ()):
            self._add_own(identity, event, at)
        self._webhooks.tell("Subscribe", "SubscriptionViaWebApi", identity, one)
        return identity

    def _add_own(self, identity: str, event: Event, at: float) -> None:
        """An event that belongs solely to this subscription; its times are local whatever their offset."""
        local = {name: event[name][:19] for name in ("start", "end")}
        item: Event = {"id": self._account.new_id("item"), "subscriptions": [identity]}
        item |= {"event": {"timezone": "UTC", **event, **local}, "at": at, "sequence": 0}
        self._account.items[f"{identity}/{event['eventId']}"] = [item]

    def _url(self, identity: str) -> str:
        one = self._account.subscriptions[identity]
        secret = f"{quote(one['said']['username'], safe='')}:{one['password']}@" if one["password"] else ""
        return f"webcal://{secret}api.calreply.net/v1/webcal/{identity}"

    def _change(self, calendar: str, identity: str, said: Event, now: float) -> Response:
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
        one = self._account.subscriptions[identity]
        merged = {**one["said"], **said}
        check_either(merged)
        one["said"] = merged
        one["withdrawn"] = False
        self._account.note(name_of(one), "update", "", at)
        self._webhooks.tell("SubscriptionDetailsUpdated", "SubscriptionViaWebApi", identity, one)

    def _deactivate(self, calendar: str, said: Event, now: float) -> Response:
        match said:
            case {"id": str() as identity} if is_guid(identity):
                _, one = self._one(identity)
                if one["calendar"] != calendar:
                    raise RefusedError(400, "Invalid combination of subscription and calendar codes")
                return self._account.accept(now, lambda at: self._end([identity], "DeactivatedById", at))
            case {"username": str() as user} if user:
                return self._account.accept(
                    now,
                    lambda at: self._end([i for i, _ in self._of_user(calendar, user)], "DeactivatedByUsername", at),
                )
            case _:
                raise RefusedError(400, "id or username is required")

    def _end(self, identities: list[str], action: str, at: float) -> None:
        for identity in identities:
            one = self._account.subscriptions[identity]
            if one["ended"] is None:
                one["ended"] = at
                for key in [key for key in self._account.items if key.startswith(f"{identity}/")]:
                    del self._account.items[key]
                self._account.note(name_of(one), "delete", "", at)
                self._webhooks.tell("Unsubscribe", action, identity, one)
