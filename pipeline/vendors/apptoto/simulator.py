"""Apptoto as its documents describe it, for the sandbox: calendars, events, participants.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
It refuses what the documents refuse. Where they are silent there is a word in `config`; error bodies are made up.
Sources: PUT, POST, GET and DELETE /v1/events, GET /v1/event of apidocs.apptoto.com, and public clients, read 2026-11.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.model.wire import Response

Query = tuple[tuple[str, str], ...]
Event = dict[str, Any]

REQUIRED = ("title", "start_time", "end_time")
PERSON = ("name", "email", "phone")
# The page with the names is lost; the vendor looks like a Rails system, which knows these and IANA's.
ZONES = {
    "Eastern Time (US & Canada)": "America/New_York",
    "Central Time (US & Canada)": "America/Chicago",
    "Mountain Time (US & Canada)": "America/Denver",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
}


class RefusedError(Exception):
    """An answer other than 2xx: the status, a code, and what is wrong with which event."""

    def __init__(self, status: int, code: str, errors: list[Event] | None = None) -> None:
        super().__init__(status)
        self.status, self.code, self.errors = status, code, errors or []


class InvalidError(Exception):
    """One event is wrong."""


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
            return _json(200, self._route(method, path, dict(query), headers, body, now))
        except RefusedError as refused:
            return self._refusal(refused)

    def refusal(self, status: int) -> Response:
        """The vendor's own shape for a status that the server decides on (429, 500, 503, …)."""
        return self._refusal(RefusedError(status, "rate_limited" if status == 429 else f"http_{status}"))

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The external_ids and the titles a write is about, a space between several; "" where it says none."""
        events = (_object(body) or {}).get("events") if method in ("PUT", "POST") else None
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
        start, end = (_local(event[name], zone, event["all_day"]) for name in ("start_time", "end_time"))
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
        if self._is_revoked or _basic(headers) != self._pair:
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
        size, page = _whole(query, "page_size", 30), _whole(query, "page", 1)
        found = sorted((e for e in self._events.values() if _is_listed(e, query)), key=lambda e: _at(e["start_time"]))
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
        events, may_make = _batch(body)
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
        _check_fields(given)
        there = self._there(given)
        if method == "POST" and there is not None:
            raise InvalidError("external_id is taken")
        if any(other.get("external_id") == given["external_id"] for other in others if "external_id" in given):
            raise InvalidError("external_id stands twice in one call")
        merged = {**(there or {}), **given}
        for name in REQUIRED:
            if not merged.get(name):
                raise InvalidError(f"{name} is required")
        if _at(merged["end_time"]) < _at(merged["start_time"]):
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
        before = {_who(one): one for one in event["participants"]}
        after = [before.get(_who(one)) or self._person(one) for one in given]
        stay = [] if not self._config.get("keeps_participants", False) else list(before.values())
        return [*(one for one in stay if one not in after), *after]

    def _person(self, given: Event) -> Event:
        self._participants += 1
        phone = given.get("phone", "")
        normal = {"normalized_phone": re.sub(r"[^0-9+]", "", phone)} if phone else {}
        return {"id": self._participants + 788, **given, **normal, "state": "initial"}

    def _note(self, event: Event, kind: str, now: float) -> None:
        self.writes.setdefault(event["external_id"] or str(event["id"]), []).append((now, kind, event["title"]))

    # Errors

    def _refusal(self, refused: RefusedError) -> Response:
        if refused.status == 502:
            return Response(502, {"content-type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>")
        more = {"www-authenticate": 'Basic realm="Apptoto"'} if refused.status == 401 else {}
        shown = {"error": refused.code, "message": refused.code.replace("_", " ")}
        return _json(refused.status, {**shown, **({"errors": refused.errors} if refused.errors else {})}, more)


def _basic(headers: Mapping[str, str]) -> tuple[str, str] | None:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


# What may stand in a body


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _batch(body: bytes) -> tuple[list[Any], bool]:
    """The events of a write, and whether it may make calendars."""
    fields = _object(body)
    if fields is None or not fields.keys() <= {"events", "prevent_calendar_creation"}:
        raise RefusedError(400, "bad_request")
    events, prevented = fields.get("events"), fields.get("prevent_calendar_creation", False)
    if not isinstance(events, list) or not events or not isinstance(prevented, bool):
        raise RefusedError(400, "bad_request")
    return events, not prevented


def _check_fields(given: Any) -> None:
    if not isinstance(given, dict):
        raise InvalidError("an event is an object")
    for name, value in given.items():
        if name not in CHECKS:
            raise InvalidError(f"{name} is not a known field")
        if not CHECKS[name](value):
            raise InvalidError(f"{name} is not valid")
    if ("calendar" in given) == ("calendar_id" in given):
        raise InvalidError("calendar or calendar_id is required")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_time(value: Any) -> bool:
    """ISO 8601, date and time combined, with the zone's offset."""
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"
    if not isinstance(value, str) or not re.fullmatch(form, value, re.ASCII):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and (value in ZONES or bool(ZoneInfo(value).key))
    except (KeyError, ValueError, OSError):
        return False


