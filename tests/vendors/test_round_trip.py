"""Whatever a vendor declares that it can say, it says: any content comes back from its simulator, and can change.

Nothing here knows a vendor: contents follow its `Expression` (`contents.py`), calls go to its simulator, and what came
of them is read from `entries()`. Where a vendor cannot but differ, its `cases.yaml` says so under `allowances`:

`key: false`: the vendor has no key of ours. `description: html`: it holds HTML; its words are compared.
`unseen: {field: value}`: with this own field an item is there and stands in no calendar.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.model.entry import FIELDS
from pipeline.model.outcome import Accepted, Unconfirmed
from pipeline.model.wire import Credential, Request, Response, Token
from pipeline.rules.adapt import DestinationView, problems_of
from pipeline.vendors.contract import Item, Page, Situation, Step, Unread
from tests.vendors.contents import TIMES, contents, crossed, fields_in, meant, sound, span, without
from tests.vendors.subjects import Subject, situations, subjects

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "K-1.2:3_x"
COMPARED = frozenset({*TIMES, "title", "location", "description"})
EXAMPLES = 150
"""Pairs of contents for each vendor. With their crossings each gives four: one is created and becomes the others."""
every_folder = pytest.mark.parametrize("one", subjects(), ids=lambda one: one.vendor.name)


class Account:
    """One account at a vendor's simulator, called with signed requests, and what is known of one entry there."""

    def __init__(self, one: Subject) -> None:
        self.one, self.vendor = one, one.vendor
        config = {**{secret.name: f"test-{secret.name}" for secret in self.vendor.secrets}, **one.sandbox}
        self.credential = Credential({secret.name: config[secret.name] for secret in self.vendor.secrets})
        self.view = view_of(one)
        self.simulator = one.simulator(config)
        self.now = NOW.timestamp()
        self.token = self._token()
        identity = identity_of(one) if self.view.expression().needs_identity else None
        self.entry = Situation(KEY, None, None, identity, identity, options=self.view.options)

    def _token(self) -> str | None:
        if self.vendor.tokens is None:
            return None
        token = self.vendor.tokens.read(self._handle(self.vendor.tokens.obtain(self.credential, self.view.options)))
        assert isinstance(token, Token), token
        return token.access

    def _handle(self, request: Request) -> Response:
        path, headers = unquote(request.path), dict(request.headers)
        answer: Response = self.simulator.handle(request.method, path, request.query, headers, request.body, self.now)
        return answer

    def bring(self, content: Mapping[str, Any] | None) -> None:
        """As the ledger does: one step after the other, until what was acknowledged is what is wanted."""
        self.entry = replace(self.entry, wanted=content)
        for _ in range(4):
            step = self.vendor.plan(self.entry)
            assert isinstance(step, Step), step
            self._take(step)
            if self.entry.observed == content:
                return
        raise AssertionError("what is wanted is still not there after four steps")

    def _take(self, step: Step) -> None:
        answer = self._handle(self.vendor.sign(self.vendor.request(step, [self.entry]), self.credential, self.token))
        assert 200 <= answer.status < 300, (step, answer.status, answer.body)
        (outcome,) = self.vendor.read(step, [self.entry], answer, NOW)
        assert isinstance(outcome, Accepted | Unconfirmed), (step, outcome)
        gone = step is Step.DELETE
        known = None if gone else outcome.vendor_id or self.entry.vendor_id
        self.entry = replace(self.entry, observed=None if gone else self.entry.wanted, vendor_id=known)
        self.now += 1

    def told(self) -> list[list[dict[str, Any]]]:
        """What stands in each calendar that has the entry, as a reader sees it, by its start."""
        held = self.simulator.entries(self.now)
        if self.one.allowances.get("key", True):
            assert {item["key"] for item in held} <= {KEY}
        by_calendar = itertools.groupby(sorted(held, key=lambda item: str(item["calendar"])), lambda i: i["calendar"])
        return [[self._told(item) for item in items] for _, items in by_calendar]

    def _told(self, item: Mapping[str, Any]) -> dict[str, Any]:
        texts = {name: item[name] or "" for name in ("title", "location", "description")}
        return {**texts, **span(item, item["time_zone"], item["time_zone"])}

    def read_back(self) -> tuple[Item | None, Sequence[str]] | Unread:
        """The entry as the vendor's reads show it, and what of it is not as it was acknowledged."""
        back, held = self.vendor.read_back, replace(self.entry, wanted=self.entry.observed)
        if back is None or isinstance(back.places(held), Unread):
            return Unread("nothing")
        listed = [item for place in self._places(held) for item in self._listed(place)]
        mark = back.mark(held.key)
        own = next((one for one in listed if one.id == held.vendor_id or one.mark == mark), None)
        if own is None or own.content is None:
            looked = back.look(held)
            if isinstance(looked, Unread):
                return own, ("not listed",)
            (own,) = self._shown(looked).items
        return own, back.differences(held, own)

    def _places(self, held: Situation) -> tuple[str, ...]:
        assert self.vendor.read_back is not None
        found = self.vendor.read_back.places(held)
        assert not isinstance(found, Unread)
        return found

    def _listed(self, place: str) -> tuple[Item, ...]:
        assert self.vendor.read_back is not None
        return self._shown(self.vendor.read_back.list(place, 1, self.view.options)).items

    def _shown(self, request: Request) -> Page:
        assert self.vendor.read_back is not None
        answer = self._handle(self.vendor.sign(request, self.credential, self.token))
        shown = self.vendor.read_back.read(answer)
        assert isinstance(shown, Page), (request.path, answer.status, shown)
        return shown

    def check_read_back(self) -> None:
        """What was acknowledged reads as acknowledged; else its repair would never end."""
        told = self.read_back()
        if not isinstance(told, Unread):
            item, differences = told
            assert item is not None
            assert list(differences) == []

    def check(self, content: Mapping[str, Any]) -> None:
        assert len(self.simulator.items(self.now)) >= 1
        own = content.get(self.vendor.name, {})
        if any(own.get(name) == value for name, value in self.one.allowances.get("unseen", {}).items()):
            assert self.told() == []
            return
        assert self.told()
        for items in self.told():
            expected = meant(content)
            assert len(items) == len(expected)
            for item, wanted in zip(items, expected, strict=True):
                self._compare(item, wanted, own)

    def _compare(self, item: dict[str, Any], wanted: dict[str, Any], own: Mapping[str, Any]) -> None:
        fields = self.view.expression().fields & wanted.keys()
        if self.one.allowances.get("description") == "html":
            # A field of its own may say the description in its place.
            replaced = not wanted["description"] and item["description"] in own.values()
            item["description"] = [] if replaced else words(item["description"])
            wanted["description"] = words(html.escape(wanted["description"]))
        if wanted["end"] in (None, wanted["start"]):
            fields -= {"end"}  # how long an entry without a length lasts is the vendor's own affair
        if wanted["time_zone"] is None:
            fields -= {"time_zone"}  # the account's
        assert {name: item[name] for name in fields} == {name: wanted[name] for name in fields}


