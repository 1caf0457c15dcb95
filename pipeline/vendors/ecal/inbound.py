"""ECAL's webhook: somebody subscribed through the widget.

Source: Webhook Notifications. At least `ecalId`, `email` and `timestamp`; locations and chosen calendars may stand
beside them. None of them is an id of the caller's own, and an address that somebody typed links nobody: so it is only
told who was seen. Where a secret is set ECAL encrypts the notification in a way that no page read says: unreadable.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.model.wire import json_of
from pipeline.vendors.contract import Notice


def read(body: bytes) -> Sequence[Notice] | None:
    match told := json_of(body):
        case {"ecalId": str() as person} | {"ecal_id": str() as person} if person:
            return [Notice("seen", identity=person, data=told)]
        case _:
            return None
