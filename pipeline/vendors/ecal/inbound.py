"""ECAL's webhook: somebody subscribed through the widget.

Source: Webhook Notifications. At least `ecalId`, `email` and `timestamp`; locations and chosen calendars may stand
beside them. None of them is an id of the caller's own, and an address that somebody typed links nobody: so it is only
told who was seen. Where a secret is set ECAL encrypts the notification in a way that no page read says: unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipeline.vendors.contract import Notice


def read(body: bytes) -> Sequence[Notice] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match told:
        case {"ecalId": str() as person} | {"ecal_id": str() as person} if person:
            return [Notice("seen", identity=person, data=told)]
        case _:
            return None
