"""Neutral content → ECAL's event, and the request that carries it.

Sources: Private Events and Event (GET, POST, PUT, DELETE /apiv2/event). Never sends `type` but on create: it cannot
change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pipeline.model.entry import Content
from pipeline.model.when import zone_problems
from pipeline.model.wire import Request, json_request
from pipeline.vendors.contract import Situation, Step
from pipeline.vendors.ecal.defaults import OWN, is_public

Event = dict[str, Any]
Query = tuple[tuple[str, str], ...]

_EVENTS = "/apiv2/event"

# The vendor's own list is lost in its page; these codes are the ones seen in its documents and clients (2026-11).
ALERTS = {5: "5M", 15: "15M", 30: "30M", 60: "1H", 1440: "1D"}
MOST_ALERTS = 2
MOST_LINKS = 6
OBJECTIVES = ("payment_reminder", "payment_success", "ticket_sale", "merchandise_sale", "tune_in")
# The keys of Event's field list; `pintrest` is the vendor's spelling there, `pinterest` the one of its PUT example.
# fmt: off
SOCIAL = (
    "facebook", "twitter", "instagram", "google", "ipad", "iphone", "android", "pintrest", "pinterest", "myspace",
    "podcast", "blog", "foursquare", "youtube", "stackla", "linkedin", "flickr", "blackberry", "soundcloud", "vimeo",
)
# fmt: on
BITS = ("draft", "smartAlert", "smartDetails")
TEXTS = ("sponsored_message", "referenceType")

# How a field is emptied. What is not here cannot be: see `lost`.
_EMPTY: Event = {
    "details": "",
    "alert": "-",
    "alert2": "-",
    **{f"quickLink[{n}][{part}]": "" for n in range(1, MOST_LINKS + 1) for part in ("name", "url")},
    "sponsored_message": "",
    "referenceType": "",
    "social": {},
}
_EMPTY_BITS = {"smartAlert": 0, "smartDetails": 0}
_START = frozenset({"startDate", "startTime"})
_CLOCK = frozenset({"allDay", "timezone"})
_TIMING = ("startDate", "startTime", "endDate", "endTime", "allDay", "timezone")


def request(step: Step, situations: Sequence[Situation]) -> Request:
    """The call for the one situation given, unsigned."""
    (situation,) = situations
    match step:
        case Step.CREATE:
            return json_request("POST", _EVENTS, _created(situation), _subscriber(situation))
        case Step.UPDATE:
            return json_request("PUT", _address(situation), changes(situation.observed or {}, situation.wanted or {}))
        case Step.WRITE:
            return json_request(
                "PUT", _by_reference(situation), whole(situation.observed or {}, situation.wanted or {})
            )
        case Step.DELETE:
            return Request("DELETE", _by_reference(situation) if situation.unsure else _address(situation))
        case Step.FIND:
            return Request("GET", _address(situation)) if situation.vendor_id else _listed(situation)


def probe(_options: Mapping[str, Any]) -> Request:
    return Request("GET", _EVENTS, query=(("limit", "1"),))


def event(content: Content) -> Event:
    """All that ECAL is told of an entry, in the vendor's names, but for what never changes."""
    calendar = {"calendarId": content["collection"]} if content.get("collection") else {}
    return {
        **calendar, **_texts(content), **timing(content), **_alerts(content), **_links(content), **_own(content)
    }  # fmt: skip


def changes(before: Content, after: Content) -> Event:
    """The least PUT that leads from one content to the other; never empty."""
    old, new = event(before), event(after)
    said = {name: value for name, value in new.items() if old.get(name) != value}
    gone = {name: value for name, value in {**_EMPTY, **_EMPTY_BITS}.items() if name in old and name not in new}
    said |= {name: value for name, value in gone.items() if old[name] != value}
    if "social" in said:
        said["social"] = {**dict.fromkeys(old.get("social", {}), ""), **said["social"]}
    return {**said, **_moved(said, new)} or {"name": new.get("name", "")}


