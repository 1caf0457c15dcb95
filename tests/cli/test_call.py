"""`calends call`: any call of a vendor, signed, inside the quota and audited, against the sandbox over real HTTP.

What the vendors' documents list stands under `calls` in each `cases.yaml`; its shape is told in
`tests/vendors/test_contract.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

import pipeline.vendors
from pipeline.account import FRESH
from pipeline.account import Account as LaneAccount
from pipeline.calls import CallFailed
from pipeline.cli import app
from pipeline.ledger import Act, Ledger, Quota
from pipeline.model.wire import Credential, Request, Response
from pipeline.operate.call import Answered, ByHand, Refused
from pipeline.operate.sending import InQuota
from pipeline.pacing import Pace
from pipeline.sandbox import Account
from pipeline.sandbox.server import running
from pipeline.vendors import vendors

FOLDERS = [path.parent for path in sorted(Path(pipeline.vendors.__file__).parent.glob("*/cases.yaml"))]
CASES = {folder.name: dict(YAML(typ="safe").load(folder / "cases.yaml")) for folder in FOLDERS}
SECRET = "hidden-{}-secret"


class Desk:
    """One destination, `there`, at one simulated account, and a ledger of its own."""

    def __init__(self, folder: Path, url: str, vendor: str, config: Mapping[str, Any], calls: int = 1000) -> None:
        self.folder, self.vendor, self.quota = folder, vendors()[vendor], Quota("there", ((calls, 60.0),))
        self.environment = {self._variable(secret.name): config[secret.name] for secret in self.vendor.secrets}
        options = {option.name: config[option.name] for option in self.vendor.options if option.name in config}
        settings = {
            "ledger": {"url": f"sqlite:///{folder}/ledger.db"},
            "destinations": {
                "there": {
                    "vendor": vendor,
                    "base_url": f"{url}/{vendor}/there",
                    "credential": {secret.name: {"env": self._variable(secret.name)} for secret in self.vendor.secrets},
                    "quota": [{"calls": calls, "per": "1m"}],
                    "options": options,
                }
            },
            "rules": [{"name": "r", "from": "t", "send": {"to": "there", "key": "k", "delete": True}}],
        }
        (folder / "calends.yaml").write_text(json.dumps(settings))

    def _variable(self, secret: str) -> str:
        return f"X_{self.vendor.name}_{secret}".upper()

    def call(self, *arguments: str, body: bytes | None = None, **environment: str) -> Result:
        words = ["call", "-c", str(self.folder), "there", *arguments]
        return CliRunner().invoke(app, words, input=body, env={**self.environment, **environment})

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        opened = Ledger(f"sqlite:///{self.folder}/ledger.db", {}, {"there": self.quota}, lambda facts: [])
        opened.migrate()
        opened.declare()
        yield opened
        opened.close()

    def acts(self) -> list[Act]:
        with self.ledger() as ledger:
            return ledger.acts()


@contextmanager
def desk(folder: Path, vendor: str = "ecal", calls: int = 1000, **more: Any) -> Iterator[Desk]:
    """`more` is the sandbox account's own: its quota, its faults."""
    secrets = {secret.name: SECRET.format(secret.name) for secret in vendors()[vendor].secrets}
    config = {**secrets, **CASES[vendor].get("sandbox", {})}
    with running([Account("there", vendor, config, **more)]) as url:
        yield Desk(folder, url, vendor, config, calls)


def arguments(case: Mapping[str, Any], known: Mapping[str, str]) -> tuple[list[str], bytes | None]:
    query = {name: _filled(value, known) for name, value in case.get("query", {}).items()}
    words = [case["method"], _filled(case["path"], known), "--json"]
    words += [word for name, value in query.items() for word in ("-q", f"{name}={value}")]
    words += [word for name, value in case.get("headers", {}).items() for word in ("-H", f"{name}: {value}")]
    body = _filled(json.dumps(case["json"]), known) if "json" in case else case.get("body")
    return words + (["--input", "-"] if body is not None else []), None if body is None else body.encode()


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.mark.parametrize("vendor", [name for name, cases in CASES.items() if "calls" in cases])
def test_every_call_of_its_documents_can_be_made(vendor: str, tmp_path: Path) -> None:
    known: dict[str, str] = {}
    came: list[tuple[str, Any]] = []
    with desk(tmp_path, vendor) as here:
        for case in CASES[vendor]["calls"]:
            words, body = arguments(case, known)
            result = here.call(*words, body=body)
            told = json.loads(result.stdout) if result.stdout else {"status": result.stderr, "body": ""}
            if isinstance(told["body"], dict):
                known |= {name: str(value) for name, value in told["body"].items()}
            came.append((case["name"], told["status"]))
            assert result.exit_code == (0 if str(told["status"]).startswith("2") else 1), result.output
        audited = [act.outcome for act in reversed(here.acts())]
    assert came == [(case["name"], case["expect"]) for case in CASES[vendor]["calls"]]
    assert audited == [str(case["expect"]) for case in CASES[vendor]["calls"]]


