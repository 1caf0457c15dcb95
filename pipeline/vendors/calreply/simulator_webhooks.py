"""What the simulated CalReply would send to its webhooks. It sends nothing: a test reads `notices`."""

from __future__ import annotations

from collections import deque

from pipeline.vendors.calreply.simulator_answers import guid_of, iso
from pipeline.vendors.calreply.simulator_checks import Event


class Webhooks:
    """`version`: 1 or 2; the first tells of subscriptions only."""

    def __init__(self, account: str, version: int) -> None:
        self._account = account
        self._version = version
        self._sent = 0
        self.notices: deque[Event] = deque(maxlen=1000)
        """What would have been sent, the newest last."""

    def tell(self, kind: str, action: str, identity: str, one: Event) -> None:
        about = {
            "calendarSubscriptionId": identity,
            "calendarTitle": one["calendar"],
            "subscriptionMethod": one["method"],
            "createdDateTimeUtc": iso(one["at"]),
            **{name: one["said"][name] for name in ("emailAddress", "additionalOptIn") if name in one["said"]},
            **({"subscriberExternalId": one["said"]["subscriberId"]} if "subscriberId" in one["said"] else {}),
        }
        if self._version == 2:
            self._send(kind, {"actionType": action, "accountCode": self._account, "subscription": about})
        elif kind in ("Subscribe", "Unsubscribe"):
            self._send(kind, {"actionType": action, "merchantName": self._account, **about})

    def tell_event(self, kind: str, event: Event, subscription: str | None) -> None:
        if self._version == 2:
            about = {"subscription": {"calendarSubscriptionId": subscription}} if subscription else {}
            detail = {"accountCode": self._account, **about, "subscriptionEvent": dict(event)}
            self._send(f"SubscriptionEvent{kind}", detail)

    def _send(self, kind: str, details: Event) -> None:
        self._sent += 1
        identity = guid_of(f"notice {self._sent} {kind}")
        self.notices.append({"eventId": identity, "eventType": kind, "eventDetails": details})
