"""What one attempt came to: a closed set of values, and the reasons they may carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Reason = Literal[
    "invalid",  # the vendor says the request is wrong
    "unsupported",  # this API cannot do it
    "ambiguous",  # the vendor shows more than one candidate
    "too_large",
    "unknown_subscriber",
    "not_found",
    "unreadable",
    "too_many_attempts",
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor holds what was sent."""

    vendor_id: str | None = None
    links: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: bool = False
    """The links hold a password."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Taken by the vendor, applied later (CalReply's 202)."""

    vendor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Failed without effect; worth another attempt, `after` seconds at the earliest where the vendor said so."""

    after: float | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """Refused for the quota; a fact of the account, never of the entry. `after` in seconds where the vendor said so."""

    after: float | None = None


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The credential is not good (any more); a fact of the account, never of the entry."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for what it is: the same again would be refused again. `detail` is a code, never the vendor's text."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may or may not have taken effect. `detail` is a code such as `timeout` or `http_502`."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The vendor says that it does not hold the entry."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The vendor already holds an entry under this key, with content of its own."""

    vendor_id: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Refused with the others of its call, and which of them is at fault is not known: to be sent with fewer."""


@dataclass(frozen=True, slots=True)
class Look:
    """May be there: these of the vendor's ids are to be looked at one by one, the next one first."""

    candidates: tuple[str, ...]


Outcome = (
    Accepted | Unconfirmed | Retry | Throttled | Unauthorized | Rejected | Unknown | Absent | Exists | Split | Look
)


def label(outcome: Outcome) -> str:
    """The outcome's name in metrics and logs."""
    return type(outcome).__name__.lower()
