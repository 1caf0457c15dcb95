"""CalReply's answers about events → outcomes; those about subscriptions are read in `subscribed`.

Classified by HTTP status alone: a 400's body may say 404. The body gives a code for the outcome's detail, no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Outcome,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unconfirmed,
    Unknown,
)
from pipeline.model.wire import Response
from pipeline.vendors.calreply import feed, subscribed
from pipeline.vendors.calreply.errors import code
from pipeline.vendors.calreply.payload import leaver, subject
from pipeline.vendors.calreply.subscribed import GUID
from pipeline.vendors.calreply.subscription import is_subscription
from pipeline.vendors.contract import Situation, Step

_ANY: Mapping[int, Outcome] = {
    401: Unauthorized(),
    403: Unauthorized(),
    408: Unknown("http_408"),
    425: Retry(),
}
_BY_STEP: Mapping[tuple[Step, int], Outcome] = {
    (Step.UPDATE, 404): Absent(),
    (Step.WRITE, 404): Absent(),
    (Step.DELETE, 404): Absent(),
    # "RESULT 400 no content" (Get Subscription).
    (Step.FIND, 400): Rejected("unknown_subscriber", "http_400"),
    (Step.FIND, 404): Rejected("unknown_subscriber", "http_404"),
    (Step.FIND, 408): Retry(),
}


def read(step: Step, situations: Sequence[Situation], response: Response, now: datetime) -> Sequence[Outcome]:
    return [_outcome(step, situation, response, now) for situation in situations]


def _outcome(step: Step, situation: Situation, response: Response, now: datetime) -> Outcome:
    status = response.status
    if status == 429:
        return Throttled(response.retry_after(now))
    if is_subscription(subject(step, situation)):
        return subscribed.outcome(step, situation, response)
    if status == 401 and step is Step.FIND and response.headers.get("www-authenticate", "").lower().startswith("basic"):
        # The feed of a protected calendar: it wants the password of its own URL, not our token.
        return Rejected("ambiguous", "protected")
    if status == 404 and step is Step.UPDATE and leaver(situation) is not None:
        return Exists(situation.key)  # whether the event is gone, or that subscription only, is not said
    known = _BY_STEP.get((step, status)) or _ANY.get(status)
    if known is not None:
        return known
    if 400 <= status < 500:
        return _refused(step, situation, response)
    if step is Step.FIND:
        return _found(situation, response)
    return Unconfirmed(_id(step, situation)) if status == 202 else Unknown(f"http_{status}")


def _refused(step: Step, situation: Situation, response: Response) -> Outcome:
    if step is Step.CREATE and response.status == 409:
        return Exists(situation.key)
    reason: Any = "too_large" if response.status == 413 else "invalid"
    return Rejected(reason, code(response.body) or f"http_{response.status}")


def _found(situation: Situation, response: Response) -> Outcome:
    items = feed.items(response.body.decode("utf-8", "replace")) if response.status == 200 else None
    if items is None:
        return Retry()
    match [item for item in items if item.text("UID") == situation.key]:
        case []:
            return _nameless(situation, items)
        case [item]:
            return _compared(situation, item)
        case _:
            return Rejected("ambiguous", "uid")


def _nameless(situation: Situation, items: Sequence[feed.Item]) -> Outcome:
    """No document says that the feed's UID is the `eventId`, and the sample's is a GUID: those may be the vendor's own.

    Any other UID is another entry's key. Where the key is a GUID as well, nothing tells the two apart.
    """
    if situation.wanted is None:
        return Absent()
    wanted = situation.wanted
    match [item for item in items if GUID.fullmatch(item.text("UID") or "") and feed.same(item, wanted)]:
        case []:
            return Absent()
        case [_] if not GUID.fullmatch(situation.key):
            return Accepted(situation.key)
        case _:
            return Rejected("ambiguous", "content")


def _compared(situation: Situation, item: feed.Item) -> Outcome:
    """Another subscriber's entry is never the wanted one, whatever it says."""
    moved = situation.observed_identity not in (None, situation.identity)
    if situation.wanted is None or moved or not feed.same(item, situation.wanted):
        return Exists(situation.key)
    return Accepted(situation.key)


def _id(step: Step, situation: Situation) -> str | None:
    return None if step is Step.DELETE else situation.key
