"""One suite for every vendor: its `cases.yaml`, and what holds for all. `--vendor FOLDER`: for that one alone.

A case file holds `requests` (name, source, step, situation or situations, expect: method, path, query, json or body),
`responses` (name, source, step, situation or situations, status, headers, body, expect: one outcome or a list),
and where the vendor has them `signatures`, `tokens` and `token_responses`.

A `source` is one of these, with anything behind it:
`<page>, line 12` or `lines 12-14`: the page's name and the lines in our copy of it.
`newer page: <its name>`: a page that was read later, of which there is no copy with lines.
`client: <whose>`: public code that calls this API knows it, and no page tells it.
`none: <why>`: no page tells of it, and why it is so all the same.

`calls` are what the vendor's pages list, for `tests/cli/test_call.py`: made by hand, one after the other, at one
simulated account: name, source, method, path, query, headers, json or body, and the status to `expect`. `{name}` in a
path, a query or JSON stands for that field of the last answer that had it. `sandbox` is what the simulator's account
and the destination's options are, besides the credential.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import outcome as outcomes
from pipeline.model.outcome import Outcome, Rejected, Unknown
from pipeline.model.wire import Credential, Request, Response, Token
from pipeline.vendors import simulated, vendors
from pipeline.vendors.contract import Situation, Step, Vendor
from tests.vendors.subjects import Subject, missing, situations, subjects

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SUBJECTS = subjects()
WRITES = (Step.CREATE, Step.UPDATE, Step.WRITE, Step.DELETE)
OUTCOMES: dict[str, Any] = {name.lower(): getattr(outcomes, name) for name in dir(outcomes) if name[0].isupper()}
# What a pure folder may not reach, and what its code may not call.
# fmt: off
IMPURE = frozenset({
    "aiohttp", "asyncio", "httpx", "io", "logging", "os", "pathlib", "prometheus_client", "random", "requests",
    "secrets", "socket", "sqlalchemy", "structlog", "subprocess", "threading", "time", "urllib.request",
})
# fmt: on
CLOCKS = frozenset({"now", "utcnow", "today"})


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(one.vendor, case, id=f"{one.vendor.name}: {case.get('name')}")
        for one in SUBJECTS
        for case in one.cases(kind)
    ]


def outcome(expected: Mapping[str, Any]) -> Outcome:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in expected.items()}
    built: Outcome = OUTCOMES[values.pop("outcome")](**values)
    return built


def samples() -> Iterator[tuple[Vendor, Step, list[Situation]]]:
    """Every step of every vendor, each with situations that its cases name."""
    for one in SUBJECTS:
        requests = one.cases("requests")
        for step in Step:
            fitting = [case for case in requests if case["step"] == step] or requests[:1]
            yield from ((one.vendor, step, situations(case)) for case in fitting)


SAMPLES = list(samples())
every_vendor = pytest.mark.parametrize("vendor", [one.vendor for one in SUBJECTS], ids=lambda vendor: vendor.name)
every_folder = pytest.mark.parametrize("one", SUBJECTS, ids=lambda one: one.vendor.name)


@pytest.mark.parametrize(("vendor", "case"), cases("requests"))
def test_an_entry_becomes_the_documented_request(vendor: Vendor, case: dict[str, Any]) -> None:
    expected = case["expect"]
    request = vendor.request(Step(case["step"]), situations(case))
    body = json.loads(request.body) if "json" in expected else request.body.decode()
    assert (request.method, request.path, dict(request.query), body) == (
        expected["method"],
        expected["path"],
        expected.get("query", {}),
        expected["json"] if "json" in expected else expected.get("body", ""),
    )


@pytest.mark.parametrize(("vendor", "case"), cases("requests"))
def test_the_content_of_a_case_has_no_problems(vendor: Vendor, case: dict[str, Any]) -> None:
    found = [vendor.problems(one.wanted, one.options) for one in situations(case) if one.wanted is not None]
    assert not any(found)


@pytest.mark.parametrize(("vendor", "case"), cases("responses"))
def test_an_answer_becomes_its_outcome(vendor: Vendor, case: dict[str, Any]) -> None:
    expected = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    response = Response(case["status"], case.get("headers", {}), case["body"].encode())
    read = vendor.read(Step(case["step"]), situations(case), response, NOW)
    assert list(read) == [outcome(one) for one in expected]


@pytest.mark.parametrize(("vendor", "case"), cases("signatures"))
def test_a_signature_is_the_documented_one(vendor: Vendor, case: dict[str, Any]) -> None:
    query = dict(case["query"])
    credential = Credential({"api_key": query.pop("apiKey"), "api_secret": case["secret"]})
    unsigned = Request("POST", "/", tuple(query.items()), body=case["body"].encode())
    assert dict(vendor.sign(unsigned, credential, None).query)["apiSign"] == case["expect"]


@pytest.mark.parametrize(("vendor", "case"), cases("tokens"))
def test_a_token_is_asked_for_as_documented(vendor: Vendor, case: dict[str, Any]) -> None:
    assert vendor.tokens is not None
    credential = Credential(case["credential"])
    renewal = case["ask"] == "renew"
    request = (
        vendor.tokens.renew(credential, case["options"], "xxxxxxxxxxxxxxx")
        if renewal
        else vendor.tokens.obtain(credential, case["options"])
    )
    headers = dict(request.headers)
    assert headers["content-type"] == case.get("content_type", "application/x-www-form-urlencoded")
    assert (request.method, request.body.decode()) == ("POST", case["body"])
    assert headers.get("authorization") == case.get("authorization")


@pytest.mark.parametrize(("vendor", "case"), cases("token_responses"))
def test_a_token_answer_is_read(vendor: Vendor, case: dict[str, Any]) -> None:
    assert vendor.tokens is not None
    read = vendor.tokens.read(Response(case["status"], body=case["body"].encode()))
    match case["expect"]:
        case None:
            assert read is None
        case {"reason": _, "detail": _} as refused:
            assert read == Rejected(**refused)
        case token:
            assert read == Token(**token)


@every_folder
def test_nothing_of_it_is_missing(one: Subject) -> None:
    lacking = missing(one)
    if lacking:
        pytest.fail("\n  ".join([f"{one.folder}: what is missing:", *lacking]), pytrace=False)


@every_folder
def test_its_name_is_its_folder(one: Subject) -> None:
    assert one.vendor.name == one.folder.name


@every_vendor
def test_its_defaults_are_sane(vendor: Vendor) -> None:
    given = vendor.defaults
    assert given.base_url.startswith("https://")
    assert not given.base_url.endswith("/")
    assert given.windows
    assert all(window.calls > 0 and window.seconds > 0 for window in given.windows)
    assert min(given.concurrency, given.timeout, given.settle_time, given.batch) > 0
    assert all(option.default in option.choices for option in vendor.options if option.choices)


@every_vendor
def test_its_probe_is_a_get_without_a_body(vendor: Vendor) -> None:
    probe = vendor.probe({option.name: option.default or "x" for option in vendor.options})
    assert (probe.method, probe.body) == ("GET", b"")


@every_vendor
def test_it_needs_no_more_than_it_can_say(vendor: Vendor) -> None:
    said = vendor.express({option.name: option.default for option in vendor.options})
    assert said.required <= said.fields


@every_folder
def test_its_folder_is_pure(one: Subject) -> None:
    others = (path for path in one.folder.glob("*.py") if not path.name.startswith("simulator"))
    reached = {name for path in others for name in reaches(path)}
    ours = {name for name in reached if name.startswith("pipeline")}
    allowed = ("pipeline.model", "pipeline.vendors.contract", one.package)
    assert not {name for name in ours if not name.startswith(allowed) or name.startswith(f"{one.package}.simulator")}
    assert not reached & (IMPURE | CLOCKS)


def test_what_simulators_share_is_no_vendors() -> None:
    assert not [name for name in reaches(Path(simulated.__file__)) if name.startswith("pipeline")]


@every_folder
def test_its_simulator_shares_nothing_with_it(one: Subject) -> None:
    """Its parts are `simulator_….py`; together they know the wire, what all simulators ask, and each other."""
    reached = {name for path in one.folder.glob("simulator*.py") for name in reaches(path)}
    known = {"pipeline.model.wire", "pipeline.vendors.simulated"}
    strange = {name for name in reached if name.startswith(("pipeline", one.package))} - known
    assert not {name for name in strange if not name.startswith(f"{one.package}.simulator_")}
    assert not reached & (IMPURE | CLOCKS)


def reaches(path: Path) -> Iterator[str]:
    """The modules that a file imports, and the clock methods that it calls."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str() as module, names=names):
                yield module
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in CLOCKS:
                yield attr
            case _:
                pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(("status", "errors", "eventId", "id", "code", "Code", "data")), inner)
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode())
headers = st.dictionaries(st.just("retry-after"), st.text(max_size=20), max_size=1)


