"""ECAL as its documents describe it, for the sandbox: private and public events over signed requests.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
It refuses what the documents refuse. Where they are silent: `reference` is unique within the account; a batch is taken
whole or not at all; a PUT that names a `calendarId` moves the event.
Sources: ECAL "Event", "Private Events", "Private Batch Events", "Subscriber", "Authentication" and "Errors" pages, read
2026-11. `answers: newer` follows the newer wording of the same pages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.model.wire import Response
from pipeline.vendors.ecal.simulator_answers import answer_of, whole_of
from pipeline.vendors.ecal.simulator_checks import (
    BULK_FIELDS,
    MEANINGS,
    REQUIRED,
    Event,
    Person,
    RefusedError,
    check_times,
    checked_body,
    day_after,
    is_between,
    is_zone,
    validated,
)
from pipeline.vendors.simulated import Query, object_of


class Simulator:
    """One publisher's account.

    `config`: `api_key`, `api_secret`; `answers`: `document` (bare lists, `eventId`, "yes" and "no") or `newer` (`data`,
    `id`, true and false, lists of 100 at most without what is past); `get_by_reference`: as no document promises it;
    `subscribers`: `{ecalId: e-mail}`, else whoever is named exists; `calendars`: their ids, else likewise; `timezone`.
    """

    token_path: str | None = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._key, self._secret = str(config["api_key"]), str(config["api_secret"])
        self._newer = config.get("answers", "document") == "newer"
        self._by_reference = bool(config.get("get_by_reference"))
        self._zone = str(config.get("timezone", "UTC"))
        self._calendars: Any = config.get("calendars")
        self._known: Any = config.get("subscribers")
        self._people: dict[str, Person] = {
            person: {"email": email, "calendars": []} for person, email in (self._known or {}).items()
        }
        self._events: dict[str, Event] = {}
        self._ids: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._made = 0
        self._revoked = False
        self.writes: dict[str, list[tuple[float, str, str]]] = {}
        self.homes: dict[str, set[str]] = {}
        self.tokens_issued: dict[str, int] = {}

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response:
        """The answer to one request; `path` is below the account's base URL, `now` in Unix seconds."""
        try:
            self._check_signature(method, query, body)
            return self._route(method, path.rstrip("/"), dict(query), body, now)
        except RefusedError as refused:
            return answer_of(refused.status, {"status": str(refused.status), "statusLong": refused.text})

    def refusal(self, status: int) -> Response:
        """The vendor's own shape for a status that the server decides on (429, 500, 503, …)."""
        return answer_of(status, {"status": str(status), "statusLong": MEANINGS.get(str(status), "Error")})

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The reference and the name a write is about, each "" where it says none."""
        fields = object_of(body) if method in ("POST", "PUT") else None
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
            "end": day_after(end) if all_day else f"{end}T{event['endTime']}:00",
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
        signed_text = text.encode() + (body if method in ("POST", "PUT") else b"")
        expected = hashlib.md5(signed_text, usedforsecurity=False).hexdigest()  # ECAL's choice
        if self._revoked or given.get("apiKey") != self._key or given.get("apiSign") != expected:
            raise RefusedError(403)

    # Routes

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes, now: float) -> Response:
        match method, path.removeprefix("/apiv2/").split("/"):
            case "GET", ["event"]:
                return self._list(query, now)
            case "POST", ["event"]:
                return self._create(query, body, now)
            case _, ["event", name]:
                return self._route_one(method, name, query, body, now)
            case "PUT", ["events", reference_type]:
                return self._update_by_type(reference_type, body, now)
            case _, ["batch", "events", *rest]:
                return self._route_batch(method, rest, query, body, now)
            case _, ["subscriber", person, *rest]:
                return self._route_person(method, person, "/".join(rest), body)
            case _:
                raise RefusedError(404)

    def _route_one(self, method: str, name: str, query: dict[str, str], body: bytes, now: float) -> Response:
        identity = name if name in self._events else self._ids.get(name)
        if identity is None:
            raise RefusedError(404)
        match method:
            case "GET" if name == identity or self._by_reference:
                return answer_of(200, self._shown(identity, query))
            case "PUT":
                return self._update(identity, body, now)
            case "DELETE":
                self._remove(identity, now)
                return answer_of(200, {"status": 200, "statusLong": "OK"})
            case _:
                raise RefusedError(404)

    # Reading

    def _list(self, query: dict[str, str], now: float) -> Response:
        return self._page([identity for identity in self._events if self._is_listed(identity, query, now)], query)

    def _page(self, found: list[str], query: dict[str, str]) -> Response:
        page, limit = whole_of(query, "page", 1), whole_of(query, "limit", 100)
        if page < 1 or not 1 <= limit <= (100 if self._newer else 1000):
            raise RefusedError(400)
        part = [self._shown(identity, query) for identity in found[(page - 1) * limit : page * limit]]
        return self._several(part) if part else Response(204)

    def _several(self, events: list[Event]) -> Response:
        return answer_of(200, {"data": events} if self._newer else events)

    def _is_listed(self, identity: str, query: dict[str, str], now: float) -> bool:
        event = self._events[identity]
        calendars = query.get("calendarIds")
        return (
            (not event["draft"] or "showDraft" in query)
            and query.get("type", event["type"]) == event["type"]
            and query.get("ecal_id", self._owners[identity]) == self._owners[identity]
            and (not calendars or event.get("calendarId") in calendars.split(","))
            and (not self._newer or is_between(event, query, now))
        )

    def _shown(self, identity: str, query: Mapping[str, str]) -> Event:
        event = self._events[identity]
        if "tz" in query:
            event = self._in_zone(event, query["tz"])
        if not self._newer:
            return {"eventId": identity, "allDay": "no", "sponsored_message": "", **event}
        links = {f"quickLink[{n}][{part}]": "" for n in range(1, 11) for part in ("name", "url", "original_url")}
        originals = {f"quickLink[{n}][original_url]": event.get(f"quickLink[{n}][url]", "") for n in range(1, 7)}
        return {"id": identity, **links, **originals, **event, "allDay": event.get("allDay") == "yes"}

    def _in_zone(self, event: Event, zone: str) -> Event:
        if not is_zone(zone):
            raise RefusedError(400, "tz is not a timezone")
        if event.get("allDay") == "yes":
            return {**event, "timezone": zone}
        held = ZoneInfo(event.get("timezone", self._zone))
        moved: Event = {"timezone": zone}
        for part in ("start", "end"):
            local = datetime.fromisoformat(f"{event[part + 'Date']}T{event[part + 'Time']}").replace(tzinfo=held)
            there = local.astimezone(ZoneInfo(zone))
            moved |= {part + "Date": f"{there:%Y-%m-%d}", part + "Time": f"{there:%H:%M}"}
        return {**event, **moved}

    # Writing

    def _create(self, query: dict[str, str], body: bytes, now: float) -> Response:
        event, owner = self._admitted(checked_body(body), query.get("ecal_id", ""))
        return self._written(self._store(event, owner, now))

    def _admitted(self, fields: Event, person: str) -> tuple[Event, str]:
        """The event as it is stored, and whose it is: a subscriber's or a calendar's."""
        kind = fields.setdefault("type", "fixture")
        missing = [name for name in REQUIRED if not fields.get(name)]
        if missing:
            raise RefusedError(400, f"{missing[0]} is required")
        check_times(fields)
        if (kind == "private") != bool(person):
            raise RefusedError(400, "a private event needs type private and an ecal_id")
        if person:
            self._person(person)
        else:
            self._check_calendars([fields.get("calendarId")])
        if fields["reference"] in self._ids:
            raise RefusedError(409)
        return {"draft": 1, **fields}, person or fields["calendarId"]

    def _check_calendars(self, ids: list[Any]) -> None:
        if not all(isinstance(one, str) and one for one in ids):
            raise RefusedError(400, "calendarId is required")
        if self._calendars is not None and not set(ids) <= set(self._calendars):
            raise RefusedError(404)

    def _store(self, event: Event, owner: str, now: float) -> str:
        self._made += 1
        identity = f"521d865ab499{self._made:012x}"
        self._events[identity] = event
        self._ids[event["reference"]] = identity
        self._owners[identity] = owner
        self._note(event, "create", now)
        return identity

    def _written(self, identity: str) -> Response:
        # "status" is a string here and a number in the answer to a DELETE: so it stands in the documents.
        return answer_of(200, {"status": 200 if self._newer else "200", "statusLong": "OK", "eventId": identity})

    def _update(self, identity: str, body: bytes, now: float) -> Response:
        fields = checked_body(body)
        if "type" in fields:
            raise RefusedError(400, "type cannot be updated")
        event = self._events[identity]
        merged = {**event, **fields}
        if any(not merged[name] for name in REQUIRED):
            raise RefusedError(400, "a required field is empty")
        check_times(merged)
        if "calendarId" in fields:
            self._move(identity, fields["calendarId"])
        self._rename(identity, event["reference"], merged["reference"])
        self._events[identity] = merged
        self._note(merged, "update", now)
        return self._written(identity)

    def _move(self, identity: str, calendar: str) -> None:
        if self._events[identity]["type"] == "private":
            raise RefusedError(400, "a private event is in no calendar")
        self._check_calendars([calendar])
        self._owners[identity] = calendar

    def _rename(self, identity: str, old: str, new: str) -> None:
        if self._ids.get(new, identity) != identity:
            raise RefusedError(409)
        del self._ids[old]
        self._ids[new] = identity

    def _update_by_type(self, reference_type: str, body: bytes, now: float) -> Response:
        fields = checked_body(body)
        if not fields.keys() <= BULK_FIELDS:
            raise RefusedError(400, "a field that a bulk update does not take")
        hit = [event for event in self._events.values() if event.get("referenceType") == reference_type]
        if not hit:
            raise RefusedError(404)
        for event in hit:
            event.update(fields)
            self._note(event, "update", now)
        return answer_of(200, {"affected_rows": len(hit), "status": "200", "statusLong": "OK"})

    def _remove(self, identity: str, now: float) -> None:
        event = self._events.pop(identity)
        del self._ids[event["reference"]], self._owners[identity]
        self._note(event, "delete", now)

    # Batches: the page's own list of an item's fields was cut off

    def _route_batch(self, method: str, rest: list[str], query: dict[str, str], body: bytes, now: float) -> Response:
        match method, rest:
            case "GET", []:
                return self._list_batch(query, now)
            case "POST", []:
                return self._create_batch(query, object_of(body) or {}, now)
            case "DELETE", []:
                for identity in self._named(body):
                    self._remove(identity, now)
                return answer_of(200, {"status": 200, "statusLong": "OK"})
            case "POST", ["search"]:
                return answer_of(200, {"data": [self._shown(identity, {}) for identity in self._named(body)]})
            case _:
                raise RefusedError(404)

    def _list_batch(self, query: dict[str, str], now: float) -> Response:
        """By subscriber, by reference type, or by both."""
        if not query.keys() & {"ecal_id", "referenceType"}:
            raise RefusedError(400, "ecal_id or referenceType is required")
        asked = {**query, "type": "private"}
        found = [identity for identity in self._events if self._is_listed(identity, asked, now)]
        kind = query.get("referenceType")
        listed = [one for one in found if kind is None or self._events[one].get("referenceType") == kind]
        answer = self._page(listed, query)
        return answer if self._newer or answer.status == 204 else answer_of(200, {"data": json.loads(answer.body)})

    def _create_batch(self, query: dict[str, str], body: Event, now: float) -> Response:
        items = body.get("events")
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            raise RefusedError(400, "events is required")
        admitted = [self._item(dict(item), query.get("ecal_id", "")) for item in items]
        references = [event["reference"] for event, _ in admitted]
        if len(set(references)) < len(references):
            raise RefusedError(409)
        made = [self._store(event, owner, now) for event, owner in admitted]
        data = [{"eventId": one, "reference": reference} for one, reference in zip(made, references, strict=True)]
        return answer_of(200, {"status": "200", "statusLong": "OK", "data": data})

    def _item(self, item: Event, person: str) -> tuple[Event, str]:
        owner = item.pop("ecal_id", person)
        return self._admitted(validated({"type": "private", **item}), owner if isinstance(owner, str) else "")

    def _named(self, body: bytes) -> list[str]:
        ids = (object_of(body) or {}).get("ids")
        if not isinstance(ids, list) or not ids:
            raise RefusedError(400, "ids is required")
        if not all(isinstance(one, str) and one in self._events for one in ids):
            raise RefusedError(404)
        return list(dict.fromkeys(ids))

    # Subscribers

    def _route_person(self, method: str, name: str, rest: str, body: bytes) -> Response:
        by_email = {person["email"].lower(): one for one, person in self._people.items() if person["email"]}
        match method, rest:
            case "GET", "":
                return self._record(by_email.get(name.lower(), name), may_be_new=False)
            case "POST", "subscriptions/add" | "subscriptions/remove":
                return self._subscribe(name, rest.endswith("add"), object_of(body) or {})
            case "POST", "unsubscribe":
                self._person(name)["calendars"] = []
                return answer_of(200, {"status": "200", "statusLong": "OK"})
            case _:
                raise RefusedError(404)

    def _person(self, name: str) -> Person:
        if self._known is not None and name not in self._people:
            raise RefusedError(404)
        return self._people.setdefault(name, {"email": "", "calendars": []})

    def _record(self, name: str, may_be_new: bool) -> Response:
        if not may_be_new and name not in self._people:
            raise RefusedError(404)
        person = self._person(name)
        return answer_of(200, {"data": {"id": name, "email": person["email"], "data": {"calIds": person["calendars"]}}})

    def _subscribe(self, name: str, add: bool, body: Event) -> Response:
        ids = body.get("calendarIds")
        if not isinstance(ids, list) or not ids:
            raise RefusedError(400, "calendarIds is required")
        self._check_calendars(ids)
        person = self._person(name)
        kept = [one for one in person["calendars"] if one not in ids]
        person["calendars"] = [*kept, *ids] if add else kept
        return self._record(name, may_be_new=True)

    def _note(self, event: Event, kind: str, now: float) -> None:
        self.writes.setdefault(event["reference"], []).append((now, kind, event["name"]))
        if kind != "delete":
            self.homes.setdefault(event["reference"], set()).add(self._owners[self._ids[event["reference"]]])