# what is printed ---------------------------------------------------------------------------------------------------


def test_the_body_is_printed_as_readable_json(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        result = here.call("PUT", "/apiv2/event/K", "-f", "name=x")
    assert (result.exit_code, result.stdout) == (1, '{\n  "status": "404",\n  "statusLong": "Not found"\n}\n')


def test_status_and_headers_are_printed_on_request(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        lines = here.call("get", "apiv2/event", "-i").stdout.splitlines()
    assert lines[0] == "HTTP 204 No Content"
    assert any(line.startswith("date: ") for line in lines[1:])


def test_an_answer_without_a_body_is_told_by_its_status(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        result = here.call("GET", "/apiv2/event")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "204 No Content\n")


def test_fields_are_json_where_they_are_json(tmp_path: Path) -> None:
    day = ("startDate=2026-12-24", "endDate=2026-12-24", "allDay=yes")
    fields = ("type=private", "name=NaN", "location=L", "reference=K", "draft=0", 'details="7"', *day)
    words = [word for field in fields for word in ("-f", field)]
    with desk(tmp_path) as here:
        made = json.loads(here.call("POST", "/apiv2/event", "-q", "ecal_id=someone", *words).stdout)
        seen = json.loads(here.call("GET", f"/apiv2/event/{made['eventId']}").stdout)
    assert (seen["name"], seen["draft"], seen["details"]) == ("NaN", 0, "7")


def test_a_dry_run_shows_the_request_and_needs_neither_vendor_nor_secret_nor_ledger(tmp_path: Path) -> None:
    here = Desk(tmp_path, "http://127.0.0.1:9", "ecal", {"api_key": "", "api_secret": ""})
    result = here.call("PUT", "/apiv2/event/K?x=1", "-f", "name=n", "--dry-run")
    assert (result.exit_code, result.stdout) == (
        0,
        'PUT http://127.0.0.1:9/ecal/there/apiv2/event/K?x=1&apiKey=***&apiSign=***\n\n{\n  "name": "n"\n}\n',
    )
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize("vendor", ["ecal", "calreply"])
def test_neither_secret_nor_signature_nor_token_is_printed_or_kept(vendor: str, tmp_path: Path) -> None:
    path = {"ecal": "/apiv2/event/", "calreply": "/v1/webcal/"}[vendor] + "hidden-id"
    with desk(tmp_path, vendor) as here:
        told = "".join(here.call("GET", path, "-q", "a=b", *more).output for more in (["-i"], ["--json"]))
        kept = here.acts()
    assert not any(
        word in told + repr(kept) for word in ("apiSign", "Bearer", "hidden-api", "hidden-client", "/there/")
    )
    assert {(act.action, act.destination, act.detail) for act in kept} == {("call", "there", f"GET {path}")}
    assert {act.actor for act in kept} == {pwd.getpwuid(os.getuid()).pw_name}


def test_what_a_vendor_echoes_of_the_credential_is_masked(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        key = here.environment["X_ECAL_API_KEY"]
        made = here.call(
            *("POST", "/apiv2/event", "-q", "ecal_id=s", "-f", "type=private", "-f", f"name={key}", "-f", "location=L"),
            *("-f", "reference=K", "-f", "startDate=2026-12-24", "-f", "endDate=2026-12-24", "-f", "allDay=yes"),
        )
        seen = here.call("GET", f"/apiv2/event/{json.loads(made.stdout)['eventId']}")
    assert json.loads(seen.stdout)["name"] == "***"


# what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["GET", "https://evil.example/x"], "a whole URL"),
        (["GET", "//evil.example/x"], "a whole URL"),
        (["GET", "/../other/apiv2/event"], "a part that is . or .."),
        (["POST", "/oauth2/./token"], "a part that is . or .."),
        (["GET", "/a/%2e%2E/b"], "a part that is . or .."),
        (["GET", "/a/..%2fb"], "a part that is . or .."),
        (["GET", "/a b"], "has a space"),
        (["GET", "/a#b"], "has a space, a backslash, a #"),
        (["FETCH", "/a"], "FETCH is no method"),
        (["GET", "/a", "-f", "b=c"], "use --query"),
        (["PUT", "/a", "-f", "b=c", "--input", "-"], "exclude each other"),
        (["PUT", "/a", "-f", "b"], "--field: expected NAME=VALUE"),
        (["PUT", "/a", "-q", "=b"], "--query: expected NAME=VALUE"),
        (["PUT", "/a", "-H", "b=c"], "--header: expected NAME:VALUE"),
        (["PUT", "/a", "--input", "no-such-file"], "No such file"),
    ],
)
def test_what_is_no_call_is_wrong_usage(words: list[str], why: str, tmp_path: Path) -> None:
    here = Desk(tmp_path, "http://127.0.0.1:9", "ecal", {"api_key": "k", "api_secret": "s"})
    result = here.call(*words, body=b"{}")
    assert (result.exit_code, why in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "ledger.db").exists()


def test_an_unknown_destination_is_wrong_usage(tmp_path: Path) -> None:
    Desk(tmp_path, "http://127.0.0.1:9", "ecal", {"api_key": "k", "api_secret": "s"})
    result = CliRunner().invoke(app, ["call", "ther", "GET", "/", "-c", str(tmp_path)])
    told = "calends: unknown destination ther; one of there; did you mean there?\n"
    assert (result.exit_code, result.stderr) == (2, told)


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2//token/", "/oauth2/%74oken"])
def test_a_token_may_be_asked_for_and_is_not_shown(tmp_path: Path, path: str) -> None:
    with desk(tmp_path, "calreply") as here:
        result = here.call("POST", path)
        assert len(here.acts()) == 1
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["access_token"], answer["refresh_token"]) == (0, "***", "***")
    assert answer["expires_in"] > 0


