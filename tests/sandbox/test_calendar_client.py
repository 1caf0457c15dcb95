"""The sandbox's feeds in a real calendar client: vdirsyncer fetches them, khal shows them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.model.wire import Credential, Request, Response, Token
from pipeline.sandbox import Account, running
from pipeline.vendors import vendors
from pipeline.vendors.contract import Situation, Step, Vendor

PERSON, GROUP = "fcaf2d43-bcbd-4c5a-a7c0-2eb480bb4fd3", "803a96ac-aaaa-2222-bbbb-6fb191041543"
SECRETS: Mapping[str, Mapping[str, str]] = {
    "ecal": {"api_key": "k", "api_secret": "s"},
    "calreply": {"client_id": "me", "client_secret": "s3"},
    "apptoto": {"user": "me@example.com", "api_key": "k"},
    "add_to_calendar_pro": {"api_key": "k"},
}
MORE: Mapping[str, Mapping[str, Any]] = {
    "ecal": {},
    "calreply": {"account_code": "acme"},
    "apptoto": {"calendars": ["Clinic"]},
    "add_to_calendar_pro": {"groups": [GROUP]},
}
CALENDARS = {"ecal": PERSON, "calreply": PERSON, "apptoto": "Clinic", "add_to_calendar_pro": GROUP}
CHECK_UP = {
    "title": "Check-up 🦷",
    "location": "Room 4",
    "start": "2027-03-01T09:00:00",
    "end": "2027-03-01T09:45:00",
    "time_zone": "Europe/Paris",
}
WHOLE_DAY = {**CHECK_UP, "title": "Holiday", "start": "2027-03-02", "end": "2027-03-03", "all_day": True}
COLLECTION = {"apptoto": "Clinic", "add_to_calendar_pro": GROUP}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running([Account(vendor, vendor, {**SECRETS[vendor], **MORE[vendor]}) for vendor in SECRETS]) as url:
        yield url


def put(url: str, vendor: Vendor, key: str, content: Mapping[str, Any]) -> None:
    """What a worker would send to create the entry."""
    options = {option.name: option.default for option in vendor.options} | {"account_code": "acme"}
    wanted = content | ({"collection": COLLECTION[vendor.name]} if vendor.name in COLLECTION else {})
    situation = Situation(key=key, wanted=wanted, observed=None, identity=PERSON, options=options)
    credential = Credential(SECRETS[vendor.name])
    token = None
    if vendor.tokens is not None:
        read = vendor.tokens.read(_sent(url, vendor, vendor.tokens.obtain(credential, options)))
        assert isinstance(read, Token)
        token = read.access
    request = vendor.request(Step.CREATE, [situation])
    answer = _sent(url, vendor, vendor.sign(request, credential, token))
    assert answer.status < 300, answer.body


def _sent(url: str, vendor: Vendor, request: Request) -> Response:
    answer = httpx.request(
        request.method,
        f"{url}/{vendor.name}/{vendor.name}{request.path}",
        params=list(request.query),
        headers=dict(request.headers),
        content=request.body,
    )
    return Response(answer.status_code, {}, answer.content)


def run(folder: Path, program: str, *arguments: str) -> str:
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [str(Path(sys.executable).parent / program), "-c", str(folder / program), *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


VDIRSYNCER = """
[general]
status_path = "{folder}/status"
[pair it]
a = "remote"
b = "local"
collections = null
[storage remote]
type = "http"
url = "{feed}"
[storage local]
type = "filesystem"
path = "{folder}/calendar"
fileext = ".ics"
"""
KHAL = """
[calendars]
[[it]]
path = {folder}/calendar
[locale]
local_timezone = Europe/Paris
default_timezone = Europe/Paris
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
"""


def subscribed(folder: Path, feed: str, first: str, last: str) -> list[str]:
    """What khal lists of a feed that vdirsyncer has fetched."""
    (folder / "vdirsyncer").write_text(VDIRSYNCER.format(folder=folder, feed=feed))
    (folder / "khal").write_text(KHAL.format(folder=folder))
    (folder / "calendar").mkdir()
    run(folder, "vdirsyncer", "discover")
    run(folder, "vdirsyncer", "sync")
    shape = "{start-date} {start-time}-{end-time} {title} @{location}"
    return run(folder, "khal", "list", "--format", shape, first, last).splitlines()


@pytest.mark.parametrize("name", SECRETS)
def test_a_calendar_client_shows_what_stands_at_the_vendor(sandbox: str, name: str, tmp_path: Path) -> None:
    vendor = vendors()[name]
    put(sandbox, vendor, "check-up", CHECK_UP)
    put(sandbox, vendor, "holiday", WHOLE_DAY)
    feed = f"{sandbox}/_feed/{name}/{CALENDARS[name]}.ics"
    shown = subscribed(tmp_path, feed, "2027-03-01", "2027-03-03")

    assert [line for line in shown if "@" in line] == [
        "2027-03-01 09:00-09:45 Check-up 🦷 @Room 4",
        "2027-03-02 - Holiday @Room 4",
    ]


def test_a_client_shows_every_date_and_every_repetition(sandbox: str, tmp_path: Path) -> None:
    pro = vendors()["add_to_calendar_pro"]
    dates = [{"start": f"2027-05-0{day}T09:00:00", "end": f"2027-05-0{day}T10:00:00"} for day in (3, 4)]
    several = {name: CHECK_UP[name] for name in ("location", "time_zone")} | {"title": "Course", "dates": dates}
    put(sandbox, pro, "course", several)
    weekly = CHECK_UP | {"title": "Weekly", "start": "2027-06-01T09:00:00", "end": "2027-06-01T09:30:00"}
    put(sandbox, pro, "weekly", weekly | {"recurrence": "FREQ=WEEKLY;COUNT=3"})
    shown = subscribed(tmp_path, f"{sandbox}/_feed/add_to_calendar_pro/{GROUP}.ics", "2027-05-01", "2027-06-30")
    assert [line.split()[0] for line in shown if "Course" in line or "Weekly" in line] == [
        "2027-05-03",
        "2027-05-04",
        "2027-06-01",
        "2027-06-08",
        "2027-06-15",
    ]
