"""ECAL: what an entry says comes back from the simulator as it was, whatever it says and whatever gets lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import blame
from pipeline.model import facts as f
from pipeline.model.change import Change, Version
from pipeline.model.entry import FIELDS
from pipeline.model.outcome import Accepted, Exists, Outcome, Rejected, Unauthorized, Unknown
from pipeline.model.wanted import apply
from pipeline.model.wire import Credential, Request, Response
from pipeline.rules.adapt import DestinationView, problems_of
from pipeline.vendors.contract import Notice, Situation, Step
from pipeline.vendors.ecal import VENDOR, payload
from pipeline.vendors.ecal.simulator import Simulator
from pipeline.vendors.ecal.simulator_checks import SOCIAL

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY, PERSON = "INV-1", "5924fd21608e3beb118b4567"
CREDENTIAL = Credential({"api_key": "123", "api_secret": "API-SECRET"})
PRIVATE: Mapping[str, Any] = {"api": "private"}
PUBLIC: Mapping[str, Any] = {"api": "event"}
CODES = {"5M": 5, "15M": 15, "30M": 30, "1H": 60, "1D": 1440}
OBJECTIVES = ("payment_reminder", "payment_success", "ticket_sale", "merchandise_sale", "tune_in")


class Publisher:
    """An account at the simulated ECAL, called with signed requests."""

    def __init__(self, **config: Any) -> None:
        self.simulator = Simulator(
            {"api_key": "123", "api_secret": "API-SECRET", "get_by_reference": True, **config}
        )  # fmt: skip

    def send(self, request: Request) -> Response:
        signed = VENDOR.sign(request, CREDENTIAL, None)
        return self.simulator.handle(
            signed.method, unquote(signed.path), signed.query, dict(signed.headers), signed.body, NOW.timestamp()
        )

    def call(self, method: str, path: str, fields: Any = None, **query: str) -> Any:
        """What `calends call` would see: the answer's JSON, or its status where that is no 200."""
        body = b"" if fields is None else json.dumps(fields).encode()
        answer = self.send(Request(method, path, tuple(query.items()), body=body))
        return json.loads(answer.body) if answer.status == 200 else answer.status

    def bring(self, step: Step, situation: Situation) -> Outcome:
        (outcome,) = VENDOR.read(step, [situation], self.send(VENDOR.request(step, [situation])), NOW)
        return outcome

    def held(self) -> dict[str, Any]:
        """The entry, as a reader of the calendar would tell it in neutral words."""
        return heard(self.call("GET", f"/apiv2/event/{KEY}"))


def heard(event: Mapping[str, Any]) -> dict[str, Any]:
    """ECAL's event → what it says, with nothing of our own code."""
    whole = event["allDay"] in ("yes", True)
    return {
        "title": event["name"],
        "location": event["location"],
        "description": event.get("details", ""),
        "collection": event.get("calendarId"),
        "all_day": whole,
        "start": event["startDate"] if whole else _utc(f"{event['startDate']}T{event['startTime']}", event),
        "end": _day_after(event["endDate"]) if whole else _utc(f"{event['endDate']}T{event['endTime']}", event),
        "time_zone": event.get("timezone"),
        "alerts": [CODES[event[name]] for name in ("alert", "alert2") if event.get(name, "-") != "-"],
        "links": [
            (event[f"quickLink[{n}][name]"], event[f"quickLink[{n}][url]"])
            for n in range(1, 11)
            if event.get(f"quickLink[{n}][name]")
        ],
        "ecal": {
            "objective": event.get("objective"),
            **{name: event.get(name, 0) for name in ("smartAlert", "smartDetails", "draft")},
            **{name: event.get(name, "") for name in ("sponsored_message", "referenceType")},
            "social": {name: text for name, text in event.get("social", {}).items() if text},
        },
    }


def meant(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader should be told of an entry."""
    whole, zone = bool(content.get("all_day")), content.get("time_zone")
    start, end = content["start"], content.get("end")
    if whole:
        end = end or _day_after(start)
    else:
        end = _utc(end, {"timezone": content.get("end_time_zone", zone)}) if end else _utc(start, {"timezone": zone})
        start = _utc(start, {"timezone": zone})
    own = content.get("ecal", {})
    return {
        "title": content["title"],
        "location": content["location"],
        "description": content.get("description", ""),
        "collection": content.get("collection"),
        "all_day": whole,
        "start": start,
        "end": end,
        "time_zone": zone,
        "alerts": list(content.get("alerts", ())),
        "links": [(link["name"], link["url"]) for link in content.get("links", ())],
        "ecal": {
            "objective": own.get("objective"),
            **{name: own.get(name, 0) for name in ("smartAlert", "smartDetails", "draft")},
            **{name: own.get(name, "") for name in ("sponsored_message", "referenceType")},
            "social": {name: text for name, text in own.get("social", {}).items() if text},
        },
    }


def _utc(local: str, event: Mapping[str, Any]) -> datetime:
    """The instant of a local time; where no zone is said, as if it were UTC's."""
    zone = ZoneInfo(event.get("timezone") or "UTC")
    return datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)


