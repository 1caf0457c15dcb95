"""What a vendor can say and how it is called, from the same declarations that the checks use. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pipeline.model.entry import Content
from pipeline.vendors.contract import Expression, Option, Secret, Situation, Step, Vendor

Choice = Mapping[str, Any]
"""Options → the values that are chosen."""


@dataclass(frozen=True, slots=True)
class Says:
    """What can be said of one kind of thing."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    own: Mapping[str, str]
    """The vendor's own fields → their JSON types."""
    needs: tuple[str, ...]
    """What else it misses in an item of which nothing is said, in its own words."""
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
    credits: Mapping[str, float]
    """Kind of call → what it uses up of the account's budget; none: no call costs credits."""
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
        credits=_credits(vendor),
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
    options = {option.name: option.default for option in vendor.options} | dict(choice)
    whole = vendor.express(options)
    of_entry = _says(whole, _missed(vendor, {}, options))
    if whole.subscription is None:
        return Under(choice, of_entry, None)
    return Under(choice, of_entry, _says(whole.subscription, _missed(vendor, {"kind": "subscription"}, options)))


def _missed(vendor: Vendor, content: Content, options: Choice) -> list[str]:
    """A vendor may fail at a content of which nothing is said: then it tells no more than its declaration."""
    try:
        return [words for words in vendor.problems(content, options) if "is required" in words]
    except Exception:
        return []


def _credits(vendor: Vendor) -> Mapping[str, float]:
    nothing = Situation(key="", wanted=None, observed=None, identity=None)
    costs = {step.value: vendor.cost(step, nothing) for step in Step}
    return {name: cost for name, cost in costs.items() if cost}


def _says(expression: Expression, missed: Sequence[str]) -> Says:
    return Says(
        required=tuple(sorted(expression.required)),
        optional=tuple(sorted(expression.fields - expression.required)),
        own=dict(sorted(expression.own.items())),
        needs=tuple(words for words in missed if words.split()[0] not in expression.required),
        needs_identity=expression.needs_identity,
        can_delete=expression.can_delete,
    )