def _is_people(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and _is_person(one) for one in value)


def _is_person(one: Event) -> bool:
    if not one or not all(name in PEOPLE_CHECKS and PEOPLE_CHECKS[name](value) for name, value in one.items()):
        return False
    # "You should not include name/email/phone if you provide an explicit contact_id."
    return "contact_id" not in one or not one.keys() & set(PERSON)


PEOPLE_CHECKS: dict[str, Callable[[Any], bool]] = {
    "name": _is_name,
    "phone": _is_name,
    "email": lambda value: isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None,
    "contact_id": lambda value: type(value) is int,
    "contact_external_id": _is_name,
}
CHECKS: dict[str, Callable[[Any], bool]] = {
    "calendar": _is_name,
    "calendar_id": _is_number,
    "title": _is_name,
    **dict.fromkeys(("location", "content"), _is_text),
    **dict.fromkeys(("start_time", "end_time"), _is_time),
    "time_zone": _is_zone,
    "all_day": lambda value: isinstance(value, bool),
    "show_as": lambda value: value is None or (type(value) is int and 0 <= value <= 4),
    "external_id": _is_name,
    "id": _is_number,
    "custom_data": lambda value: isinstance(value, dict),
    "participants": _is_people,
}


# What comes out


def _whole(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise RefusedError(400, "bad_request")
    return int(text)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_listed(event: Event, query: dict[str, str]) -> bool:
    """The names of the filters are those that clients use."""
    begin, end = query.get("begin"), query.get("end")
    return (
        (not event["is_deleted"] or query.get("include_deleted") == "true")
        and (begin is None or _at(begin) <= _at(event["start_time"]))
        and (end is None or _at(event["start_time"]) <= _at(end))
        and all(any(_matches(one, name, query) for one in event["participants"] or [{}]) for name in FILTERS)
    )


FILTERS = {"phone_number": "normalized_phone", "email_address": "email"}


def _matches(one: Event, name: str, query: dict[str, str]) -> bool:
    return name not in query or one.get(FILTERS[name]) == query[name]


def _who(one: Event) -> tuple[Any, ...]:
    return tuple(one.get(name) for name in (*PERSON, "contact_id", "contact_external_id"))


def _local(text: str, zone: str, all_day: bool) -> str:
    """An all-day event lies on the days that its times name; what its end names is taken as the day after."""
    if all_day:
        return text[:10]
    try:
        return _at(text).astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat()
    except OverflowError:  # in the first or last hours of the calendar
        return _at(text).astimezone(UTC).replace(tzinfo=None).isoformat()


def _json(status: int, content: Any, more: Mapping[str, str] | None = None) -> Response:
    return Response(status, {"content-type": "application/json", **(more or {})}, json.dumps(content).encode())
