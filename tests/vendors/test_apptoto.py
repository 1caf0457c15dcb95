"""Whatever an entry holds, Apptoto refuses it beforehand or holds it exactly, on whatever way it got there."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model import blame, wanted
from pipeline.model import facts as f
from pipeline.model.change import Change, Version, merge
from pipeline.model.outcome import Accepted, Exists, Look, Outcome, Rejected, Split, Unknown
from pipeline.model.wire import Credential, Request, Response
from pipeline.vendors.apptoto import VENDOR
from pipeline.vendors.apptoto.defaults import FIELDS, OWN
from pipeline.vendors.apptoto.inbound import TRIGGERS
from pipeline.vendors.apptoto.simulator import Simulator
from pipeline.vendors.contract import Situation, Step

Content = dict[str, Any]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CREDENTIAL = Credential({"user": "me@example.com", "api_key": "k3y"})
ACCOUNT = {"user": "me@example.com", "api_key": "k3y", "calendars": {"Team": 7, "Home": 8, "12": 9}}
PLAIN = {"collection": "Team", "title": "T", "start": "2026-12-24T09:00:00", "time_zone": "Europe/Berlin"}
EVERYTHING: dict[str, Any] = {
    **PLAIN,
    "end": "2026-12-24T13:00:00",
    "end_time_zone": "Europe/London",
    "all_day": False,
    "description": "Bring a photo 📷 #auto",
    "location": "1 Main Street\nBack door",
    "busy": True,
    "participants": [{"name": "Ann", "email": "ann@example.com", "phone": "+44 121 212 1212"}, {"phone": "1"}],
    "apptoto": {
        "custom_data": {"a": {"b": [1, 2.5, True, None, "é"]}},
        "show_as": 3,
        "participants": [{"contact_id": 5}, {"contact_external_id": "003B", "name": "Cy"}],
    },
}


def call(vendor: Simulator, request: Request) -> Response:
    signed = VENDOR.sign(request, CREDENTIAL, None)
    headers = {name.lower(): value for name, value in signed.headers}
    return vendor.handle(signed.method, signed.path, signed.query, headers, signed.body, 1000.0)


def do(vendor: Simulator, step: Step, *situations: Situation) -> Sequence[Outcome]:
    return VENDOR.read(step, situations, call(vendor, VENDOR.request(step, situations)), NOW)


def situation(wanted: Content | None, observed: Content | None = None, key: str = "K", **more: Any) -> Situation:
    return Situation(key=key, wanted=wanted, observed=observed, identity=None, **more)


def bring(vendor: Simulator, before: Content | None, after: Content | None, options: Mapping[str, Any]) -> list[Step]:
    """From one content to the other, as a lane does while no answer is lost."""
    steps = []
    now, vendor_id = situation(after, before, options=options), None
    while True:
        step = VENDOR.plan(replace(now, vendor_id=vendor_id))
        assert isinstance(step, Step)
        (outcome,) = do(vendor, step, now)
        assert isinstance(outcome, Accepted)
        steps.append(step)
        if step is not Step.DELETE or after is None:
            return steps
        now, vendor_id = situation(after, None, options=options), None


# What stands at the vendor


def held(vendor: Simulator) -> list[Content]:
    """Every entry there, without what the vendor adds."""
    return [_plain(entry) for entry in vendor.entries()]


def _plain(entry: Mapping[str, Any]) -> Content:
    event = entry["content"]
    people = [
        {name: value for name, value in one.items() if name not in ("id", "state", "normalized_phone")}
        for one in event["participants"]
    ]
    names = ("key", "calendar", "title", "start", "end", "all_day", "location", "description", "time_zone")
    return {
        **{name: entry[name] for name in names},
        "participants": people,
        "show_as": event["show_as"],
        "custom_data": event["custom_data"],
    }


def expected(content: Content) -> Content:
    """The same, told from the content alone."""
    own = content.get("apptoto", {})
    people = [*content.get("participants", []), *own.get("participants", [])]
    busy = {True: 2, False: 0}[content["busy"]] if "busy" in content else None
    return {
        "key": "K",
        "calendar": {"7": "Team"}.get(content["collection"], content["collection"]),
        "title": content["title"],
        "start": content["start"],
        "end": _end(content),
        "all_day": content.get("all_day", False),
        "location": content.get("location", ""),
        "description": content.get("description", ""),
        "time_zone": content["time_zone"],
        "participants": [{name: value for name, value in one.items() if value != ""} for one in people],
        "show_as": own.get("show_as", busy),
        "custom_data": own.get("custom_data", {}),
    }


def _end(content: Content) -> str:
    if content.get("all_day"):
        return str(content.get("end") or date.fromisoformat(content["start"]) + timedelta(days=1))
    here = content["time_zone"]
    end, zone = content.get("end", content["start"]), content.get("end_time_zone", here)
    if "end" not in content or zone == here:
        return str(end)
    instant = datetime.fromisoformat(end).replace(tzinfo=ZoneInfo(zone))
    return instant.astimezone(ZoneInfo(here)).replace(tzinfo=None).isoformat()


# Arbitrary entries

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8) | st.sampled_from(
    ("", "📷 #auto", 'a "b" \\ \n', "Zoë")
)
# fmt: off
ZONES = st.sampled_from((
    "Europe/Berlin", "America/New_York", "Africa/Cairo", "Asia/Beirut", "Asia/Kathmandu", "Australia/Lord_Howe",
    "UTC", "Etc/GMT+8", "Pacific/Apia", "Africa/Monrovia", "Nowhere/Land",
))
# fmt: on
# Around clock changes of Berlin, New York and Cairo, and before there were time zones.
DAYS = st.sampled_from(
    ("2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-24", "2026-12-31", "1900-01-01", "9999-12-31")
) | st.dates(date(1960, 1, 1), date(2100, 1, 1)).map(str)
CLOCKS = st.sampled_from(("00:00:00", "00:30:00", "02:30:00", "01:30:00", "09:00:00", "23:59:59"))
MOMENTS = st.builds("{}T{}".format, DAYS, CLOCKS)
TIMES = st.one_of(
    st.fixed_dictionaries(
        {"start": MOMENTS}, optional={"end": MOMENTS, "end_time_zone": ZONES, "all_day": st.just(False)}
    ),
    st.fixed_dictionaries({"start": DAYS, "all_day": st.just(True)}, optional={"end": DAYS, "end_time_zone": ZONES}),
)
EMAILS = st.sampled_from(("ann@example.com", "zoë@exämple.com", "", "nobody"))
PEOPLE = st.fixed_dictionaries({}, optional={"name": TEXTS, "email": EMAILS, "phone": TEXTS})
CONTACTS = PEOPLE | st.fixed_dictionaries(
    {}, optional={"contact_id": st.integers(1, 9), "contact_external_id": TEXTS, "name": TEXTS, "colour": TEXTS}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
OWN_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "custom_data": st.dictionaries(TEXTS, JSON, max_size=2),
        "show_as": st.integers(-1, 5),
        "participants": st.lists(CONTACTS, max_size=2),
    },
)
OTHERS = st.fixed_dictionaries(
    {"title": TEXTS, "collection": st.sampled_from(("Team", "Home", "7", "Team", "Elsewhere")), "time_zone": ZONES},
    optional={
        "description": TEXTS,
        "location": TEXTS,
        "busy": st.booleans(),
        "participants": st.lists(PEOPLE, max_size=2),
        "apptoto": OWN_FIELDS,
    },
)
ENTRIES = st.builds(lambda times, others: {**times, **others}, TIMES, OTHERS)

# Sound by the way they are made, so that Hypothesis need not look for them.
SOUND_TIMES = st.one_of(
    st.fixed_dictionaries({"start": st.sampled_from(("2026-12-24T09:00:00", "2026-10-25T02:30:00"))}),
    st.fixed_dictionaries(
        {
            "start": st.just("2026-12-24T09:00:00"),
            "end": st.sampled_from(("2026-12-24T12:30:00", "2026-12-31T09:00:00")),
        },
        optional={"end_time_zone": st.just("America/New_York")},
    ),
    st.fixed_dictionaries(
        {"start": st.just("2026-12-24"), "all_day": st.just(True)}, optional={"end": st.just("2026-12-27")}
    ),
)
SOUND_PEOPLE = st.sampled_from(
    ({"name": "Ann"}, {"email": "bob@example.com"}, {"name": "Cy", "phone": "1", "email": ""})
)
SOUND_OWN = st.fixed_dictionaries(
    {},
    optional={
        "custom_data": st.dictionaries(TEXTS, JSON, max_size=2),
        "show_as": st.sampled_from((1, 3, 4)),
        "participants": st.lists(st.sampled_from(({"contact_id": 5}, {"contact_external_id": "x"})), max_size=2),
    },
)


def sound_entries(collections: Sequence[str]) -> st.SearchStrategy[Content]:
    others = st.fixed_dictionaries(
        {
            "title": st.sampled_from(("A", "B 📷")),
            "collection": st.sampled_from(collections),
            "time_zone": st.sampled_from(("Europe/Berlin", "UTC", "Asia/Kathmandu")),
        },
        optional={
            "description": TEXTS,
            "location": TEXTS,
            "busy": st.just(True),
            "participants": st.lists(SOUND_PEOPLE, max_size=2, unique_by=str),
            "apptoto": SOUND_OWN,
        },
    )
    return st.builds(lambda times, rest: {**times, **rest}, SOUND_TIMES, others)


ANYWHERE = sound_entries(("Team", "Home", "7"))


@settings(max_examples=120)
@given(content=ENTRIES)
def test_an_entry_has_problems_or_stands_at_the_vendor_as_it_is(content: Content) -> None:
    vendor, options = Simulator(ACCOUNT), {"calendar_creation": "allow"}
    if VENDOR.problems(content, options):
        return
    assert bring(vendor, None, content, options) == [Step.CREATE]
    assert held(vendor) == [expected(content)]


@given(content=ANYWHERE)
def test_a_sound_entry_has_no_problems(content: Content) -> None:
    assert VENDOR.problems(content, {}) == []


@given(content=ENTRIES)
def test_a_problem_names_its_field_and_quotes_no_value(content: Content) -> None:
    for problem in VENDOR.problems(content, {}):
        name = problem.split()[0].rstrip(":")
        assert name.removeprefix("apptoto.") in {*FIELDS, *OWN}
        assert "ann@example.com" not in problem
        assert "nobody" not in problem


def test_an_entry_with_every_field_comes_back_with_every_field() -> None:
    assert EVERYTHING.keys() == {*FIELDS, "apptoto"}
    assert EVERYTHING["apptoto"].keys() == OWN.keys()
    assert VENDOR.problems(EVERYTHING, {}) == []
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, EVERYTHING, {})
    assert held(vendor) == [expected(EVERYTHING)]
    (entry,) = held(vendor)
    assert (entry["end"], entry["show_as"], len(entry["participants"])) == ("2026-12-24T14:00:00", 3, 4)
    assert entry["custom_data"] == {"a": {"b": [1, 2.5, True, None, "é"]}}


@settings(max_examples=75)
@given(before=ANYWHERE, after=ANYWHERE)
def test_an_update_leads_to_what_a_create_would_have_made(before: Content, after: Content) -> None:
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, before, {})
    steps = bring(vendor, before, after, {})
    moves = before["collection"] != after["collection"]
    assert steps == ([Step.DELETE, Step.CREATE] if moves else [Step.UPDATE])
    assert held(vendor) == [expected(after)]


@settings(max_examples=50)
@given(before=ANYWHERE, after=ANYWHERE)
def test_a_whole_write_leads_to_the_same(before: Content, after: Content) -> None:
    after = {**after, "collection": before["collection"]}
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, before, {})
    (outcome,) = do(vendor, Step.WRITE, situation(after, before, unsure=True))
    assert isinstance(outcome, Accepted)
    assert held(vendor) == [expected(after)]


@given(before=ANYWHERE, after=ANYWHERE)
def test_an_update_says_no_more_than_it_must(before: Content, after: Content) -> None:
    after = {**after, "collection": before["collection"]}
    request = VENDOR.request(Step.UPDATE, [situation(after, before)])
    (said,) = json.loads(request.body)["events"]
    held_by = {
        "title": ("title",), "location": ("location",), "content": ("description",), "all_day": ("all_day",),
        "start_time": ("start", "end", "time_zone", "end_time_zone", "all_day"),
        "time_zone": ("time_zone",), "show_as": ("busy", "apptoto"),
        "participants": ("participants", "apptoto"), "custom_data": ("apptoto",),
    }  # fmt: skip
    said = {name for name in said if name not in ("external_id", "calendar", "calendar_id", "end_time")}
    for name in said:
        assert any(before.get(part) != after.get(part) for part in held_by[name])


@given(content=ANYWHERE)
def test_a_deleted_entry_is_gone_and_its_key_is_free(content: Content) -> None:
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, content, {})
    assert bring(vendor, content, None, {}) == [Step.DELETE]
    assert held(vendor) == []
    assert bring(vendor, None, content, {}) == [Step.CREATE]
    assert held(vendor) == [expected(content)]


# Recovery


@dataclass
class Relay:
    """One row of the ledger by its own transitions, and a lane that loses answers; no clock but a number."""

    config: Mapping[str, Any]
    row: f.Facts = field(default_factory=lambda: f.Facts("d", "K"))
    now: float = 1_000_000.0
    order: int = 0

    def __post_init__(self) -> None:
        self.vendor = Simulator({**ACCOUNT, **self.config})
        self.policy = f.Policy(
            "d", "a", problems=lambda content: VENDOR.problems(content, {}), needs_identity=lambda content: False,
            recover_at_once=VENDOR.defaults.recover_at_once, settle_time=VENDOR.defaults.settle_time,
        )  # fmt: skip

    def want(self, content: Content | None) -> None:
        self.order += 1
        version = Version(self.order, "t", 0, self.order, 1)
        kind: Any = "delete" if content is None else "upsert"
        change = Change("d", "K", kind, version, "rule", content=content or {})
        self.row = wanted.apply(self.row, change, {}, self.now, self.policy) or self.row

    def turn(self, fate: str) -> bool:
        """One call, as soon as there is one to make: answered, or its answer lost before or after it acted."""
        while self.row.state == "held":
            self.now = max(self.now, self.row.wake_at or 0.0)
            self.row = f.expire(self.row, self.now, self.policy)
        if self.row.state != "ready":
            return False
        self.row = f.claim(self.row, "w", self.now + 130, self.now, self.policy)
        now = self.situation()
        step = VENDOR.plan(now)
        assert isinstance(step, Step)
        request = VENDOR.request(step, [now])
        response = Response(502) if fate == "ignored" else call(self.vendor, request)
        lost = Response(504) if fate == "lost" else response
        self.settle(step, now, VENDOR.read(step, [now], lost, NOW)[0])
        assert len(self.vendor.items()) <= 1
        return True

    def situation(self) -> Situation:
        row = self.row
        return situation(
            None if row.wanted_hash == f.NOTHING else dict(row.desired or {}),
            None if row.observed is None else dict(row.observed),
            vendor_id=row.vendor_id,
            unsure=row.observed_hash == f.UNSURE,
            absent=row.absent,
            candidates=tuple(row.candidates or ()),
        )

    def settle(self, step: Step, now: Situation, outcome: Outcome) -> None:
        answer = blame.Answer(
            self.row.epoch, outcome, step.value, now.wanted, self.row.sent_hash or "", None, self.now, self.now, 0.5
        )
        self.row = blame.settle(self.row, answer, None, self.now, self.policy)

    def settle_down(self) -> None:
        assert any(not self.turn("answered") for _ in range(8)), f"it has not converged: {self.row}"
        assert self.row.state in ("idle", "waiting")


CONFIGS: tuple[Mapping[str, Any], ...] = ({}, {"external_id_in_answers": False}, {"wrong_event": "refuse"})
FATES = st.lists(st.sampled_from(("answered", "lost", "ignored", "lost", "ignored")), max_size=3)
# By id, as an answer names a calendar by its id alone; the same by name is in docs/vendors/apptoto.md.
WANTED = st.lists(st.tuples(st.none() | sound_entries(("7", "8")), FATES), min_size=1, max_size=4)


@settings(max_examples=100)
@given(config=st.sampled_from(CONFIGS), wanted=WANTED)
def test_whatever_answers_are_lost_the_newest_state_stands_at_the_vendor_once(
    config: Mapping[str, Any], wanted: list[tuple[Content | None, list[str]]]
) -> None:
    relay = Relay(config)
    for content, fates in wanted:
        relay.want(content)
        for fate in fates:
            relay.turn(fate)
    relay.settle_down()
    last = None if wanted[-1][0] is None else dict(merge([wanted[-1][0]]))  # the ledger's layers keep no null in a map
    names = {"7": "Team", "8": "Home"}
    assert held(relay.vendor) == ([] if last is None else [{**expected(last), "calendar": names[last["collection"]]}])


def test_an_event_that_somebody_removed_is_made_again_by_the_next_change() -> None:
    relay = Relay({})
    relay.want(EVERYTHING)
    relay.settle_down()
    call(relay.vendor, VENDOR.request(Step.DELETE, [situation(None)]))
    relay.want({**EVERYTHING, "title": "New"})
    relay.settle_down()
    assert held(relay.vendor) == [expected({**EVERYTHING, "title": "New"})]


def test_a_lost_delete_of_a_replacement_leaves_nothing_in_the_old_calendar() -> None:
    relay = Relay({})
    relay.want({**PLAIN, "collection": "7"})
    relay.settle_down()
    relay.want({**PLAIN, "collection": "8"})
    relay.turn("ignored")
    relay.settle_down()
    assert [entry["calendar"] for entry in held(relay.vendor)] == ["Home"]


# Batches


def three(**changed: Content) -> list[Situation]:
    return [situation({**PLAIN, **changed.get(key, {})}, key=key) for key in ("a", "b", "c")]


def test_events_share_a_call_and_deletes_stand_alone() -> None:
    created, allowed = situation(PLAIN), situation(PLAIN, options={"calendar_creation": "allow"})
    together = VENDOR.together
    assert together(Step.CREATE, created) == together(Step.CREATE, situation(EVERYTHING, key="other"))
    assert together(Step.CREATE, created) != together(Step.CREATE, allowed)
    assert together(Step.DELETE, created) is together(Step.FIND, created) is None
    assert VENDOR.defaults.batch <= 25


def test_one_key_never_stands_twice_in_a_call() -> None:
    with pytest.raises(ValueError, match="twice"):
        VENDOR.request(Step.CREATE, [situation(PLAIN), situation(PLAIN)])


def test_a_full_batch_is_taken_whole() -> None:
    vendor = Simulator(ACCOUNT)
    many = [situation(PLAIN, key=f"k{n}") for n in range(VENDOR.defaults.batch)]
    assert {type(outcome) for outcome in do(vendor, Step.CREATE, *many)} == {Accepted}
    assert len(vendor.items()) == len(many)


def test_a_wrong_event_is_refused_alone_where_the_vendor_tells_which() -> None:
    vendor = Simulator(ACCOUNT)
    outcomes = do(vendor, Step.CREATE, *three(b={"collection": "Nowhere"}))
    assert [type(one) for one in outcomes] == [Accepted, Rejected, Accepted]
    assert [key for key, _ in vendor.items()] == ["a", "c"]


def test_a_call_that_is_refused_whole_is_split() -> None:
    vendor = Simulator({**ACCOUNT, "wrong_event": "refuse"})
    given = three(b={"collection": "Nowhere"})
    assert set(do(vendor, Step.CREATE, *given)) == {Split()}
    assert vendor.items() == []
    assert [type(do(vendor, Step.CREATE, one)[0]) for one in given] == [Accepted, Rejected, Accepted]


def test_more_than_a_server_takes_is_unknown() -> None:
    vendor = Simulator({**ACCOUNT, "max_batch": 2})
    assert set(do(vendor, Step.CREATE, *three())) == {Unknown("http_502")}


def test_an_event_that_stayed_in_another_calendar_is_deleted_first() -> None:
    vendor = Simulator(ACCOUNT)
    bring(vendor, None, {**PLAIN, "collection": "7"}, {})
    after = {**PLAIN, "collection": "8"}
    (outcome,) = do(vendor, Step.WRITE, situation(after, after, unsure=True))
    assert isinstance(outcome, Look)
    assert VENDOR.plan(situation(after, after, unsure=True, candidates=outcome.candidates)) is Step.DELETE
    assert isinstance(do(vendor, Step.CREATE, situation(after))[0], Exists)


def test_a_deleted_event_that_stays_deleted_is_told() -> None:
    vendor = Simulator({**ACCOUNT, "deleted_stay": True})
    bring(vendor, None, dict(PLAIN), {})
    bring(vendor, dict(PLAIN), None, {})
    assert do(vendor, Step.CREATE, situation(PLAIN)) == [Rejected("unsupported", "is_deleted")]


ANSWERED = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 3) | TEXTS,
        "external_id": st.sampled_from(("a", "b", "c", "other", None)),
        "calendar_id": st.sampled_from((7, 8, "7", None)),
        "is_deleted": st.booleans() | st.none(),
        "errors": st.sampled_from(([], ["ann@example.com"])),
    },
)


@given(step=st.sampled_from((Step.CREATE, Step.UPDATE, Step.WRITE, Step.DELETE)), events=st.lists(ANSWERED, max_size=4))
def test_any_list_of_events_is_read_and_never_accepts_more_than_it_holds(step: Step, events: list[Content]) -> None:
    asked = [replace(one, vendor_id=str(n + 1)) for n, one in enumerate(three())][: 1 if step is Step.DELETE else 3]
    outcomes = VENDOR.read(step, asked, Response(200, {}, json.dumps({"events": events}).encode()), NOW)
    assert len(outcomes) == len(asked)
    assert sum(isinstance(one, Accepted) for one in outcomes) <= len(events)
    assert "ann@example.com" not in repr(outcomes)


# Plans and problems


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, Step.UPDATE),
        ({"observed": None}, Step.CREATE),
        ({"wanted": None}, Step.DELETE),
        ({"unsure": True}, Step.WRITE),
        ({"unsure": True, "observed": None}, Step.FIND),
        ({"unsure": True, "observed": None, "absent": True}, Step.CREATE),
        ({"unsure": True, "observed": None, "vendor_id": "9"}, Step.WRITE),
        ({"unsure": True, "absent": True}, Step.CREATE),
        ({"unsure": True, "wanted": None}, Step.DELETE),
        ({"unsure": True, "candidates": ("9",)}, Step.DELETE),
        ({"observed": {**PLAIN, "collection": "Home"}}, Step.DELETE),
        ({"unsure": True, "observed": {**PLAIN, "collection": "Home"}}, Step.DELETE),
    ],
)
def test_apptoto_plans(changed: Mapping[str, Any], step: Step) -> None:
    assert VENDOR.plan(replace(situation(PLAIN, PLAIN), **changed)) == step


def test_a_time_zone_that_is_not_said_any_more_cannot_be_emptied() -> None:
    options = {"send_time_zone": "omit", "time_zone_names": {"Europe/Berlin": "Berlin"}}
    after = {**PLAIN, "time_zone": "Europe/Paris"}
    assert VENDOR.plan(situation(after, PLAIN, options=options)) is Step.DELETE
    assert VENDOR.plan(situation(PLAIN, after, options=options)) is Step.UPDATE


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"title": ""}, "title is required"),
        ({"collection": None}, "collection is required"),
        ({"time_zone": None}, "time_zone is required"),
        ({"alerts": [5]}, "alerts cannot be said"),
        ({"time_zone": "Nowhere"}, "time_zone is not an IANA name"),
        ({"end": "2026-12-25T09:00:00", "end_time_zone": "../x"}, "end_time_zone is not an IANA name"),
        (
            {"start": "2026-12-24", "all_day": True, "end_time_zone": "Asia/Tokyo"},
            "end_time_zone cannot be said of an all-day entry",
        ),
        ({"start": "2026-03-29T02:30:00"}, "start: the clocks skip this local time in its time zone"),
        ({"start": "2026-12-24"}, "start: expected a date and time such as"),
        ({"all_day": True}, "start: expected a date such as"),
        ({"start": "2026-12-24T09:00:00.5"}, "start is not a local time in whole seconds"),
        ({"start": "2026-12-24T09:00:00Z"}, "start is not a local time in whole seconds"),
        ({"start": "1900-01-01T09:00:00", "time_zone": "Africa/Monrovia"}, "start: its zone's offset had seconds then"),
        ({"end": "2026-12-24T08:59:59"}, "end is before the start"),
        ({"start": "9999-12-31", "all_day": True}, "end is out of range"),
        ({"participants": [{}]}, "participants: each needs one of name, email, phone"),
        ({"participants": [{"name": ""}]}, "participants: each needs one of name, email, phone"),
        ({"participants": [{"email": "nobody"}]}, "participants: an email is no address"),
        ({"participants": [{"contact_id": 5}]}, "participants: each has no more than name, email, phone"),
        (
            {"apptoto": {"participants": [{"contact_id": 5, "name": "A"}]}},
            "apptoto.participants: a contact_id goes without name, email and phone",
        ),
        (
            {"apptoto": {"participants": [{"contact_id": "5"}]}},
            "apptoto.participants: a value is of another type than Apptoto's",
        ),
        ({"apptoto": {"participants": ["Ann"]}}, "apptoto.participants is not a list of people"),
        ({"apptoto": {"show_as": 5}}, "apptoto.show_as is 0 to 4"),
        ({"apptoto": {"show_as": True}}, "apptoto.show_as is 0 to 4"),
        ({"apptoto": {"show_as": 0}, "busy": True}, "apptoto.show_as says something else than busy"),
        ({"apptoto": {"show_as": 3}, "busy": False}, "apptoto.show_as says something else than busy"),
        ({"apptoto": {"custom_data": []}}, "apptoto.custom_data is not a map"),
        ({"apptoto": {"colour": "red"}}, "apptoto.colour is not a field of Apptoto"),
    ],
)
def test_apptoto_says_why_it_cannot_say_something(changed: Content, problem: str) -> None:
    content = {name: value for name, value in {**PLAIN, **changed}.items() if value is not None}
    (found,) = VENDOR.problems(content, {})
    assert found.startswith(problem)


def test_a_calendar_by_id_has_digits_only() -> None:
    assert VENDOR.problems(PLAIN, {"collection_is": "id"}) == ["collection is not a calendar's id"]
    assert VENDOR.problems({**PLAIN, "collection": "7"}, {"collection_is": "id"}) == []
    assert VENDOR.problems(PLAIN, {"time_zone_names": "Berlin"}) == ["option time_zone_names is not a map of names"]


def test_the_credential_is_basic() -> None:
    signed = VENDOR.sign(VENDOR.probe({}), CREDENTIAL, None)
    assert dict(signed.headers)["authorization"] == "Basic " + base64.b64encode(b"me@example.com:k3y").decode()
    assert call(Simulator(ACCOUNT), VENDOR.probe({})).status == 200


# Webhooks


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("spell", [str.capitalize, lambda name: name.replace(" ", "_")])
def test_every_trigger_is_known_by_its_name(trigger: str, spell: Any) -> None:
    assert VENDOR.inbound is not None
    body = json.dumps({"trigger": spell(trigger), "event": {"id": 123, "external_id": "K"}}).encode()
    (notice,) = VENDOR.inbound(body) or ()
    assert (notice.kind, notice.entry, notice.subscriber, notice.identity) == (TRIGGERS[trigger], "K", None, None)
    assert len(TRIGGERS) == 20


@pytest.mark.parametrize(
    ("body", "kind", "entry"),
    [
        ({"trigger": "Participant reminder state changed (any state)", "id": 3}, "answered", None),
        ({"trigger": "Participant check-in state changed (any state)"}, "answered", None),
        ({"id": 123, "start_time": "x", "is_deleted": False}, "changed", "123"),
        ({"id": 123, "external_id": "K", "is_deleted": True}, "deleted", "K"),
        ({"participant": {"state": "confirmed"}, "event": {"id": 9}}, "answered", "9"),
        ({"participant": {"state": "not_coming_needs_reschedule"}}, "answered", None),
        ({"participant": {"state": "initial"}}, "changed", None),
        ({"something": "else"}, "changed", None),
        ({"participant": [], "event": 5}, "changed", None),
    ],
)
def test_a_body_of_another_shape_is_read_as_far_as_it_goes(body: Content, kind: str, entry: str | None) -> None:
    assert VENDOR.inbound is not None
    (notice,) = VENDOR.inbound(json.dumps(body).encode()) or ()
    assert (notice.kind, notice.entry, notice.data) == (kind, entry, body)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'"x"', b"\xff"])
def test_what_is_no_object_cannot_be_read(body: bytes) -> None:
    assert VENDOR.inbound is not None
    assert VENDOR.inbound(body) is None
