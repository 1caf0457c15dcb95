"""The vendor's webhooks: `{"element_data": {…}}`, and whatever fields of its own a webhook adds to the body.

The body does not say what set it off, so our webhooks add `trigger` and `trigger_element` as body fields; without them
only what the data itself shows is told. Of what was deleted only the id is there (Webhook API, 2026-06).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.model.wire import object_of
from pipeline.vendors.contract import Notice

Kind = Literal["accepted", "changed", "deleted", "answered"]

_KINDS: Mapping[tuple[str, str], Kind] = {
    ("event", "create"): "accepted",
    ("event", "update"): "changed",
    ("event", "delete"): "deleted",
    ("rsvp_answer", "create"): "answered",
    ("rsvp_answer", "update"): "answered",
    ("rsvp_answer", "delete"): "answered",
}
_ELEMENTS = frozenset(
    {"rsvp_answer", "event", "event_group", "style", "rsvp_template", "cta_template", "landingpage_template"}
)


def inbound(body: bytes) -> Sequence[Notice] | None:
    told = object_of(body)
    if not isinstance(told.get("element_data"), dict):
        return None
    data = told["element_data"]
    element, trigger = str(told.get("trigger_element")), str(told.get("trigger"))
    kind = _KINDS.get((element, trigger))
    if kind is None and element in _ELEMENTS and element != "event":
        return []  # nothing that an entry is about
    kind = kind or _shown(data)
    return None if kind is None else [Notice(kind, entry=_entry(element, data), id=_id(kind, data), data=told)]


def _shown(data: Mapping[str, Any]) -> Kind | None:
    if isinstance(data.get("dates"), list):
        return "changed" if data.get("date_updated") else "accepted"
    return "answered" if "email" in data and "prokey" in data else None


def _entry(element: str, data: Mapping[str, Any]) -> str | None:
    """An answer's own id is none of an event's."""
    said = data.get("prokey") or (data.get("id") if element == "event" else None)
    return said if isinstance(said, str) else None


def _id(kind: Kind, data: Mapping[str, Any]) -> str | None:
    """An answer that is changed comes again under the same id: with the time of the change it is another notice."""
    said, at = data.get("id"), data.get("date_updated") or data.get("date_created")
    return f"{said}@{at}" if kind == "answered" and isinstance(said, str) and isinstance(at, str) else None
