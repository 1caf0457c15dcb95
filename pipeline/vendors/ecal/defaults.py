"""What holds for ECAL unless an account says otherwise, and what ECAL can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.vendors.contract import Defaults, Expression, Option, Secret, Window

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

OPTIONS = (
    Option(
        "api",
        "`private`: in one subscriber's calendar; `event`: in a public calendar, its id in `collection`",
        default="private",
        choices=("private", "event"),
    ),
)

OWN = {
    "objective": "string",
    "smartAlert": "integer",
    "smartDetails": "integer",
    "social": "object",
    "draft": "integer",
    "sponsored_message": "string",
    "referenceType": "string",
}

_PRIVATE = Expression(
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
    own=OWN,
)


_EVENT = replace(
    _PRIVATE,
    fields=_PRIVATE.fields | {"collection"},
    required=_PRIVATE.required | {"collection"},
    needs_identity=False,
)


def express(options: Mapping[str, Any]) -> Expression:
    return _EVENT if is_public(options) else _PRIVATE


def is_public(options: Mapping[str, Any]) -> bool:
    """Events of a calendar that anybody may subscribe to, not of one subscriber."""
    return options.get("api") == "event"
