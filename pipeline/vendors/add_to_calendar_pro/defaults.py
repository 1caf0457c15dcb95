"""What holds for Add to Calendar PRO unless an account says otherwise, its options, what it can say, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.vendors.contract import Defaults, Expression, Option, Secret, Situation, Step, Window

SECTION = "add_to_calendar_pro"

DEFAULTS = Defaults(
    base_url="https://api.add-to-calendar-pro.com/v1",
    # 80 a second are documented (2024-07); a share of it leaves room for the application's other users.
    windows=(Window(calls=20, seconds=1.0),),
)

SECRETS = (Secret("api_key", "an API key with the scope Read & Write (Read is the vendor's default)"),)

OPTIONS = (
    Option(
        "participants",
        "an event's page and file are public to anyone with the link: `public` sends its participant all the same",
        default="refuse",
        choices=("refuse", "public"),
    ),
    # The older page says go.caldn.net; the vendor's since 2024-07-18 say caldn.net. A custom domain goes here too.
    Option("link_host", "the host of landing pages and direct links", default="caldn.net"),
)

TEXTS = ("layout", "landingpage", "rsvp_block", "cta_block", "title_event_series")
FLAGS = ("rsvp", "cta", "hideButton", "distribution")
SIMPLE = (
    "recurrence_simple_type",
    "recurrence_interval",
    "recurrence_count",
    "recurrence_byDay",
    "recurrence_byMonth",
    "recurrence_byMonthDay",
    "recurrence_weekstart",
)
NUMBERS = ("recurrence_interval", "recurrence_count")
ORGANIZER = ("organizer_name", "organizer_email")

OWN: Mapping[str, str] = {
    **dict.fromkeys((*TEXTS, *SIMPLE, *ORGANIZER, "new_event_group_name", "description_html"), "string"),
    **dict.fromkeys(FLAGS, "boolean"),
    **dict.fromkeys(NUMBERS, "integer"),
}

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
            "participants",
            "busy",
            "status",
            "collection",
            "recurrence",
            "dates",
        }
    ),
    # `collection`, or the own field `new_event_group_name`; `start`, or `dates`: judged with the content.
    required=frozenset({"title"}),
    own=OWN,
    needs_identity=False,
)

# "For every 5th update, we also deduct 1 event credit to prevent abuse!" (Update an event)
_COSTS = {Step.CREATE: 1.0, Step.UPDATE: 0.2, Step.WRITE: 0.2}


def express(_options: Mapping[str, Any]) -> Expression:
    return _EXPRESSION


def cost(step: Step, _situation: Situation) -> float:
    return _COSTS.get(step, 0.0)
