"""What the simulated CalReply refuses of a call: its words for it, and what may stand in each body."""

from __future__ import annotations

import re
from typing import Any

from pipeline.vendors.calreply.simulator_zones import ZONES
from pipeline.vendors.simulated import Check, is_bool, is_moment, is_text, object_of

Event = dict[str, Any]

REQUIRED = ("eventId", "title", "start", "timezone")
ROKT_FIELDS = ("timezoneIanaId", "visibleFromDateTimeUtc", "actionType")


class RefusedError(Exception):
    """An answer other than 2xx: the HTTP status, the vendor's code and its reason."""

    def __init__(self, status: int, reason: str, code: str = "InvalidRequestParameter") -> None:
        super().__init__(status)
        self.status, self.reason, self.code = status, reason, code


class TokenRefusedError(Exception):
    """What the token endpoint answers: RFC 6749 section 5.2, as the vendor documents nothing."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.status = error, status


# What may stand in an event


def is_guid(value: Any) -> bool:
    form = r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}"
    return isinstance(value, str) and re.fullmatch(form, value) is not None


def _is_minutes(value: Any) -> bool:
    """A number by the table, digits in quotes by the sample."""
    if isinstance(value, str):
        return value.isascii() and value.isdecimal()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


# ISO 8601 without an offset: "in Timezone that it is occurs in".
_is_local = is_moment(r"(?a)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")

CHECKS: dict[str, Check] = {
    **dict.fromkeys(("eventId", "title", "description", "location", *ROKT_FIELDS), is_text),
    **dict.fromkeys(("start", "end"), _is_local),
    "timezone": lambda value: isinstance(value, str) and value in ZONES,
    "allDayEvent": is_bool,
    "notifyBefore": _is_minutes,
}


# What may stand in a subscription


def _is_guids(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_guid, value))


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)


def _is_tags(value: Any) -> bool:
    def is_tag(tag: Any) -> bool:
        match tag:
            case {"internalId": identity} if len(tag) == 1:
                return is_guid(identity)
            case {"externalId": str() as identity} if len(tag) == 1:
                return bool(identity)
            case _:
                return False

    return isinstance(value, list) and all(map(is_tag, value))


def _is_zone(value: Any) -> bool:
    return isinstance(value, str) and value in ZONES


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", value) is not None


def _is_own_events(value: Any) -> bool:
    """EventDetail Model: all required but location, timezone, allDayEvent and notifyBefore."""

    def is_event(event: Any) -> bool:
        if not isinstance(event, dict) or not event.keys() <= EVENT_DETAIL.keys():
            return False
        if not all(event.get(name) for name in ("eventId", "title", "description", "start", "end")):
            return False
        return all(EVENT_DETAIL[name](one) for name, one in event.items())

    return isinstance(value, list) and all(map(is_event, value))


# ISO 8601; the sample has an offset of hours alone.
_is_moment = is_moment(r"(?a)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")

EVENT_DETAIL: dict[str, Check] = {
    **{name: check for name, check in CHECKS.items() if name not in ROKT_FIELDS},
    **dict.fromkeys(("start", "end"), _is_moment),
}
_SETTINGS: dict[str, Check] = {
    "calendarTags": _is_tags,
    "timeZoneId": _is_zone,
    "requestEventIds": _is_guids,
    "externalEventIds": is_texts,
    "marketingAllowed": is_bool,  # not in the tables of creates, but in all their samples
    "additionalOptIn": is_bool,
}
_CREATE: dict[str, Check] = {
    **_SETTINGS,
    **dict.fromkeys(("subscriberId", "emailAddress", "userAgent", "urlReferrer", "ipAddress"), is_text),
    **dict.fromkeys(("utmSource", "utmMedium", "utmContent", "utmCampaign"), is_text),
    "events": _is_own_events,
}
# In two samples and no table.
_TELEVISION: dict[str, Check] = {
    **dict.fromkeys(("channelFinderZipCode", "channelFinderLineUpId", "clickId", "networkDevice"), is_text),
    **dict.fromkeys(("providerName", "providerLocation", "stationNum", "stationName", "username"), is_text),
    "sourceId": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
TABLES: dict[str, dict[str, Check]] = {
    "subscribe": {
        **_CREATE,
        "redirectTo": _is_link,
        "subscriptionMethod": lambda value: value in ("WebCal", "Google"),
    },
    "webcal": {**_CREATE, **_TELEVISION, "subscriptionPlatformType": is_text},
    "google": {**_CREATE, **_TELEVISION, "redirectTo": _is_link},
    "update": {
        **_SETTINGS,
        "excludeRequestEventIds": _is_guids,
        "excludeExternalEventIds": is_texts,
        "redirectTo": _is_link,
    },
}


def checked(body: bytes, table: str) -> Event:
    """The parameters in their table's names: the samples write some with capitals, and a referrer in another way."""
    given, checks = object_of(body), TABLES[table]
    if given is None:
        raise RefusedError(400, "the body must be an object")
    names = {name.lower(): name for name in checks} | (
        {"referer": "urlReferrer"} if table in ("webcal", "google") else {}
    )
    said: Event = {}
    for written, value in given.items():
        name = names.get(written.lower())
        if name is None:
            raise RefusedError(400, f"{written} is not a known parameter")
        if not checks[name](value):
            raise RefusedError(400, f"{name} parameter is not valid")
        said[name] = value
    check_either(said)
    return said


def check_either(said: Event) -> None:
    """ "By either specifying which events to include or exclude" (Get Subscription Details)."""
    included = said.get("requestEventIds") or said.get("externalEventIds")
    if included and (said.get("excludeRequestEventIds") or said.get("excludeExternalEventIds")):
        raise RefusedError(400, "events are either included or excluded")
