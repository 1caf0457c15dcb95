"""What a vendor says to Calends: pure functions over small values, gathered in one `Vendor`.

A vendor is a folder here whose `__init__` exposes `VENDOR`. It does no I/O, reads no clock and imports no sibling;
its `simulator` shares no code with the rest of its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pipeline.model.entry import Content
from pipeline.model.facts import NOTHING, UNSURE, Facts
from pipeline.model.outcome import Outcome, Rejected
from pipeline.model.wire import Credential, Request, Response, Token


class Step(StrEnum):
    """What a call does for an entry."""

    CREATE = "create"
    UPDATE = "update"  # only what changed against `observed`
    WRITE = "write"  # whole, over whatever is there
    DELETE = "delete"
    FIND = "find"  # look whether and how it is there


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a vendor may know of one entry when it words a call or reads an answer."""

    key: str = field(repr=False)
    """The key at the vendor, already unique in the account."""
    wanted: Content | None = field(repr=False)
    """What should be there; None: nothing."""
    observed: Content | None = field(repr=False)
    """What the vendor last acknowledged. While unsure: that, and the fields that the lost call added to it; it may then
    contradict itself, so that only single fields of it say anything."""
    identity: str | None = field(repr=False)
    """The subscriber at the vendor (ECAL `ecalId`, CalReply `subscriptionId`), for the wanted content."""
    observed_identity: str | None = field(default=None, repr=False)
    vendor_id: str | None = None
    unsure: bool = False
    """What is there is not known: an answer was lost."""
    absent: bool = False
    """While unsure: the vendor said that nothing is there, but a late act may still come."""
    candidates: tuple[str, ...] = ()
    """While unsure: the vendor's ids that an earlier FIND left to be looked at, the next one first (see `Look`)."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The destination's own settings for this vendor, as its `Option`s declare them (e.g. account code, api)."""

    @classmethod
    def of(cls, facts: Facts, key: str, options: Mapping[str, Any]) -> Situation:
        """What the ledger's row says; `key` is the one at the vendor."""
        return cls(
            key=key,
            wanted=None if facts.wanted_hash == NOTHING else facts.desired,
            observed=facts.observed,
            identity=facts.identity,
            observed_identity=facts.observed_identity,
            vendor_id=facts.vendor_id,
            unsure=facts.observed_hash == UNSURE,
            absent=facts.absent,
            candidates=tuple(facts.candidates or ()),
            options=options,
        )


def next_step(situation: Situation, replaced: Callable[[Situation], bool]) -> Step:
    """The next step where writes may be repeated. `replaced`: no write leads from what is there to what is wanted."""
    match situation:
        case Situation(wanted=None):
            return Step.DELETE
        case Situation(unsure=True, absent=True) | Situation(unsure=False, observed=None):
            return Step.CREATE
        case _ if replaced(situation):
            return Step.DELETE
        case Situation(unsure=True):
            return Step.WRITE
        case _:
            return Step.UPDATE


@dataclass(frozen=True, slots=True)
class Window:
    """A quota: at most `calls` in any `seconds`."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a destination that only this vendor has."""

    name: str
    help: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A part of the credential: name, what it is, and whether it must be there."""

    name: str
    help: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds unless the account or destination says otherwise; times in seconds."""

    base_url: str
    windows: tuple[Window, ...]
    concurrency: int = 8
    """Calls at once to begin with."""
    timeout: float = 10.0
    settle_time: float = 30.0
    """How long after an unanswered call the vendor may still act on it."""
    batch: int = 1
    """Entries in one call at most."""
    secret_links: bool = False
    """Some of its links may hold a password."""
    recover_at_once: bool = False
    """A call that a late twin makes fail exists: after Unknown there is no need to wait for `settle_time`."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What a vendor can say."""

    fields: frozenset[str]
    """Neutral fields that it can say."""
    required: frozenset[str]
    own: Mapping[str, str] = field(default_factory=dict)
    """Fields of its own → the JSON type expected ("string", "boolean", "integer", "object", "array")."""
    needs_identity: bool = True
    can_delete: bool = True
    subscription: Expression | None = None
    """What it can say of a `kind: subscription`; None: it has no such thing."""


