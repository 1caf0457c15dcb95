"""Add to Calendar PRO as its documents describe it, for the sandbox: events, groups and the rest of its elements.

No I/O and no clock; shares nothing with the rest of this folder, so that one mistake is not made twice.
Sources: Events, Groups, RSVP, CTA, Webhook, Styles, Landing pages and Miscellaneous APIs (add2cal/docs, 2026-07), field
rules of the vendor's widget. Where they are silent: errors are `{"status": "error", "message": …}`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from typing import Any
from zoneinfo import available_timezones

from pipeline.model.wire import Response

Query = tuple[tuple[str, str], ...]
Element = dict[str, Any]

PAGE_SIZE = 800
DATE_FIELDS = (
    *("name", "description", "startDate", "startTime", "endDate", "endTime", "timeZone", "location"),
    *("status", "availability", "organizer_name", "organizer_email", "attendee_name", "attendee_email"),
)
SIMPLE = (
    *("recurrence_simple_type", "recurrence_interval", "recurrence_byDay", "recurrence_byMonth"),
    *("recurrence_byMonthDay", "recurrence_count", "recurrence_weekstart"),
)
# What a read shows of an event of which nothing was said ("Get one event").
UNSAID: Element = {
    "title_event_series": None,
    "simplified_recurrence": True,
    "recurrence": None,
    **dict.fromkeys(SIMPLE),
    "layout": None,
    "landingpage": None,
    "iCalFileName": None,
    "rsvp": False,
    "rsvp_block": None,
    "cta": False,
    "cta_block": None,
    "hideButton": False,
    "distribution": True,
}
TAGS = frozenset({"p", "strong", "em", "u", "h1", "h2", "h3", "h4", "ul", "ol", "li", "a"})
TEMPLATES = ("rsvp-block", "cta-block", "style", "landingpage", "webhook")
WEBHOOK_REQUIRED = ("name", "active", "method", "payload_url", "trigger", "trigger_element")
WEBHOOK_WORDS = {
    "method": {"GET", "POST", "PUT", "PATCH", "DELETE"},
    "trigger": {"create", "update", "delete"},
    "trigger_element": {
        *("rsvp_answer", "event", "event_group", "style", "rsvp_template", "cta_template", "landingpage_template"),
    },
}
GROUP_FIELDS = (
    *("name", "internal_note", "subscription", "subscription_cal_url", "layout", "landingpage", "cta", "cta_block"),
)


class RefusedError(Exception):
    """An answer other than 2xx, with the text for `message`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status)
        self.status, self.text = status, text