def _day_after(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


# Entries ------------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ("", "✅ Paid", "👩‍👩‍👧 at “Café”", 'a "b" \\ {c}', "one\r\ntwo", "%2F?&=#", "Zoë")
)
SOME_TEXT = TEXT.filter(bool)
# Odd ones among them: half hours of summer time, a day that was left out, a summer time that is the lesser.
ZONES = st.sampled_from(
    ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Europe/Dublin",
     "America/St_Johns", "Asia/Kathmandu", "Etc/GMT+12", "EST5EDT", "UTC")
)  # fmt: skip
CLOCK_CHANGES = st.sampled_from(
    [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 0), datetime(2026, 11, 1, 5), datetime(2027, 4, 3, 14)]
).flatmap(lambda at: st.integers(-90, 90).map(lambda minutes: at + timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31)).map(lambda at: at.replace(second=0, microsecond=0))
LATER = st.integers(0, 50_000).map(lambda minutes: timedelta(minutes=minutes))
LINKS = st.lists(st.fixed_dictionaries({"name": SOME_TEXT, "url": SOME_TEXT}), max_size=6)
OWN: dict[str, st.SearchStrategy[Any]] = {
    "objective": st.sampled_from(OBJECTIVES),
    **dict.fromkeys(("smartAlert", "smartDetails", "draft"), st.integers(0, 1)),
    **dict.fromkeys(("sponsored_message", "referenceType"), TEXT),
    "social": st.dictionaries(st.sampled_from(sorted(SOCIAL)), TEXT, max_size=4),
}
REST: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXT,
    "alerts": st.lists(st.sampled_from(sorted(CODES.values())), max_size=2),
    "links": LINKS,
    "ecal": st.fixed_dictionaries({}, optional=OWN),
}


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    """Whole days, or times in one zone, in none, or from one zone to another."""
    start = draw(MOMENTS | CLOCK_CHANGES)
    end = start + draw(LATER)
    zone = draw(st.none() | ZONES)
    said: dict[str, Any] = {"time_zone": zone} if zone else {}
    if draw(st.booleans()):
        days = {"end": (end.date() + timedelta(days=1)).isoformat()} if draw(st.booleans()) else {}
        return {**said, "all_day": True, "start": start.date().isoformat(), **days}
    said |= draw(st.sampled_from(({}, {"all_day": False})))
    if zone and draw(st.booleans()):
        own = draw(ZONES)
        said |= {"end_time_zone": own}
        there = start.replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo(own)).replace(tzinfo=None)
        end = there + (end - start)
    return {**said, "start": start.isoformat(), **({"end": end.isoformat()} if draw(st.booleans()) else {})}


