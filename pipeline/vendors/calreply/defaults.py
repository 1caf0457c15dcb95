"""What holds for CalReply unless an account says otherwise, its options, and what it can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.vendors.calreply import subscription
from pipeline.vendors.contract import Defaults, Expression, Option, Secret, Window

DEFAULTS = Defaults(
    base_url="https://api.calreply.net",
    # No limit is documented: a cautious guess, to be raised per account.
    windows=(Window(calls=2, seconds=1.0),),
    concurrency=2,
    # "Events are being created in a background process, it can take up to few minutes" (Create New Subscription Event).
    settle_time=300.0,
    # "webcal://{username}:{password}@…" (Protected Calendars).
    secret_links=True,
)

SECRETS = (
    Secret("client_id", "issued with the API registration"),
    Secret("client_secret", "issued with the API registration"),
)

OPTIONS = (
    Option("account_code", "the account code, or the subdomain of the dashboard's URL", required=True),
    Option(
        "api",
        "calreply only creates; its successor rokt also updates and deletes (base_url https://api.roktcalendar.com)",
        default="calreply",
        choices=("calreply", "rokt"),
    ),
    Option(
        "token_auth",
        "how the request for a first token carries the client's id and secret",
        default="basic",
        choices=("basic", "form"),
    ),
    Option(
        "time_zones",
        "how an event's zone is said: by CalReply's Windows ids, or (rokt only) by IANA name",
        default="windows",
        choices=("windows", "iana"),
    ),
    Option(
        "deactivate",
        "what ends with a subscription: itself, or (username) all that its subscriberId has in the calendar",
        default="id",
        choices=("id", "username"),
    ),
)

_FIELDS = frozenset(
    {"title", "description", "location", "start", "end", "time_zone", "end_time_zone", "all_day", "alerts"}
)
# Fields of an event that only the successor has.
ROKT = {"visibleFromDateTimeUtc": "string", "actionType": "string"}
_SUBSCRIPTION = Expression(
    fields=frozenset({"collection"}),
    required=frozenset({"collection"}),
    own=subscription.OWN,
    needs_identity=False,
)


def is_rokt(options: Mapping[str, Any]) -> bool:
    return bool(options.get("api", "calreply") == "rokt")


def express(options: Mapping[str, Any]) -> Expression:
    return Expression(
        fields=_FIELDS,
        required=frozenset({"title", "start", "time_zone"}),
        own=ROKT if is_rokt(options) else {},
        can_delete=is_rokt(options),
        subscription=_SUBSCRIPTION,
    )
