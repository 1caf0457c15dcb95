"""A subscription as desired state: neutral content and CalReply's own fields → the calls that keep it.

Sources: Create New Subscription, Update Subscription Details, Deactivate an Existing Subscription, Get Subscription
Details (also for a username), Create New Webcal Subscription, Create New Google Subscription.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pipeline.model.entry import Content
from pipeline.model.wire import Request, json_request
from pipeline.vendors.calreply import zones
from pipeline.vendors.calreply.address import segment
from pipeline.vendors.contract import Situation, Step

Fields = dict[str, Any]

RESOURCES = ("subscribe", "webcal", "protected", "google")
METHODS = ("WebCal", "Google")

_INCLUDED = ("requestEventIds", "externalEventIds")
_EXCLUDED = ("excludeRequestEventIds", "excludeExternalEventIds")
_LISTS = ("calendarTags", *_INCLUDED, *_EXCLUDED)
_SETTABLE = ("timeZoneId", "marketingAllowed", "additionalOptIn")
_UTM = ("utmSource", "utmMedium", "utmContent", "utmCampaign")
_TEXTS = ("emailAddress", *_UTM, "userAgent", "urlReferrer", "ipAddress")
# In the samples of the Webcal and the Google resource only; their tables do not know them.
# fmt: off
_TELEVISION = (
    "channelFinderZipCode", "channelFinderLineUpId", "clickId", "sourceId", "networkDevice", "providerName",
    "providerLocation", "stationNum", "stationName",
)
# fmt: on

OWN: Mapping[str, str] = {
    "resource": "string",
    "subscriberId": "string",
    **dict.fromkeys(_TEXTS, "string"),
    **dict.fromkeys(_LISTS, "array"),
    "timeZoneId": "string",
    "additionalOptIn": "boolean",
    "marketingAllowed": "boolean",
    "redirectTo": "string",
    "subscriptionMethod": "string",
    "events": "array",
    **dict.fromkeys(_TELEVISION, "string"),
    "sourceId": "integer",
    "subscriptionPlatformType": "string",
}

_COMMON = frozenset({"resource", "subscriberId", *_TEXTS, *_LISTS, *_SETTABLE, "events"})
_OF: Mapping[str, frozenset[str]] = {
    "subscribe": _COMMON | {"redirectTo", "subscriptionMethod"},
    "webcal": _COMMON | {*_TELEVISION, "subscriptionPlatformType"},
    "protected": _COMMON | {*_TELEVISION, "subscriptionPlatformType"},
    "google": _COMMON | {*_TELEVISION, "redirectTo"},
}
# What an update can say. `redirectTo` goes along where a person may have to consent anew; it is no state.
_CHANGEABLE = frozenset({*_LISTS, *_SETTABLE, "redirectTo"})
_GUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_EVENT: Mapping[str, type] = {
    "eventId": str,
    "title": str,
    "description": str,
    "location": str,
    "timezone": str,
    "start": str,
    "end": str,
    "allDayEvent": bool,
    "notifyBefore": int,
}
_EVENT_REQUIRED = ("eventId", "title", "description", "start", "end")


def is_subscription(content: Content | None) -> bool:
    return content is not None and content.get("kind") == "subscription"


def own(content: Content) -> Mapping[str, Any]:
    found: Mapping[str, Any] = content.get("calreply", {})
    return found


def resource(content: Content) -> str:
    return str(own(content).get("resource", "subscribe"))


def is_google(content: Content) -> bool:
    return resource(content) == "google" or own(content).get("subscriptionMethod") == "Google"


def by_username(situation: Situation) -> bool:
    """Whether a delete ends all that the subscriber has in the calendar: the destination says so."""
    return bool(situation.options.get("deactivate", "id") == "username")


# Calls


def request(step: Step, situation: Situation) -> Request:
    """The call for a subscription, unsigned."""
    there = situation.observed or situation.wanted or {}
    wanted = situation.wanted or {}
    match step:
        case Step.CREATE:
            return _made(situation, wanted)
        case Step.UPDATE:
            said = changes(situation.observed or {}, wanted) or whole(wanted)
            return json_request("PUT", _known(situation, wanted), said)
        case Step.WRITE:
            return json_request("PUT", _known(situation, wanted), whole(wanted))
        case Step.DELETE:
            return json_request("DELETE", f"{_under('/v1/subscription', situation, there)}/", _whom(situation, there))
        case Step.FIND if situation.vendor_id is not None:
            return Request("GET", f"/v1/subscription/{segment(situation.vendor_id)}")
        case Step.FIND:
            subscriber = segment(str(own(there).get("subscriberId", "")))
            return Request("GET", f"{_under('/v1/subscription', situation, there)}/{subscriber}")


def _made(situation: Situation, wanted: Content) -> Request:
    roots = {"subscribe": "/v2/subscribe", "google": "/v1/google"}
    return json_request("POST", _under(roots.get(resource(wanted), "/v1/webcal"), situation, wanted), created(wanted))


def _known(situation: Situation, wanted: Content) -> str:
    return f"{_under('/v1/subscription', situation, wanted)}/{segment(situation.vendor_id or '')}"


def _whom(situation: Situation, there: Content) -> Fields:
    if situation.vendor_id is None or by_username(situation):
        return {"username": own(there).get("subscriberId", "")}
    return {"id": situation.vendor_id}


def _under(root: str, situation: Situation, content: Content) -> str:
    calendar = segment(str(content.get("collection", "")))
    return f"{root}/{segment(situation.options.get('account_code', ''))}/{calendar}"


# Bodies


def created(content: Content) -> Fields:
    """All that a create can say; what it cannot (`late`) follows in an update."""
    said = {name: value for name, value in _said(content).items() if name not in _EXCLUDED}
    if resource(content) == "subscribe":
        return said
    if resource(content) == "protected":
        # "Protected calendars require that the calendarParams object contains the username field."
        said["username"] = said["subscriberId"]
    # The tables of these two resources write it so.
    return {"timezoneId" if name == "timeZoneId" else name: value for name, value in said.items()}


def late(content: Content) -> bool:
    """Whether a create leaves something for an update to say."""
    return any(own(content).get(name) for name in _EXCLUDED)


def changes(before: Content, after: Content) -> Fields:
    """The least update that leads from one content to the other; a list that goes away is emptied."""
    old, new = _changeable(before), _changeable(after)
    gone: Fields = {name: [] for name in _LISTS if old.get(name) and name not in new}
    said = {**gone, **{name: value for name, value in new.items() if old.get(name) != value and name != "redirectTo"}}
    return {**said, **_return(new)} if said else {}


def whole(content: Content) -> Fields:
    """An update that leaves nothing of what was there, as far as it can be said."""
    return {**{name: [] for name in _LISTS}, **_changeable(content)}


def _return(new: Fields) -> Fields:
    return {"redirectTo": new["redirectTo"]} if "redirectTo" in new else {}


def _changeable(content: Content) -> Fields:
    return {name: value for name, value in _said(content).items() if name in _CHANGEABLE}


def lost(before: Content, after: Content) -> bool:
    """Whether something differs that no update can say: another calendar, a person's address, a filter taken away."""
    if before.get("collection") != after.get("collection"):
        return True
    old, new = _said(before), _said(after)
    fixed = (old.keys() | new.keys()) - _CHANGEABLE
    if resource(before) != resource(after) or any(old.get(name) != new.get(name) for name in fixed):
        return True
    return any(name in old and name not in new for name in _SETTABLE)


