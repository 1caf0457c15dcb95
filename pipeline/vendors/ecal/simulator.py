"""ECAL as its documents describe it, for the sandbox: private and public events over signed requests.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
It refuses what the documents refuse. Where they are silent: `reference` is unique within the account.
Sources: ECAL "Event", "Private Events", "Authentication" and "Errors" pages, read 2026-11.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from pipeline.model.wire import Response

Query = tuple[tuple[str, str], ...]
Event = dict[str, Any]

OBJECTIVES = {"payment_reminder", "payment_success", "ticket_sale", "merchandise_sale", "tune_in"}
# "pintrest" is the spelling of the field table, "pinterest" the last line that of its PUT sample.
SOCIAL = {
    *("facebook", "twitter", "instagram", "google", "ipad", "iphone", "android", "pintrest", "myspace", "podcast"),
    *("blog", "foursquare", "youtube", "stackla"),
    *("pinterest", "linkedin", "flickr", "blackberry", "soundcloud", "vimeo"),
}
REQUIRED = ("name", "location", "startDate", "endDate", "reference")
BULK_FIELDS = {"alert", "alert2", "details", "social", "sponsored_message", "referenceType", "objective"} | {
    "smartAlert",
    "smartDetails",
}
QUICK_LINK = re.compile(r"quickLink\[[1-6]\]\[(name|url)\]")
MEANINGS = {
    "200": "OK",
    "400": "Bad request",
    "403": "Forbidden",
    "404": "Not found",
    "409": "Already exists",
    "429": "Too many requests! Try again after sometime.",
    "500": "Internal server error",
    "503": "Service unavailable",
}


class RefusedError(Exception):
    """An answer other than 2xx, with the text for `statusLong`."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(status)
        self.status, self.text = status, text or MEANINGS[str(status)]


