"""What holds for CalReply unless an account says otherwise, its options, and what it can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.vendors.contract import Defaults, Expression, Option, Secret, Window

DEFAULTS = Defaults(
    base_url="https://api.calreply.net",
    # No limit is documented: a cautious guess, to be raised per account.
    windows=(Window(calls=2, seconds=1.0),),
    concurrency=2,
    # "Events are being created in a background process, it can take up to few minutes" (Create New Subscription Event).
    settle_time=300.0,
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
)

_FIELDS = frozenset(
    {"title", "description", "location", "start", "end", "time_zone", "end_time_zone", "all_day", "alerts"}
)


def is_rokt(options: Mapping[str, Any]) -> bool:
    return bool(options.get("api", "calreply") == "rokt")


def express(options: Mapping[str, Any]) -> Expression:
    return Expression(
        fields=_FIELDS,
        required=frozenset({"title", "start", "time_zone"}),
        can_delete=is_rokt(options),
    )