def sayable(options: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Entries that ECAL can say, but for a few ends that the clocks play tricks with."""
    always = {"title": SOME_TEXT, "location": SOME_TEXT}
    if options is PUBLIC:
        always["collection"] = st.sampled_from(("c1", "c2"))
    texts = st.fixed_dictionaries(always, optional=REST)
    said = st.builds(lambda texts, span: {**texts, **span}, texts, spans())
    return said.filter(lambda content: not problems(content, options))


JUNK: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXT,
    "location": TEXT,
    "collection": TEXT,
    "start": MOMENTS.map(datetime.isoformat) | MOMENTS.map(lambda at: at.date().isoformat()),
    "end": st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1)).map(datetime.isoformat)
    | MOMENTS.map(lambda at: at.date().isoformat()),
    "all_day": st.booleans(),
    "time_zone": ZONES | st.sampled_from(("Nowhere", "AUS Eastern Standard Time", "../etc/passwd", "")),
    "end_time_zone": ZONES | st.just("Europe"),
    "alerts": st.lists(st.integers(0, 2000) | st.sampled_from((5, 15)), max_size=3),
    "links": st.lists(st.fixed_dictionaries({"name": TEXT}, optional={"url": TEXT}), max_size=8),
    "description": TEXT,
    "busy": st.booleans(),
    "ecal": st.dictionaries(
        st.sampled_from((*OWN, "type", "name", "reference")),
        TEXT | st.integers(-1, 2) | st.booleans() | st.dictionaries(st.sampled_from(("twitter", "x")), st.integers()),
    ),
}


def wild() -> st.SearchStrategy[dict[str, Any]]:
    """Entries of every field, most of which ECAL cannot say."""
    return st.builds(
        lambda good, bad: {**good, **bad},
        sayable(PUBLIC) | st.just({}),
        st.fixed_dictionaries({}, optional=JUNK),
    )


def problems(content: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """As a destination finds them."""
    return problems_of(content, DestinationView("d", VENDOR, options))


def situation(options: Mapping[str, Any] = PRIVATE, **facts: Any) -> Situation:
    given = {"wanted": None, "observed": None, "identity": None if options is PUBLIC else PERSON, **facts}
    return Situation(key=KEY, options=options, observed_identity=given["identity"], **given)


ANSWERS = st.sampled_from(("document", "newer"))
APIS = st.sampled_from((PRIVATE, PUBLIC))
OF_ONE_API = APIS.flatmap(lambda options: st.tuples(st.just(options), sayable(options)))
OF_ONE_API_TWICE = APIS.flatmap(lambda options: st.tuples(st.just(options), sayable(options), sayable(options)))
EFFORT = settings(max_examples=30, deadline=None)


# What is said comes back --------------------------------------------------------------------------------------------


@EFFORT
@given(given=OF_ONE_API, answers=ANSWERS)
def test_what_an_entry_says_comes_back(given: tuple[Mapping[str, Any], dict[str, Any]], answers: str) -> None:
    options, content = given
    publisher = Publisher(answers=answers)
    assert isinstance(publisher.bring(Step.CREATE, situation(options, wanted=content)), Accepted)
    assert publisher.held() == meant(content)


@settings(max_examples=60, deadline=None)
@given(content=wild(), options=APIS)
def test_an_entry_has_problems_or_comes_back(content: dict[str, Any], options: Mapping[str, Any]) -> None:
    found = problems(content, options)
    if found:
        named = {problem.split()[0].rstrip(":").split(".")[0] for problem in found}
        assert named <= {*FIELDS, "ecal"}
    else:
        publisher = Publisher()
        assert isinstance(publisher.bring(Step.CREATE, situation(options, wanted=content)), Accepted)
        assert publisher.held() == meant(content)


@EFFORT
@given(content=wild(), options=APIS)
def test_no_problem_quotes_a_value(content: dict[str, Any], options: Mapping[str, Any]) -> None:
    marked = {**content, "title": "", "location": "S3CRET", "description": "S3CRET", "collection": "S3CRET"}
    assert not any("S3CRET" in problem for problem in problems(marked, options))


@EFFORT
@given(given=OF_ONE_API_TWICE)
def test_an_update_leads_where_a_whole_write_leads(
    given: tuple[Mapping[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    options, before, after = given
    seen = []
    for unsure in (False, True):
        publisher = Publisher()
        publisher.bring(Step.CREATE, situation(options, wanted=before))
        there = situation(options, wanted=after, observed=before, unsure=unsure)
        step = VENDOR.plan(there)
        assert step in (Step.DELETE, Step.WRITE if unsure else Step.UPDATE)
        assert isinstance(publisher.bring(Step(step), there), Accepted)
        if step is Step.DELETE:
            publisher.bring(Step.CREATE, situation(options, wanted=after))
        seen.append(publisher.held())
    assert seen == [meant(after)] * 2


@settings(max_examples=10, deadline=None)
@given(given=OF_ONE_API)
def test_a_deleted_entry_is_gone(given: tuple[Mapping[str, Any], dict[str, Any]]) -> None:
    options, content = given
    publisher = Publisher()
    publisher.bring(Step.CREATE, situation(options, wanted=content))
    assert isinstance(publisher.bring(Step.DELETE, situation(options, observed=content)), Accepted)
    assert publisher.simulator.items() == []


def everything(options: Mapping[str, Any]) -> dict[str, Any]:
    """Every field that ECAL can say."""
    return {
        **({"collection": "c1"} if options is PUBLIC else {}),
        "title": "Flight",
        "description": "Gate 4",
        "location": "SYD",
        "start": "2026-07-01T16:00:00",
        "end": "2026-07-02T06:30:00",
        "time_zone": "Australia/Sydney",
        "end_time_zone": "Europe/London",
        "all_day": False,
        "alerts": [1440, 60],
        "links": [{"name": f"n{n}", "url": f"https://n{n}.example"} for n in range(6)],
        "ecal": {
            "objective": "tune_in",
            "smartAlert": 1,
            "smartDetails": 1,
            "social": {name: f"@{name}" for name in SOCIAL},
            "draft": 1,
            "sponsored_message": "M",
            "referenceType": "R",
        },
    }


@pytest.mark.parametrize("options", [PRIVATE, PUBLIC], ids=["private", "event"])
@pytest.mark.parametrize("answers", ["document", "newer"])
def test_an_entry_with_every_field_comes_back_with_every_field(options: Mapping[str, Any], answers: str) -> None:
    content = everything(options)
    said = VENDOR.express(options)
    assert content.keys() - {"ecal"} == said.fields
    assert content["ecal"].keys() == said.own.keys()
    assert not problems(content, options)
    publisher = Publisher(answers=answers)
    publisher.bring(Step.CREATE, situation(options, wanted=content))
    held = publisher.held()
    assert held == meant(content)
    assert all(held[name] for name in held if name not in ("all_day", "collection"))


@pytest.mark.parametrize("options", [PRIVATE, PUBLIC], ids=["private", "event"])
def test_every_field_can_go_away_again(options: Mapping[str, Any]) -> None:
    bare = {name: everything(options)[name] for name in ("title", "location", "start", "time_zone")}
    bare |= {"ecal": {"objective": "tune_in"}, **({"collection": "c1"} if options is PUBLIC else {})}
    for step, unsure in ((Step.UPDATE, False), (Step.WRITE, True)):
        publisher = Publisher()
        publisher.bring(Step.CREATE, situation(options, wanted=everything(options)))
        there = situation(options, wanted=bare, observed=everything(options), unsure=unsure)
        assert VENDOR.plan(there) == step
        publisher.bring(step, there)
        assert publisher.held() == meant(bare)


# What is lost on the way --------------------------------------------------------------------------------------------


class Row:
    """One entry's row, brought through the ledger's own transitions; the clock is a number."""

    def __init__(self, publisher: Publisher, options: Mapping[str, Any]) -> None:
        self.publisher, self.options = publisher, options
        self.policy = f.Policy(
            "d",
            "a",
            recover_at_once=VENDOR.defaults.recover_at_once,
            settle_time=VENDOR.defaults.settle_time,
            max_attempts=1000,
            needs_identity=lambda _: VENDOR.express(options).needs_identity,
        )
        self.facts = f.Facts("d", KEY)
        self.now, self.order = 1e6, 0
        self.late: list[tuple[float, Callable[[], Any]]] = []

    def want(self, content: Mapping[str, Any] | None, person: str | None) -> None:
        self.order += 1
        version = Version(self.order, "t", 0, self.order, 1)
        kind: Any = "delete" if content is None else "upsert"
        change = Change("d", KEY, kind, version, "rule", content=content or {}, identity=person)
        self.facts = apply(self.facts, change, {}, self.now, self.policy) or self.facts

    def turn(self, fate: str = "heard", share: float = 0.0) -> bool:
        """One call, if there is something to call for. `share`: how much of the settle time a late act takes."""
        self.facts = f.place(self.facts, self.now, self.policy)
        if self.facts.state == "held":
            assert self.facts.wake_at is not None
            self.advance(self.facts.wake_at)
            self.facts = f.expire(self.facts, self.now, self.policy)
        if self.facts.state != "ready":
            return False
        self.facts = f.claim(self.facts, "w", self.now + 20, self.now, self.policy)
        given = self.situation()
        step = VENDOR.plan(given)
        assert isinstance(step, Step)
        self.settle(step, given, self.outcome(step, given, fate, share))
        return True

    def outcome(self, step: Step, given: Situation, fate: str, share: float) -> Outcome:
        if fate == "late":
            at = self.now + share * self.policy.settle_time
            self.late.append((at, lambda: self.publisher.bring(step, given)))
            self.late.sort(key=lambda one: one[0])
        said = self.publisher.bring(step, given) if fate in ("heard", "unheard") else None
        return said if said is not None and fate == "heard" else Unknown("timeout")

    def settle(self, step: Step, given: Situation, outcome: Outcome) -> None:
        assert not isinstance(outcome, Rejected)
        answer = blame.Answer(
            self.facts.epoch, outcome, step.value, given.wanted, self.facts.sent_hash or f.NOTHING, given.identity,
            asked=self.now, at=self.now, jitter=0.5,
        )  # fmt: skip
        self.facts = blame.settle(self.facts, answer, None, self.now, self.policy)

    def situation(self) -> Situation:
        row = self.facts
        return Situation(
            key=KEY,
            wanted=None if row.wanted_hash == f.NOTHING else row.desired,
            observed=row.observed,
            identity=row.identity,
            observed_identity=row.observed_identity,
            vendor_id=row.vendor_id,
            unsure=row.observed_hash == f.UNSURE,
            absent=row.absent,
            options=self.options,
        )

    def advance(self, until: float) -> None:
        while self.late and self.late[0][0] <= until:
            self.late.pop(0)[1]()
        self.now = max(self.now, until)


FATES = st.tuples(st.sampled_from(("heard", "unheard", "unsent", "late")), st.sampled_from((0.0, 0.5, 0.99)))
PEOPLE = st.sampled_from(("ann", "bob"))


def histories(options: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    wanted = st.tuples(st.none() | sayable(options), PEOPLE, st.lists(FATES, max_size=3))
    return st.tuples(st.just(options), st.lists(wanted, min_size=1, max_size=3))


@settings(max_examples=50, deadline=None)
@given(history=APIS.flatmap(histories))
def test_whatever_gets_lost_the_newest_state_ends_at_ecal(
    history: tuple[Mapping[str, Any], Sequence[tuple[dict[str, Any] | None, str, Sequence[tuple[str, float]]]]],
) -> None:
    options, wants = history
    row = Row(Publisher(), options)
    for content, person, fates in wants:
        row.want(content, None if options is PUBLIC else person)
        for fate, share in fates:
            row.turn(fate, share)
    for _ in range(20):
        row.turn()
    row.advance(row.now + 100)
    assert row.facts.state == "idle"
    content, person, _ = wants[-1]
    owners = list(row.publisher.simulator._owners.values())
    if content is None:
        assert owners == []
    else:
        assert owners == [content["collection"] if options is PUBLIC else person]
        assert row.publisher.held() == meant(content)


def test_a_repeated_create_is_adopted_by_its_reference() -> None:
    """The POST took effect unheard, came late, and made ours a 409."""
    row = Row(Publisher(), PRIVATE)
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    row.want(content, PERSON)
    row.turn("late", 0.5)
    row.turn("heard")  # a PUT: nothing there yet
    assert row.facts.absent
    row.advance(row.now + 15)
    row.turn("heard")  # a POST: 409
    assert row.facts.error == "exists"
    row.turn("heard")  # a PUT
    assert row.facts.state == "idle"
    assert [kind for _, kind, _ in row.publisher.simulator.writes[KEY]] == ["create", "update"]


def test_a_409_of_which_nothing_is_known_is_replaced() -> None:
    """It may stand in a stranger's calendar: nothing of ours may be written there."""
    publisher = Publisher()
    stranger = situation(wanted={"title": "Old", "location": "L", "start": "2026-12-24", "all_day": True})
    publisher.bring(Step.CREATE, replace(stranger, identity="stranger"))
    row = Row(publisher, PRIVATE)
    row.want({"title": "Mine", "location": "L", "start": "2026-12-24", "all_day": True}, PERSON)
    while row.turn():
        pass
    (entry,) = publisher.simulator.entries()
    assert (entry["calendar"], entry["title"]) == (PERSON, "Mine")
    assert [kind for _, kind, _ in publisher.simulator.writes[KEY]] == ["create", "delete", "create"]


# Decisions ----------------------------------------------------------------------------------------------------------

CONTENT = st.fixed_dictionaries(
    {
        "title": st.sampled_from(("A", "B")),
        "location": st.sampled_from(("L", "M")),
        "start": st.sampled_from(("2026-12-24T09:00:00", "2026-12-24T10:00:00", "2026-12-25T09:00:00")),
        "time_zone": st.just("Europe/Berlin"),
    },
    optional={
        "description": st.sampled_from(("", "D")),
        "end": st.just("2026-12-26T09:00:00"),
        "alerts": st.lists(st.sampled_from((5, 15, 30, 60, 1440)), max_size=2),
        "links": st.lists(
            st.sampled_from(("n", "m")).map(lambda n: {"name": n, "url": f"https://{n}.example"}), max_size=6
        ),
        "ecal": st.fixed_dictionaries({}, optional={"social": st.just({"twitter": "@x"}), "draft": st.just(1)}),
    },
)


@given(before=CONTENT, after=CONTENT)
def test_an_update_carries_what_changed_and_no_more(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new, said = payload.event(before), payload.event(after), payload.changes(before, after)
    held = {**old, **{name: value for name, value in said.items() if name != "social"}}
    emptied = {name for name, value in held.items() if value in ("", "-") and name not in new}
    assert {name: value for name, value in held.items() if name not in emptied | {"social"}} == {
        name: value for name, value in new.items() if name != "social"
    }
    idle = {name for name, value in said.items() if old.get(name) == value}
    assert idle <= {"endDate", "endTime"} or said.keys() == {"name"}
    assert not {"type", "reference", "calendarId"} & said.keys()
    if {"startDate", "startTime"} & said.keys():
        assert {"endDate", "endTime"} <= said.keys()


def test_it_says_why_it_cannot_say_something() -> None:
    content = {
        "title": "T",
        "start": "2026-12-24T09:00:30",
        "time_zone": "Nowhere",
        "alerts": [7, 5, 15],
        "links": [{"name": "n", "url": "u"}] * 7,
        "ecal": {"objective": "x", "draft": 2, "smartAlert": True, "social": {"mastodon": "x"}, "colour": "red"},
    }
    found = VENDOR.problems(content, {})
    assert [problem.split()[0].rstrip(":") for problem in found] == [
        "location",
        "time_zone",
        "start",
        "alerts",
        "alerts",
        "links",
        "ecal.colour",
        "ecal.draft",
        "ecal.smartAlert",
        "ecal.objective",
        "ecal.social",
    ]


WHOLE = {"title": "T", "location": "L", "all_day": True}
TIMED = {"title": "T", "location": "L", "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({**WHOLE, "start": "2026-12-24", "end": "2026-12-24"}, "end: expected after the start"),
        ({**WHOLE, "start": "2026-12-24T09:00:00"}, "start: expected a date, as all_day"),
        ({**TIMED, "start": "2026-12-24"}, "start: expected a date and time"),
        ({**TIMED, "start": "2026-12-24T09:00:00", "end": "2026-12-24T08:00:00"}, "end: expected not before"),
        (
            {**TIMED, "start": "2026-10-25T00:00:00", "end": "2026-10-25T01:30:00", "end_time_zone": "UTC"},
            "end: in the",
        ),
        ({**WHOLE, "start": "2026-12-24", "time_zone": "UTC", "end_time_zone": "Asia/Tokyo"}, "end_time_zone cannot"),
        (
            {"title": "T", "location": "L", "start": "2026-12-24T09:00:00", "end_time_zone": "UTC"},
            "end_time_zone needs",
        ),
        ({**WHOLE, "start": "2026-12-24", "ecal": {"social": {"twitter": 1}}}, "ecal.social is a map"),
        ({**WHOLE, "start": "2026-12-24", "ecal": {"referenceType": 1}}, "ecal.referenceType is a text"),
        ({**WHOLE, "start": "2026-12-24", "links": [{"name": "n"}]}, "links: each needs"),
    ],
)
def test_it_says_which_field_it_cannot_say(content: dict[str, Any], named: str) -> None:
    (problem,) = VENDOR.problems(content, PRIVATE)
    assert problem.startswith(named)


def test_a_public_event_needs_a_calendar_and_no_subscriber() -> None:
    content = {**WHOLE, "start": "2026-12-24"}
    assert VENDOR.problems(content, PUBLIC) == ["collection is required"]
    assert problems({**content, "collection": "c1"}, PRIVATE) == ["collection cannot be said"]
    assert [VENDOR.express(options).needs_identity for options in (PRIVATE, PUBLIC)] == [True, False]


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.UPDATE),
        ({"observed": None}, Step.CREATE),
        ({"wanted": None}, Step.DELETE),
        ({"observed_identity": "s2"}, Step.DELETE),
        ({"unsure": True}, Step.WRITE),
        ({"unsure": True, "absent": True}, Step.CREATE),
        ({"unsure": True, "observed": None}, Step.DELETE),
        ({"unsure": True, "wanted": None}, Step.DELETE),
        ({"unsure": True, "observed_identity": "s2"}, Step.DELETE),
    ],
)
def test_it_plans(changed: dict[str, Any], step: Step) -> None:
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    given = {"key": "K", "wanted": content, "observed": content, "identity": "s1", "observed_identity": "s1"}
    assert VENDOR.plan(Situation(**{**given, **changed})) == step


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize(
    "before", [{"ecal": {"objective": "tune_in"}}, {"time_zone": "Europe/Berlin"}, {"collection": "c2"}]
)
def test_it_replaces_what_no_put_is_sure_to_change(before: dict[str, Any], unsure: bool) -> None:
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True, "collection": "c1"}
    # While unsure, what was there and what a lost call carried may be mixed.
    mixed = {**content, "start": "2026-12-24T09:00:00", **before}
    assert VENDOR.plan(situation(PUBLIC, wanted=content, observed=mixed, unsure=unsure)) == Step.DELETE