@given(sample=st.sampled_from(SAMPLES), status=st.integers(100, 599), headers=headers, body=bodies)
def test_any_answer_is_an_outcome(
    sample: tuple[Vendor, Step, list[Situation]], status: int, headers: dict[str, str], body: bytes
) -> None:
    vendor, step, given = sample
    read = vendor.read(step, given, Response(status, headers, body), NOW)
    assert len(read) == len(given)
    assert all(isinstance(one, Outcome) for one in read)


@given(vendor=st.sampled_from([one.vendor for one in SUBJECTS]), status=st.integers(100, 599), body=bodies)
def test_any_token_answer_is_read(vendor: Vendor, status: int, body: bytes) -> None:
    if vendor.tokens is not None:
        assert isinstance(vendor.tokens.read(Response(status, body=body)), Token | Rejected | None)


@given(
    sample=st.sampled_from([sample for sample in SAMPLES if sample[1] in WRITES]),
    status=st.integers(500, 599),
    body=bodies,
)
def test_a_servers_fault_leaves_a_write_unknown(
    sample: tuple[Vendor, Step, list[Situation]], status: int, body: bytes
) -> None:
    vendor, step, given = sample
    assert {type(one) for one in vendor.read(step, given, Response(status, {}, body), NOW)} == {Unknown}