def test_a_token_is_asked_for_with_the_credentials_own_request_only(tmp_path: Path) -> None:
    with desk(tmp_path, "calreply") as here:
        results = [
            here.call("POST", "/oauth2/token", "-f", "grant_type=refresh_token"),
            here.call("GET", "/oauth2/token"),
        ]
        assert here.acts() == []
    assert [(one.exit_code, one.stdout) for one in results] == [(2, "")] * 2


def test_a_credential_that_is_not_there_is_told(tmp_path: Path) -> None:
    here = Desk(tmp_path, "http://127.0.0.1:9", "ecal", {"api_key": "", "api_secret": "s"})
    result = here.call("GET", "/apiv2/event")
    assert (result.exit_code, "there: api_key is not there" in result.stderr) == (3, True)


# the account -------------------------------------------------------------------------------------------------------


def test_a_call_waits_for_its_place_in_the_quota_and_no_longer_than_it_is_told(tmp_path: Path) -> None:
    with desk(tmp_path, calls=1) as here:
        assert here.call("GET", "/apiv2/event").exit_code == 0
        result = here.call("GET", "/apiv2/event", "--timeout", "0.2")
        audited = [act.outcome for act in here.acts()]
    assert (result.exit_code, "the quota has no place within 0.2 s" in result.stderr) == (3, True)
    assert audited == ["quota", "204"]


