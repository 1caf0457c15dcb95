"""The sandbox over real HTTP: quota, faults, counts, judgement, feed and page."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from pipeline.sandbox import Account, running
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.quota import Quota

ECAL = {"api_key": "k", "api_secret": "s"}
CALREPLY = {"account_code": "acme", "client_id": "me", "client_secret": "s3"}
GUID = "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3"
ACCOUNTS = [
    Account("bank", "ecal", ECAL, quota=((3, 60.0),), retry_after="seconds"),
    Account("shop", "ecal", ECAL),
    Account("air", "calreply", CALREPLY),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[httpx.Client]:
    with running(ACCOUNTS, seed=1) as url, httpx.Client(base_url=url, timeout=5) as client:
        yield client


@pytest.fixture(autouse=True)
def _fresh(sandbox: httpx.Client) -> None:
    sandbox.post("/_reset").raise_for_status()


def signed(body: bytes, **query: str) -> dict[str, str]:
    pairs = {"apiKey": "k", **query}
    text = "s" + "".join(k + v for k, v in sorted(pairs.items()))
    return {**pairs, "apiSign": hashlib.md5(text.encode() + body).hexdigest()}


def create(client: httpx.Client, account: str = "shop", key: str = "INV-1", **fields: Any) -> httpx.Response:
    times = {"startDate": "2036-12-24", "startTime": "09:00", "endDate": "2036-12-24", "endTime": "10:00"}
    event = {"type": "private", "name": "Due", "location": "Online", "reference": key, "draft": 0, **times, **fields}
    body = json.dumps(event).encode()
    return client.post(f"/ecal/{account}/apiv2/event", params=signed(body, ecal_id="c 1+é"), content=body)


def probe(client: httpx.Client, account: str = "shop") -> httpx.Response:
    return client.get(f"/ecal/{account}/apiv2/event", params=signed(b""))


def fault(client: httpx.Client, account: str = "shop", **faults: Any) -> None:
    client.post("/_faults", json={"account": account, **faults}).raise_for_status()


def entries(client: httpx.Client, account: str = "shop") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/_entries", params={"account": account}).json()
    return found


def counters(client: httpx.Client, account: str = "shop") -> dict[str, Any]:
    found: dict[str, Any] = client.get("/_counters").json()[account]
    return found


def test_a_signed_call_acts_and_a_wrong_signature_does_not(sandbox: httpx.Client) -> None:
    assert create(sandbox).status_code == 200
    refused = sandbox.post("/ecal/shop/apiv2/event", params={"apiKey": "k", "apiSign": "0"}, content=b"{}")
    assert refused.status_code == 403
    assert [entry["calendar"] for entry in entries(sandbox)] == ["c 1+é"]


def test_the_quota_refuses_the_call_too_many(sandbox: httpx.Client) -> None:
    statuses = [probe(sandbox, "bank").status_code for _ in range(4)]
    assert statuses == [204, 204, 204, 429]
    answer = probe(sandbox, "bank")
    assert 55 <= int(answer.headers["retry-after"]) <= 60
    assert answer.json()["status"] == "429"
    seen = counters(sandbox, "bank")
    assert (seen["refused_429"], seen["worst_window"], seen["by_status"]) == (2, 5, {"204": 3, "429": 2})


def test_the_quota_window_slides() -> None:
    quota = Quota(((2, 10.0),))
    taken = [quota.take(now) for now in (0.0, 9.0, 9.5, 10.0, 18.9, 19.0)]
    assert taken == [0.0, 0.0, 0.5, 0.0, pytest.approx(0.1), 0.0]


def test_a_tightened_quota_remembers_the_calls_before() -> None:
    quota = Quota(((10, 60.0),))
    quota.take(0.0)
    assert Quota(((1, 60.0),), quota).take(30.0) == 30.0


def test_a_quota_can_be_set_while_running(sandbox: httpx.Client) -> None:
    fault(sandbox, quota=[[1, 60]], retry_after="date")
    assert [probe(sandbox).status_code, probe(sandbox).status_code] == [204, 429]
    assert probe(sandbox).headers["retry-after"].endswith("GMT")


def test_a_lost_answer_acts(sandbox: httpx.Client) -> None:
    fault(sandbox, lost_answer_rate=1)
    with pytest.raises(httpx.RemoteProtocolError):
        create(sandbox)
    assert [entry["key"] for entry in entries(sandbox)] == ["INV-1"]
    assert counters(sandbox)["by_status"] == {"lost": 1}


def test_a_lost_answer_may_be_a_500_or_silence(sandbox: httpx.Client) -> None:
    fault(sandbox, lost_answer_rate=1, lost_answer="500")
    assert create(sandbox).status_code == 500
    fault(sandbox, lost_answer="hang")
    with pytest.raises(httpx.ReadTimeout), httpx.Client(base_url=sandbox.base_url, timeout=0.2) as hasty:
        create(hasty, key="INV-2")
    assert [entry["key"] for entry in entries(sandbox)] == ["INV-1", "INV-2"]


def test_an_outage_answers_503_and_nothing_acts(sandbox: httpx.Client) -> None:
    fault(sandbox, outage=True)
    assert create(sandbox).status_code == 503
    fault(sandbox, outage="closed")
    with pytest.raises(httpx.RemoteProtocolError):
        create(sandbox)
    fault(sandbox, outage=False)
    assert entries(sandbox) == []
    assert create(sandbox).status_code == 200


def test_a_fault_ends_by_itself() -> None:
    faults = Faults({}, 0.0)
    faults.update({"latency_ms": 50, "for_seconds": 10}, 100.0)
    assert (faults.get("latency_ms", 109.9), faults.get("latency_ms", 110.0)) == (50.0, None)


@pytest.mark.parametrize("wrong", [{"latency": 5}, {"error_rate": 2}, {"refuse_titles": "("}, {"outage": "maybe"}])
def test_an_unknown_fault_is_refused(sandbox: httpx.Client, wrong: dict[str, Any]) -> None:
    assert sandbox.post("/_faults", json={"account": "shop", **wrong}).status_code == 400


@pytest.mark.parametrize("wrong", [{"account": "zz"}, {}, []])
def test_a_fault_of_an_unknown_account_tells_which_there_are(sandbox: httpx.Client, wrong: Any) -> None:
    answer = sandbox.post("/_faults", json=wrong)

    assert (answer.status_code, answer.json()["error"].startswith("account is one of ")) == (400, True)


def test_errors_come_at_the_rate_asked_for(sandbox: httpx.Client) -> None:
    fault(sandbox, error_rate=0.5, error_status=502)
    statuses = [probe(sandbox).status_code for _ in range(60)]
    assert 15 <= statuses.count(502) <= 45


def test_titles_can_be_refused(sandbox: httpx.Client) -> None:
    fault(sandbox, refuse_titles="^Bad")
    assert create(sandbox, name="Bad luck").status_code == 400
    assert create(sandbox, name="Good luck").status_code == 200


def test_latency_is_added(sandbox: httpx.Client) -> None:
    fault(sandbox, latency_ms=120)
    begun = time.monotonic()
    probe(sandbox)
    assert time.monotonic() - begun >= 0.12


def test_a_revoked_credential_is_refused_by_both(sandbox: httpx.Client) -> None:
    fault(sandbox, revoked=True)
    fault(sandbox, "air", revoked=True)
    assert (probe(sandbox).status_code, token(sandbox).status_code) == (403, 401)
    fault(sandbox, revoked=False)
    fault(sandbox, "air", revoked=None)
    assert (probe(sandbox).status_code, token(sandbox).status_code) == (204, 200)


def token(client: httpx.Client) -> httpx.Response:
    form = {"grant_type": "client_credentials"}
    return client.post("/calreply/air/oauth2/token", data=form, auth=("me", "s3"))


@pytest.mark.parametrize("odd", ["malformed", "huge"])
def test_an_odd_answer_has_acted_and_its_status_is_right(sandbox: httpx.Client, odd: str) -> None:
    plain = create(sandbox)
    fault(sandbox, odd_answer_rate=1.0, odd_answer=odd)
    answer = create(sandbox, key="INV-2")
    assert answer.status_code == plain.status_code
    assert len(answer.content) > 8 << 20 if odd == "huge" else not _is_json(answer.content)
    assert sandbox.get("/_counters").json()["shop"]["items"] == 2


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_a_slow_answer_begins_at_once_and_takes_a_second_a_byte(sandbox: httpx.Client) -> None:
    fault(sandbox, odd_answer_rate=1.0, odd_answer="slow")
    with httpx.Client(base_url=sandbox.base_url, timeout=0.4) as hasty, pytest.raises(httpx.ReadTimeout):
        create(hasty)
    assert sandbox.get("/_counters").json()["shop"]["items"] == 1


def test_a_redirect_has_not_acted_and_who_follows_it_is_counted(sandbox: httpx.Client) -> None:
    fault(sandbox, odd_answer_rate=1.0, odd_answer="redirect")
    answer = create(sandbox)
    assert (answer.status_code, answer.headers["location"]) == (307, "/ecal/shop/moved")
    fault(sandbox, odd_answer_rate=None)
    sandbox.get(answer.headers["location"])
    counters = sandbox.get("/_counters").json()["shop"]
    assert (counters["items"], counters["calls"]) == (0, 2)


def test_a_token_server_can_be_out_alone(sandbox: httpx.Client) -> None:
    fault(sandbox, "air", token_outage=True)
    assert token(sandbox).status_code == 503
    fault(sandbox, "air", token_outage=None)
    assert token(sandbox).status_code == 200


def test_tokens_can_be_revoked_while_the_credential_is_good(sandbox: httpx.Client) -> None:
    held = {"authorization": f"Bearer {token(sandbox).json()['access_token']}"}
    path = f"/calreply/air/v1/subscription/{GUID}"
    assert sandbox.get(path, headers=held).status_code == 404
    fault(sandbox, "air", tokens_revoked=True)
    assert sandbox.get(path, headers=held).status_code == 401
    fresh = {"authorization": f"Bearer {token(sandbox).json()['access_token']}"}
    assert sandbox.get(path, headers=fresh).status_code == 404


def test_tokens_can_be_revoked_again(sandbox: httpx.Client) -> None:
    path = f"/calreply/air/v1/subscription/{GUID}"
    for _ in range(2):
        held = {"authorization": f"Bearer {token(sandbox).json()['access_token']}"}
        fault(sandbox, "air", tokens_revoked=True)
        assert sandbox.get(path, headers=held).status_code == 401


@pytest.mark.parametrize("together", [True, False], ids=["in one request", "one after the other"])
def test_a_credential_that_is_revoked_with_its_tokens_is_refused(sandbox: httpx.Client, together: bool) -> None:
    both = [{"revoked": True, "tokens_revoked": True}] if together else [{"revoked": True}, {"tokens_revoked": True}]
    for one in both:
        fault(sandbox, "air", **one)
        assert token(sandbox).status_code == 401
    fault(sandbox, "air", revoked=True)
    assert token(sandbox).status_code == 401
    fault(sandbox, "air", revoked=None)
    assert token(sandbox).status_code == 200


def test_tokens_are_counted_apart_and_a_repeat_is_judged_a_double(sandbox: httpx.Client) -> None:
    headers = {"authorization": "Bearer " + token(sandbox).json()["access_token"]}
    event = {"eventId": "BK-1", "title": "Flight", "start": "2036-12-24T09:00:00", "timezone": "UTC"}
    for _ in range(2):
        content = {"event": event, "subscriptionIds": [GUID]}
        answer = sandbox.post("/calreply/air/v1/subscriptionevent/acme", json=content, headers=headers)
        assert answer.status_code == 202
    seen = counters(sandbox, "air")
    assert (seen["calls"], seen["token_requests"], seen["token_concurrency_max"]) == (2, 1, 1)
    judgement = sandbox.get("/_judge", params={"account": "air"}).json()
    assert (judgement["doubles"], judgement["items"], judgement["creates"]) == (["BK-1"], 2, 2)
    arrivals = sandbox.get("/_arrivals", params={"account": "air"}).json()
    assert [row[1:] for row in arrivals] == [["POST", "", 200], ["POST", "BK-1", 202], ["POST", "BK-1", 202]]


def test_a_delete_between_two_creates_is_no_double(sandbox: httpx.Client) -> None:
    create(sandbox)
    sandbox.delete("/ecal/shop/apiv2/event/INV-1", params=signed(b"")).raise_for_status()
    create(sandbox)
    assert sandbox.get("/_judge", params={"account": "shop"}).json() == {
        **{"doubles": [], "double_count": 0, "items": 1, "keys": 1},
        **{"writes": 3, "creates": 2, "updates": 0, "deletes": 1},
    }
    kinds = [row[1] for row in sandbox.get("/_writes", params={"account": "shop"}).json()["INV-1"]]
    assert kinds == ["create", "delete", "create"]


def test_the_feed_is_read_by_a_calendar(sandbox: httpx.Client) -> None:
    create(sandbox, timezone="Europe/Berlin")
    day = {"allDay": "yes", "startDate": "2036-12-25", "endDate": "2036-12-25"}
    create(sandbox, key="INV-2", name="Holiday", **day)
    answer = sandbox.get("/_feed/shop/c 1+é.ics")
    assert answer.headers["content-type"].startswith("text/calendar")
    found = {str(e["summary"]): e for e in Calendar.from_ical(answer.content).walk("VEVENT")}
    assert found["Due"].decoded("dtstart").isoformat() == "2036-12-24T09:00:00+01:00"
    assert found["Holiday"].decoded("dtend").isoformat() == "2036-12-26"


def test_the_page_shows_calendars_and_escapes_what_it_shows(sandbox: httpx.Client) -> None:
    create(sandbox, name="<b>Due</b>")
    answer = sandbox.get("/")
    assert answer.status_code == 200
    assert "&lt;b&gt;Due&lt;/b&gt;" in answer.text
    assert "/_feed/shop/c%201%2B%C3%A9.ics" in answer.text


def test_it_starts_as_a_process_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "sandbox.json"
    accounts = [{"name": "bank", "vendor": "ecal", "config": ECAL, "quota": [[100, 60]]}]
    config.write_text(json.dumps({"seed": 1, "accounts": accounts}))
    command = [sys.executable, "-m", "pipeline.sandbox", "--port", "0", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        with httpx.Client(base_url=line.removeprefix("sandbox listening on "), timeout=10) as client:
            assert probe(client, "bank").status_code == 204
        process.terminate()
        process.wait(10)
