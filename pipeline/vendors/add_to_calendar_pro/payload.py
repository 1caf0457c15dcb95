"""Neutral content → the vendor's event, and the request that carries it.

Sources: Events API (Add, Update, Delete, Get an event). `dates` of an update is positional, null clears, what is not
sent stays; to change the second date something of the first must be sent, and a date whose values are all null goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import zip_longest
from typing import Any
from urllib.parse import quote

from pipeline.model.entry import Content
from pipeline.model.wire import Request, json_request
from pipeline.vendors.add_to_calendar_pro.dates import FIELDS, TIMING, Date, dates, days
from pipeline.vendors.add_to_calendar_pro.defaults import FLAGS, SECTION, SIMPLE, TEXTS
from pipeline.vendors.contract import Situation, Step

Event = dict[str, Any]

TOP = (*TEXTS, *FLAGS, "simplified_recurrence", "recurrence", *SIMPLE)
PAGE = "page:"
"""Begins the candidate that stands for a further page of the list; no prokey has a colon."""


def request(step: Step, situations: Sequence[Situation]) -> Request:
    """The call for the one situation given, unsigned."""
    (situation,) = situations
    wanted, path = situation.wanted or {}, address(situation.vendor_id or "")
    match step:
        case Step.CREATE:
            return json_request("POST", "/event", created(wanted, situation.key))
        case Step.UPDATE:
            return json_request("PATCH", path, changes(situation.observed or {}, wanted))
        case Step.WRITE:
            return json_request("PATCH", path, whole(wanted, situation.key))
        case Step.DELETE:
            return Request("DELETE", path)
        case Step.FIND:
            prokey = looked_at(situation)
            return Request("GET", address(prokey)) if prokey else _listed(situation)


def probe(_options: Mapping[str, Any]) -> Request:
    """Without an event it answers 404, which says just as well that the key is good."""
    return Request("GET", "/event/latest")


def marker(key: str) -> str:
    """Stands in `iCalFileName`, the one text of the caller's that can be read back; public, so never the key itself."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def event(content: Content) -> Event:
    """All that the vendor is told of an entry, but for its group and marker; without what is empty."""
    own = content.get(SECTION, {})
    said = {name: own[name] for name in TOP if own.get(name) not in (None, "")}
    several = dates(content)
    if len(several) > 1:
        said = {"title_event_series": content["title"], **said}
    return {"dates": several, **said, **_recurrence(content)}


def _recurrence(content: Content) -> Event:
    """`simplified_recurrence`: "set false, if you go for the "recurrence" field […] and true if you use the other"."""
    if content.get("recurrence"):
        return {"simplified_recurrence": False, "recurrence": f"RRULE:{content['recurrence']}"}
    return {"simplified_recurrence": True} if content.get(SECTION, {}).get(SIMPLE[0]) else {}


def group(content: Content) -> Event:
    """The group that the event is created in, or is created with it."""
    if content.get("collection"):
        return {"event_group": content["collection"]}
    name = content.get(SECTION, {}).get("new_event_group_name")
    return {"new_event_group_name": name} if name else {}


def created(content: Content, key: str) -> Event:
    return {**group(content), **event(content), "iCalFileName": marker(key)}


def changes(before: Content, after: Content) -> Event:
    """The least PATCH that leads from one content to the other; never empty."""
    old, new = event(before), event(after)
    said = {name: new.get(name) for name in TOP if old.get(name) != new.get(name)}
    rows = _date_changes(old["dates"], new["dates"])
    if rows or not said:
        said["dates"] = rows or [_kept(new["dates"][0])]
    return said


def whole(content: Content, key: str) -> Event:
    """A PATCH that leaves nothing of what was there, but for dates beyond the last."""
    new = event(content)
    rows = [{name: one.get(name) for name in FIELDS} for one in new["dates"]]
    return {"dates": rows, **{name: new.get(name) for name in TOP}, "iCalFileName": marker(key)}


def _date_changes(old: Sequence[Date], new: Sequence[Date]) -> list[Date]:
    """By position, up to the last date that changes."""
    rows = [_date_change(before, after) for before, after in zip_longest(old, new)]
    while rows and not rows[-1]:
        rows.pop()
    return [row or _kept(new[at]) for at, row in enumerate(rows)]


def _date_change(before: Date | None, after: Date | None) -> Date:
    if before is None or after is None:
        return after or dict.fromkeys(FIELDS)
    changed = [name for name in FIELDS if before.get(name) != after.get(name)]
    if not set(changed).isdisjoint(TIMING):
        # They are valid together or not at all: start and end time go both or neither.
        changed = [name for name in FIELDS if name in changed or (name in TIMING and (name in before or name in after))]
    return {name: after.get(name) for name in changed}


def _kept(one: Date) -> Date:
    """Something of a date that does not change."""
    return {"name": one["name"]}


def looked_at(situation: Situation) -> str | None:
    """The event that a FIND reads; None: it reads a page of the list."""
    first = next(iter(situation.candidates), None)
    return situation.vendor_id or (None if first is None or first.startswith(PAGE) else first)


def page(situation: Situation) -> int:
    """The page of the list that a FIND reads, from 1."""
    first = next(iter(situation.candidates), "")
    return int(first.removeprefix(PAGE)) if first.startswith(PAGE) else 1


def _listed(situation: Situation) -> Request:
    """A day more on both sides: no page says in which time zone the list filters, nor whether `to` is in it."""
    lost = situation.observed or situation.wanted or {}
    query = {}
    if span := days(lost):
        first, last = max(span[0], date.min + _DAY) - _DAY, min(span[1], date.max - _DAY) + _DAY
        query = {"from": f"{first}", "to": f"{last}"}
    if lost.get("collection"):
        query["group"] = lost["collection"]
    if page(situation) > 1:
        query["page"] = str(page(situation))
    return Request("GET", "/event/all", tuple(query.items()))


_DAY = timedelta(days=1)


def address(prokey: str) -> str:
    return f"/event/{quote(prokey, safe='')}"
