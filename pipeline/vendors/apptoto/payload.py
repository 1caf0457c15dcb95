"""Neutral content → Apptoto's event, and the request that carries it.

Source: PUT /v1/events, which "acts like a patch" for an event's fields, while `participants` and `custom_data` replace
what is there; DELETE /v1/events and GET /v1/event by `external_id`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.model.entry import Content
from pipeline.model.when import parse_date, parse_moment, resolve, zone_named
from pipeline.model.wire import Request, json_request
from pipeline.vendors.contract import Situation, Step

Event = dict[str, Any]
Options = Mapping[str, Any]

BUSY = {True: 2, False: 0}
"""`show_as`; its null, which is what an event has of itself, means busy too."""

# How a field is emptied: no page says so, but "only the fields you specify will be updated" and these are what an event
# without them shows. `time_zone` has no such word: see `lost`.
_EMPTY: Event = {"location": "", "content": "", "show_as": None, "participants": [], "custom_data": {}}
# Apptoto itself fills these ("can extract participants from the title/location/content"): not to be emptied blindly.
_FILLED_BY_OTHERS = frozenset({"participants", "custom_data"})
_TIMES = ("start_time", "end_time")
_ID = re.compile(r"[1-9][0-9]{0,17}")


def request(step: Step, situations: Sequence[Situation]) -> Request:
    """The call, unsigned: several events in one PUT; what is deleted or looked for, alone."""
    match step:
        case Step.CREATE | Step.UPDATE | Step.WRITE:
            return _put([_said(step, situation) for situation in situations], situations[0].options)
        case Step.DELETE:
            return Request("DELETE", "/v1/events", query=_by_key(situations))
        case Step.FIND:
            return Request("GET", "/v1/event", query=_by_key(situations))


def probe(_options: Options) -> Request:
    return Request("GET", "/v1/events", query=(("page_size", "1"),))


def together(step: Step, situation: Situation) -> Hashable | None:
    """One PUT takes many events; what stands beside them holds for all."""
    if step in (Step.DELETE, Step.FIND):
        return None
    return _may_make_calendars(situation.options)


def event(content: Content, options: Options) -> Event:
    """All that Apptoto is told of an entry, but for its key and its calendar."""
    start, end = span(content)
    return {
        "title": content.get("title", ""),
        "start_time": start.isoformat(),
        "end_time": end.isoformat(),
        "all_day": bool(content.get("all_day")),
        **_zone(content, options),
        **_optional(content),
    }


def changes(before: Content, after: Content, options: Options) -> Event:
    """The least that leads from one content to the other; both times together, as either may bound the other."""
    old, new = event(before, options), event(after, options)
    said = {name: value for name, value in new.items() if name not in old or old[name] != value}
    gone = {name: value for name, value in _EMPTY.items() if name in old and name not in new}
    times = {name: new[name] for name in _TIMES if said.keys() & {*_TIMES}}
    return {**said, **gone, **times}


def whole(before: Content, after: Content, options: Options) -> Event:
    """What leaves nothing of what may be there, as far as Calends can have put it there."""
    # While unsure, `before` may hold the fields of two contents: each is sound, its times together are not.
    old = _optional(before)
    empty = {name: value for name, value in _EMPTY.items() if name in old or name not in _FILLED_BY_OTHERS}
    return {**empty, **event(after, options)}


def lost(before: Content, after: Content, options: Options) -> bool:
    """Whether a field goes away that no document says how to empty."""
    return bool(_zone(before, options)) and not _zone(after, options)


def moved(before: Content, after: Content, options: Options) -> bool:
    return calendar(before, options) != calendar(after, options)


def calendar(content: Content, options: Options) -> Event:
    """Goes along always: "required" stands there without the "if new event" of other fields."""
    name = content.get("collection", "")
    is_id = options.get("collection_is", "auto") != "name" and _ID.fullmatch(name)
    return {"calendar_id": int(name)} if is_id else {"calendar": name}


def span(content: Content) -> tuple[datetime, datetime]:
    """Start and end in the start's zone. All-day: from midnight to a midnight, the end exclusive (assumed)."""
    zone = content.get("time_zone", "UTC")
    start = moment(content["start"], zone, content)
    if "end" not in content:
        return start, _next_day(start) if content.get("all_day") else start
    own = content.get("end_time_zone", zone)
    end = moment(content["end"], own, content)
    return start, end if own == zone else end.astimezone(ZoneInfo(zone))


def moment(text: str, zone: str, content: Content) -> datetime:
    """Of a doubled local time the first. Raises BadTime for one that clocks skip; OverflowError at the calendar's ends.

    A midnight that clocks skip is no error: the day is meant.
    """
    if content.get("all_day"):
        day = parse_date(text)
        return datetime(day.year, day.month, day.day, tzinfo=zone_named(zone))
    return resolve(parse_moment(text), zone)


def _next_day(start: datetime) -> datetime:
    return start + timedelta(days=1)  # by the clock on the wall: midnight again


def _said(step: Step, situation: Situation) -> Event:
    before, after, options = situation.observed or {}, situation.wanted or {}, situation.options
    match step:
        case Step.CREATE:
            fields = event(after, options)
        case Step.UPDATE if before:
            fields = changes(before, after, options)
        case _:
            fields = whole(before, after, options)
    return {"external_id": situation.key, **calendar(after, options), **fields}


def _put(events: Sequence[Event], options: Options) -> Request:
    if len({one["external_id"] for one in events}) < len(events):
        raise ValueError("an external_id twice in one call")
    # Seen in a client only: without it a mistyped name makes a new calendar.
    beside = {} if _may_make_calendars(options) else {"prevent_calendar_creation": True}
    return json_request("PUT", "/v1/events", {"events": events, **beside})


def _by_key(situations: Sequence[Situation]) -> tuple[tuple[str, str], ...]:
    (situation,) = situations
    return (("external_id", situation.key),)


def _may_make_calendars(options: Options) -> bool:
    return bool(options.get("calendar_creation", "prevent") == "allow")


def _zone(content: Content, options: Options) -> Event:
    """The vendor's list of names is lost in its page; `time_zone_names` says where it is not IANA's."""
    own = content.get("time_zone")
    name = (options.get("time_zone_names") or {}).get(own)
    if name is None and options.get("send_time_zone", "iana") == "iana":
        name = own
    return {"time_zone": name} if name else {}


def _optional(content: Content) -> Event:
    """What `_EMPTY` says how to empty."""
    custom = {name: value for name, value in content.get("apptoto", {}).items() if name == "custom_data"}
    return {**_texts(content), **_show_as(content), **_participants(content), **custom}


def _texts(content: Content) -> Event:
    names = {"location": "location", "description": "content"}
    return {name: content[field] for field, name in names.items() if field in content}


def _show_as(content: Content) -> Event:
    """The vendor's own word is finer than ours."""
    own = content.get("apptoto", {})
    if "show_as" in own:
        return {"show_as": own["show_as"]}
    return {"show_as": BUSY[content["busy"]]} if "busy" in content else {}


def _participants(content: Content) -> Event:
    """Whole, always: the entry's people, then those that only Apptoto knows (contacts)."""
    own = content.get("apptoto", {})
    if "participants" not in content and "participants" not in own:
        return {}
    people = [*content.get("participants", ()), *own.get("participants", ())]
    return {"participants": [{name: value for name, value in one.items() if value != ""} for one in people]}