def test_an_entry_of_the_other_kind_is_replaced() -> None:
    """The destination's `api` was changed: a type cannot be updated."""
    private = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    public = {**private, "collection": "c1"}
    for options, wanted, observed in ((PUBLIC, public, private), (PRIVATE, private, public)):
        assert VENDOR.plan(situation(options, wanted=wanted, observed=observed)) == Step.DELETE


def test_a_public_event_is_not_replaced_for_its_subscriber() -> None:
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True, "collection": "c1"}
    given = situation(PUBLIC, wanted=content, observed=content, identity="s1")
    assert VENDOR.plan(replace(given, observed_identity="s2")) == Step.UPDATE


def test_a_403_is_the_credentials_failure() -> None:
    publisher = Publisher()
    publisher.simulator.revoke(0.0)
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    for step in Step:
        assert publisher.bring(step, situation(wanted=content, observed=content)) == Unauthorized()


# What `calends call` reaches ----------------------------------------------------------------------------------------

FIELDS_OF_ONE = {
    "type": "private",
    "name": "N",
    "location": "L",
    "startDate": "2026-12-24",
    "startTime": "09:00",
    "endDate": "2026-12-24",
    "endTime": "10:00",
    "timezone": "Europe/Berlin",
    "draft": 0,
}


def filled(publisher: Publisher, count: int = 3, **more: Any) -> list[str]:
    """The ids of private events K0, K1, … of one subscriber."""
    made = (
        publisher.call("POST", "/apiv2/event", {**FIELDS_OF_ONE, "reference": f"K{n}", **more}, ecal_id=PERSON)
        for n in range(count)
    )
    return [answer["eventId"] for answer in made]


