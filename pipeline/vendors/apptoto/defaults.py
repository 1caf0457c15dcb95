"""What holds for Apptoto unless an account says otherwise, its options, and what it can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.vendors.contract import Defaults, Expression, Option, Secret, Window

DEFAULTS = Defaults(
    base_url="https://api.apptoto.com",
    # A client of years knows "100 requests per minute"; no page of the vendor's was found (2026-11).
    windows=(Window(calls=90, seconds=60.0),),
    concurrency=4,
    # The same client raised its time-out from 5 to 240 seconds as its batches grew, and sends 20 events a call: 25 went
    # through as well, more became "bad gateway".
    timeout=120.0,
    batch=20,
    # With the time-out, the 240 seconds that a call was seen to need.
    settle_time=120.0,
    # `external_id` "should be unique": nobody promises that two equal calls at once do not both find nothing there and
    # each make an event. So a repeat waits until the lost call can no longer be at work.
    recover_at_once=False,
)

SECRETS = (
    Secret("user", "the user name (an e-mail address) of the account"),
    Secret("api_key", "an API key: Settings > Integrations > Developer Tools > API Keys"),
)

OPTIONS = (
    Option(
        "collection_is",
        "what an entry's collection is: a calendar's name, its id, or (auto) an id where it has digits only",
        default="auto",
        choices=("auto", "name", "id"),
    ),
    Option(
        "calendar_creation",
        "whether an unknown calendar's name makes a new calendar (allow) or is refused (prevent)",
        default="prevent",
        choices=("prevent", "allow"),
    ),
    Option(
        "send_time_zone",
        "the time_zone of messages: the entry's IANA name, or (omit) only what time_zone_names says",
        default="iana",
        choices=("iana", "omit"),
    ),
    Option("time_zone_names", "IANA name: the name that Apptoto has for this time zone"),
)

FIELDS = frozenset(
    {
        "title",
        "description",
        "location",
        "start",
        "end",
        "time_zone",
        "end_time_zone",
        "all_day",
        "participants",
        "busy",
        "collection",
    }
)
# A time is said with its offset, which takes a zone; a new event needs a calendar.
REQUIRED = ("title", "start", "time_zone", "collection")
OWN = {"custom_data": "object", "show_as": "integer", "participants": "array"}

_EXPRESSION = Expression(fields=FIELDS, required=frozenset(REQUIRED), own=OWN, needs_identity=False)


def express(_options: Mapping[str, Any]) -> Expression:
    return _EXPRESSION
