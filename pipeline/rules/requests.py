"""The request that an entry would become at its destination. Pure: no credential is read, nothing is signed or sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.model.outcome import Rejected
from pipeline.model.wire import Request
from pipeline.rules.adapt import DestinationView
from pipeline.vendors.contract import Situation

IDENTITY = "IDENTITY"
"""Stands for the vendor's id of the subscriber, which the directory would give."""
VENDOR_ID = "VENDOR-ID"
"""Stands for what the vendor called the entry when it was made."""


def request_for(
    view: DestinationView,
    key: str,
    wanted: Mapping[str, Any] | None,
    observed: Mapping[str, Any] | None = None,
    identity: str = IDENTITY,
) -> Request | Rejected:
    """From `observed` (None: nothing is there) to `wanted` (None: nothing should be); Rejected: it has no such call."""
    situation = Situation(
        key=view.prefix + key,
        wanted=wanted,
        observed=observed,
        identity=identity,
        observed_identity=identity if observed is not None else None,
        vendor_id=VENDOR_ID if observed is not None else None,
        options=view.options,
    )
    step = view.vendor.plan(situation)
    return step if isinstance(step, Rejected) else view.vendor.request(step, [situation])


def first_request(view: DestinationView, key: str, state: str, content: Mapping[str, Any]) -> Request | None:
    """What a first delivery sends, or the end of an entry that is there; None: nothing is sent."""
    match state:
        case "present":
            request = request_for(view, key, content)
        case "cancelled" | "deleted":
            request = request_for(view, key, None, observed={})
        case _:
            return None
    return None if isinstance(request, Rejected) else request