@pytest.mark.parametrize("answers", ["document", "newer"])
def test_one_event_is_read_by_id(answers: str) -> None:
    publisher = Publisher(answers=answers, get_by_reference=False)
    (identity,) = filled(publisher, 1)
    event = publisher.call("GET", f"/apiv2/event/{identity}")
    named = ("eventId", "no") if answers == "document" else ("id", False)
    assert (event[named[0]], event["allDay"], event["reference"]) == (identity, named[1], "K0")
    assert publisher.call("GET", "/apiv2/event/K0") == 404
    found = situation(vendor_id=identity)
    assert publisher.bring(Step.FIND, found) == Exists(identity)


def test_one_event_is_read_by_reference_only_where_that_is_configured() -> None:
    publisher = Publisher(get_by_reference=True)
    (identity,) = filled(publisher, 1)
    assert publisher.call("GET", "/apiv2/event/K0")["eventId"] == identity


@pytest.mark.parametrize("answers", ["document", "newer"])
def test_a_list_comes_in_pages_and_ends_with_204(answers: str) -> None:
    publisher = Publisher(answers=answers)
    filled(publisher)
    asked = {"ecal_id": PERSON, "type": "private", "limit": "2"}
    pages = [publisher.call("GET", "/apiv2/event", page=page, **asked) for page in ("1", "2", "3")]
    events = [page["data"] if answers == "newer" else page for page in pages[:2]]
    assert [[event["reference"] for event in page] for page in events] == [["K0", "K1"], ["K2"]]
    assert pages[2] == 204


