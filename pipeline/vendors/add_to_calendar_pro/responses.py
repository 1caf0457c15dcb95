"""The vendor's answers → outcomes.

No page describes an error's body; a 404 says "No entry found" (Pipedream's client), a list without entries too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.model.entry import Content
from pipeline.model.outcome import (
    Absent,
    Accepted,
    Exists,
    Look,
    Outcome,
    Rejected,
    Retry,
    Throttled,
    Unauthorized,
    Unknown,
)
from pipeline.model.wire import Response, id_of, json_of
from pipeline.vendors.add_to_calendar_pro import reading
from pipeline.vendors.add_to_calendar_pro.links import links
from pipeline.vendors.add_to_calendar_pro.payload import PAGE, event, looked_at, marker, page
from pipeline.vendors.add_to_calendar_pro.recovery import judgement
from pipeline.vendors.contract import Situation, Step

PAGE_SIZE = 800
_NO_CREDITS_WAIT = 3600.0

_ANY: Mapping[int, Outcome] = {
    401: Unauthorized(),
    403: Unauthorized(),
    408: Unknown("http_408"),
    413: Rejected("too_large", "http_413"),
    425: Retry(),
}
_BY_STEP: Mapping[tuple[Step, int], Outcome] = {
    # A group, or a template, is all that a create names.
    (Step.CREATE, 404): Rejected("not_found", "http_404"),
    (Step.UPDATE, 404): Absent(),
    (Step.WRITE, 404): Absent(),
    (Step.DELETE, 404): Absent(),
    (Step.DELETE, 204): Accepted(),
    (Step.FIND, 408): Retry(),
}


def read(step: Step, situations: Sequence[Situation], response: Response, now: datetime) -> Sequence[Outcome]:
    return [_outcome(step, situation, response, now) for situation in situations]


def _outcome(step: Step, situation: Situation, response: Response, now: datetime) -> Outcome:
    status = response.status
    if status == 429:
        return Throttled(response.retry_after(now))
    if status == 402:
        # Not documented. Credits that are used up are the account's matter: they must not cost an entry its life.
        return Throttled(response.retry_after(now) or _NO_CREDITS_WAIT)
    known = _BY_STEP.get((step, status)) or _ANY.get(status)
    if known is not None:
        return known
    if step is Step.FIND and (status == 404 or 200 <= status < 300):
        return _looked(situation, response)
    if 400 <= status < 500:
        return Rejected("invalid", f"http_{status}")
    if step is Step.FIND:
        return Retry()
    return _written(step, situation, response)


def _written(step: Step, situation: Situation, response: Response) -> Outcome:
    if not 200 <= response.status < 300:
        return Unknown(f"http_{response.status}")
    body = reading.single(response.body)
    if body is None or not _succeeded(body):
        return Unknown("unreadable")
    if step is Step.DELETE:
        return Accepted()
    prokey = (identified(body) if step is Step.CREATE else None) or situation.vendor_id
    return _accepted(situation, prokey) if prokey else Unknown("unreadable")


def _succeeded(body: Mapping[str, Any]) -> bool:
    """`{"success": "Created", "id": …}` before 2025-05, `{"status": "success", "prokey": …}` since."""
    return bool(body.get("success")) or body.get("status") == "success"


def _accepted(situation: Situation, prokey: str) -> Accepted:
    wanted: Content = situation.wanted or {}
    return Accepted(prokey, links(wanted, situation.key, prokey, situation.options) if wanted else {})


def _looked(situation: Situation, response: Response) -> Outcome:
    prokey = looked_at(situation)
    if prokey is None:
        return _listed(situation, response)
    if response.status == 404:
        return Absent() if situation.vendor_id else _others(situation)
    there = reading.single(response.body)
    if there is None or reading.rows(there) is None:
        return Retry()
    return _known(situation, there) if situation.vendor_id else _compared(situation, there, prokey)


def _listed(situation: Situation, response: Response) -> Outcome:
    """Those whose label is a title that is looked for first. A full page has another after it."""
    if response.status == 404:
        return _others(situation) if says_none(response.body) else Retry()
    found = json_of(response.body)
    if not isinstance(found, list) or not all(isinstance(row, dict) and identified(row) for row in found):
        return Retry()
    titles = _titles(situation.observed or situation.wanted or {})
    ids = [identified(row) or "" for row in sorted(found, key=lambda row: str(row.get("label")) not in titles)]
    more = (f"{PAGE}{page(situation) + 1}",) if len(found) >= PAGE_SIZE else ()
    candidates = (*ids, *more)
    return Look(candidates) if candidates else Absent()


def _titles(content: Content) -> set[str]:
    if not content:
        return set()
    said = event(content)
    return {said.get("title_event_series", ""), *(one["name"] for one in said["dates"])}


def says_none(body: bytes) -> bool:
    """Any other 404 to a list is a wrong address: it must not read as "nothing there"."""
    return "No entry found" in str((reading.single(body) or {}).get("message"))


def _compared(situation: Situation, there: Mapping[str, Any], prokey: str) -> Outcome:
    if there.get("iCalFileName") != marker(situation.key):
        return _others(situation)
    if situation.wanted is not None and reading.same(there, situation.wanted):
        return _accepted(situation, prokey)
    return Exists(prokey)


def _others(situation: Situation) -> Outcome:
    """The first candidate is not it."""
    rest = tuple(situation.candidates[1:])
    return Look(rest) if rest else Absent()


def _known(situation: Situation, there: Mapping[str, Any]) -> Outcome:
    wanted: Content = situation.wanted or {}
    if not wanted:
        return Exists(situation.vendor_id)
    if reading.same(there, wanted):
        return _accepted(situation, situation.vendor_id or "")
    return judgement(Step.WRITE if reading.movable(there, wanted) else Step.DELETE, wanted)


def identified(body: Mapping[str, Any]) -> str | None:
    said = body.get("prokey") or body.get("id")
    return id_of(said) if isinstance(said, str) else None