@given(sample=st.sampled_from(SAMPLES), status=st.sampled_from((301, 302, 307, 408)), body=bodies)
def test_a_redirect_or_a_server_that_did_not_wait_settles_nothing(
    sample: tuple[Vendor, Step, list[Situation]], status: int, body: bytes
) -> None:
    vendor, step, given = sample
    settled = outcomes.Accepted | outcomes.Unconfirmed | outcomes.Absent | Rejected
    assert not any(isinstance(one, settled) for one in vendor.read(step, given, Response(status, {}, body), NOW))


@given(sample=st.sampled_from(SAMPLES), secret=st.from_regex(r"S3CRET[a-z0-9]{8}", fullmatch=True))
def test_a_request_shows_neither_query_nor_body_nor_credential(
    sample: tuple[Vendor, Step, list[Situation]], secret: str
) -> None:
    vendor, step, given = sample
    credential = Credential({one.name: secret for one in vendor.secrets})
    signed = vendor.sign(vendor.request(step, given), credential, secret)
    assert secret not in repr((signed, credential, given))
    assert repr(signed) == f"Request(method={signed.method!r}, path={signed.path!r})"


@given(
    sample=st.sampled_from(SAMPLES),
    unsure=st.booleans(),
    absent=st.booleans(),
    vendor_id=st.sampled_from((None, "v1")),
    moved=st.booleans(),
    wanted=st.booleans(),
    seen=st.booleans(),
)
def test_there_is_a_next_step_in_every_situation(
    sample: tuple[Vendor, Step, list[Situation]],
    unsure: bool,
    absent: bool,
    vendor_id: str | None,
    moved: bool,
    wanted: bool,
    seen: bool,
) -> None:
    vendor, _, (given, *_) = sample
    content = given.wanted or given.observed
    one = Situation(
        key=given.key,
        wanted=content if wanted else None,
        observed=content if seen else None,
        identity="s1",
        observed_identity="s2" if moved else "s1",
        vendor_id=vendor_id,
        unsure=unsure,
        absent=absent,
        options=given.options,
    )
    step = vendor.plan(one)
    assert isinstance(step, Step | Rejected)
    assert wanted or step not in (Step.CREATE, Step.UPDATE, Step.WRITE)
    assert not (step is Step.CREATE and unsure and not absent)
    assert not (step is Step.UPDATE and unsure)


# CalReply


@pytest.mark.parametrize(
    ("changed", "calreply", "rokt"),
    [
        ({}, Rejected("unsupported", "update"), Step.UPDATE),
        ({"observed": None}, Step.CREATE, Step.CREATE),
        ({"wanted": None}, Rejected("unsupported", "delete"), Step.DELETE),
        ({"observed_identity": "s2"}, Rejected("unsupported", "replace"), Step.DELETE),
        ({"unsure": True, "vendor_id": None}, Step.FIND, Step.FIND),
        ({"unsure": True, "vendor_id": None, "wanted": None}, Step.FIND, Step.DELETE),
        ({"unsure": True, "vendor_id": None, "observed_identity": "s2"}, Step.FIND, Step.DELETE),
        ({"unsure": True}, Rejected("unsupported", "write"), Step.WRITE),
        ({"unsure": True, "absent": True}, Step.CREATE, Step.CREATE),
        ({"unsure": True, "absent": True, "wanted": None}, Rejected("unsupported", "delete"), Step.DELETE),
    ],
)
def test_calreply_plans(changed: dict[str, Any], calreply: Step | Rejected, rokt: Step) -> None:
    content = {"title": "T", "start": "2026-12-24", "all_day": True, "time_zone": "Europe/Berlin"}
    given = {"key": "K", "wanted": content, "observed": content, "identity": "s1", "vendor_id": "K"}
    one = {**given, "observed_identity": "s1", **changed}
    plan = vendors()["calreply"].plan
    assert (plan(Situation(**one)), plan(Situation(**one, options={"api": "rokt"}))) == (calreply, rokt)