@pytest.mark.parametrize(("answers", "limit"), [("document", 1000), ("newer", 100)])
def test_a_page_has_a_most(answers: str, limit: int) -> None:
    publisher = Publisher(answers=answers)
    filled(publisher, 1)
    assert publisher.call("GET", "/apiv2/event", limit=str(limit)) not in (204, 400)
    assert publisher.call("GET", "/apiv2/event", limit=str(limit + 1)) == 400


def test_the_newer_list_hides_what_is_past_and_filters_by_date() -> None:
    publisher = Publisher(answers="newer")
    filled(publisher, 1)
    filled_past = {**FIELDS_OF_ONE, "reference": "P", "startDate": "2026-01-02", "endDate": "2026-01-02"}
    publisher.call("POST", "/apiv2/event", filled_past, ecal_id=PERSON)

    def listed(**query: str) -> list[str]:
        answer = publisher.call("GET", "/apiv2/event", **query)
        return [] if answer == 204 else [event["reference"] for event in answer["data"]]

    assert listed() == ["K0"]
    assert listed(showPastEvents="1") == ["K0", "P"]
    assert listed(startDate="2026-01-01", endDate="2026-01-31") == ["P"]


def test_a_list_is_of_calendars_with_drafts_and_in_a_zone_on_request() -> None:
    publisher = Publisher()
    public = {**FIELDS_OF_ONE, "type": "fixture", "calendarId": "c1"}
    publisher.call("POST", "/apiv2/event", {**public, "reference": "A"})
    publisher.call("POST", "/apiv2/event", {**public, "reference": "B", "draft": 1, "calendarId": "c2"})
    listed = publisher.call("GET", "/apiv2/event", calendarIds="c1,c2")
    drafts = publisher.call("GET", "/apiv2/event", calendarIds="c1,c2", showDraft="1")
    assert [[event["reference"] for event in page] for page in (listed, drafts)] == [["A"], ["A", "B"]]
    (moved,) = publisher.call("GET", "/apiv2/event", tz="Asia/Tokyo")
    assert (moved["startDate"], moved["startTime"], moved["timezone"]) == ("2026-12-24", "17:00", "Asia/Tokyo")
    assert publisher.call("GET", "/apiv2/event", tz="Nowhere") == 400


