"""Neutral content → CalReply's event, and the request that carries it.

Sources: Create New Subscription Event; the successor's pages for update and delete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pipeline.model.entry import Content
from pipeline.model.wire import Request
from pipeline.vendors.calreply import zones
from pipeline.vendors.contract import Situation, Step

Event = dict[str, Any]

# What an update has no word to take away.
_UNCLEARABLE = frozenset({"end", "notifyBefore"})


@dataclass(frozen=True, slots=True)
class Span:
    """Local times, and the IANA zone they are in."""

    start: datetime
    end: datetime | None
    zone: str


def request(step: Step, situations: Sequence[Situation]) -> Request:
    """The call for the one situation given, unsigned."""
    (situation,) = situations
    wanted = situation.wanted or {}
    events = f"/v1/subscriptionevent/{_segment(situation.options.get('account_code', ''))}"
    match step:
        case Step.CREATE:
            return _sent(
                events, {"event": _new(wanted, situation), "subscriptionIds": subscriptions(situation.identity)}
            )
        case Step.UPDATE | Step.WRITE:
            # No document says that an update may be partial, so it is whole; empty texts clear.
            return _sent(f"{events}/update", said(wanted, situation.key))
        case Step.DELETE:
            return Request("DELETE", f"{events}/{_segment(situation.key)}")
        case Step.FIND:
            first = next(iter(subscriptions(situation.observed_identity or situation.identity)), "")
            return Request("GET", f"/v1/webcal/{_segment(first)}")


def probe(_options: Mapping[str, Any]) -> Request:
    """A subscription that does not exist; unlike the feed, this one needs the token."""
    return Request("GET", "/v1/subscription/00000000-0000-0000-0000-000000000000")


def subscriptions(identity: str | None) -> list[str]:
    """An audience is several subscription ids with commas between them."""
    return [part.strip() for part in (identity or "").split(",") if part.strip()]


def said(content: Content, key: str) -> Event:
    """All that CalReply is told of an entry; texts that are not there are empty."""
    wanted = span(content)
    whole = bool(content.get("all_day"))
    name, here = _zoned(wanted, whole)
    end = None if whole and _one_day(wanted) else here.end
    return {
        "eventId": key,
        "title": content.get("title", ""),
        "description": content.get("description", ""),
        "location": content.get("location", ""),
        "start": f"{here.start:%Y-%m-%dT%H:%M:%S}",
        **({"end": f"{end:%Y-%m-%dT%H:%M:%S}"} if end else {}),
        "timezone": name,
        "allDayEvent": whole,
        **({"notifyBefore": content["alerts"][0]} if content.get("alerts") else {}),
    }


def _new(wanted: Content, situation: Situation) -> Event:
    """A create says nothing of what is not there."""
    return {name: value for name, value in said(wanted, situation.key).items() if value != "" and value is not False}


def lost(before: Content, after: Content) -> bool:
    """Whether a field goes away that an update cannot take away."""
    return bool(_UNCLEARABLE & (said(before, "").keys() - said(after, "").keys()))


def span(content: Content) -> Span:
    """Start and end as local times of the start's zone; all-day from midnight, its end exclusive."""
    zone = content.get("time_zone", "UTC")
    start, end = content["start"], content.get("end")
    if content.get("all_day"):
        return Span(_midnight(start), _midnight(end) if end else None, zone)
    return Span(datetime.fromisoformat(start), _moved(end, content.get("end_time_zone", zone), zone), zone)


def _zoned(wanted: Span, whole: bool) -> tuple[str, Span]:
    """The vendor's zone id, and the span to say with it: in UTC where no id fits."""
    name = zones.fitting(wanted.zone, *_moments(wanted))
    if name is not None:
        return name, wanted
    return "UTC", wanted if whole else _in_utc(wanted)


def _in_utc(wanted: Span) -> Span:
    zone = ZoneInfo(wanted.zone)
    start, *end = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in _moments(wanted))
    return Span(start, end[0] if end else None, "UTC")


def _moments(wanted: Span) -> list[datetime]:
    return [moment for moment in (wanted.start, wanted.end) if moment is not None]


def _one_day(wanted: Span) -> bool:
    """The vendor's all-day sample has no end."""
    return wanted.end is None or wanted.end - wanted.start <= timedelta(days=1)


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time())


def _moved(text: str | None, own: str, zone: str) -> datetime | None:
    if text is None:
        return None
    local = datetime.fromisoformat(text)
    if own == zone:
        return local
    return local.replace(tzinfo=ZoneInfo(own)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _segment(text: str) -> str:
    return quote(text, safe=":")


def _sent(path: str, body: Event) -> Request:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Request("POST", path, headers=(("content-type", "application/json"),), body=text.encode())


def problems(content: Content, _options: Mapping[str, Any]) -> list[str]:
    """What CalReply cannot say of this content."""
    found = [f"{name} is required" for name in ("title", "start", "time_zone") if not content.get(name)]
    found += [f"{name} is not an IANA name" for name in ("time_zone", "end_time_zone") if not _good(content.get(name))]
    found += _alert_problems(content.get("alerts", ()))
    return found or _day_problems(content)


def _alert_problems(alerts: Sequence[int]) -> list[str]:
    found = [f"alerts: {len(alerts)} given, CalReply has one"] if len(alerts) > 1 else []
    return [*found, *(["alerts: minutes before the start, not below 0"] if any(m < 0 for m in alerts) else [])]


def _day_problems(content: Content) -> list[str]:
    if not content.get("all_day"):
        return []
    wanted = span(content)
    if content.get("end_time_zone", wanted.zone) != wanted.zone:
        return ["end_time_zone cannot be said of an all-day entry"]
    if zones.fitting(wanted.zone, *_moments(wanted)) is None:
        return ["time_zone: no zone on CalReply's list fits, and an all-day entry cannot be said in UTC"]
    return []


def _good(zone: str | None) -> bool:
    return zone is None or zones.known(zone)