NOT_FOUND = "No entry found"


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
            return _answer({"status": "error", "message": refused.text}, refused.status)

    def refusal(self, status: int) -> Response:
        """No page shows an error's body: the shape of the 404 that a client has seen."""
        return _answer({"status": "error", "message": f"Error {status}"}, status)

    def peek(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        """The file name (our marker) and the first date's name that a write is about, each "" where it says none."""
        fields = _object(body) or {}
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
            _entry(self._name(prokey), prokey, event, one)
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
        fields = _body(body)
        group, new_group = fields.pop("event_group", None), fields.pop("new_event_group_name", None)
        _check_fields(fields)
        if (group is None) == (new_group is None):
            raise RefusedError(400, "event_group or new_event_group_name is required")
        if group is not None and group not in self._groups:
            raise RefusedError(404, NOT_FOUND)
        if new_group is not None and not (isinstance(new_group, str) and new_group):
            raise RefusedError(400, "new_event_group_name is not valid")
        event = _changed({"dates": [], "sequence": "0", "date_created": _stamp(now), "date_updated": None}, fields)
        _check_event(event)
        self._spend(1.0)
        event["event_group"] = group if group is not None else self._new_group({"name": new_group}, now)
        is_draft = event["dates"][0]["name"] in self._config.get("draft_titles", ())
        event["status"] = "draft" if is_draft else "published"
        prokey = self._new_key()
        self._events[prokey] = event
        self._note(prokey, "create", now)
        return self._done("created", prokey, 201 if self._config.get("created_status") == 201 else 200)

    def _update(self, prokey: str, body: bytes, now: float) -> Response:
        fields = _body(body)
        if "event_group" in fields or "new_event_group_name" in fields:
            raise RefusedError(400, "event_group is not allowed")
        if "status" in fields:
            raise RefusedError(400, "the status cannot be set")
        _check_fields(fields)
        event = _changed(self._events[prokey], fields)
        _check_event(event)
        self._count_update()
        event |= {"sequence": str(int(event["sequence"]) + 1), "date_updated": _stamp(now)}
        self._events[prokey] = event
        self._note(prokey, "update", now)
        return self._done("updated", prokey)

    def _remove(self, prokey: str, now: float) -> None:
        self._note(prokey, "delete", now)
        del self._events[prokey]

    def _listed(self, query: dict[str, str]) -> list[Element]:
        """ "Gets a list with the ids of all available events": id, label and dates, in a span of days, of a group."""
        first, last = query.get("from", "0001-01-01"), query.get("to", "9999-12-31")
        if not (_is_date(first) and _is_date(last)):
            raise RefusedError(400, "from and to are dates")
        return [
            {"id" if self._is_old else "prokey": prokey, "label": _label(event), "dates": _days(event)}
            for prokey, event in self._events.items()
            if query.get("group", event["event_group"]) == event["event_group"]
            and any(first <= day <= last for day in _days(event))
        ]

    def _page(self, found: list[Element], query: dict[str, str]) -> Response:
        text = query.get("page", "1")
        if not text.isdecimal() or text == "0":
            raise RefusedError(400, "page is a number from 1")
        part = found[(int(text) - 1) * PAGE_SIZE : int(text) * PAGE_SIZE]
        if not part:
            raise RefusedError(404, NOT_FOUND)
        return _answer(part)

    def _shown(self, prokey: str) -> Response:
        event = self._events[prokey]
        dates = [{"endDate": None, "organizer_name": "", "organizer_email": "", **one} for one in event["dates"]]
        shown = {**UNSAID, **{name: value for name, value in event.items() if value is not None}, "dates": dates}
        if self._is_old:
            return _answer([{**shown, "event_group": {"prokey": event["event_group"]}}])
        return _answer({**shown, "prokey": prokey})

    # Groups

    def _route_group(self, method: str, rest: list[str], query: dict[str, str], body: bytes, now: float) -> Response:
        match method, rest:
            case "POST", []:
                fields = _body(body)
                _check_group(fields)
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
        self._groups[prokey] = {**fields, "date_created": _stamp(now)}
        return prokey

    def _shown_group(self, prokey: str) -> Response:
        unsaid = {**dict.fromkeys(GROUP_FIELDS), "status": "published", "subscription": "no", "cta": False}
        return _answer({**unsaid, **self._groups[prokey], "events": self._events_of(prokey), "prokey": prokey})

    def _events_of(self, group: str) -> list[str]:
        return [prokey for prokey, event in self._events.items() if event["event_group"] == group]

    def _update_group(self, prokey: str, body: bytes, now: float) -> Response:
        fields = _body(body)
        group = {**self._groups[prokey], **fields}
        _check_group({name: value for name, value in group.items() if name in GROUP_FIELDS or name in fields})
        if "subscription" in fields and self._events_of(prokey):
            raise RefusedError(400, "the subscription cannot change while events are linked")
        self._count_update()
        self._groups[prokey] = {**group, "date_updated": _stamp(now)}
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
                fields = _body(body)
                _check_template(kind, fields)
                self._made += 1
                held[str(self._made)] = {"id": self._made, **fields, "date_created": _stamp(now)}
                return self._done("created", str(self._made), name="id")
            case "GET", ["all"]:
                return self._page([{"id": one["id"], "name": one["name"]} for one in held.values()], query)
            case "GET", ["latest"]:
                return _answer(held[_last(held)])
            case "GET", [name]:
                return _answer(held[_held(name, held)])
            case "PATCH", [name]:
                changed = {**held[_held(name, held)], **_body(body)}
                _check_template(kind, changed)
                held[name] = {**changed, "date_updated": _stamp(now)}
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
                return _ics(prokey, self._events[_held(prokey, self._events)], query)
            case ["custom-domains"]:
                return _answer(self._config.get("custom_domains", {"available_custom_domains": []}))
            case ["email-template", _]:
                return self._page(list(self._config.get("email_templates", ())), query)
            case ["rsvp-answers", "latest"]:
                return _latest(answers)
            case ["rsvp-answers", prokey]:
                return _answer([one for one in answers if one.get("prokey") == prokey])
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

    def _done(self, what: str, key: str, status: int = 200, name: str = "prokey") -> Response:
        if self._is_old:  # before 2025-05-14
            return _answer({"success": what.capitalize(), "id": key}, status)
        return _answer({"status": "success", "message": what, name: key}, status)


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
    return _answer(answers[-1])


# An event after a write


def _changed(event: Element, fields: Element) -> Element:
    """ "Fields you send are updated, fields you do not send stay, null clears"; `dates` goes by position."""
    changed = {**event, **{name: value for name, value in fields.items() if name != "dates"}}
    if fields.get("dates") is not None:
        changed["dates"] = _positioned(event["dates"], fields["dates"])
    return {name: value for name, value in changed.items() if value is not None or name == "date_updated"}


def _positioned(held: list[Element], sent: list[Element]) -> list[Element]:
    rows = []
    for at in range(max(len(held), len(sent))):
        before, said = held[at] if at < len(held) else {}, sent[at] if at < len(sent) else None
        if said == {}:
            raise RefusedError(400, "dates: at least one field of each date")
        row = {name: value for name, value in {**before, **(said or {})}.items() if value is not None}
        if not row and at >= len(held):
            raise RefusedError(400, "dates: there is no such date")
        rows.append(row)
    return [row for row in rows if row]  # "null all values of a date to remove it"


# Validation


def _body(body: bytes) -> Element:
    fields = _object(body)
    if not fields:
        raise RefusedError(400, "the body must be a JSON object")
    return fields


def _object(body: bytes) -> Element | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _check_fields(fields: Element) -> None:
    """Each field by itself; null stands for nothing."""
    dates = fields.get("dates", [{"name": "-"}])
    if not isinstance(dates, list) or not dates or not all(isinstance(one, dict) for one in dates):
        raise RefusedError(400, "dates is a list of objects")
    for checks, given in ((CHECKS, fields), *((DATE_CHECKS, one) for one in dates)):
        for name, value in given.items():
            if name == "dates" and given is fields:
                continue
            if name not in checks:
                raise RefusedError(400, f"{name} is not a known field")
            if value is not None and not checks[name](value):
                raise RefusedError(400, f"{name} is not valid")


def _check_event(event: Element) -> None:
    """The whole event, as it would be."""
    if not event["dates"]:
        raise RefusedError(400, "dates is required")
    for one in event["dates"]:
        _check_date(one)
    is_simple = any(name in event for name in SIMPLE)
    if (is_simple or "recurrence" in event) and len(event["dates"]) > 1:
        raise RefusedError(400, "recurrence does not allow for several dates")
    if "recurrence" in event and event.get("simplified_recurrence") is not False:
        raise RefusedError(400, "recurrence needs simplified_recurrence false")
    if is_simple and event.get("simplified_recurrence") is False:
        raise RefusedError(400, "the simple recurrence needs simplified_recurrence true")


def _check_date(one: Element) -> None:
    if not one.get("name") or not one.get("startDate"):
        raise RefusedError(400, "name and startDate are required")
    if bool(one.get("startTime")) != bool(one.get("endTime")):
        raise RefusedError(400, "startTime and endTime go both or neither")
    start = (one["startDate"], one.get("startTime", ""))
    if (one.get("endDate", one["startDate"]), one.get("endTime", "")) < start:
        raise RefusedError(400, "the end is before the start")
    if (one.get("attendee_name") or one.get("attendee_email")) and not one.get("organizer_email"):
        raise RefusedError(400, "an attendee needs an organizer")


def _check_group(fields: Element) -> None:
    if not isinstance(fields.get("name"), str) or not fields["name"]:
        raise RefusedError(400, "name is required")
    unknown = fields.keys() - set(GROUP_FIELDS)
    if unknown:
        raise RefusedError(400, "a field that is not known")
    external = fields.get("subscription") == "external"
    if fields.get("subscription", "no") not in ("no", "external", None):
        raise RefusedError(400, "subscription is no or external")
    if external and not str(fields.get("subscription_cal_url")).startswith("http"):
        raise RefusedError(400, "subscription_cal_url is required")


def _check_template(kind: str, fields: Element) -> None:
    required = {"webhook": WEBHOOK_REQUIRED, "cta-block": ("name", "type")}.get(kind, ("name",))
    missing = [name for name in required if fields.get(name) in (None, "")]
    if missing:
        raise RefusedError(400, f"{missing[0]} is required")
    words = {**WEBHOOK_WORDS} if kind == "webhook" else {}
    if kind == "cta-block":
        words["type"] = {"none", "text", "link", "share", "form"}
    if any(fields[name] not in allowed for name, allowed in words.items()):
        raise RefusedError(400, "a word that is not known")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_id(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and bool(value))


def _is_date(value: Any) -> bool:
    # Dynamic dates ("today+4") are the vendor's, and nothing of ours: here they are refused.
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return False
    try:
        return bool(date.fromisoformat(value))
    except ValueError:
        return False


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory"} | {"CT", "ET", "MT", "PT"})


def _is_zone(value: Any) -> bool:
    return isinstance(value, str) and value in _zones()


def _like(pattern: str, longest: int = 10_000) -> Callable[[Any], bool]:
    matches = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and len(value) <= longest and matches(value) is not None


class _Tags(HTMLParser):
    """Collects what is not allowed in a description."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS or (attrs and tag != "a"):
            self.bad.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in TAGS:
            self.bad.append(tag)

    def handle_comment(self, data: str) -> None:
        self.bad.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.bad.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.bad.append("instruction")

    def unknown_decl(self, data: str) -> None:
        self.bad.append("declaration")


def _is_html(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    tags = _Tags()
    tags.feed(value)
    tags.close()
    return not tags.bad


_is_name = _like(r"(?s).*", 50)
_is_email = _like(r"|[^\s@]+@[^\s@]+\.[^\s@]+", 100)
_is_time = _like(r"([01]\d|2[0-3]):[0-5]\d")

DATE_CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(DATE_FIELDS, _is_text),
    "description": _is_html,
    **dict.fromkeys(("startDate", "endDate"), _is_date),
    **dict.fromkeys(("startTime", "endTime"), _is_time),
    "timeZone": _is_zone,
    "status": _like("CONFIRMED|TENTATIVE|CANCELLED"),
    "availability": _like("free|busy"),
    **dict.fromkeys(("organizer_name", "attendee_name"), _is_name),
    **dict.fromkeys(("organizer_email", "attendee_email"), _is_email),
}
CHECKS: dict[str, Callable[[Any], bool]] = {
    "title_event_series": _is_text,
    "simplified_recurrence": _is_flag,
    "recurrence": _like(r"RRULE:[\w=;,:+\-/\\]+"),
    "recurrence_simple_type": _like("daily|weekly|monthly|yearly"),
    **dict.fromkeys(("recurrence_interval", "recurrence_count"), _is_count),
    "recurrence_byDay": _like(r"(-?\d*(MO|TU|WE|TH|FR|SA|SU),?)+"),
    **dict.fromkeys(("recurrence_byMonth", "recurrence_byMonthDay"), _like(r"\d+(,\d+)*")),
    "recurrence_weekstart": _like("MO|TU|WE|TH|FR|SA|SU"),
    **dict.fromkeys(("layout", "landingpage", "rsvp_block", "cta_block"), _is_id),
    "iCalFileName": _like(r"[^/\\]+"),
    **dict.fromkeys(("rsvp", "cta", "hideButton", "distribution"), _is_flag),
}


# Answers


def _label(event: Element) -> str:
    return str(event.get("title_event_series") or event["dates"][0]["name"])


def _days(event: Element) -> list[str]:
    return [one["startDate"] for one in event["dates"]]


def _entry(key: str, prokey: str, event: Element, one: Element) -> dict[str, Any]:
    all_day = "startTime" not in one
    last = str(one.get("endDate") or one["startDate"])
    return {
        "key": key,
        "id": prokey,
        "calendar": event["event_group"],
        "title": one["name"],
        "start": one["startDate"] if all_day else f"{one['startDate']}T{one['startTime']}:00",
        "end": _day_after(last) if all_day else f"{last}T{one['endTime']}:00",
        "time_zone": one.get("timeZone"),
        "all_day": all_day,
        "location": one.get("location", ""),
        "description": one.get("description", ""),
        "status": one.get("status"),
        "recurrence": event.get("recurrence"),
        "content": {**event, "dates": [dict(row) for row in event["dates"]]},
    }


def _day_after(day: str) -> str:
    found = date.fromisoformat(day)
    return str(found + timedelta(days=1) if found < date.max else found)


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _ics(prokey: str, event: Element, query: dict[str, str]) -> Response:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Simulated//Add to Calendar PRO//EN"]
    for one in event["dates"]:
        start = (one["startDate"] + "T" + one.get("startTime", "00:00")).replace("-", "").replace(":", "")
        lines += ["BEGIN:VEVENT", f"UID:{prokey}", f"DTSTART:{start}00", f"SUMMARY:{one['name']}", "END:VEVENT"]
    text = "\r\n".join([*lines, "END:VCALENDAR", ""])
    if query.get("responseType") == "object":
        return _answer({"ics": text})
    return Response(200, {"content-type": "text/calendar"}, text.encode())


def _answer(content: Any, status: int = 200) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(content).encode())