def test_one_event_is_read_in_a_zone_on_request() -> None:
    publisher = Publisher()
    fixture = {**FIELDS_OF_ONE, "type": "fixture", "calendarId": "c1", "reference": "A"}
    made = publisher.call("POST", "/apiv2/event", fixture)
    moved = publisher.call("GET", f"/apiv2/event/{made['eventId']}", tz="Asia/Tokyo")
    assert (moved["startDate"], moved["startTime"], moved["timezone"]) == ("2026-12-24", "17:00", "Asia/Tokyo")


def test_an_unknown_calendar_is_404_and_a_known_one_takes_an_event_over() -> None:
    publisher = Publisher(calendars=["c1", "c2"])
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True, "collection": "c9"}
    assert publisher.bring(Step.CREATE, situation(PUBLIC, wanted=content)) == Rejected("not_found", "http_404")
    publisher.bring(Step.CREATE, situation(PUBLIC, wanted={**content, "collection": "c1"}))
    assert publisher.call("PUT", f"/apiv2/event/{KEY}", {"calendarId": "c9"}) == 404
    publisher.call("PUT", f"/apiv2/event/{KEY}", {"calendarId": "c2"})
    assert [entry["calendar"] for entry in publisher.simulator.entries()] == ["c2"]


def test_an_unknown_subscriber_is_404() -> None:
    publisher = Publisher(subscribers={"somebody": "a@b.example"})
    content = {"title": "T", "location": "L", "start": "2026-12-24", "all_day": True}
    assert publisher.bring(Step.CREATE, situation(wanted=content)) == Rejected("unknown_subscriber", "http_404")


