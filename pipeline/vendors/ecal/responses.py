"""ECAL's answers → outcomes.

"The error code is sent as both HTTP code and json" (Errors): an HTTP error decides; under an HTTP success the body's
`status`, a string in some answers and a number in others, may still be an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.model.outcome import Absent, Accepted, Exists, Outcome, Rejected, Retry, Throttled, Unauthorized, Unknown
from pipeline.model.wire import Response, id_of, json_of, object_of
from pipeline.vendors.contract import Situation, Step
from pipeline.vendors.ecal.defaults import is_public

_ANY: Mapping[int, Outcome] = {
    # There is no documented 401; 403 is a bad signature or a key that is unknown, inactive or expired.
    401: Unauthorized(),
    403: Unauthorized(),
    408: Unknown("http_408"),
    413: Rejected("too_large", "http_413"),
    425: Retry(),
}
_BY_STEP: Mapping[tuple[Step, int], Outcome] = {
    (Step.CREATE, 409): Exists(),
    (Step.UPDATE, 404): Absent(),
    (Step.WRITE, 404): Absent(),
    (Step.DELETE, 204): Accepted(),
    (Step.DELETE, 404): Absent(),
}


def read(step: Step, situations: Sequence[Situation], response: Response, now: datetime) -> Sequence[Outcome]:
    body = object_of(response.body)
    return [_outcome(step, situation, _status(response, body), body, response, now) for situation in situations]


def _outcome(
    step: Step, situation: Situation, status: int, body: Mapping[str, Any], response: Response, now: datetime
) -> Outcome:
    if status == 429:
        return Throttled(response.retry_after(now))
    if step is Step.FIND and status in (204, 404):
        # A list hides drafts, and by its newer page what is past: only the id's absence says anything.
        return Absent() if situation.vendor_id else Unknown("not_listed")
    if step is Step.CREATE and status == 404:
        return _nowhere(situation)
    known = _BY_STEP.get((step, status)) or _ANY.get(status)
    if known is not None:
        return known
    if 400 <= status < 500:
        return Rejected("invalid", f"http_{status}")
    if step is Step.FIND:
        return _found(situation, status, response.body)
    return _written(step, situation, status, body)


def _written(step: Step, situation: Situation, status: int, body: Mapping[str, Any]) -> Outcome:
    if status not in (0, 200):
        return Unknown(f"http_{status}")
    if not status or "status" not in body:
        return Unknown("unreadable")
    return Accepted(None if step is Step.DELETE else identified(body) or situation.vendor_id)


def _nowhere(situation: Situation) -> Rejected:
    """A POST names a subscriber, or a calendar, and nothing else that could be missing."""
    return Rejected("not_found" if is_public(situation.options) else "unknown_subscriber", "http_404")


def _found(situation: Situation, status: int, body: bytes) -> Outcome:
    """No plan asks for it, as a PUT may be repeated: the cases read the sample answers of the documents' GETs."""
    events = shown(body) if status == 200 else None
    if not events:
        return Retry()
    meant = [one for one in events if _is_meant(situation, one)]
    # The second event of the document's own list has no id.
    return Exists(identified(meant[0])) if meant else Unknown("not_listed")


def _is_meant(situation: Situation, event: Mapping[str, Any]) -> bool:
    if situation.vendor_id and identified(event):
        return identified(event) == situation.vendor_id
    return event.get("reference") == situation.key


def shown(body: bytes) -> list[Mapping[str, Any]] | None:
    """The events of a read's answer: one, or a list (the older page), or either under `data` (the newer one); None
    where it is neither."""
    value = json_of(body)
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    several = value if isinstance(value, list) else [value]
    events: list[Mapping[str, Any]] = [one for one in several if isinstance(one, dict) and _is_event(one)]
    return events if len(events) == len(several) else None


def _is_event(one: Mapping[str, Any]) -> bool:
    return "reference" in one or identified(one) is not None


def _status(response: Response, body: Mapping[str, Any]) -> int:
    """The status that counts; 0 where the body's own cannot be read."""
    said = body.get("status", response.status)
    if not 200 <= response.status < 300:
        return response.status
    readable = isinstance(said, str | int) and re.fullmatch(r"[1-5][0-9][0-9]", str(said))
    return int(said) if readable else 0


def identified(body: Mapping[str, Any]) -> str | None:
    """The id of an event: writes answer with `eventId`, newer reads with `id`."""
    said = body.get("eventId") or body.get("id")
    return id_of(said) if isinstance(said, str) else None
