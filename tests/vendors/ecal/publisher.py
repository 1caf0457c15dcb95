"""A publisher at the simulated ECAL for its tests, and what a reader of its calendar is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pipeline.model.outcome import Outcome
from pipeline.model.wire import Credential, Request, Response
from pipeline.rules.adapt import DestinationView, problems_of
from pipeline.vendors.contract import Situation, Step
from pipeline.vendors.ecal import VENDOR
from pipeline.vendors.ecal.simulator import Simulator

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY, PERSON = "INV-1", "5924fd21608e3beb118b4567"
CREDENTIAL = Credential({"api_key": "123", "api_secret": "API-SECRET"})
PRIVATE: Mapping[str, Any] = {"api": "private"}
PUBLIC: Mapping[str, Any] = {"api": "event"}
CODES = {"5M": 5, "15M": 15, "30M": 30, "1H": 60, "1D": 1440}
OBJECTIVES = ("payment_reminder", "payment_success", "ticket_sale", "merchandise_sale", "tune_in")


class Publisher:
    """An account at the simulated ECAL, called with signed requests."""

    def __init__(self, **config: Any) -> None:
        self.simulator = Simulator(
            {"api_key": "123", "api_secret": "API-SECRET", "get_by_reference": True, **config}
        )  # fmt: skip

    def send(self, request: Request) -> Response:
        signed = VENDOR.sign(request, CREDENTIAL, None)
        return self.simulator.handle(
            signed.method, unquote(signed.path), signed.query, dict(signed.headers), signed.body, NOW.timestamp()
        )

    def call(self, method: str, path: str, fields: Any = None, **query: str) -> Any:
        """What `calends call` would see: the answer's JSON, or its status where that is no 200."""
        body = b"" if fields is None else json.dumps(fields).encode()
        answer = self.send(Request(method, path, tuple(query.items()), body=body))
        return json.loads(answer.body) if answer.status == 200 else answer.status

    def bring(self, step: Step, situation: Situation) -> Outcome:
        (outcome,) = VENDOR.read(step, [situation], self.send(VENDOR.request(step, [situation])), NOW)
        return outcome

    def held(self) -> dict[str, Any]:
        """The entry, as a reader of the calendar would tell it in neutral words."""
        return heard(self.call("GET", f"/apiv2/event/{KEY}"))


def heard(event: Mapping[str, Any]) -> dict[str, Any]:
    """ECAL's event → what it says, with nothing of our own code."""
    whole = event["allDay"] in ("yes", True)
    return {
        "title": event["name"],
        "location": event["location"],
        "description": event.get("details", ""),
        "collection": event.get("calendarId"),
        "all_day": whole,
        "start": event["startDate"] if whole else _utc(f"{event['startDate']}T{event['startTime']}", event),
        "end": _day_after(event["endDate"]) if whole else _utc(f"{event['endDate']}T{event['endTime']}", event),
        "time_zone": event.get("timezone"),
        "alerts": [CODES[event[name]] for name in ("alert", "alert2") if event.get(name, "-") != "-"],
        "links": [
            (event[f"quickLink[{n}][name]"], event[f"quickLink[{n}][url]"])
            for n in range(1, 11)
            if event.get(f"quickLink[{n}][name]")
        ],
        "ecal": {
            "objective": event.get("objective"),
            **{name: event.get(name, 0) for name in ("smartAlert", "smartDetails", "draft")},
            **{name: event.get(name, "") for name in ("sponsored_message", "referenceType")},
            "social": {name: text for name, text in event.get("social", {}).items() if text},
        },
    }


def meant(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader should be told of an entry."""
    whole, zone = bool(content.get("all_day")), content.get("time_zone")
    start, end = content["start"], content.get("end")
    if whole:
        end = end or _day_after(start)
    else:
        end = _utc(end, {"timezone": content.get("end_time_zone", zone)}) if end else _utc(start, {"timezone": zone})
        start = _utc(start, {"timezone": zone})
    own = content.get("ecal", {})
    return {
        "title": content["title"],
        "location": content["location"],
        "description": content.get("description", ""),
        "collection": content.get("collection"),
        "all_day": whole,
        "start": start,
        "end": end,
        "time_zone": zone,
        "alerts": list(content.get("alerts", ())),
        "links": [(link["name"], link["url"]) for link in content.get("links", ())],
        "ecal": {
            "objective": own.get("objective"),
            **{name: own.get(name, 0) for name in ("smartAlert", "smartDetails", "draft")},
            **{name: own.get(name, "") for name in ("sponsored_message", "referenceType")},
            "social": {name: text for name, text in own.get("social", {}).items() if text},
        },
    }


def _utc(local: str, event: Mapping[str, Any]) -> datetime:
    """The instant of a local time; where no zone is said, as if it were UTC's."""
    zone = ZoneInfo(event.get("timezone") or "UTC")
    return datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)


def _day_after(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


def problems(content: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """As a destination finds them."""
    return problems_of(content, DestinationView("d", VENDOR, options))


def situation(options: Mapping[str, Any] = PRIVATE, **facts: Any) -> Situation:
    given = {"wanted": None, "observed": None, "identity": None if options is PUBLIC else PERSON, **facts}
    return Situation(key=KEY, options=options, observed_identity=given["identity"], **given)
