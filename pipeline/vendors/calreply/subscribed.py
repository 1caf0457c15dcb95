"""CalReply's answers about subscriptions → outcomes, with the links that a person is to open.

The URL of a protected calendar holds a password: it goes into `links` and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipeline.model.entry import Content
from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Outcome,
    Rejected,
    Retry,
    Unauthorized,
    Unconfirmed,
    Unknown,
)
from pipeline.model.wire import Response, json_of, object_of
from pipeline.vendors.calreply import subscription
from pipeline.vendors.calreply.defaults import is_rokt
from pipeline.vendors.calreply.errors import code
from pipeline.vendors.contract import Situation, Step

GUID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
# With a name and a password before the host where the calendar is protected. The sample has a brace behind it.
# Its length is bounded: a body of nothing but beginnings would else be looked through once for each.
_URL = re.compile(rf"(?:webcals?|https?)://[!#-;=?-~]{{0,500}}?/v1/webcal/({GUID.pattern})")
_ADDRESS = re.compile(r"(?:webcals?|https?)://[!-~]{1,2000}")
_ANY: Mapping[int, Outcome] = {401: Unauthorized(), 403: Unauthorized(), 413: Rejected("too_large", "http_413")}
_METHOD = {"webcal": "webcal", "protected": "webcal", "google": "google"}


def outcome(step: Step, situation: Situation, response: Response) -> Outcome:
    """A 429 is not for here to judge."""
    status = response.status
    if status in _ANY:
        return _ANY[status]
    refused = 400 <= status < 500 and status not in (408, 425)
    if status == 425 or (step is Step.FIND and status != 200 and not refused):
        return Retry()
    if status == 404 and step is not Step.CREATE:
        return Absent()
    if refused:
        return Rejected("invalid", code(response.body) or f"http_{status}")
    match step:
        case Step.FIND:
            return _found(situation, response.body)
        case Step.DELETE:
            return _ended(status)
        case Step.CREATE:
            return _made(situation, response)
        case Step.UPDATE | Step.WRITE:
            return _updated(step, situation, response) if status == 200 else Unknown(f"http_{status}")


def _ended(status: int) -> Outcome:
    """No answer to a deactivation is documented but 400; the successor's pages say 202."""
    if status == 202:
        return Unconfirmed()
    return Accepted() if status in (200, 204) else Unknown(f"http_{status}")


def _made(situation: Situation, response: Response) -> Outcome:
    wanted = situation.wanted or {}
    match subscription.resource(wanted), response.status:
        case "google", 302:
            # The person has to consent first: until then there is no subscription and no id.
            address = response.headers.get("location", "")
            return Accepted(None, {"google": address}) if _is_address(address) else Unknown("http_302")
        case "webcal" | "protected", 200:
            made = _from_url(response.body.decode("utf-8", "replace"))
        case "subscribe", 200:
            made = _from_body(response.body, None)
        case _:
            return Unknown(f"http_{response.status}")
    if isinstance(made, Accepted) and made.vendor_id is not None and subscription.late(wanted):
        # What a create cannot say is still to be said: look at it as one that was there with other content.
        return Exists(made.vendor_id)
    return made


def _from_url(text: str) -> Outcome:
    found = _URL.search(text)
    return _accepted(found[1], {"subscription": found[0]}) if found else Unknown("unreadable")


def _accepted(identity: str | None, links: Mapping[str, str]) -> Accepted:
    return Accepted(identity, links, secret=any(urlsplit(link).password for link in links.values()))


def _updated(step: Step, situation: Situation, response: Response) -> Outcome:
    read = _from_body(response.body, situation.vendor_id)
    if step is Step.WRITE and isinstance(read, Accepted) and not read.links:
        # After a lost create nobody knows the link; it is the subscription's id behind a known address.
        return Accepted(read.vendor_id, _derived(situation))
    return read


def _from_body(body: bytes, known: str | None) -> Outcome:
    """`known`: the id that the call named, as an update's answer need not repeat it."""
    answer = {name.lower(): value for name, value in object_of(body).items()}
    if answer.get("success") is False:
        server = isinstance(answer.get("statuscode"), int) and answer["statuscode"] >= 500
        return Unknown("http_200") if server else Rejected("invalid", code(body) or "http_200")
    if answer.get("success") is not True:
        return Unknown("unreadable")
    identity = answer.get("subscriptionid")
    identity = identity if isinstance(identity, str) and GUID.fullmatch(identity) else known
    links = dict(_links(answer))
    return _accepted(identity, links) if identity or links else Unknown("unreadable")


def _links(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, field in (("subscription", "subscriptionurl"), ("google", "redirectto")):
        if _is_address(answer.get(field)):
            yield name, str(answer[field])


def _derived(situation: Situation) -> Mapping[str, str]:
    wanted = situation.wanted or {}
    if subscription.is_google(wanted) or subscription.resource(wanted) == "protected" or not situation.vendor_id:
        return {}
    host = "api.roktcalendar.com" if is_rokt(situation.options) else "api.calreply.net"
    return {"subscription": f"webcal://{host}/v1/webcal/{situation.vendor_id}"}


# What is there


def _found(situation: Situation, body: bytes) -> Outcome:
    """Of all that the subscriber has, or of the one with a known id: what is active and of the right kind."""
    listed = json_of(body)
    listed = [listed] if situation.vendor_id is not None and isinstance(listed, dict) else listed
    if not isinstance(listed, list) or not all(map(_is_details, listed)):
        return Retry()
    there = situation.observed or situation.wanted or {}
    match [one["subscriptionId"] for one in listed if _is_it(one, there)]:
        case []:
            return Absent()
        case [identity]:
            return Exists(identity)
        case _:
            return Rejected("ambiguous", "subscriptions")


def _is_details(one: Any) -> bool:
    match one:
        case {"subscriptionId": str() as identity, "isActive": bool(), "calendar": {"code": str()}}:
            return GUID.fullmatch(identity) is not None
        case _:
            return False


def _is_it(one: Mapping[str, Any], there: Content) -> bool:
    """The sample's list for one calendar holds others' as well."""
    method = _METHOD.get(subscription.resource(there)) or subscription.own(there).get("subscriptionMethod", "")
    fits = method.lower() in ("", str(one.get("subscriptionType", "")).lower())
    return one["isActive"] and fits and one["calendar"]["code"].lower() == str(there.get("collection", "")).lower()


def _is_address(text: Any) -> bool:
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None
