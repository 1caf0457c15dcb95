"""ECAL's answers → outcomes.

"The error code is sent as both HTTP code and json" (Errors): an HTTP error decides; under an HTTP success the body's
`status`, a string in some answers and a number in others, may still be an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.model.outcome import Absent, Accepted, Exists, Outcome, Rejected, Retry, Throttled, Unauthorized, Unknown
from pipeline.model.wire import Response
from pipeline.vendors.contract import Situation, Step

_ANY: Mapping[int, Outcome] = {
    # There is no documented 401; 403 is a bad signature or a key that is unknown, inactive or expired.
    401: Unauthorized(),
    403: Unauthorized(),
    408: Unknown("http_408"),
    413: Rejected("too_large", "http_413"),
    425: Retry(),
}
_BY_STEP: Mapping[tuple[Step, int], Outcome] = {
    # The subscriber is the only thing that a POST names.
    (Step.CREATE, 404): Rejected("unknown_subscriber", "http_404"),
    (Step.CREATE, 409): Exists(),
    (Step.UPDATE, 404): Absent(),
    (Step.WRITE, 404): Absent(),
    (Step.DELETE, 204): Accepted(),
    (Step.DELETE, 404): Absent(),
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")


def read(step: Step, situations: Sequence[Situation], response: Response, now: datetime) -> Sequence[Outcome]:
    body = _object(response.body)
    return [_outcome(step, situation, _status(response, body), body, response, now) for situation in situations]


def _outcome(
    step: Step, situation: Situation, status: int, body: Mapping[str, Any], response: Response, now: datetime
) -> Outcome:
    if status == 429:
        return Throttled(response.retry_after(now))
    if step is Step.FIND and status in (204, 404):
        # No document promises a read by reference: only the id's absence says anything.
        return Absent() if situation.vendor_id else Unknown("no_id")
    known = _BY_STEP.get((step, status)) or _ANY.get(status)
    if known is not None:
        return known
    if 400 <= status < 500:
        return Rejected("invalid", f"http_{status}")
    if step is Step.FIND:
        return _found(status, body)
    return _written(step, situation, status, body)


def _written(step: Step, situation: Situation, status: int, body: Mapping[str, Any]) -> Outcome:
    if status not in (0, 200):
        return Unknown(f"http_{status}")
    if not status or "status" not in body:
        return Unknown("unreadable")
    return Accepted(None if step is Step.DELETE else _id(body) or situation.vendor_id)


def _found(status: int, body: Mapping[str, Any]) -> Outcome:
    return Exists(_id(body)) if status == 200 and _id(body) else Retry()


def _status(response: Response, body: Mapping[str, Any]) -> int:
    """The status that counts; 0 where the body's own cannot be read."""
    said = body.get("status", response.status)
    if not 200 <= response.status < 300:
        return response.status
    readable = isinstance(said, str | int) and re.fullmatch(r"[1-5][0-9][0-9]", str(said))
    return int(said) if readable else 0


def _id(body: Mapping[str, Any]) -> str | None:
    """Writes answer with `eventId`, newer reads with `id`."""
    said = body.get("eventId") or body.get("id")
    return said if isinstance(said, str) and _ID.fullmatch(said) else None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