def _said(content: Content) -> Fields:
    """The own fields in the vendor's words, but for the resource, which is a path."""
    said = {name: value for name, value in own(content).items() if name != "resource"}
    if "timeZoneId" in said:
        said["timeZoneId"] = zones.named(said["timeZoneId"])
    if "events" in said:
        said["events"] = [_event(event) for event in said["events"]]
    return said


def _event(event: Mapping[str, Any]) -> Fields:
    return {name: zones.named(value) if name == "timezone" else value for name, value in event.items()}


# Problems


def problems(content: Content) -> list[str]:
    """What CalReply cannot say of this subscription."""
    kind, given = resource(content), own(content)
    if kind not in RESOURCES:
        return [f"calreply.resource is one of {', '.join(RESOURCES)}"]
    unknown = sorted(given.keys() - _OF[kind])
    found = [f"calreply.{name} cannot be said of the resource {kind}" for name in unknown]
    found += [*_place_problems(content, given), *_way_problems(kind, given)]
    return [*found, *_list_problems(given), *_filter_problems(content, given), *_event_problems(given)]


def _place_problems(content: Content, given: Mapping[str, Any]) -> Iterator[str]:
    if _unplaceable(content.get("collection")):
        yield "collection is required, the calendar's code: no slash, and not . or .., as it stands in a path"
    if _unplaceable(given.get("subscriberId")):
        # Optional in the document. Without it nothing finds a subscription again after a lost answer.
        yield "calreply.subscriberId is required: no slash, and not . or .., as it stands in a path"