def test_a_held_account_is_called_by_force_only(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        with here.ledger() as ledger:
            ledger.hold("there", "unauthorized")
        refused, forced = here.call("GET", "/apiv2/event"), here.call("GET", "/apiv2/event", "--force")
        audited = [act.outcome for act in here.acts()]
    assert (refused.exit_code, forced.exit_code, audited) == (3, 0, ["204", "held"])
    assert "the vendor refused the credential" in refused.stderr


def test_a_429_pauses_the_account_for_the_workers_too(tmp_path: Path) -> None:
    with desk(tmp_path, quota=((0, 30.0),), retry_after="seconds") as here:
        assert here.call("GET", "/apiv2/event").exit_code == 1
        again = here.call("GET", "/apiv2/event")
        with here.ledger() as ledger:
            reason, seconds = ledger.obstacles()["there"]
    assert (again.exit_code, "the account is paused for" in again.stderr) == (3, True)
    assert (reason, 20 < seconds <= 30) == ("throttled", True)


def test_other_settings_than_the_workers_call_nobody(tmp_path: Path) -> None:
    with desk(tmp_path) as here:
        with here.ledger():
            pass
        Desk(tmp_path, "http://127.0.0.1:9", "ecal", {"api_key": "k", "api_secret": "s"}, calls=7)
        result = here.call("GET", "/apiv2/event")
    assert (result.exit_code, "the ledger's quota for this account is another one" in result.stderr) == (3, True)


def test_a_lost_answer_is_told_as_one(tmp_path: Path) -> None:
    with desk(tmp_path, faults={"lost_answer_rate": 1.0}) as here:
        result = here.call("DELETE", "/apiv2/event/K")
        (act,) = here.acts()
    assert (result.exit_code, act.outcome) == (1, "unknown: reset")
    assert "the vendor may have acted" in result.stderr


def test_a_vendor_that_is_not_there_takes_no_token(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        here = Desk(tmp_path, url, "ecal", {"api_key": "k", "api_secret": "s"}, calls=1)
        results = [here.call("GET", "/apiv2/event").stderr for _ in range(2)]
    assert results == ["calends: not sent (refused)\n"] * 2


def test_a_refused_credential_gives_no_token(tmp_path: Path) -> None:
    with desk(tmp_path, "calreply") as here:
        result = here.call("GET", "/v1/webcal/x", X_CALREPLY_CLIENT_SECRET="wrong")
    assert (result.exit_code, "refuses the credential" in result.stderr) == (3, True)


def test_a_token_server_that_answers_with_an_error_is_told_with_its_status(tmp_path: Path) -> None:
    with desk(tmp_path, "calreply", faults={"token_outage": True}) as here:
        result = here.call("GET", "/v1/webcal/x")
    words = "calends: the token server answered 503: there is no token\n"
    assert (result.exit_code, result.stderr) == (3, words)


def test_tables_that_are_missing_are_told(tmp_path: Path, postgres_url: str) -> None:
    with desk(tmp_path) as here:
        ledger = {"CALENDS_LEDGER__URL": postgres_url}
        refused = here.call("GET", "/apiv2/event", **ledger)
        assert CliRunner().invoke(app, ["migrate", "-c", str(tmp_path)], env=ledger).exit_code == 0
        fine = here.call("GET", "/apiv2/event", **ledger)
    assert (refused.exit_code, "run calends migrate" in refused.stderr, fine.exit_code) == (3, True, 0)


# the last moment before it leaves ----------------------------------------------------------------------------------


class SlowToConnect:
    """A caller whose first connection takes longer than a look at the holds is good for."""

    timeout = 10.0

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile, self.attempts = meanwhile, 0

    async def send(self, request: Request, check: Callable[[], bool]) -> Response | CallFailed:
        self.attempts += 1
        if self.attempts == 1:
            self.meanwhile()
            await asyncio.sleep(FRESH)
        return Response(200) if check() else CallFailed("too_late", "too_late")


def by_hand(ledger: Ledger, caller: Any) -> ByHand:
    credential = Credential({"api_key": "k", "api_secret": "s"})
    account = LaneAccount("there", vendors()["ecal"], {}, caller, Pace(()), lambda: credential)
    return ByHand(InQuota(account, ledger), "there", "somebody")


async def test_who_is_slow_to_connect_looks_again_and_takes_no_second_place(tmp_path: Path) -> None:
    with Desk(tmp_path, "", "ecal", {"api_key": "", "api_secret": ""}, calls=1).ledger() as ledger:
        caller = SlowToConnect(lambda: None)
        assert await by_hand(ledger, caller).call(Request("GET", "/x")) == Answered(200, {}, "")
        assert (caller.attempts, [act.outcome for act in ledger.acts()]) == (2, ["200"])


async def test_a_hold_that_comes_while_it_connects_stops_it(tmp_path: Path) -> None:
    with Desk(tmp_path, "", "ecal", {"api_key": "", "api_secret": ""}).ledger() as ledger:
        came = await by_hand(ledger, SlowToConnect(lambda: ledger.hold("there", "failing"))).call(Request("GET", "/x"))
        assert isinstance(came, Refused)
        assert (came.code, came.reached, ledger.acts()[0].outcome) == ("held", False, "held")


class NeverAnswers:
    timeout = 10.0

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def send(self, request: Request, check: Callable[[], bool]) -> Response:
        self.called.set()
        await asyncio.sleep(60)
        return Response(200)


async def test_a_call_that_is_broken_off_counts_in_the_quota_and_is_noted(tmp_path: Path) -> None:
    with Desk(tmp_path, "", "ecal", {"api_key": "", "api_secret": ""}, calls=1).ledger() as ledger:
        caller = NeverAnswers()
        calling = asyncio.create_task(by_hand(ledger, caller).call(Request("GET", "/x")))
        await caller.called.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert (ledger.acts()[0].outcome, ledger.quota_used()) == ("interrupted", {"there": 1.0})
