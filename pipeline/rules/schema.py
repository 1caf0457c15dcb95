"""The shape of a rule file: rules, what they send, and their own tests. Reading it is in `reading`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from pipeline.model.entry import FIELDS
from pipeline.rules.problem import Problem, Spot, Where, leaves, spot_of


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


AT_DESTINATION = "destination"
"""The code of a refusal that is the vendor's."""
Names = Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


S = TypeVar("S", bound=Shape)


class Entry(Shape):
    """Neutral fields of one layer; each a value or a template. Unset says nothing, null clears."""

    title: Any = None
    """A text."""
    description: Any = None
    """A text."""
    location: Any = None
    """A text."""
    start: Any = None
    """A date (all day), a local time in time_zone, or an instant with its offset."""
    end: Any = None
    """As start; an all-day end is the day after the last."""
    time_zone: Any = None
    """An IANA name such as Europe/Berlin."""
    end_time_zone: Any = None
    """Only where the end has another."""
    all_day: Any = None
    """true or false."""
    alerts: Any = None
    """Durations before the start, such as [1d, 1h]."""
    links: Any = None
    """A list of {name, url}."""
    participants: Any = None
    """A list of {name, email, phone}."""
    busy: Any = None
    """true or false."""
    status: Any = None
    """confirmed, tentative or cancelled."""
    collection: Any = None
    """The vendor's calendar or group that holds the entry."""
    recurrence: Any = None
    """An RFC 5545 rule such as FREQ=WEEKLY;COUNT=10."""
    dates: Any = None
    """The dates of an entry that has several: a list of maps with a start."""

    def said(self) -> dict[str, Any]:
        """The fields that the rule names, null included."""
        return {name: getattr(self, name) for name in FIELDS if name in self.model_fields_set}


class Wait(Shape):
    wait: str
    """A duration such as 30d."""


class Send(Shape):
    """What a rule asks of an entry at some destinations. `own` holds the vendors' sections."""

    to: Names
    """Destinations of the settings."""
    each: str | None = None
    """A list of the event, such as data.segments: one entry of each item, which is `item` in the templates."""
    group: str | int | None = None
    """Ties entries together. With cancel: true and no key, all of the group end."""
    complete: StrictBool = False
    """This event names the whole group: entries of it that it does not name are cancelled."""
    key: str | int | None = None
    """Names the entry at its destinations: the same key is the same entry. Without it each event is one of its own."""
    subscriber: str | int | None = None
    """Whose calendar: your own id of the person."""
    identity: str | int | None = None
    """Whose calendar: the vendor's id of the person, used as it is."""
    kind: Literal["subscription"] | None = None
    """`subscription`: a person's subscription to a calendar, where the vendor has such a thing."""
    layer: str = "base"
    """The part of the entry that is written; a layer of the settings."""
    if_unsent: Literal["create", "skip"] = "create"
    """`skip`: changes what is there, but creates nothing."""
    if_unlinked: Wait | str | None = None
    """`wait 30d` or `drop`: what to do while nobody knows the subscriber's calendar."""
    entry: Entry | None = None
    """What the calendar shows."""
    own: dict[str, dict[str, Any]] = Field(default_factory=dict)
    deliver_at: str | None = None
    """Not created before; a change of what is there does not wait."""
    expires_at: str | None = None
    """Not created after; what is there is still changed and ended."""
    cancel: StrictBool = False
    """Ends the entry, with the vendor's cancelled status where it has one."""
    delete: StrictBool = False
    """Ends the entry."""


class LinkTo(Shape):
    """The directory learns a subscriber's identity at a destination."""

    destination: str
    """Where."""
    subscriber: str | int | None = None
    """Your own id of the person."""
    identity: str | int | None = None
    """The vendor's id of the person; null unlinks."""
    ended: str | int | None = None
    """The vendor's id that is no more."""


class On(Shape):
    """Types of events, and the JSON Schema that their data must fit."""

    type: Names
    """Types of events; * is anything, ? one character, [abc] one of these."""
    schema_: dict[str, Any] | str | None = Field(default=None, alias="schema")
    """A JSON Schema that the data must fit, or a JSON file beside this one that holds it."""


class Rule(Shape):
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Appears in logs, metrics and dead letters."""
    from_: Names = Field(alias="from")
    """Topics; /a pattern/ stands for several. Required: anybody can write a type."""
    on: Annotated[list[str | On], BeforeValidator(listed), Field(min_length=1)] | None = None
    """Types of events; without it any."""
    when: str | bool | None = None
    """One {{ … }} that yields true or false."""
    sequence: str | int | None = None
    """A number or time of the event that orders it, where two topics write one layer."""
    send: Annotated[list[Send], BeforeValidator(listed)] = Field(default_factory=list)
    """What is asked of entries."""
    link: Annotated[list[LinkTo], BeforeValidator(listed)] = Field(default_factory=list)
    """What the directory learns of a subscriber."""

    def events(self) -> list[On]:
        """What it reads, each with its schema; any type unless said."""
        return [On(type=[one]) if isinstance(one, str) else one for one in self.on or ["*"]]


class ExpectedRequest(Shape):
    """The request of a first delivery. `path` is relative to the account's base URL; `body` names what is compared."""

    method: str | None = None
    """Of HTTP, such as POST."""
    path: str | None = None
    """Relative to the account's base URL."""
    body: dict[str, Any] = Field(default_factory=dict)
    """The fields of the JSON body that are compared."""