class Simulator:
    """One publisher's account. `config`: `api_key`, `api_secret`."""

    token_path: str | None = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._key, self._secret = str(config["api_key"]), str(config["api_secret"])
        self._events: dict[str, Event] = {}
        self._ids: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._made = 0
        self._revoked = False
        self.writes: dict[str, list[tuple[float, str, str]]] = {}
        self.tokens_issued: dict[str, int] = {}

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response:
        """The answer to one request; `path` is below the account's base URL, `now` in Unix seconds."""
        try:
            self._check_signature(method, query, body)
            return self._route(method, path.rstrip("/"), dict(query), body, now)
        except RefusedError as refused:
            return _answer(refused.status, {"status": str(refused.status), "statusLong": refused.text})

    def refusal(self, status: int) -> Response:
        """The vendor's own shape for a status that the server decides on (429, 500, 503, …)."""
        return _answer(status, {"status": str(status), "statusLong": MEANINGS.get(str(status), "Error")})

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The reference and the name a write is about, each "" where it says none."""
        fields = _object(body) if method in ("POST", "PUT") else None
        name = str((fields or {}).get("name", ""))
        if method == "POST":
            return str((fields or {}).get("reference", "")), name
        tail = path.rstrip("/").rpartition("/event/")[2] if "/event/" in path else ""
        event = self._events.get(tail)
        return (str(event["reference"]) if event else tail), name

    def revoke(self, now: float) -> None:
        self._revoked = True

    def restore(self, now: float) -> None:
        self._revoked = False

    def items(self, now: float | None = None) -> list[tuple[str, str]]:
        """(key, id) of everything that exists, drafts included."""
        return [(event["reference"], identity) for identity, event in self._events.items()]

    def entries(self, now: float | None = None) -> list[dict[str, Any]]:
        """What stands in calendars now; a draft does not. An all-day `end` is the day after the last."""
        return [self._entry(identity, event) for identity, event in self._events.items() if not event["draft"]]

    def _entry(self, identity: str, event: Event) -> dict[str, Any]:
        all_day = event.get("allDay") == "yes"
        start, end = event["startDate"], event["endDate"]
        return {
            "key": event["reference"],
            "id": identity,
            "calendar": self._owners[identity],
            "title": event["name"],
            "start": start if all_day else f"{start}T{event['startTime']}:00",
            "end": _day_after(end) if all_day else f"{end}T{event['endTime']}:00",
            "time_zone": event.get("timezone"),
            "all_day": all_day,
            "location": event["location"],
            "description": event.get("details", ""),
            "content": dict(event),
        }

    # Signature

    def _check_signature(self, method: str, query: Query, body: bytes) -> None:
        given = dict(query)
        signed = sorted((k, v) for k, v in query if k != "apiSign")
        text = self._secret + "".join(k + v for k, v in signed)
        expected = hashlib.md5(text.encode() + (body if method in ("POST", "PUT") else b"")).hexdigest()
        if self._revoked or given.get("apiKey") != self._key or given.get("apiSign") != expected:
            raise RefusedError(403)

    # Routes

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes, now: float) -> Response:
        if path == "/apiv2/event":
            if method == "GET":
                return self._list(query)
            if method == "POST":
                return self._create(query, body, now)
        elif path.startswith("/apiv2/event/"):
            return self._route_one(method, path.removeprefix("/apiv2/event/"), body, now)
        elif path.startswith("/apiv2/events/") and method == "PUT":
            return self._update_by_type(path.removeprefix("/apiv2/events/"), body, now)
        raise RefusedError(404)

    def _route_one(self, method: str, name: str, body: bytes, now: float) -> Response:
        if method == "GET":  # by id only: no document promises GET by reference
            if name not in self._events:
                raise RefusedError(404)
            return _answer(200, self._shown(name))
        identity = name if name in self._events else self._ids.get(name)
        if identity is None or method not in ("PUT", "DELETE"):
            raise RefusedError(404)
        return self._update(identity, body, now) if method == "PUT" else self._delete(identity, now)

    def _list(self, query: dict[str, str]) -> Response:
        page, limit = _whole(query, "page", 1), _whole(query, "limit", 100)
        if page < 1 or not 1 <= limit <= 1000:
            raise RefusedError(400)
        found = [self._shown(identity) for identity in self._events if self._is_listed(identity, query)]
        part = found[(page - 1) * limit : page * limit]
        return _answer(200, part) if part else Response(204)

    def _is_listed(self, identity: str, query: dict[str, str]) -> bool:
        event = self._events[identity]
        calendars = query.get("calendarIds")
        return (
            (not event["draft"] or "showDraft" in query)
            and query.get("type", event["type"]) == event["type"]
            and query.get("ecal_id", self._owners[identity]) == self._owners[identity]
            and (not calendars or event.get("calendarId") in calendars.split(","))
        )

    def _shown(self, identity: str) -> Event:
        return {"eventId": identity, "allDay": "no", "sponsored_message": "", **self._events[identity]}

    def _create(self, query: dict[str, str], body: bytes, now: float) -> Response:
        fields = _checked(body)
        kind = fields.setdefault("type", "fixture")
        missing = [name for name in REQUIRED if not fields.get(name)]
        if missing:
            raise RefusedError(400, f"{missing[0]} is required")
        _check_times(fields)
        owner = query.get("ecal_id", "")
        if (kind == "private") != bool(owner):
            raise RefusedError(400, "a private event needs type private and an ecal_id")
        if kind != "private" and not fields.get("calendarId"):
            raise RefusedError(400, "calendarId is required")
        if fields["reference"] in self._ids:
            raise RefusedError(409)
        return self._store({"draft": 1, **fields}, owner or fields["calendarId"], now)

    def _store(self, event: Event, owner: str, now: float) -> Response:
        self._made += 1
        identity = f"521d865ab499{self._made:012x}"
        self._events[identity] = event
        self._ids[event["reference"]] = identity
        self._owners[identity] = owner
        self._note(event, "create", now)
        return _written(identity)

    def _update(self, identity: str, body: bytes, now: float) -> Response:
        fields = _checked(body)
        if "type" in fields:
            raise RefusedError(400, "type cannot be updated")
        event = self._events[identity]
        merged = {**event, **fields}
        if any(not merged[name] for name in REQUIRED):
            raise RefusedError(400, "a required field is empty")
        _check_times(merged)
        self._rename(identity, event["reference"], merged["reference"])
        self._events[identity] = merged
        self._note(merged, "update", now)
        return _written(identity)

    def _rename(self, identity: str, old: str, new: str) -> None:
        if self._ids.get(new, identity) != identity:
            raise RefusedError(409)
        del self._ids[old]
        self._ids[new] = identity

    def _update_by_type(self, reference_type: str, body: bytes, now: float) -> Response:
        fields = _checked(body)
        if not fields.keys() <= BULK_FIELDS:
            raise RefusedError(400, "a field that a bulk update does not take")
        hit = [event for event in self._events.values() if event.get("referenceType") == reference_type]
        if not hit:
            raise RefusedError(404)
        for event in hit:
            event.update(fields)
            self._note(event, "update", now)
        return _answer(200, {"affected_rows": len(hit), "status": "200", "statusLong": "OK"})

    def _delete(self, identity: str, now: float) -> Response:
        event = self._events.pop(identity)
        del self._ids[event["reference"]], self._owners[identity]
        self._note(event, "delete", now)
        return _answer(200, {"status": 200, "statusLong": "OK"})

    def _note(self, event: Event, kind: str, now: float) -> None:
        self.writes.setdefault(event["reference"], []).append((now, kind, event["name"]))


# Validation of a body


def _object(body: bytes) -> Event | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _checked(body: bytes) -> Event:
    fields = _object(body)
    if not fields:
        raise RefusedError(400, "the body must be a JSON object")
    for name, value in fields.items():
        valid = CHECKS.get(name) or (_is_text if QUICK_LINK.fullmatch(name) else None)
        if valid is None:
            raise RefusedError(400, f"{name} is not a known field")
        if not valid(value):
            raise RefusedError(400, f"{name} is not valid")
    return fields


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _check_times(event: Event) -> None:
    if event.get("allDay") != "yes" and not (event.get("startTime") and event.get("endTime")):
        raise RefusedError(400, "startTime and endTime are required unless allDay is yes")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bit(value: Any) -> bool:
    return type(value) is int and value in (0, 1)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_social(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() <= SOCIAL and all(map(_is_text, value.values()))


def _one_of(allowed: set[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in allowed


def _like(pattern: str) -> Callable[[Any], bool]:
    matches = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: isinstance(value, str) and matches(value) is not None


# The documents' list of alert codes is lost; every code seen is a number with M, H or D, or "-" for none.
_is_alert = _like(r"[1-9]\d{0,2}[MHD]|-")
_is_time = _like(r"([01]\d|2[0-3]):[0-5]\d")

CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        ("name", "location", "details", "calendarId", "reference", "referenceType", "sponsored_message"), _is_text
    ),
    **dict.fromkeys(("startDate", "endDate"), _is_date),
    **dict.fromkeys(("startTime", "endTime"), _is_time),
    **dict.fromkeys(("alert", "alert2"), _is_alert),
    **dict.fromkeys(("draft", "smartAlert", "smartDetails"), _is_bit),
    "allDay": _one_of({"yes", "no"}),
    "type": _one_of({"private", "fixture"}),
    "objective": _one_of(OBJECTIVES),
    "social": _is_social,
    "timezone": _like(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)*"),
}


# Answers


def _whole(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise RefusedError(400)
    return int(text)


def _written(identity: str) -> Response:
    # "status" is a string here and a number in the answer to a DELETE: so it stands in the documents.
    return _answer(200, {"status": "200", "statusLong": "OK", "eventId": identity})


def _answer(status: int, content: Any) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())
