"""What holds for ECAL unless an account says otherwise, and what ECAL can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.vendors.contract import Defaults, Expression, Secret, Window

DEFAULTS = Defaults(
    base_url="https://api.ecal.com",
    # 429 is documented, its limit is not: a cautious guess, to be raised per account.
    windows=(Window(calls=2, seconds=1.0),),
    concurrency=2,
    # A POST with a reference that is already there answers 409, so a late twin cannot double an entry.
    recover_at_once=True,
)

SECRETS = (
    Secret("api_key", "apiKey of the Publisher Admin Portal"),
    Secret("api_secret", "the SECRET that signs; it is never sent"),
)

_EXPRESSION = Expression(
    fields=frozenset(
        {
            "title",
            "description",
            "location",
            "start",
            "end",
            "time_zone",
            "end_time_zone",
            "all_day",
            "alerts",
            "links",
        }
    ),
    required=frozenset({"title", "location", "start"}),
    own={
        "objective": "string",
        "smartAlert": "integer",
        "smartDetails": "integer",
        "social": "object",
        "draft": "integer",
        "sponsored_message": "string",
        "referenceType": "string",
    },
)


def express(_options: Mapping[str, Any]) -> Expression:
    return _EXPRESSION