@dataclass(frozen=True, slots=True)
class TokenFlow:
    """How to get and renew an access token (vendors with static keys have none)."""

    obtain: Callable[[Credential, Mapping[str, Any]], Request]
    renew: Callable[[Credential, Mapping[str, Any], str], Request]
    """The string is the refresh token; it is used once."""
    read: Callable[[Response], Token | Rejected | None]
    """A token; Rejected when the credential or the refresh token is refused; None when unreadable or a 5xx."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a vendor tells by webhook. Nothing is linked by it but by `subscriber`, the caller's own id."""

    kind: Literal["linked", "unlinked", "seen", "accepted", "changed", "deleted", "answered", "test"]
    """`linked`/`unlinked`: a subscriber has an identity, or none any more. `seen`: somebody of whom only the vendor's
    id, or an address, is known. `accepted`, `changed`, `deleted`: an entry at the vendor. `answered`: an RSVP."""
    subscriber: str | None = field(default=None, repr=False)
    """The caller's own id of the person."""
    identity: str | None = field(default=None, repr=False)
    """The vendor's id of the person."""
    entry: str | None = field(default=None, repr=False)
    """The vendor's id, or our key, of the entry."""
    id: str | None = field(default=None, repr=False)
    """The vendor's id of this notification, where it has one; else repeats are known by the body."""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The notification as it came."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that stands at the vendor, as a read shows it."""

    id: str | None = field(repr=False)
    """The vendor's id; None: the read shows none."""
    mark: str | None = field(default=None, repr=False)
    """What the read shows of our key (see `ReadBack.mark`)."""
    content: Mapping[str, Any] | None = field(default=None, repr=False)
    """In the vendor's own names; None: it has to be looked at by itself."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one read shows. Nothing there is an empty page."""

    items: tuple[Item, ...] = ()
    more: bool = False
    """Whether the list goes on."""


@dataclass(frozen=True, slots=True)
class Unread:
    """It cannot be read back: a code that says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    """How to read what stands at the vendor, to compare it with what it acknowledged. In the situations given, `wanted`
    and `observed` are both that. Reads need no order, and change nothing."""

    places: Callable[[Situation], tuple[str, ...] | Unread]
    """The lists that the entry stands in, e.g. its subscriber's; entries with the same place share its list."""
    list: Callable[[str, int, Mapping[str, Any]], Request]
    """One page of a place, from 1, unsigned."""
    look: Callable[[Situation], Request | Unread]
    """One entry by itself, unsigned, where a list does not show it, or not whole."""
    read: Callable[[Response], Page | Unread | None]
    """What a list, or a look, shows; None: not to be read now (the status says why)."""
    differences: Callable[[Situation, Item], Sequence[str]]
    """The vendor's names of what is not as it was acknowledged; fields that no read shows are not looked at."""
    remove: Callable[[str], Request] | None
    """Deletes one item by the vendor's id, and no other with the same key; None: no call can."""
    unseen: tuple[str, ...]
    """Fields of an entry that no read shows: that they differ cannot be known."""
    mark: Callable[[str], str] = str
    """Our key at the vendor → what its reads show in its place."""


def alone(_step: Step, _situation: Situation) -> None:
    """Every entry is a call of its own."""


def free(_step: Step, _situation: Situation) -> float:
    """No call costs credits."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Vendor:
    name: str
    """Its folder's and its section's name, e.g. `ecal`."""
    title: str
    defaults: Defaults
    secrets: tuple[Secret, ...]
    options: tuple[Option, ...]
    express: Callable[[Mapping[str, Any]], Expression]
    """What it can say under these options."""
    problems: Callable[[Content, Mapping[str, Any]], Sequence[str]]
    """What it cannot say of this content, in words for the rule's author, without quoting values; empty: fine."""
    plan: Callable[[Situation], Step | Rejected]
    """The next step towards `wanted`. Called only where there is a difference. Handles unsure, absent and replace
    (a field that cannot be changed: DELETE first; the entry then comes back with nothing observed)."""
    request: Callable[[Step, Sequence[Situation]], Request]
    """The call, unsigned. Only vendors with `defaults.batch` above 1 get more than one situation."""
    sign: Callable[[Request, Credential, str | None], Request]
    """Adds what authenticates; the string is the access token where there is a token flow."""
    read: Callable[[Step, Sequence[Situation], Response, datetime], Sequence[Outcome]]
    """One outcome for each situation. A 5xx to a write is Unknown; `now` is for Retry-After's HTTP dates. Several
    situations refused as one, without a word on which is at fault, are each `Split`."""
    probe: Callable[[Mapping[str, Any]], Request]
    """A cheap GET, unsigned, that a healthy vendor with a good credential answers with anything but 401, 403 or 5xx."""
    tokens: TokenFlow | None = None
    together: Callable[[Step, Situation], Hashable | None] = alone
    """Situations of one step with equal values may share a call, up to `defaults.batch`; None: alone."""
    cost: Callable[[Step, Situation], float] = free
    """Credits of the account's budget that the call uses up."""
    inbound: Callable[[bytes], Sequence[Notice] | None] | None = None
    """What a webhook's body tells; None: it cannot be read. A vendor without webhooks has no such function."""
    keeps: tuple[str, ...] = ()
    """What stays with the vendor of a person once their entries are deleted, in words; no call of ours deletes it."""
    read_back: ReadBack | None = None
    """How to read back what it holds; None: it cannot be compared."""
