"""Apptoto's answers → outcomes.

A PUT's answer is `{"events": [EVENTS CREATED OR UPDATED]}`, so an event that is not in it was neither. The samples of
answers (GET, DELETE) show `id` and no `external_id`; where there is none, the id, else the number of events decides.
No document shows an error's body: a client falls back on `error`, then `message`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Look,
    Outcome,
    Rejected,
    Retry,
    Split,
    Throttled,
    Unauthorized,
    Unknown,
)
from pipeline.model.wire import Response, id_of, object_of
from pipeline.vendors.apptoto.payload import Event, calendar
from pipeline.vendors.contract import Situation, Step

# A bad Basic credential's status is documented nowhere; 403 is `insufficient_scope` (OAuth 2).
_ACCOUNT: Mapping[int, Outcome] = {401: Unauthorized(), 403: Unauthorized(), 425: Retry()}
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")


def read(step: Step, situations: Sequence[Situation], response: Response, now: datetime) -> Sequence[Outcome]:
    status = response.status
    if status == 429:
        return [Throttled(response.retry_after(now))] * len(situations)
    if status in _ACCOUNT:
        return [_ACCOUNT[status]] * len(situations)
    if 400 <= status < 500 and status != 408:
        return [_refused(step, situation, response, len(situations)) for situation in situations]
    if step is Step.FIND:
        return [_found(response) for _ in situations]
    if status != 200:
        return [Unknown(f"http_{status}")] * len(situations)
    events = events_of(response.body)
    if events is None:
        return [Unknown("unreadable")] * len(situations)
    if step is Step.DELETE:
        return [_deleted(events) for _ in situations]
    return [_stored(step, situation, events, len(situations)) for situation in situations]


def _refused(step: Step, situation: Situation, response: Response, together: int) -> Outcome:
    """A refused call did nothing."""
    status = response.status
    if step in (Step.DELETE, Step.FIND) and status == 404:
        return Absent()
    if together > 1:
        return Split()
    if step is Step.UPDATE and status != 413:
        return _refused_part(situation)
    reason: Any = {404: "not_found", 413: "too_large"}.get(status, "invalid")
    return Rejected(reason, code(response.body) or f"http_{status}")


def _refused_part(situation: Situation) -> Outcome:
    """Where somebody removed the event, a PUT by its `external_id` is a new event, and the few fields of an update are
    too few for one. What is there is not known, then: the whole, sent next, is taken or refused for what it is."""
    return Exists(situation.vendor_id)


def _stored(step: Step, situation: Situation, events: Sequence[Event], together: int) -> Outcome:
    nameless = [event for event in events if not isinstance(event.get("external_id"), str)]
    found = _of(situation, events) or (nameless[0] if len(nameless) == len(events) == together == 1 else None)
    if found is not None:
        return _judged(step, situation, found)
    if nameless:
        return Accepted(situation.vendor_id) if len(events) == together else Unknown("missing_in_answer")
    return _refused_part(situation) if step is Step.UPDATE else Rejected("invalid", "missing_in_answer")


def _of(situation: Situation, events: Sequence[Event]) -> Event | None:
    """The event of an answer that is this entry's."""
    for event in events:
        own = event.get("external_id")
        if own == situation.key or (
            own is None and situation.vendor_id is not None and identified(event) == situation.vendor_id
        ):
            return event
    return None


def _judged(step: Step, situation: Situation, event: Event) -> Outcome:
    if event.get("is_deleted") is True:
        return Rejected(
            "unsupported", "is_deleted"
        )  # the vendor keeps deleted events, and this write did not revive it
    if event.get("error") or event.get("errors"):
        return _refused_part(situation) if step is Step.UPDATE else Rejected("invalid", "event_errors")
    if step is not Step.UPDATE and _is_elsewhere(situation, event):
        # It stayed in the calendar that it was in. To be deleted first; after a create, by way of not being sure of it.
        return Look((identified(event) or situation.key,)) if step is Step.WRITE else Exists(identified(event))
    return Accepted(identified(event) or situation.vendor_id)


def _is_elsewhere(situation: Situation, event: Event) -> bool:
    """Answers name a calendar by its id, so a calendar that we know by its name cannot be compared."""
    said = calendar(situation.wanted or {}, situation.options).get("calendar_id")
    return said is not None and isinstance(event.get("calendar_id"), int) and event["calendar_id"] != said


def _deleted(events: Sequence[Event]) -> Outcome:
    if not events:
        return Absent()
    return Unknown("not_deleted") if events[0].get("is_deleted") is False else Accepted()


def _found(response: Response) -> Outcome:
    """One event as it is: the sample answer of GET /v1/event."""
    found = object_of(response.body)
    if response.status != 200 or "id" not in found:
        return Retry()
    return Absent() if found.get("is_deleted") is True else Exists(identified(found))


def code(body: bytes) -> str | None:
    """The vendor's error code, e.g. `insufficient_scope`; never its text."""
    said = object_of(body).get("error")
    return said if isinstance(said, str) and len(said) <= 64 and _CODE.fullmatch(said) else None


def identified(event: Event) -> str | None:
    said = event.get("id")
    return id_of(said) if isinstance(said, int) else None


def events_of(body: bytes) -> list[Event] | None:
    events = object_of(body).get("events")
    return events if isinstance(events, list) and all(isinstance(event, dict) for event in events) else None
