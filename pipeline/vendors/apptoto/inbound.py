"""Apptoto's webhooks → notices.

A webhook is an HTTP POST of JSON that a person sets up for one of twenty triggers. It holds "information about the
object that the trigger is based on" and an identifier of this run of the action; the field names were not found
(2026-11). So: a trigger is known by its name wherever a likely field holds it, else by what the body holds. Nothing
links anybody, as nothing in it is the caller's own id of a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pipeline.model.wire import id_of, object_of
from pipeline.vendors.contract import Notice

Kind = Literal["accepted", "changed", "deleted", "answered", "seen", "test"]

# Webhook Triggers: the names as the vendor's manual lists them.
TRIGGERS: Mapping[str, Kind] = {
    "appointment created": "accepted",
    "appointment modified": "changed",
    "appointment deleted": "deleted",
    "participant reminder state changed": "answered",
    "participant invite sent": "changed",
    "participant confirmed": "answered",
    "participant not coming": "answered",
    "participant needs to reschedule": "answered",
    "participant booking state changed": "answered",
    "participant accepted booking": "answered",
    "participant declined booking": "answered",
    "participant canceled booking": "answered",
    "participant check in state changed": "answered",
    "participant replied to message": "answered",
    "participant added to stop list": "changed",
    "booking request completed": "seen",
    "booking page viewed": "seen",
    "message sent": "changed",
    "message received": "answered",
    "message failed": "changed",
}
_NAMED_IN = ("trigger", "trigger_type", "trigger_name", "event_type", "type")
_EVENT_IN = ("event", "appointment")
_STATES = frozenset({"accepted", "declined", "confirmed", "not_coming"})


def read(body: bytes) -> Sequence[Notice] | None:
    value = object_of(body)
    if not value:
        return None
    event = _event(value)
    return [Notice(_trigger(value) or _kind(value, event), entry=_entry(event), data=value)]


def _trigger(value: Mapping[str, Any]) -> Kind | None:
    for field in _NAMED_IN:
        words = " ".join(re.findall(r"[a-z]+", str(value.get(field, "")).lower())).removesuffix(" any state")
        if words in TRIGGERS:
            return TRIGGERS[words]
    return None


def _kind(value: Mapping[str, Any], event: Mapping[str, Any]) -> Kind:
    """By the object where no trigger is named; what is not known is a change of something."""
    if event.get("is_deleted") is True:
        return "deleted"
    participant = value.get("participant", value)
    state = participant.get("state") if isinstance(participant, dict) else None
    answered = isinstance(state, str) and (state in _STATES or state.startswith("not_coming_"))
    return "answered" if answered else "changed"


def _event(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event that it is about: under a name of its own, or the body itself."""
    for inner in map(value.get, _EVENT_IN):
        if isinstance(inner, dict):
            return inner
    return value if "start_time" in value or "is_deleted" in value else {}


def _entry(event: Mapping[str, Any]) -> str | None:
    """Our key, else the vendor's id."""
    own, number = event.get("external_id"), event.get("id")
    if isinstance(own, str) and own:
        return own
    return id_of(number) if isinstance(number, int) else None
