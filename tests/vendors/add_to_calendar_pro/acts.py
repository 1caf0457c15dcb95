"""Add to Calendar PRO for its tests: a strict simulator, one situation of an entry, and calls as the lane makes them.

The simulator shares no code with the folder, so that one mistake is not made twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.model.outcome import Accepted, Outcome
from pipeline.model.wire import Credential
from pipeline.vendors import vendors
from pipeline.vendors.add_to_calendar_pro.simulator import Simulator
from pipeline.vendors.contract import Situation, Step

VENDOR = vendors()["add_to_calendar_pro"]
NAME = VENDOR.name
KEY = "INV-45009"
SECRET = Credential({"api_key": "key-1"})
OPTIONS = {"participants": "public"}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUPS = ("g-1", "g-2")
ENTRY: dict[str, Any] = {"title": "Due", "start": "2026-12-24", "all_day": True, "collection": "g-1"}
PROKEY = "99ec3e7f-ef04-bbbb-a3d7-e30736faaaaa"


def simulator(**config: Any) -> Simulator:
    return Simulator({"api_key": "key-1", "groups": GROUPS, **config})


def situation(wanted: Any = None, observed: Any = None, **more: Any) -> Situation:
    return Situation(
        **{"key": KEY, "wanted": wanted, "observed": observed, "identity": None, "options": OPTIONS} | more
    )


def send(at: Simulator, step: Step, one: Situation) -> Outcome:
    """One call, as the lane makes it."""
    signed = VENDOR.sign(VENDOR.request(step, [one]), SECRET, None)
    return answer(at, step, one, signed.method, signed.path, signed.query, signed.headers, signed.body)


def answer(
    at: Simulator, step: Step, one: Situation, method: str, path: str, query: Any, headers: Any, body: bytes
) -> Outcome:
    (outcome,) = VENDOR.read(step, [one], at.handle(method, path, query, dict(headers), body, 1000.0), NOW)
    return outcome


def call(at: Simulator, method: str, path: str, content: Any = None, query: Any = ()) -> Any:
    """Any endpoint, as `calends call` reaches it."""
    body = b"" if content is None else json.dumps(content).encode()
    response = at.handle(method, path, query, {"authorization": "key-1"}, body, 1000.0)
    return response.status, json.loads(response.body)


def made(at: Simulator, content: Mapping[str, Any]) -> str:
    outcome = send(at, Step.CREATE, situation(content))
    assert isinstance(outcome, Accepted)
    assert outcome.vendor_id is not None
    return outcome.vendor_id


def held(at: Simulator) -> list[dict[str, Any]]:
    """All the events, without what only counts writes."""
    volatile = ("sequence", "date_created", "date_updated")
    contents = {entry["id"]: entry["content"] for entry in at.entries()}
    return [{name: value for name, value in one.items() if name not in volatile} for one in contents.values()]
