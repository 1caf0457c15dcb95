"""Neutral content → CalReply's event, and the request that carries it.

Sources: Create New Subscription Event; the successor's pages for update, delete and leaving one subscription.
Subscriptions are worded in `subscription`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.model.entry import Content
from pipeline.model.when import zone_problems
from pipeline.model.wire import Request, json_request
from pipeline.vendors.calreply import subscription, zones
from pipeline.vendors.calreply.address import segment
from pipeline.vendors.calreply.defaults import ROKT, is_rokt
from pipeline.vendors.contract import Situation, Step

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Local times, and the IANA zone they are in."""

    start: datetime
    end: datetime | None
    zone: str


def request(step: Step, situations: Sequence[Situation]) -> Request:
    """The call for the one situation given, unsigned."""
    (situation,) = situations
    if subscription.is_subscription(subject(step, situation)):
        return subscription.request(step, situation)
    wanted = situation.wanted or {}
    account = segment(situation.options.get("account_code", ""))
    events = f"/v1/subscriptionevent/{account}"
    match step:
        case Step.CREATE:
            return json_request(
                "POST", events, {"event": _new(wanted, situation), "subscriptionIds": subscriptions(situation.identity)}
            )
        case Step.UPDATE if (left := leaver(situation)) is not None:
            key = segment(situation.key)
            return Request("DELETE", f"/v2/subscription/{account}/{segment(left)}/subscriptionevent/{key}")
        case Step.UPDATE | Step.WRITE:
            # No document says that an update may be partial, so it is whole; empty texts clear.
            return json_request("POST", f"{events}/update", said(wanted, situation.key, situation.options))
        case Step.DELETE:
            return Request("DELETE", f"{events}/{segment(situation.key)}")
        case Step.FIND:
            first = next(iter(subscriptions(situation.observed_identity or situation.identity)), "")
            return Request("GET", f"/v1/webcal/{segment(first)}")


def subject(step: Step, situation: Situation) -> Content | None:
    """What a step is about: what is there, or may be, for a look and a delete; else what is wanted."""
    if step in (Step.DELETE, Step.FIND):
        return situation.observed or situation.wanted
    return situation.wanted


def probe(_options: Mapping[str, Any]) -> Request:
    """A subscription that does not exist; unlike the feed, this one needs the token."""
    return Request("GET", "/v1/subscription/00000000-0000-0000-0000-000000000000")


def subscriptions(identity: str | None) -> list[str]:
    """An audience is several subscription ids with commas between them."""
    return list(dict.fromkeys(part.strip() for part in (identity or "").split(",") if part.strip()))


def leaver(situation: Situation) -> str | None:
    """The one subscription that leaves an audience, where nothing else changes: it takes a call of its own."""
    before, after = subscriptions(situation.observed_identity), subscriptions(situation.identity)
    left = [one for one in before if one not in after]
    smaller = len(left) == 1 and after and len(before) == len(after) + 1
    return left[0] if smaller and situation.observed == situation.wanted else None


def said(content: Content, key: str, options: Mapping[str, Any]) -> Event:
    """All that CalReply is told of an entry; texts that are not there are empty."""
    wanted = span(content)
    whole = bool(content.get("all_day"))
    zone, here = _zoned(wanted, whole, _by_iana(options))
    end = None if whole and _one_day(wanted) else here.end
    return {
        "eventId": key,
        "title": content.get("title", ""),
        "description": content.get("description", ""),
        "location": content.get("location", ""),
        "start": f"{here.start:%Y-%m-%dT%H:%M:%S}",
        **({"end": f"{end:%Y-%m-%dT%H:%M:%S}"} if end else {}),
        **zone,
        "allDayEvent": whole,
        **({"notifyBefore": content["alerts"][0]} if content.get("alerts") else {}),
        **content.get("calreply", {}),
    }


def _new(wanted: Content, situation: Situation) -> Event:
    """A create says nothing of what is not there."""
    whole = said(wanted, situation.key, situation.options)
    return {name: value for name, value in whole.items() if value != "" and value is not False}


