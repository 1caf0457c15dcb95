"""Add to Calendar PRO as its documents describe it, for the sandbox: events, groups and the rest of its elements.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
Sources: Events, Groups, RSVP, CTA, Webhook, Styles, Landing pages and Miscellaneous APIs (add2cal/docs, 2026-07), field
rules of the vendor's widget. Where they are silent: errors are `{"status": "error", "message": …}`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from pipeline.model.wire import Response
from pipeline.vendors.add_to_calendar_pro.simulator_answers import (
    answer_of,
    days_of,
    ics_of,
    label_of,
    shown_entry,
    stamp_of,
)
from pipeline.vendors.add_to_calendar_pro.simulator_changes import changed_by
from pipeline.vendors.add_to_calendar_pro.simulator_checks import (
    GROUP_FIELDS,
    NOT_FOUND,
    PAGE_SIZE,
    TEMPLATES,
    UNSAID,
    Element,
    RefusedError,
    body_of,
    check_event,
    check_fields,
    check_group,
    check_template,
)
from pipeline.vendors.simulated import Query, is_date, object_of


class Simulator:
    """One account. `config`: `api_key`; optional `groups` (prokeys that exist), `answers` (`new` | `old` shapes),
    `credits` (none: without end), `no_credits_status`, `draft_titles` (events that somebody makes drafts at once),
    `rsvp_answers`, `custom_domains`."""

    token_path: str | None = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config, self._key = config, str(config["api_key"])
        self._is_old = config.get("answers", "new") == "old"
        self.credits: float | None = config.get("credits")
        self._groups: dict[str, Element] = {name: {"name": name} for name in config.get("groups", ())}
        self._events: dict[str, Element] = {}
        self._templates: dict[str, dict[str, Element]] = {kind: {} for kind in TEMPLATES}
        self._made = self._updates = 0
        self._revoked = False
        self.writes: dict[str, list[tuple[float, str, str]]] = {}
        self.homes: dict[str, set[str]] = {}
        self.tokens_issued: dict[str, int] = {}

    def handle(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Response:
        """The answer to one request; `path` is below the account's base URL, `now` in Unix seconds."""
        try:
            if self._revoked or headers.get("authorization") != self._key:
                raise RefusedError(401, "Unauthorized")
            # "PUT is turned into PATCH"
            verb = "PATCH" if method == "PUT" else method
            return self._route(verb, path.strip("/").split("/"), dict(query), body, now)
        except RefusedError as refused:
            return answer_of({"status": "error", "message": refused.text}, refused.status)

    def refusal(self, status: int) -> Response:
        """No page shows an error's body: the shape of the 404 that a client has seen."""
        return answer_of({"status": "error", "message": f"Error {status}"}, status)

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The file name (our marker) and the first date's name that a write is about, each "" where it says none."""
        fields = object_of(body) or {}
        dates = fields.get("dates")
        first = dates[0] if isinstance(dates, list) and dates and isinstance(dates[0], dict) else {}
        event = self._events.get(path.rpartition("/event/")[2], {})
        return str(fields.get("iCalFileName") or event.get("iCalFileName") or ""), str(first.get("name") or "")

    def revoke(self, now: float) -> None:
        self._revoked = True

    def restore(self, now: float) -> None:
        self._revoked = False

    def items(self, now: float | None = None) -> list[tuple[str, str]]:
        """(file name, prokey) of every event; without a file name the prokey twice."""
        return [(self._name(prokey), prokey) for prokey in self._events]

    def entries(self, now: float | None = None) -> list[dict[str, Any]]:
        """Every date of every published event. An all-day `end` is the day after the last."""
        return [
            shown_entry(self._name(prokey), prokey, event, one)
            for prokey, event in self._events.items()
            if event["status"] == "published"
            for one in event["dates"]
        ]

    def _name(self, prokey: str) -> str:
        return str(self._events[prokey].get("iCalFileName") or prokey)

    # Routes

    def _route(self, method: str, parts: list[str], query: dict[str, str], body: bytes, now: float) -> Response:
        match method, parts:
            case _, ["event", *rest]:
                return self._route_event(method, rest, query, body, now)
            case _, ["group", *rest]:
                return self._route_group(method, rest, query, body, now)
            case _, [kind, *rest] if kind in TEMPLATES:
                return self._route_template(method, kind, rest, query, body, now)
            case "GET", _:
                return self._read_other(parts, query)
            case _:
                raise RefusedError(404, NOT_FOUND)

    def _route_event(self, method: str, rest: list[str], query: dict[str, str], body: bytes, now: float) -> Response:
        match method, rest:
            case "POST", []:
                return self._create(body, now)
            case "GET", ["all"]:
                return self._page(self._listed(query), query)
            case "GET", ["latest"]:
                return self._shown(_last(self._events))
            case "GET", [prokey]:
                return self._shown(_held(prokey, self._events))
            case "PATCH", [prokey]:
                return self._update(_held(prokey, self._events), body, now)
            case "DELETE", [prokey]:
                self._remove(_held(prokey, self._events), now)
                return self._done("deleted", prokey)
            case _:
                raise RefusedError(404, NOT_FOUND)

    # Events

    def _create(self, body: bytes, now: float) -> Response:
        fields = body_of(body)
        group, new_group = fields.pop("event_group", None), fields.pop("new_event_group_name", None)
        check_fields(fields)
        if (group is None) == (new_group is None):
            raise RefusedError(400, "event_group or new_event_group_name is required")
        if group is not None and group not in self._groups:
            raise RefusedError(404, NOT_FOUND)
        if new_group is not None and not (isinstance(new_group, str) and new_group):
            raise RefusedError(400, "new_event_group_name is not valid")
        event = changed_by({"dates": [], "sequence": "0", "date_created": stamp_of(now), "date_updated": None}, fields)
        check_event(event)
        self._spend(1.0)
        event["event_group"] = group if group is not None else self._new_group({"name": new_group}, now)
        is_draft = event["dates"][0]["name"] in self._config.get("draft_titles", ())
        event["status"] = "draft" if is_draft else "published"
        prokey = self._new_key()
        self._events[prokey] = event
        self._note(prokey, "create", now)
        return self._done("created", prokey, 201 if self._config.get("created_status") == 201 else 200)

    def _update(self, prokey: str, body: bytes, now: float) -> Response:
        fields = body_of(body)
        if "event_group" in fields or "new_event_group_name" in fields:
            raise RefusedError(400, "event_group is not allowed")
        if "status" in fields:
            raise RefusedError(400, "the status cannot be set")
        check_fields(fields)
        event = changed_by(self._events[prokey], fields)
        check_event(event)
        self._count_update()
        event |= {"sequence": str(int(event["sequence"]) + 1), "date_updated": stamp_of(now)}
        self._events[prokey] = event
        self._note(prokey, "update", now)
        return self._done("updated", prokey)

    def _remove(self, prokey: str, now: float) -> None:
        self._note(prokey, "delete", now)
        del self._events[prokey]

    def _listed(self, query: dict[str, str]) -> list[Element]:
        """ "Gets a list with the ids of all available events": id, label and dates, in a span of days, of a group."""
        first, last = query.get("from", "0001-01-01"), query.get("to", "9999-12-31")
        if not (is_date(first) and is_date(last)):
            raise RefusedError(400, "from and to are dates")
        return [
            {"id" if self._is_old else "prokey": prokey, "label": label_of(event), "dates": days_of(event)}
            for prokey, event in self._events.items()
            if query.get("group", event["event_group"]) == event["event_group"]
            and any(first <= day <= last for day in days_of(event))
        ]

    def _page(self, found: list[Element], query: dict[str, str]) -> Response:
        text = query.get("page", "1")
        if not text.isdecimal() or text == "0":
            raise RefusedError(400, "page is a number from 1")
        part = found[(int(text) - 1) * PAGE_SIZE : int(text) * PAGE_SIZE]
        if not part:
            raise RefusedError(404, NOT_FOUND)
        return answer_of(part)

    def _shown(self, prokey: str) -> Response:
        event = self._events[prokey]
        dates = [{"endDate": None, "organizer_name": "", "organizer_email": "", **one} for one in event["dates"]]
        shown = {**UNSAID, **{name: value for name, value in event.items() if value is not None}, "dates": dates}
        if self._is_old:
            return answer_of([{**shown, "event_group": {"prokey": event["event_group"]}}])
        return answer_of({**shown, "prokey": prokey})

    # Groups

    def _route_group(self, method: str, rest: list[str], query: dict[str, str], body: bytes, now: float) -> Response:
        match method, rest:
            case "POST", []:
                fields = body_of(body)
                check_group(fields)
                return self._done("created", self._new_group(fields, now))
            case "GET", ["all"]:
                rows = [{"prokey": prokey, "label": group["name"]} for prokey, group in self._groups.items()]
                return self._page(rows, query)
            case "GET", ["latest"]:
                return self._shown_group(_last(self._groups))
            case "GET", [prokey]:
                return self._shown_group(_held(prokey, self._groups))
            case "PATCH", [prokey]:
                return self._update_group(_held(prokey, self._groups), body, now)
            case "DELETE", [prokey]:
                return self._delete_group(_held(prokey, self._groups), now)
            case _:
                raise RefusedError(404, NOT_FOUND)

    def _new_group(self, fields: Element, now: float) -> str:
        prokey = self._new_key()
        self._groups[prokey] = {**fields, "date_created": stamp_of(now)}
        return prokey

    def _shown_group(self, prokey: str) -> Response:
        unsaid = {**dict.fromkeys(GROUP_FIELDS), "status": "published", "subscription": "no", "cta": False}
        return answer_of({**unsaid, **self._groups[prokey], "events": self._events_of(prokey), "prokey": prokey})

    def _events_of(self, group: str) -> list[str]:
        return [prokey for prokey, event in self._events.items() if event["event_group"] == group]

    def _update_group(self, prokey: str, body: bytes, now: float) -> Response:
        fields = body_of(body)
        group = {**self._groups[prokey], **fields}
        check_group({name: value for name, value in group.items() if name in GROUP_FIELDS or name in fields})
        if "subscription" in fields and self._events_of(prokey):
            raise RefusedError(400, "the subscription cannot change while events are linked")
        self._count_update()
        self._groups[prokey] = {**group, "date_updated": stamp_of(now)}
        return self._done("updated", prokey)

    def _delete_group(self, prokey: str, now: float) -> Response:
        for event in self._events_of(prokey):
            self._remove(event, now)
        del self._groups[prokey]
        return self._done("deleted", prokey)

    # Everything else is kept as it comes

    def _route_template(
        self, method: str, kind: str, rest: list[str], query: dict[str, str], body: bytes, now: float
    ) -> Response:
        held = self._templates[kind]
        match method, rest:
            case "POST", []:
                fields = body_of(body)
                check_template(kind, fields)
                self._made += 1
                held[str(self._made)] = {"id": self._made, **fields, "date_created": stamp_of(now)}
                return self._done("created", str(self._made), name="id")
            case "GET", ["all"]:
                return self._page([{"id": one["id"], "name": one["name"]} for one in held.values()], query)
            case "GET", ["latest"]:
                return answer_of(held[_last(held)])
            case "GET", [name]:
                return answer_of(held[_held(name, held)])
            case "PATCH", [name]:
                changed = {**held[_held(name, held)], **body_of(body)}
                check_template(kind, changed)
                held[name] = {**changed, "date_updated": stamp_of(now)}
                return self._done("updated", name, name="id")
            case "DELETE", [name]:
                del held[_held(name, held)]
                return self._done("deleted", name, name="id")
            case _:
                raise RefusedError(404, NOT_FOUND)

    def _read_other(self, parts: list[str], query: dict[str, str]) -> Response:
        answers: list[Element] = list(self._config.get("rsvp_answers", ()))
        match parts:
            case ["ics", prokey]:
                return ics_of(prokey, self._events[_held(prokey, self._events)], query)
            case ["custom-domains"]:
                return answer_of(self._config.get("custom_domains", {"available_custom_domains": []}))
            case ["email-template", _]:
                return self._page(list(self._config.get("email_templates", ())), query)
            case ["rsvp-answers", "latest"]:
                return _latest(answers)
            case ["rsvp-answers", prokey]:
                return answer_of([one for one in answers if one.get("prokey") == prokey])
            case ["rsvp-answers", prokey, "latest"]:
                return _latest([one for one in answers if one.get("prokey") == prokey])
            case _:
                raise RefusedError(404, NOT_FOUND)

    # Counting

    def _count_update(self) -> None:
        """ "For every 5th update, we also deduct 1 event credit"; groups count too."""
        if (self._updates + 1) % 5 == 0:
            self._spend(1.0)
        self._updates += 1

    def _spend(self, amount: float) -> None:
        if self.credits is None:
            return
        if self.credits < amount:
            raise RefusedError(int(self._config.get("no_credits_status", 402)), "Not enough credits")
        self.credits -= amount

    def _new_key(self) -> str:
        self._made += 1
        return str(uuid.UUID(int=0x99EC3E7F_EF04_4000_8000_000000000000 + self._made))

    def _note(self, prokey: str, kind: str, now: float) -> None:
        title = str(self._events[prokey]["dates"][0]["name"])
        self.writes.setdefault(self._name(prokey), []).append((now, kind, title))
        self.homes.setdefault(self._name(prokey), set()).add(str(self._events[prokey]["event_group"]))

    def _done(self, what: str, key: str, status: int = 200, name: str = "prokey") -> Response:
        if self._is_old:  # before 2025-05-14
            return answer_of({"success": what.capitalize(), "id": key}, status)
        return answer_of({"status": "success", "message": what, name: key}, status)


def _held(key: str, held: Mapping[str, Element]) -> str:
    if key not in held:
        raise RefusedError(404, NOT_FOUND)
    return key


def _last(held: Mapping[str, Element]) -> str:
    if not held:
        raise RefusedError(404, NOT_FOUND)
    return next(reversed(list(held)))


def _latest(answers: list[Element]) -> Response:
    if not answers:
        raise RefusedError(404, NOT_FOUND)
    return answer_of(answers[-1])
