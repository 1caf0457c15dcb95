"""What a vendor can say and how it is called, from the same declarations that the checks use. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from pipeline.vendors.contract import Expression, Option, Secret, Vendor

Choice = Mapping[str, Any]
"""Options → the values that are chosen."""


@dataclass(frozen=True, slots=True)
class Says:
    """What can be said of one kind of thing."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    own: Mapping[str, str]
    """The vendor's own fields → their JSON types."""
    needs_identity: bool
    can_delete: bool


@dataclass(frozen=True, slots=True)
class Under:
    """What can be said where these options are chosen; none: whatever is chosen."""

    options: Choice
    entry: Says
    subscription: Says | None


@dataclass(frozen=True, slots=True)
class Described:
    """A vendor. Times are in seconds."""

    name: str
    title: str
    base_url: str
    says: tuple[Under, ...]
    options: tuple[Option, ...]
    secrets: tuple[Secret, ...]
    authentication: str
    """`token`: a token flow; `static`: what signs is the credential itself."""
    webhooks: bool
    windows: tuple[tuple[int, float], ...]
    """(calls, seconds), unless the account says otherwise."""
    concurrency: int
    batch: int
    timeout: float
    settle_time: float
    recover_at_once: bool
    secret_links: bool


def described(vendor: Vendor) -> Described:
    given = vendor.defaults
    return Described(
        name=vendor.name,
        title=vendor.title,
        base_url=given.base_url,
        says=tuple(_under(vendor, choice) for choice in choices(vendor)),
        options=vendor.options,
        secrets=vendor.secrets,
        authentication="token" if vendor.tokens else "static",
        webhooks=vendor.inbound is not None,
        windows=tuple((window.calls, window.seconds) for window in given.windows),
        concurrency=given.concurrency,
        batch=given.batch,
        timeout=given.timeout,
        settle_time=given.settle_time,
        recover_at_once=given.recover_at_once,
        secret_links=given.secret_links,
    )


def choices(vendor: Vendor) -> Iterator[Choice]:
    """Every combination of the options that change what can be said."""
    plain = {option.name: option.default for option in vendor.options}
    free = [option for option in vendor.options if option.choices]
    telling = [option for option in free if _tells(vendor, plain, option)]
    for values in product(*(option.choices for option in telling)):
        yield dict(zip((option.name for option in telling), values, strict=True))


def _tells(vendor: Vendor, plain: Choice, option: Option) -> bool:
    first, *others = (vendor.express({**plain, option.name: choice}) for choice in option.choices)
    return any(other != first for other in others)


def _under(vendor: Vendor, choice: Choice) -> Under:
    whole = vendor.express({option.name: option.default for option in vendor.options} | dict(choice))
    return Under(choice, _says(whole), _says(whole.subscription) if whole.subscription else None)


def _says(expression: Expression) -> Says:
    return Says(
        required=tuple(sorted(expression.required)),
        optional=tuple(sorted(expression.fields - expression.required)),
        own=dict(sorted(expression.own.items())),
        needs_identity=expression.needs_identity,
        can_delete=expression.can_delete,
    )
