"""A vendor and destinations that exist only here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.model.entry import FIELDS
from pipeline.model.event import DomainEvent, decode
from pipeline.model.outcome import Accepted
from pipeline.model.wire import Coordinates, Record, Request
from pipeline.rules.adapt import DestinationView
from pipeline.vendors.contract import Defaults, Expression, Step, Vendor, Window

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def vendor(name: str, expression: Expression) -> Vendor:
    return Vendor(
        name=name,
        title=name.title(),
        defaults=Defaults("https://vendor.example", (Window(100, 60),)),
        secrets=(),
        options=(),
        express=lambda options: expression,
        problems=lambda content, options: [],
        plan=lambda situation: Step.CREATE,
        request=lambda step, situations: Request("POST", "/"),
        sign=lambda request, credential, token: request,
        read=lambda step, situations, response, now: [Accepted() for _ in situations],
        probe=lambda options: Request("GET", "/"),
    )


RICH = vendor(
    "ecal",
    Expression(
        fields=frozenset(FIELDS) - {"participants", "busy", "status"},
        required=frozenset(("title", "location", "start")),
        own={"objective": "string", "draft": "boolean"},
    ),
)
PLAIN = vendor(
    "calreply",
    Expression(
        fields=frozenset(("title", "description", "location", "start", "end", "time_zone", "all_day", "alerts")),
        required=frozenset(("title", "start", "time_zone")),
    ),
)


@pytest.fixture
def destinations() -> dict[str, DestinationView]:
    return {
        "acme-ecal": DestinationView("acme-ecal", RICH),
        "acme-calreply": DestinationView(
            "acme-calreply", PLAIN, in_description=frozenset(("links",)), defaults={"time_zone": "Europe/Berlin"}
        ),
    }


@pytest.fixture
def event() -> Callable[..., DomainEvent]:
    def make(topic: str, kind: str, data: Any, offset: int = 0, **attributes: Any) -> DomainEvent:
        body: Mapping[str, Any] = {"type": kind, "data": data, **attributes}
        return decode(Record(Coordinates(topic, 0, offset), None, json.dumps(body).encode(), (), NOW))

    return make
