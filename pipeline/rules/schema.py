"""The shape of a rule file: rules, what they send, and their own tests. Reading it is in `reading`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from pipeline.model.entry import FIELDS
from pipeline.rules.problem import Problem, Spot, Where, spot_of


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str | dict) else value


Names = Annotated[list[str], BeforeValidator(listed), Field(min_length=1)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


S = TypeVar("S", bound=Shape)


class Entry(Shape):
    """Neutral fields of one layer; each a value or a template. Unset says nothing, null clears."""

    title: Any = None
    description: Any = None
    location: Any = None
    start: Any = None
    end: Any = None
    time_zone: Any = None
    end_time_zone: Any = None
    all_day: Any = None
    alerts: Any = None
    links: Any = None
    participants: Any = None
    busy: Any = None
    status: Any = None
    collection: Any = None
    recurrence: Any = None
    dates: Any = None

    def said(self) -> dict[str, Any]:
        """The fields that the rule names, null included."""
        return {name: getattr(self, name) for name in FIELDS if name in self.model_fields_set}


class Wait(Shape):
    wait: str


class Send(Shape):
    """What a rule asks of an entry at some destinations. `own` holds the vendors' sections."""

    to: Names
    each: str | None = None
    group: str | int | None = None
    complete: StrictBool = False
    key: str | int | None = None
    subscriber: str | int | None = None
    identity: str | int | None = None
    kind: Literal["subscription"] | None = None
    layer: str = "base"
    if_unsent: Literal["create", "skip"] = "create"
    if_unlinked: Wait | str | None = None
    entry: Entry | None = None
    own: dict[str, dict[str, Any]] = Field(default_factory=dict)
    deliver_at: str | None = None
    expires_at: str | None = None
    cancel: StrictBool = False
    delete: StrictBool = False


class LinkTo(Shape):
    """The directory learns a subscriber's identity at a destination."""

    destination: str
    subscriber: str | int | None = None
    identity: str | int | None = None
    ended: str | int | None = None


class On(Shape):
    """Types of events, and the JSON Schema that their data must fit."""

    type: Names
    schema_: dict[str, Any] | str | None = Field(default=None, alias="schema")


class Rule(Shape):
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")
    from_: Names = Field(alias="from")
    on: Annotated[list[str | On], BeforeValidator(listed), Field(min_length=1)] | None = None
    when: str | bool | None = None
    sequence: str | int | None = None
    send: Annotated[list[Send], BeforeValidator(listed)] = Field(default_factory=list)
    link: Annotated[list[LinkTo], BeforeValidator(listed)] = Field(default_factory=list)

    def events(self) -> list[On]:
        """What it reads, each with its schema; any type unless said."""
        return [On(type=[one]) if isinstance(one, str) else one for one in self.on or ["*"]]


class ExpectedRequest(Shape):
    """The request of a first delivery. `path` is relative to the account's base URL; `body` names what is compared."""

    method: str | None = None
    path: str | None = None
    body: dict[str, Any] = Field(default_factory=dict)


class Expect(Shape):
    """A desired state: `entry` names the fields that are compared; null: the field is absent. Or a refusal."""

    to: str | None = None
    key: str | None = None
    state: Literal["present", "cancelled", "deleted", "waiting"] = "present"
    entry: dict[str, Any] = Field(default_factory=dict)
    request: ExpectedRequest | None = None
    refused: str | None = None
    """The code of the refusal; with `to` and `key` it is `destination`, the vendor's own."""
    rule: str | None = None
    at: str | None = None
    """The refused slot, or its end: `entry.start`."""

    @model_validator(mode="after")
    def _one(self) -> Expect:
        if (self.to is None) != (self.key is None) or (self.to is None and self.refused is None):
            raise ValueError("an entry has to: and key:, a refusal has refused:")
        return self


class Test(Shape):
    name: str = ""
    given: list[dict[str, Any]] = Field(min_length=1)
    orders: Literal["both", "all"] = "both"
    """`both`: as given and backwards; `all`: every order, of seven events at most."""
    expect: list[Expect]

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
    whole: bool = True
    """False: something wrong was taken out, so nothing can be said of what is missing."""

    def destinations(self) -> set[str]:
        return {name for send in self.rule.send for name in send.to} | {link.destination for link in self.rule.link}

    def line(self, *inner: str | int) -> int:
        """The line of a place inside the rule, or of what encloses it."""
        return self.spot(*inner).line

    def spot(self, *inner: str | int) -> Spot:
        return spot_of(self.spots, (*self.at, *inner))

    def problem(self, inner: Where, message: str, found: str = "", expected: str = "", suggestion: str = "") -> Problem:
        return Problem.at(self.file, self.spot(*inner), message, found, expected, suggestion)


@dataclass(frozen=True, slots=True)
class SourcedTest:
    test: Test
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What rule files hold, and what is wrong with their shape."""

    rules: tuple[Sourced, ...] = ()
    tests: tuple[SourcedTest, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: Rules) -> Rules:
        return Rules(self.rules + other.rules, self.tests + other.tests, self.problems + other.problems)
