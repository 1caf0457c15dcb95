"""Apptoto for its tests: calls of the simulator as the lane makes them, and what stands there in neutral words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.model.outcome import Accepted, Outcome
from pipeline.model.wire import Credential, Request, Response
from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.simulator import Simulator
from pipeline.vendors.contract import Situation, Step

Content = dict[str, Any]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CREDENTIAL = Credential({"user": "me@example.com", "api_key": "k3y"})
ACCOUNT = {"user": "me@example.com", "api_key": "k3y", "calendars": {"Team": 7, "Home": 8, "12": 9}}
PLAIN = {"collection": "Team", "title": "T", "start": "2026-12-24T09:00:00", "time_zone": "Europe/Berlin"}
EVERYTHING: dict[str, Any] = {
    **PLAIN,
    "end": "2026-12-24T13:00:00",
    "end_time_zone": "Europe/London",
    "all_day": False,
    "description": "Bring a photo 📷 #auto",
    "location": "1 Main Street\nBack door",
    "busy": True,
    "participants": [{"name": "Ann", "email": "ann@example.com", "phone": "+44 121 212 1212"}, {"phone": "1"}],
    "apptoto": {
        "custom_data": {"a": {"b": [1, 2.5, True, None, "é"]}},
        "show_as": 3,
        "participants": [{"contact_id": 5}, {"contact_external_id": "003B", "name": "Cy"}],
    },
}


def call(vendor: Simulator, request: Request) -> Response:
    signed = VENDOR.sign(request, CREDENTIAL, None)
    headers = {name.lower(): value for name, value in signed.headers}
    return vendor.handle(signed.method, signed.path, signed.query, headers, signed.body, 1000.0)


def do(vendor: Simulator, step: Step, *situations: Situation) -> Sequence[Outcome]:
    return VENDOR.read(step, situations, call(vendor, VENDOR.request(step, situations)), NOW)


def situation(wanted: Content | None, observed: Content | None = None, key: str = "K", **more: Any) -> Situation:
    return Situation(key=key, wanted=wanted, observed=observed, identity=None, **more)


def bring(vendor: Simulator, before: Content | None, after: Content | None, options: Mapping[str, Any]) -> list[Step]:
    """From one content to the other, as a lane does while no answer is lost."""
    steps = []
    now, vendor_id = situation(after, before, options=options), None
    while True:
        step = VENDOR.plan(replace(now, vendor_id=vendor_id))
        assert isinstance(step, Step)
        (outcome,) = do(vendor, step, now)
        assert isinstance(outcome, Accepted)
        steps.append(step)
        if step is not Step.DELETE or after is None:
            return steps
        now, vendor_id = situation(after, None, options=options), None


def held(vendor: Simulator) -> list[Content]:
    """Every entry there, without what the vendor adds."""
    return [_plain(entry) for entry in vendor.entries()]


def _plain(entry: Mapping[str, Any]) -> Content:
    event = entry["content"]
    people = [
        {name: value for name, value in one.items() if name not in ("id", "state", "normalized_phone")}
        for one in event["participants"]
    ]
    names = ("key", "calendar", "title", "start", "end", "all_day", "location", "description", "time_zone")
    return {
        **{name: entry[name] for name in names},
        "participants": people,
        "show_as": event["show_as"],
        "custom_data": event["custom_data"],
    }


def expected(content: Content) -> Content:
    """The same, told from the content alone."""
    own = content.get("apptoto", {})
    people = [*content.get("participants", []), *own.get("participants", [])]
    busy = {True: 2, False: 0}[content["busy"]] if "busy" in content else None
    return {
        "key": "K",
        "calendar": {"7": "Team"}.get(content["collection"], content["collection"]),
        "title": content["title"],
        "start": content["start"],
        "end": _end(content),
        "all_day": content.get("all_day", False),
        "location": content.get("location", ""),
        "description": content.get("description", ""),
        "time_zone": content["time_zone"],
        "participants": [{name: value for name, value in one.items() if value != ""} for one in people],
        "show_as": own.get("show_as", busy),
        "custom_data": own.get("custom_data", {}),
    }


def _end(content: Content) -> str:
    if content.get("all_day"):
        return str(content.get("end") or date.fromisoformat(content["start"]) + timedelta(days=1))
    here = content["time_zone"]
    end, zone = content.get("end", content["start"]), content.get("end_time_zone", here)
    if "end" not in content or zone == here:
        return str(end)
    instant = datetime.fromisoformat(end).replace(tzinfo=ZoneInfo(zone))
    return instant.astimezone(ZoneInfo(here)).replace(tzinfo=None).isoformat()