def view_of(one: Subject) -> DestinationView:
    options = {option.name: option.default for option in one.vendor.options if option.default is not None}
    declared = {option.name for option in one.vendor.options}
    return DestinationView("d", one.vendor, options | {k: v for k, v in one.sandbox.items() if k in declared})


@cache
def identity_of(one: Subject) -> str | None:
    """Whom a case names."""
    named = (given.identity for case in one.cases("requests") for given in situations(case))
    return next((identity for identity in named if identity), None)


def words(text: str) -> list[str]:
    return html.unescape(re.sub(r"<[^>]*>", " ", text)).split()


@every_folder
def test_any_content_has_problems_or_comes_back_changes_and_goes(one: Subject) -> None:
    check_round_trips(one)


def check_round_trips(one: Subject, **effort: Any) -> None:
    view = view_of(one)

    @settings(**{"max_examples": EXAMPLES, "suppress_health_check": list(HealthCheck), **effort})
    @given(pair=st.tuples(contents(one, view.options), contents(one, view.options)))
    def check(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
        account = Account(one)
        for content in crossed(*pair):
            assert [problem for problem in problems_of(content, view) if not fields_in(problem, view)] == []
            mended = sound(content, view, one)
            if not problems_of(mended, view):
                account.bring(mended)
                account.check(mended)
                account.check_read_back()
        if account.entry.observed is not None:
            account.bring(None)
        assert account.simulator.entries(account.now) == []
        assert account.simulator.items(account.now) == []

    check()


DOUBLED = {"title": "t", "location": "l", "start": "2026-10-25T00:30:00", "time_zone": "Europe/Berlin",
           "end": "2026-10-24T21:00:00", "end_time_zone": "America/New_York"}  # fmt: skip
"""It ends in Berlin's second hour from 2 to 3."""


@every_folder
def test_an_end_in_the_second_of_two_hours_alike_has_problems_or_comes_back(one: Subject) -> None:
    view = view_of(one)
    mended = sound(dict(DOUBLED), view, one)
    if not problems_of(mended, view):
        account = Account(one)
        account.bring(mended)
        account.check(mended)
        account.check_read_back()


@every_folder
def test_every_field_it_declares_is_in_a_case_and_reaches_the_vendor(one: Subject) -> None:
    """What `entries()` does not show has to change a request."""
    shown: set[str] = set()
    for case in one.cases("requests"):
        for about in situations(case):
            shown |= reaching(one, Step(case["step"]), about)
    said = view_of(one).expression()
    declared = (said.fields - said.required - COMPARED) | {f"{one.vendor.name}.{name}" for name in said.own}
    assert declared - shown == set(), "declared in defaults.py, and no request in cases.yaml is another without it"


def reaching(one: Subject, step: Step, about: Situation) -> set[str]:
    """The fields of a situation's content without which it has problems, or its request is another."""
    content = about.wanted or {}
    names = [name for name in content if name in FIELDS]
    names += [f"{one.vendor.name}.{name}" for name in content.get(one.vendor.name, {})]
    return {name for name in names if _reaches(one, step, about, without(content, [name]))}


def _reaches(one: Subject, step: Step, about: Situation, less: Mapping[str, Any]) -> bool:
    if problems_of(less, DestinationView("d", one.vendor, about.options)):
        return True
    return one.vendor.request(step, [replace(about, wanted=less)]) != one.vendor.request(step, [about])