def whole(before: Content, after: Content) -> Event:
    """A PUT that leaves nothing of what was there. `before` may mix the fields of two contents: only names count."""
    new = event(after)
    bits = {name: value for name, value in _EMPTY_BITS.items() if name in before.get("ecal", {})}
    return {**_EMPTY, **bits, **new, "social": {**dict.fromkeys(SOCIAL, ""), **new.get("social", {})}}


def lost(before: Content, after: Content) -> bool:
    """Whether something changes that no PUT is sure to change. `before` may mix the fields of two contents."""
    # `calendarId` stands in the fields that PUT refers to, but nothing says that an event then moves.
    if before.get("collection") != after.get("collection"):
        return True
    # No document says how to empty these two.
    zone, objective = (
        bool(was) and not now
        for was, now in (
            (before.get("time_zone"), after.get("time_zone")),
            (before.get("ecal", {}).get("objective"), after.get("ecal", {}).get("objective")),
        )
    )
    return zone or objective


def timing(content: Content) -> Event:
    """Dates and times. ECAL's all-day end is inclusive; a missing end is the start."""
    zone = {"timezone": content["time_zone"]} if content.get("time_zone") else {}
    if content.get("all_day"):
        return {**_days(content), "allDay": "yes", **zone}
    start = datetime.fromisoformat(content["start"])
    end = _end(content) or start
    return {
        "startDate": start.date().isoformat(),
        "startTime": f"{start:%H:%M}",
        "endDate": end.date().isoformat(),
        "endTime": f"{end:%H:%M}",
        "allDay": "no",
        **zone,
    }


def _created(situation: Situation) -> Event:
    # Without a type it is a fixture of its calendar.
    kind = {} if is_public(situation.options) else {"type": "private"}
    return {**kind, **event(situation.wanted or {}), "reference": situation.key}


def _subscriber(situation: Situation) -> Query:
    return () if is_public(situation.options) else (("ecal_id", situation.identity or ""),)


def _listed(situation: Situation) -> Request:
    """The list that it should stand in: no document promises a read by reference."""
    if is_public(situation.options):
        content = situation.wanted or situation.observed or {}
        return Request("GET", _EVENTS, query=(("calendarIds", content.get("collection", "")),))
    whose = situation.observed_identity or situation.identity or ""
    return Request("GET", _EVENTS, query=(("ecal_id", whose), ("type", "private")))


def _moved(said: Event, new: Event) -> Event:
    """What goes along when the start moves: the end always, though the vendor's sample leaves it out."""
    if _CLOCK & said.keys():
        return {name: new[name] for name in _TIMING if name in new}
    if _START & said.keys():
        return {name: new[name] for name in ("endDate", "endTime") if name in new}
    return {}


def _texts(content: Content) -> Event:
    names = {"title": "name", "location": "location", "description": "details"}
    return {name: content[field] for field, name in names.items() if field in content}


def _days(content: Content) -> Event:
    start = date.fromisoformat(content["start"])
    end = date.fromisoformat(content["end"]) - timedelta(days=1) if "end" in content else start
    return {"startDate": start.isoformat(), "endDate": end.isoformat()}


