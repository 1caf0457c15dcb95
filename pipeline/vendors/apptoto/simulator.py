"""Apptoto as its documents describe it, for the sandbox: calendars, events, participants.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
It refuses what the documents refuse. Where they are silent there is a word in `config`; error bodies are made up.
Sources: PUT, POST, GET and DELETE /v1/events, GET /v1/event of apidocs.apptoto.com, and public clients, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.model.wire import Response
from pipeline.vendors.apptoto.simulator_answers import instant_of, is_listed, json_answer, local_of, person_of, whole_of
from pipeline.vendors.apptoto.simulator_checks import (
    REQUIRED,
    ZONES,
    Event,
    InvalidError,
    RefusedError,
    batch_of,
    check_fields,
)
from pipeline.vendors.simulated import Query, basic_of, object_of


class Simulator:
    """One account.

    `config`: `user`, `api_key`; `calendars`, names or a map of names to ids that exist at the start;
    `wrong_event`, what one does to its call: "skip" (it is left out of the answer) or "refuse" (all are refused);
    `max_batch` (25), above it "bad gateway"; `external_id_in_answers` (true); `read_only` (false);
    `moves`, what an event does that is to change its calendar: "stay" or "refuse";
    `keeps_participants` (false), as if messages had gone out to each at once;
    `deleted_stay` (false), so that a write to a deleted event leaves it deleted.
    """

    token_path: str | None = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._pair = (str(config["user"]), str(config["api_key"]))
        self._events: dict[int, Event] = {}
        self._calendars: dict[str, int] = {}
        self._participants = 0
        self._is_revoked = False
        self.writes: dict[str, list[tuple[float, str, str]]] = {}
        self.homes: dict[str, set[str]] = {}
        self.tokens_issued: dict[str, int] = {}
        given = config.get("calendars", ())
        for name in given:
            self._calendars[name] = int(given[name]) if isinstance(given, Mapping) else len(self._calendars) + 456

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response:
        """The answer to one request; `path` is below the account's base URL, `now` in Unix seconds."""
        try:
            self._check_credential(method, headers)
            return json_answer(200, self._route(method, path, dict(query), headers, body, now))
        except RefusedError as refused:
            return self._refusal(refused)

    def refusal(self, status: int) -> Response:
        """The vendor's own shape for a status that the server decides on (429, 500, 503, …)."""
        return self._refusal(RefusedError(status, "rate_limited" if status == 429 else f"http_{status}"))

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The external_ids and the titles a write is about, a space between several; "" where it says none."""
        events = (object_of(body) or {}).get("events") if method in ("PUT", "POST") else None
        known = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
        keys, titles = ([str(one[name]) for one in known if name in one] for name in ("external_id", "title"))
        return " ".join(keys), " ".join(titles)

    def revoke(self, now: float) -> None:
        self._is_revoked = True

    def restore(self, now: float) -> None:
        self._is_revoked = False

    def items(self, now: float | None = None) -> list[tuple[str, str]]:
        """(external_id, id) of everything that exists."""
        return [(event["external_id"] or "", str(event["id"])) for event in self._living()]

    def entries(self, now: float | None = None) -> list[dict[str, Any]]:
        """What stands in calendars now, in the time zone that the event names, else in UTC."""
        return [self._entry(event) for event in self._living()]

    def _living(self) -> list[Event]:
        return [event for event in self._events.values() if not event["is_deleted"]]

    def _entry(self, event: Event) -> dict[str, Any]:
        zone = ZONES.get(event["time_zone"] or "", event["time_zone"] or "UTC")
        start, end = (local_of(event[name], zone, event["all_day"]) for name in ("start_time", "end_time"))
        return {
            "key": event["external_id"] or "",
            "id": str(event["id"]),
            "calendar": self._name_of(event["calendar_id"]),
            "title": event["title"],
            "start": start,
            "end": end,
            "time_zone": zone,
            "all_day": event["all_day"],
            "location": event["location"],
            "description": event["content"],
            "content": dict(event),
        }

    def _name_of(self, calendar_id: int) -> str:
        return next(name for name, known in self._calendars.items() if known == calendar_id)

    # Who asks

    def _check_credential(self, method: str, headers: Mapping[str, str]) -> None:
        if self._is_revoked or basic_of(headers) != self._pair:
            raise RefusedError(401, "unauthorized")
        if method != "GET" and self._config.get("read_only", False):
            raise RefusedError(403, "insufficient_scope")

    # Routes

    def _route(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], body: bytes, now: float
    ) -> Any:
        match method, path:
            case "GET", "/v1/event":
                return self._shown(self._one(query))
            case "GET", "/v1/events":
                return self._list(query)
            case "DELETE", "/v1/events":
                return {"events": [self._shown(self._delete(self._one(query), now))]}
            case "PUT" | "POST", "/v1/events":
                if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                    raise RefusedError(415, "unsupported_media_type")
                return self._write(method, body, now)
            case _:
                raise RefusedError(404, "not_found")

    def _one(self, query: dict[str, str]) -> Event:
        """By `id`, else by `external_id`; of several the living one, else the last."""
        if not query.get("id") and not query.get("external_id"):
            raise RefusedError(400, "id_required")
        found = self._by_id(query["id"]) if query.get("id") else self._by_key(query["external_id"])
        if found is None:
            raise RefusedError(404, "not_found")
        return found

    def _by_id(self, text: str) -> Event | None:
        return self._events.get(int(text)) if text.isascii() and text.isdecimal() else None

    def _by_key(self, key: str) -> Event | None:
        found = [event for event in self._events.values() if event["external_id"] == key]
        return max(found, key=lambda event: (not event["is_deleted"], event["id"]), default=None)

    def _list(self, query: dict[str, str]) -> Event:
        size, page = whole_of(query, "page_size", 30), whole_of(query, "page", 1)
        found = sorted(
            (e for e in self._events.values() if is_listed(e, query)), key=lambda e: instant_of(e["start_time"])
        )
        return {"events": [self._shown(event) for event in found[(page - 1) * size : page * size]]}

    def _shown(self, event: Event) -> Event:
        is_told = self._config.get("external_id_in_answers", True)
        return {name: value for name, value in event.items() if name != "external_id" or is_told}

    def _delete(self, event: Event, now: float) -> Event:
        if event["is_deleted"]:
            raise RefusedError(404, "not_found")
        event["is_deleted"] = True
        self._note(event, "delete", now)
        return event

    # Writes

    def _write(self, method: str, body: bytes, now: float) -> Event:
        events, may_make = batch_of(body)
        if len(events) > int(self._config.get("max_batch", 25)):
            raise RefusedError(502, "bad_gateway")
        plans, errors = self._judged(method, events, may_make)
        if errors and (not plans or self._config.get("wrong_event", "skip") == "refuse"):
            raise RefusedError(422, "unprocessable_entity", errors)
        stored = [self._shown(self._store(given, may_make, now)) for given in plans]
        return {"events": stored, **({"errors": errors} if errors else {})}

    def _judged(self, method: str, events: list[Any], may_make: bool) -> tuple[list[Event], list[Event]]:
        good: list[Event] = []
        errors: list[Event] = []
        for given in events:
            try:
                self._check(method, given, may_make, good)
                good.append(given)
            except InvalidError as error:
                key = given.get("external_id") if isinstance(given, dict) else None
                errors.append({"external_id": key, "message": str(error)})
        return good, errors

    def _check(self, method: str, given: Any, may_make: bool, others: list[Event]) -> None:
        check_fields(given)
        there = self._there(given)
        if method == "POST" and there is not None:
            raise InvalidError("external_id is taken")
        if any(other.get("external_id") == given["external_id"] for other in others if "external_id" in given):
            raise InvalidError("external_id stands twice in one call")
        merged = {**(there or {}), **given}
        for name in REQUIRED:
            if not merged.get(name):
                raise InvalidError(f"{name} is required")
        if instant_of(merged["end_time"]) < instant_of(merged["start_time"]):
            raise InvalidError("end_time is before start_time")
        self._check_calendar(given, there, may_make)

    def _there(self, given: Event) -> Event | None:
        """What an update is about: a deleted event has gone, unless the account keeps them."""
        if "id" in given:
            found = self._events.get(given["id"])
            if found is None or found["is_deleted"]:
                raise InvalidError("id is not known")
            return found
        found = self._by_key(given["external_id"]) if "external_id" in given else None
        is_gone = found is not None and found["is_deleted"] and not self._config.get("deleted_stay", False)
        return None if is_gone else found

    def _check_calendar(self, given: Event, there: Event | None, may_make: bool) -> None:
        if "calendar_id" in given:
            known: int | None = given["calendar_id"]
            if known not in self._calendars.values():
                raise InvalidError("calendar_id is not known")
        else:
            known = self._calendars.get(given["calendar"])
            if known is None and not may_make:
                raise InvalidError("calendar is not known")
        if there is not None and known != there["calendar_id"] and self._config.get("moves", "stay") == "refuse":
            raise InvalidError("calendar cannot be changed")

    def _store(self, given: Event, may_make: bool, now: float) -> Event:
        there = self._there(given)
        event = self._fresh(given) if there is None else there
        fields = {
            name: value for name, value in given.items() if name not in ("calendar", "calendar_id", "participants")
        }
        event.update(fields)
        if "participants" in given:
            event["participants"] = self._people(event, given["participants"])
        self._note(event, "create" if there is None else "update", now)
        return event

    def _fresh(self, given: Event) -> Event:
        event: Event = {
            "id": len(self._events) + 123,
            "external_id": None,
            "calendar_id": given.get("calendar_id") or self._calendar(given["calendar"]),
            "start_time": "",
            "end_time": "",
            "time_zone": None,
            "title": "",
            "location": "",
            "content": "",
            "all_day": False,
            "show_as": None,
            "is_deleted": False,
            "participants": [],
            "custom_data": {},
        }
        self._events[event["id"]] = event
        return event

    def _calendar(self, name: str) -> int:
        return self._calendars.setdefault(name, max(self._calendars.values(), default=455) + 1)

    def _people(self, event: Event, given: list[Event]) -> list[Event]:
        """All of them anew; but who has had a message stays."""
        before = {person_of(one): one for one in event["participants"]}
        after = [before.get(person_of(one)) or self._person(one) for one in given]
        stay = [] if not self._config.get("keeps_participants", False) else list(before.values())
        return [*(one for one in stay if one not in after), *after]

    def _person(self, given: Event) -> Event:
        self._participants += 1
        phone = given.get("phone", "")
        normal = {"normalized_phone": re.sub(r"[^0-9+]", "", phone)} if phone else {}
        return {"id": self._participants + 788, **given, **normal, "state": "initial"}

    def _note(self, event: Event, kind: str, now: float) -> None:
        name = event["external_id"] or str(event["id"])
        self.writes.setdefault(name, []).append((now, kind, event["title"]))
        self.homes.setdefault(name, set()).add(self._name_of(event["calendar_id"]))

    # Errors

    def _refusal(self, refused: RefusedError) -> Response:
        if refused.status == 502:
            return Response(502, {"content-type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>")
        more = {"www-authenticate": 'Basic realm="Apptoto"'} if refused.status == 401 else {}
        shown = {"error": refused.code, "message": refused.code.replace("_", " ")}
        return json_answer(refused.status, {**shown, **({"errors": refused.errors} if refused.errors else {})}, more)
