"""What the simulated Add to Calendar PRO refuses of a call: its words for it, and what may stand in a body."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from typing import Any
from zoneinfo import available_timezones

from pipeline.vendors.simulated import Check, is_bool, is_date, is_text, like, object_of

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


# Validation


def body_of(body: bytes) -> Element:
    fields = object_of(body)
    if not fields:
        raise RefusedError(400, "the body must be a JSON object")
    return fields


def check_fields(fields: Element) -> None:
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


def check_event(event: Element) -> None:
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


def check_group(fields: Element) -> None:
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


def check_template(kind: str, fields: Element) -> None:
    required = {"webhook": WEBHOOK_REQUIRED, "cta-block": ("name", "type")}.get(kind, ("name",))
    missing = [name for name in required if fields.get(name) in (None, "")]
    if missing:
        raise RefusedError(400, f"{missing[0]} is required")
    words = {**WEBHOOK_WORDS} if kind == "webhook" else {}
    if kind == "cta-block":
        words["type"] = {"none", "text", "link", "share", "form"}
    if any(fields[name] not in allowed for name, allowed in words.items()):
        raise RefusedError(400, "a word that is not known")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_id(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and bool(value))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory"} | {"CT", "ET", "MT", "PT"})


def _is_zone(value: Any) -> bool:
    return isinstance(value, str) and value in _zones()


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


_is_name = like(r"(?s).*", 50)
_is_email = like(r"|[^\s@]+@[^\s@]+\.[^\s@]+", 100)
_is_time = like(r"([01]\d|2[0-3]):[0-5]\d")

DATE_CHECKS: dict[str, Check] = {
    **dict.fromkeys(DATE_FIELDS, is_text),
    "description": _is_html,
    # Dynamic dates ("today+4") are the vendor's, and nothing of ours: here they are refused.
    **dict.fromkeys(("startDate", "endDate"), is_date),
    **dict.fromkeys(("startTime", "endTime"), _is_time),
    "timeZone": _is_zone,
    "status": like("CONFIRMED|TENTATIVE|CANCELLED"),
    "availability": like("free|busy"),
    **dict.fromkeys(("organizer_name", "attendee_name"), _is_name),
    **dict.fromkeys(("organizer_email", "attendee_email"), _is_email),
}
CHECKS: dict[str, Check] = {
    "title_event_series": is_text,
    "simplified_recurrence": is_bool,
    "recurrence": like(r"RRULE:[\w=;,:+\-/\\]+"),
    "recurrence_simple_type": like("daily|weekly|monthly|yearly"),
    **dict.fromkeys(("recurrence_interval", "recurrence_count"), _is_count),
    "recurrence_byDay": like(r"(-?\d*(MO|TU|WE|TH|FR|SA|SU),?)+"),
    **dict.fromkeys(("recurrence_byMonth", "recurrence_byMonthDay"), like(r"\d+(,\d+)*")),
    "recurrence_weekstart": like("MO|TU|WE|TH|FR|SA|SU"),
    **dict.fromkeys(("layout", "landingpage", "rsvp_block", "cta_block"), _is_id),
    "iCalFileName": like(r"[^/\\]+"),
    **dict.fromkeys(("rsvp", "cta", "hideButton", "distribution"), is_bool),
}