def _way_problems(kind: str, given: Mapping[str, Any]) -> Iterator[str]:
    if kind in ("subscribe", "google") and not _ADDRESS.fullmatch(given.get("redirectTo") or ""):
        yield "calreply.redirectTo is required, a URL or an app's deep link; the resource webcal needs none"
    if given.get("subscriptionMethod", METHODS[0]) not in METHODS:
        yield f"calreply.subscriptionMethod is one of {', '.join(METHODS)}"
    if kind == "subscribe" and not (given.get("subscriptionMethod") or given.get("userAgent")):
        yield "calreply.userAgent is required without a calreply.subscriptionMethod; webcal and google need none"


def _list_problems(given: Mapping[str, Any]) -> Iterator[str]:
    for name in ("requestEventIds", "excludeRequestEventIds"):
        if not all(isinstance(one, str) and _GUID.fullmatch(one) for one in given.get(name, ())):
            yield f"calreply.{name} is a list of GUIDs"
    for name in ("externalEventIds", "excludeExternalEventIds"):
        if not all(isinstance(one, str) and one for one in given.get(name, ())):
            yield f"calreply.{name} is a list of texts"
    if not all(map(_is_tag, given.get("calendarTags", ()))):
        yield "calreply.calendarTags: each is {internalId: a GUID} or {externalId: a text}"


def _filter_problems(content: Content, given: Mapping[str, Any]) -> Iterator[str]:
    if "timeZoneId" in given and zones.named(given["timeZoneId"]) is None:
        yield "calreply.timeZoneId is neither an id of CalReply's list nor a zone that has one"
    if late(content):
        if any(given.get(name) for name in _INCLUDED):
            yield "calreply: events are either included or excluded"
        if not _takes_late(content):
            yield "calreply: to exclude events needs subscriptionMethod WebCal or the resource webcal"


def _takes_late(content: Content) -> bool:
    """A create has no word for exclusions, and the update after it comes too early, or hides the link, elsewhere."""
    return resource(content) == "webcal" or own(content).get("subscriptionMethod") == "WebCal"


def _event_problems(given: Mapping[str, Any]) -> Iterator[str]:
    for index, event in enumerate(given.get("events", ())):
        if not isinstance(event, Mapping):
            yield f"calreply.events[{index}] is a mapping"
            continue
        at = f"calreply.events[{index}]"
        yield from (f"{at}.{name} is no field of an event" for name in sorted(event.keys() - _EVENT.keys(), key=str))
        yield from (f"{at}.{name} is required" for name in _EVENT_REQUIRED if not event.get(name))
        yield from (f"{at}.{name} is not right" for name in _EVENT if name in event and not _fits(name, event[name]))


def _fits(name: str, value: Any) -> bool:
    match name, value:
        case (("start" | "end"), str()):
            return _is_moment(value)
        case "timezone", str():
            return zones.named(value) is not None
        case "notifyBefore", int() if not isinstance(value, bool):
            return value >= 0
        case _:
            return name != "notifyBefore" and isinstance(value, _EVENT[name])


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text, re.ASCII) is not None


def _is_tag(tag: Any) -> bool:
    match tag:
        case {"internalId": str() as identity, **rest} if not rest:
            return _GUID.fullmatch(identity) is not None
        case {"externalId": str() as identity, **rest} if not rest:
            return identity != ""
        case _:
            return False


def _unplaceable(text: Any) -> bool:
    return not isinstance(text, str) or text in ("", ".", "..") or "/" in text