# Event, lines 201-228 and 230-234.
BULK = {
    "alert": "15M",
    "alert2": "-",
    "details": "This is a test event",
    "social": {
        "facebook": "http://www.facebook.com/ECALWORLD",
        "twitter": "@ECAL",
        **dict.fromkeys(
            ("google", "pinterest", "linkedin", "myspace", "podcast", "blog", "foursquare", "youtube", "instagram",
             "flickr", "iphone", "ipad", "android", "blackberry", "stackla", "soundcloud", "vimeo"), ""
        ),
    },
    "sponsored_message": "",
    "referenceType": "",
}  # fmt: skip


def test_the_sample_of_a_bulk_update_is_taken_and_answered_as_documented() -> None:
    publisher = Publisher()
    filled(publisher, 2, referenceType="dunning")
    answer = publisher.call("PUT", "/apiv2/events/dunning", BULK)
    assert answer == {"affected_rows": 2, "status": "200", "statusLong": "OK"}
    assert heard(publisher.call("GET", "/apiv2/event/K1"))["description"] == "This is a test event"
    assert publisher.call("PUT", "/apiv2/events/dunning", {"name": "x"}) == 400
    assert publisher.call("PUT", "/apiv2/event/dunning", BULK) == 404


def test_a_batch_is_made_listed_searched_and_deleted() -> None:
    publisher = Publisher()
    one = {**FIELDS_OF_ONE, "reference": "A", "referenceType": "dunning"}
    made = publisher.call(
        "POST", "/apiv2/batch/events", {"events": [one, {**one, "reference": "B", "ecal_id": "other"}]}, ecal_id=PERSON
    )
    ids = [item["eventId"] for item in made["data"]]
    assert [entry["calendar"] for entry in publisher.simulator.entries()] == [PERSON, "other"]
    mine = publisher.call("GET", "/apiv2/batch/events", type="private", ecal_id=PERSON)
    assert [event["reference"] for event in mine["data"]] == ["A"]
    kind = publisher.call("GET", "/apiv2/batch/events", referenceType="dunning")
    assert [event["reference"] for event in kind["data"]] == ["A", "B"]
    found = publisher.call("POST", "/apiv2/batch/events/search", {"ids": ids[1:]})
    assert [event["reference"] for event in found["data"]] == ["B"]
    assert publisher.call("DELETE", "/apiv2/batch/events", {"ids": ids}) == {"status": 200, "statusLong": "OK"}
    assert publisher.simulator.items() == []


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], 400),
        ([{**FIELDS_OF_ONE, "reference": "A"}, {**FIELDS_OF_ONE, "reference": "B", "name": ""}], 400),
        ([{**FIELDS_OF_ONE, "reference": "A"}, {**FIELDS_OF_ONE, "reference": "A"}], 409),
    ],
)
def test_a_batch_is_taken_whole_or_not_at_all(events: list[Any], status: int) -> None:
    publisher = Publisher()
    assert publisher.call("POST", "/apiv2/batch/events", {"events": events}, ecal_id=PERSON) == status
    assert publisher.simulator.items() == []


def test_a_subscriber_is_found_and_takes_and_leaves_calendars() -> None:
    publisher = Publisher(subscribers={PERSON: "Ann@example.com"})
    path = f"/apiv2/subscriber/{PERSON}"
    publisher.call("POST", f"{path}/subscriptions/add", {"calendarIds": ["c1", "c2"]})
    publisher.call("POST", f"{path}/subscriptions/remove", {"calendarIds": ["c1"]})
    record = {"data": {"id": PERSON, "email": "Ann@example.com", "data": {"calIds": ["c2"]}}}
    assert publisher.call("GET", path) == record
    assert publisher.call("GET", "/apiv2/subscriber/ann%40example.com") == record
    publisher.call("POST", f"{path}/unsubscribe")
    assert publisher.call("GET", path)["data"]["data"]["calIds"] == []
    assert publisher.call("GET", "/apiv2/subscriber/nobody") == 404


def test_the_body_of_a_delete_is_not_signed() -> None:
    """Authentication, step 3: only that of a POST or PUT."""
    unsigned = Request("DELETE", "/apiv2/batch/events")
    bare, full = (VENDOR.sign(one, CREDENTIAL, None) for one in (unsigned, replace(unsigned, body=b'{"ids":["e1"]}')))
    assert bare.query == full.query


# Webhooks -----------------------------------------------------------------------------------------------------------


def test_a_subscription_through_the_widget_tells_who_was_seen_and_links_nobody() -> None:
    told = {"ecalId": PERSON, "email": "ann@example.com", "timestamp": 1516600000, "calendars": ["c1"]}
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(json.dumps(told).encode()) == [Notice("seen", identity=PERSON, data=told)]


@pytest.mark.parametrize(
    "body", [b"", b"U2FsdGVkX1+encrypted==", b'"text"', b"[]", b"{}", b'{"ecalId": ""}', b'{"ecalId": 5}', b"\xff"]
)
def test_what_is_encrypted_or_no_notification_cannot_be_read(body: bytes) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(body) is None