class Expect(Shape):
    """A desired state: `entry` names the fields that are compared; null: the field is absent. Or a refusal."""

    to: str | None = None
    """The destination; with key."""
    key: str | None = None
    """The entry."""
    state: Literal["present", "cancelled", "deleted", "waiting"] = "present"
    """What the entry is in the end; `waiting`: nobody knows its base yet."""
    entry: dict[str, Any] = Field(default_factory=dict)
    """Its fields that are compared, as the calendar has them; null: the field is absent."""
    subscriber: str | int | None = None
    """Whose calendar it is in: your own id of the person."""
    identity: str | int | None = None
    """Whose calendar it is in: the vendor's id, where a rule says it."""
    request: ExpectedRequest | None = None
    """The request of its first delivery."""
    refused: str | None = None
    """The code of the refusal; with `to` and `key` it is `destination`, the vendor's own."""
    rule: str | None = None
    """The rule that refuses."""
    at: str | None = None
    """The refused slot, or its end: `entry.start`."""

    @model_validator(mode="after")
    def _one(self) -> Expect:
        if (self.to is None) != (self.key is None) or (self.to is None and self.refused is None):
            raise ValueError("an entry has to: and key:, a refusal has refused:")
        if self.to is not None and self.refused not in (None, AT_DESTINATION):
            raise ValueError("refused: destination of an entry with to: and key:, any other code without them")
        return self


class Test(Shape):
    name: str = ""
    """What the test is about; reports and -k go by it."""
    given: list[dict[str, Any]] = Field(min_length=1)
    """Events, the oldest first: type and data, where wanted also id, source, time, subject and topic."""
    orders: Literal["both", "all"] = "both"
    """`both`: as given and backwards; `all`: every order, of seven events at most."""
    expect: list[Expect]
    """What comes of them; empty: nothing."""

    @model_validator(mode="after")
    def _few(self) -> Test:
        if self.orders == "all" and len(self.given) > 7:
            raise ValueError("orders: all takes seven events at most")
        return self


SHAPES: dict[str, tuple[str, ...]] = {
    "file": ("rules", "tests"),
    "rule": ("name", "from", "on", "when", "sequence", "send", "link"),
    "on": ("type", "schema"),
    "send": tuple(name for name in Send.model_fields if name != "own"),
    "entry": FIELDS,
    "link": tuple(LinkTo.model_fields),
    "expect": tuple(Expect.model_fields),
    "test": tuple(Test.model_fields),
    "request": tuple(ExpectedRequest.model_fields),
}


@dataclass(frozen=True, slots=True)
class Sourced:
    """A rule with where it stands."""

    rule: Rule
    file: str
    at: Where
    spots: Mapping[Where, Spot] = field(repr=False)
    taken: frozenset[Where] = frozenset()
    """Where something wrong was taken out; something stands in for what a rule must have."""
    strange: frozenset[str] = frozenset()
    """Unknown keys: what they name is not said to be missing too."""

    @property
    def whole(self) -> bool:
        """False: something wrong was taken out, so nothing can be said of what is missing."""
        return not self.taken

    def destinations(self) -> set[str]:
        return {name for send in self.rule.send for name in send.to} | {link.destination for link in self.rule.link}

    def took(self, *inner: str | int) -> bool:
        """Whether what stood there was wrong: what is there now says nothing."""
        return any(inner[: len(place)] == place for place in self.taken)

    def line(self, *inner: str | int) -> int:
        """The line of a place inside the rule, or of what encloses it."""
        return self.spot(*inner).line

    def spot(self, *inner: str | int) -> Spot:
        return spot_of(self.spots, (*self.at, *inner))

    def texts(self) -> Iterator[tuple[Where, str]]:
        """All that the rule says in texts, each with its place."""
        for at, value in leaves(self.rule.model_dump(by_alias=True, exclude_unset=True)):
            if isinstance(value, str):
                # In the file a vendor's section stands beside the other keys of its send item.
                place = (*at[:2], *at[3:]) if at[2:3] == ("own",) else at
                yield place, value

    def problem(self, inner: Where, message: str, found: str = "", expected: str = "", suggestion: str = "") -> Problem:
        return Problem.at(self.file, self.spot(*inner), message, found, expected, suggestion)


@dataclass(frozen=True, slots=True)
class SourcedTest:
    """A test with where it stands."""

    test: Test
    file: str
    at: Where
    spots: Mapping[Where, Spot] = field(repr=False)

    @property
    def line(self) -> int:
        return spot_of(self.spots, self.at).line

    def problem(self, inner: Where, message: str, found: str = "", expected: str = "", suggestion: str = "") -> Problem:
        """At a place inside the test, or at what encloses it."""
        return Problem.at(self.file, spot_of(self.spots, (*self.at, *inner)), message, found, expected, suggestion)


@dataclass(frozen=True, slots=True)
class Rules:
    """What rule files hold, and what is wrong with their shape."""

    rules: tuple[Sourced, ...] = ()
    tests: tuple[SourcedTest, ...] = ()
    problems: tuple[Problem, ...] = ()
    of_tests: tuple[Problem, ...] = ()
    """Of the shape of tests: the rules and the other tests are whole."""
    files: tuple[str, ...] = ()
    """Those that were read, schemas too."""

    def __add__(self, other: Rules) -> Rules:
        return Rules(
            self.rules + other.rules,
            self.tests + other.tests,
            self.problems + other.problems,
            self.of_tests + other.of_tests,
            self.files + other.files,
        )