def lost(before: Content, after: Content, unsure: bool) -> bool:
    """Whether a field goes away that an update cannot take away.

    `unsure`: `before` has fields of two contents, so what one of them says of an end may be the other's.
    """
    return bool(_uncleared(before, unsure) - _uncleared(after, False))


def _uncleared(content: Content, doubtful: bool) -> set[str]:
    named = {*content.get("calreply", {})} | ({"alerts"} if content.get("alerts") else set())
    return named | ({"end"} if content.get("end") and (doubtful or not _one_day_only(content)) else set())


def _one_day_only(content: Content) -> bool:
    return bool(content.get("all_day")) and _one_day(span(content))


def span(content: Content) -> Span:
    """Start and end as local times of the start's zone; all-day from midnight, its end exclusive."""
    zone = content.get("time_zone", "UTC")
    start, end = content["start"], content.get("end")
    if content.get("all_day"):
        return Span(_midnight(start), _midnight(end) if end else None, zone)
    return Span(datetime.fromisoformat(start), _moved(end, content.get("end_time_zone", zone), zone), zone)


def _zoned(wanted: Span, whole: bool, by_iana: bool) -> tuple[Event, Span]:
    """The zone in the vendor's word for it, and the span to say with it: in UTC where no word fits."""
    if by_iana:
        # The second of a doubled local time has no word of its own.
        doubled = any(moment.fold for moment in _moments(wanted))
        here = _in_utc(wanted) if doubled else wanted
        return {"timezoneIanaId": here.zone}, here
    name = zones.fitting(wanted.zone, *_moments(wanted))
    if name is not None:
        return {"timezone": name}, wanted
    return {"timezone": "UTC"}, wanted if whole else _in_utc(wanted)


def _by_iana(options: Mapping[str, Any]) -> bool:
    return is_rokt(options) and options.get("time_zones", "windows") == "iana"


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


def problems(content: Content, options: Mapping[str, Any]) -> list[str]:
    """What CalReply cannot say of this content."""
    if subscription.is_subscription(content):
        return subscription.problems(content)
    found = [f"{name} is required" for name in ("title", "start", "time_zone") if not content.get(name)]
    found += zone_problems(content)
    found += [*_alert_problems(content.get("alerts", ())), *_own_problems(content.get("calreply", {}), options)]
    found = found or _form_problems(content)
    return found or [*_span_problems(content), *_day_problems(content, options)]


def _alert_problems(alerts: Sequence[int]) -> list[str]:
    found = [f"alerts: {len(alerts)} given, CalReply has one"] if len(alerts) > 1 else []
    return [*found, *(["alerts: minutes before the start, not below 0"] if any(m < 0 for m in alerts) else [])]


def _own_problems(own: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    found = [f"calreply.{name} cannot be said of an event" for name in sorted(own.keys() - ROKT.keys())]
    if not is_rokt(options):
        found += [f"calreply.{name} needs api: rokt" for name in ROKT if name in own]
    texts = (name for name in ROKT if name in own)
    return [*found, *(f"calreply.{name} is a text" for name in texts if not (own[name] and isinstance(own[name], str)))]


def _form_problems(content: Content) -> list[str]:
    """Layers may make dates of one and times of the other."""
    whole = bool(content.get("all_day"))
    expected = "a date, as all_day is true" if whole else "a date and time, as all_day is not true"
    times = [name for name in ("start", "end") if content.get(name)]
    return [f"{name}: expected {expected}" for name in times if (len(content[name]) == len("2026-12-24")) != whole]


def _span_problems(content: Content) -> list[str]:
    wanted = span(content)
    zone = ZoneInfo(wanted.zone)
    start, *end = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in _moments(wanted))
    return ["end is before the start"] if end and end[0] < start else []


def _day_problems(content: Content, options: Mapping[str, Any]) -> list[str]:
    if not content.get("all_day"):
        return []
    wanted = span(content)
    if content.get("end_time_zone", wanted.zone) != wanted.zone:
        return ["end_time_zone cannot be said of an all-day entry"]
    if not _by_iana(options) and zones.fitting(wanted.zone, *_moments(wanted)) is None:
        return ["time_zone: no zone on CalReply's list fits, and an all-day entry cannot be said in UTC"]
    return []