def _end(content: Content) -> datetime | None:
    """The end in the start's zone, as a local time; its `fold` is 1 for the second of a doubled one."""
    if "end" not in content:
        return None
    end = datetime.fromisoformat(content["end"])
    zone, own = content.get("time_zone"), content.get("end_time_zone")
    if not zone or not own or own == zone:
        return end
    return end.replace(tzinfo=ZoneInfo(own)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _alerts(content: Content) -> Event:
    codes = [ALERTS[minutes] for minutes in content.get("alerts", ())]
    return dict(zip(("alert", "alert2"), codes, strict=False))


def _links(content: Content) -> Event:
    numbered = enumerate(content.get("links", ()), start=1)
    return {f"quickLink[{n}][{part}]": link[part] for n, link in numbered for part in ("name", "url")}


def _own(content: Content) -> Event:
    # `draft` is 1 unless said: an entry that nobody would see.
    return {"draft": 0, **content.get("ecal", {})}


def _address(situation: Situation) -> str:
    return f"{_EVENTS}/{quote(situation.vendor_id or situation.key, safe=':')}"


def _by_reference(situation: Situation) -> str:
    return f"{_EVENTS}/{quote(situation.key, safe=':')}"


def problems(content: Content, options: Mapping[str, Any]) -> list[str]:
    """What ECAL cannot say of this content."""
    required = ("title", "location", "start", *(("collection",) if is_public(options) else ()))
    found = [f"{name} is required" for name in required if not content.get(name)]
    timed = _zone_problems(content) + _form_problems(content)
    timed = timed or _end_problems(content)
    return [*found, *timed, *_list_problems(content), *_own_problems(content.get("ecal", {}))]


def _zone_problems(content: Content) -> list[str]:
    found = zone_problems(content)
    if content.get("end_time_zone") and not content.get("time_zone"):
        found.append("end_time_zone needs time_zone: ECAL has one zone for start and end")
    elif content.get("all_day") and content.get("end_time_zone", content.get("time_zone")) != content.get("time_zone"):
        found.append("end_time_zone cannot be said of an all-day entry")
    return found


def _form_problems(content: Content) -> list[str]:
    """Layers may make dates of one and times of the other."""
    times = [name for name in ("start", "end") if content.get(name)]
    if content.get("all_day"):
        return [f"{name}: expected a date, as all_day is true" for name in times if len(content[name]) != 10]
    dates = [name for name in times if len(content[name]) == 10]
    seconds = [name for name in times if name not in dates and _seconds(datetime.fromisoformat(content[name]))]
    return [
        *(f"{name}: expected a date and time, as all_day is not true" for name in dates),
        *(f"{name} has seconds: ECAL's times are HH:MM" for name in seconds),
    ]


def _end_problems(content: Content) -> list[str]:
    start, end = content.get("start"), content.get("end")
    if not start or not end:
        return []
    if content.get("all_day"):
        return [] if end > start else ["end: expected after the start (an all-day end is exclusive)"]
    local = _end(content)
    assert local is not None
    if local.fold:
        return ["end: in the start's zone it is the second of a doubled local time, which ECAL cannot say"]
    if _seconds(local):
        return ["end has seconds in the start's zone: ECAL's times are HH:MM"]
    return ["end: expected not before the start"] if local < datetime.fromisoformat(start) else []


def _list_problems(content: Content) -> list[str]:
    alerts, links = content.get("alerts", ()), content.get("links", ())
    found = []
    if len(alerts) > MOST_ALERTS:
        found.append(f"alerts: {len(alerts)} given, ECAL has {MOST_ALERTS}")
    if any(minutes not in ALERTS for minutes in alerts):
        found.append(f"alerts: ECAL knows {', '.join(map(str, ALERTS))} minutes before the start")
    if len(links) > MOST_LINKS:
        found.append(f"links: {len(links)} given, ECAL has {MOST_LINKS}")
    if not all(link.get("name") and link.get("url") for link in links):
        found.append("links: each needs a name and a url")
    return found


def _own_problems(own: Mapping[str, Any]) -> list[str]:
    found = [f"ecal.{name} is no field of ECAL" for name in own if name not in OWN]
    found += [f"ecal.{name} is 0 or 1" for name in BITS if name in own and not _is_bit(own[name])]
    found += [f"ecal.{name} is a text" for name in TEXTS if not isinstance(own.get(name, ""), str)]
    if own.get("objective", OBJECTIVES[0]) not in OBJECTIVES:
        found.append(f"ecal.objective is one of {', '.join(OBJECTIVES)}")
    social = own.get("social", {})
    if not isinstance(social, Mapping) or not all(isinstance(text, str) for text in social.values()):
        found.append("ecal.social is a map of texts")
    elif social.keys() - set(SOCIAL):
        found.append(f"ecal.social has the keys {', '.join(SOCIAL)}")
    return found


def _is_bit(value: Any) -> bool:
    return value in (0, 1) and not isinstance(value, bool | float)


def _seconds(local: datetime) -> bool:
    return bool(local.second or local.microsecond)
