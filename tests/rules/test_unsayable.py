"""`calends check` asks the vendors themselves, of all that stands in a rule without a template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.entry import Content
from pipeline.operate.check import check
from pipeline.rules.adapt import DestinationView
from pipeline.rules.check import check_rules
from pipeline.rules.problem import Problem
from pipeline.rules.reading import load_text
from pipeline.rules.unsayable import Certain
from pipeline.vendors import vendors
from tests.vendors.subjects import situations, subjects

ROOT = Path(__file__).parents[2]
OPTIONS: Mapping[str, Mapping[str, Any]] = {"calreply": {"account_code": "a", "api": "rokt"}}
VIEWS = {name: DestinationView(name, vendor, OPTIONS.get(name, {})) for name, vendor in vendors().items()}
WHEN = 'start: "{{ data.start }}", time_zone: UTC'
ECAL = "identity: i, entry: {title: '{{ data.title }}', location: x, " + WHEN
REPLY = "identity: i, entry: {title: '{{ data.title }}', " + WHEN
APPTOTO = "entry: {title: '{{ data.title }}', collection: Acme, " + WHEN
PAGES = APPTOTO.replace("Acme", "a-group")
SUBSCRIPTION = "kind: subscription, entry: {collection: acme}, calreply"


def told(
    send: str, to: str, views: Mapping[str, DestinationView] = VIEWS, layers: tuple[str, ...] = ("base",)
) -> list[Problem]:
    text = f"rules:\n  - name: r\n    from: [t]\n    send:\n      - {{to: [{to}], key: k, {send}}}\n"
    return check_rules(load_text(text, "r.yaml", tuple(vendors())), views, layers)


@pytest.mark.parametrize(
    ("to", "send", "name"),
    [
        ("ecal", ECAL + ", alerts: [7m, 1h, 1d]}", "alerts"),
        ("ecal", ECAL + ", links: [" + "{name: a, url: 'https://b'}, " * 7 + "]}", "links"),
        ("ecal", ECAL + "}, ecal: {smartAlert: 5}", "ecal.smartAlert"),
        ("ecal", ECAL + "}, ecal: {objective: nonsense, sponsored_message: '{{ data.x }}'}", "ecal.objective"),
        ("ecal", ECAL + "}, ecal: {social: {facebok: x}}", "ecal.social"),
        ("calreply", REPLY + ", alerts: [1h, 1d]}", "alerts"),
        ("calreply", SUBSCRIPTION + ": {resource: protectd, subscriberId: '{{ data.x }}'}", "calreply.resource"),
        ("calreply", SUBSCRIPTION + ": {resource: webcal}", "calreply.subscriberId"),
        ("calreply", SUBSCRIPTION + ": {resource: google, subscriberId: '{{ data.x }}'}", "calreply.redirectTo"),
        ("apptoto", APPTOTO + "}, apptoto: {show_as: 9}", "apptoto.show_as"),
        ("apptoto", APPTOTO + ", participants: [{email: nobody}]}", "participants"),
        ("apptoto", APPTOTO + ", busy: true}, apptoto: {show_as: 0}", "apptoto.show_as"),
        ("add_to_calendar_pro", PAGES + ", participants: [{name: A, email: a@b.cd}]}", "participants"),
        ("add_to_calendar_pro", PAGES + "}, add_to_calendar_pro: {description_html: <x>}", "description_html"),
        ("add_to_calendar_pro", PAGES.replace("collection: a-group, ", "") + "}", "collection"),
        ("add_to_calendar_pro", PAGES + ", recurrence: FREQ=DAILY}, add_to_calendar_pro: {recurrence_count: 2}", "rec"),
    ],
)
def test_what_no_vendor_can_say_is_told(to: str, send: str, name: str) -> None:
    problems = told(send, to)

    assert problems, send
    assert all(name in problem.message and problem.line == 5 for problem in problems), problems


@pytest.mark.parametrize("to", VIEWS)
@pytest.mark.parametrize(
    "when",
    [
        "start: 2026-12-24T10:00, end: 2026-12-24T09:00, time_zone: UTC",
        "start: 2026-12-24T10:00, end: 2026-12-24T10:30, time_zone: UTC, end_time_zone: Europe/Berlin",
        "start: 2026-12-24, end: 2026-12-24, all_day: true, time_zone: UTC",
        "start: 2026-12-24, time_zone: UTC",
    ],
)
def test_times_that_no_event_can_change_are_told(to: str, when: str) -> None:
    send = ECAL.replace(WHEN, when) if to == "ecal" else APPTOTO.replace(WHEN, when)
    send = send if to != "calreply" else REPLY.replace(WHEN, when)

    assert told(send + "}", to)


@pytest.mark.parametrize(
    ("to", "send"),
    [
        ("ecal", ECAL + ", end: 2026-01-01T10:00, end_time_zone: Europe/Berlin}"),
        ("ecal", ECAL.replace("UTC", "'{{ data.zone }}'") + ", end_time_zone: Europe/Berlin}"),
        ("ecal", ECAL + ", alerts: ['{{ data.a }}', 1h, 1d], all_day: '{{ data.whole }}'}"),
        ("ecal", ECAL + ", links: '{{ data.links }}'}, ecal: {objective: '{{ data.why }}', social: {twitter: x}}"),
        ("calreply", SUBSCRIPTION + ": {resource: '{{ data.x }}', subscriberId: '{{ data.y }}'}"),
        ("calreply", SUBSCRIPTION + ": {subscriberId: '{{ data.y }}', redirectTo: '{{ data.z }}', userAgent: u}"),
        ("apptoto", APPTOTO + ", busy: '{{ data.busy }}'}, apptoto: {show_as: 0}"),
        ("add_to_calendar_pro", PAGES + "}, add_to_calendar_pro: {organizer_name: A, organizer_email: '{{ data.e }}'}"),
        (
            "add_to_calendar_pro",
            PAGES + "}, add_to_calendar_pro: {recurrence_count: 2, recurrence_simple_type: '{{ data.e }}'}",
        ),
        (
            "add_to_calendar_pro",
            PAGES.replace("collection: a-group, ", "")
            + "}, add_to_calendar_pro: {new_event_group_name: '{{ data.g }}'}",
        ),
        ("add_to_calendar_pro", "entry: {title: a, collection: g, dates: '{{ data.dates }}'}"),
    ],
)
def test_a_template_is_given_the_benefit_of_the_doubt(to: str, send: str) -> None:
    assert told(send, to) == []


def test_a_layer_is_judged_by_itself() -> None:
    layers = ("base", "above")
    assert told("identity: i, layer: above, entry: {end_time_zone: UTC, links: []}", "ecal", VIEWS, layers) == []
    (problem,) = told("identity: i, layer: above, entry: {alerts: [7m]}", "ecal", VIEWS, layers)
    assert (problem.message, problem.expected.startswith("alerts: ECAL knows")) == ("ecal refuses alerts", True)


def test_the_defaults_of_the_destination_count() -> None:
    view = replace(VIEWS["apptoto"], defaults={"busy": True, "collection": "Acme", "time_zone": "UTC"})
    short = "entry: {title: a, start: '{{ data.start }}'"
    assert told(short + "}", "apptoto", {"apptoto": view}) == []
    assert told(short + "}, apptoto: {show_as: 0}", "apptoto", {"apptoto": view})
    assert told(short + ", busy: '{{ data.busy }}'}, apptoto: {show_as: 0}", "apptoto", {"apptoto": view}) == []


def test_a_vendor_that_fails_at_a_part_breaks_nothing() -> None:
    view = replace(
        VIEWS["ecal"], vendor=replace(VIEWS["ecal"].vendor, problems=lambda content, options: [content["x"]])
    )
    assert told(ECAL + ", alerts: [7m]}", "ecal", {"ecal": view}) == []


@pytest.mark.parametrize(
    "file",
    ["configs/calends.yaml", "configs/examples/four-vendors.yaml", "configs/relay.yaml", "pipeline/demo/calends.yaml"],
)
def test_the_shipped_rules_stay_clean(file: str) -> None:
    assert check(ROOT / file, secrets=False).problems == ()


def test_the_defaults_of_a_destination_are_judged_where_they_stand(tmp_path: Path) -> None:
    text = (ROOT / "pipeline/demo/calends.yaml").read_text().replace("rules.yaml", f"{ROOT}/pipeline/demo/rules.yaml")
    file = tmp_path / "calends.yaml"
    file.write_text(text.replace("collection: Clinic", "collection: Clinic, apptoto: {show_as: 9}"))

    (problem,) = check(file, secrets=False).problems

    line = text.partition("  apptoto: {account")[0].count("\n") + 1
    assert (problem.line, problem.message) == (line, "apptoto refuses apptoto.show_as")


def contents() -> list[tuple[str, Content, Mapping[str, Any]]]:
    """Every content of the vendors' own cases that the vendor takes: (vendor, content, options)."""
    found = []
    for one in subjects():
        for situation in (each for case in one.cases("requests") for each in situations(case)):
            whole = situation.wanted or situation.observed or {}
            if whole and not one.vendor.problems(whole, situation.options):
                found.append((one.vendor.name, whole, situation.options))
    return found


def flat(content: Content, vendor: str) -> dict[str, Any]:
    own = {f"{vendor}.{name}": value for name, value in content.get(vendor, {}).items()}
    return {name: value for name, value in content.items() if name not in (vendor, "kind")} | own


@settings(max_examples=600, deadline=None)
@given(one=st.sampled_from(contents()), data=st.data())
def test_whatever_of_a_good_entry_is_a_template_nothing_is_refused(
    one: tuple[str, Content, Mapping[str, Any]], data: st.DataObject
) -> None:
    vendor, content, options = one
    view, said, kind = DestinationView("d", vendors()[vendor], options), flat(content, vendor), content.get("kind")
    unsure = data.draw(st.sets(st.sampled_from(sorted(said))))
    literal = {name: value for name, value in said.items() if name not in unsure}

    assert list(Certain(literal, frozenset(unsure), view, kind).refusals()) == []
    assert list(Certain.part(literal, view, kind).refusals()) == []
