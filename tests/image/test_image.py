"""The image: small, restricted, and started at once; it can install nothing, and says what it is made of."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline import __version__
from tests.image.engine import BASE, IMAGE, RESTRICTED, ROOT, logs, run, said, user_may_read
from tests.scans.sbom import write
from tests.services.processes import free_ports

SIZE, START = 230, 2.0
"""MB on top of the base, and seconds of one core until it answers."""
SETTINGS = """
kafka: {{bootstrap_servers: "127.0.0.1:{dead}"}}
admin: {{port: {port}}}
destinations:
  ecal: {{vendor: ecal, credential: {{api_key: {{env: KEY}}, api_secret: {{env: KEY}}}}}}
rules:
  - name: relay
    from: [appointments]
    send:
      to: ecal
      identity: "{{{{ data.id }}}}"
      entry: {{title: A, location: B, start: "2027-01-01", all_day: true}}
"""
PYTHON = ("--entrypoint=python",)


@contextmanager
def container(folder: Path) -> Iterator[tuple[str, int]]:
    """A worker that waits for a Kafka that is not there, and its admin port."""
    port, dead = free_ports(2)
    (folder / "calends.yaml").write_text(SETTINGS.format(port=port, dead=dead))
    (folder / "ledger").mkdir()
    user_may_read(folder)
    (folder / "ledger").chmod(0o777)
    options = [f"--volume={folder}:/etc/calends:ro", f"--volume={folder}/ledger:/ledger", "--env=KEY=x"]
    options += ["--env=CALENDS_CONFIG=/etc/calends", "--env=CALENDS_ADMIN__HOST=127.0.0.1"]
    options += ["--env=CALENDS_LEDGER__URL=sqlite:////ledger/calends.db"]
    name = started(*options)
    try:
        yield name, port
    finally:
        said("rm", "--force", name, check=False)


def started(*options: str) -> str:
    return said("run", "--detach", *RESTRICTED, *options, IMAGE).splitlines()[-1]


def in_time(holds: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def asked(name: str, port: int, path: str) -> bool:
    code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}{path}', timeout=2).status)"
    return said("exec", name, "python", "-c", code, check=False) == "200"


def test_it_says_its_version() -> None:
    assert run("--version").stdout == f"calends {__version__}\n"


def test_it_is_nobody_and_can_write_nothing() -> None:
    code = "import os; print(os.getuid(), os.getgid()); open('/opt/calends/x', 'w')"
    done = run("-c", code, options=PYTHON)

    assert said("image", "inspect", "--format={{.Config.User}}", IMAGE) == "65532:65532"
    assert done.stdout == "65532 65532\n"
    assert "Read-only file system" in done.stderr


def test_it_keeps_no_capability_and_gains_none() -> None:
    told = run("-c", "print(open('/proc/self/status').read())", options=PYTHON).stdout

    assert re.findall(r"^(Cap(?:Eff|Prm|Bnd)):\s+(\w+)$", told, re.MULTILINE) == [
        (name, "0" * 16) for name in ("CapPrm", "CapEff", "CapBnd")
    ]
    assert re.search(r"^NoNewPrivs:\s+1$", told, re.MULTILINE)


@pytest.mark.parametrize("module", ["pip", "ensurepip", "uv", "setuptools", "pytest"])
def test_it_can_install_nothing(module: str) -> None:
    assert "No module named" in run("-c", f"import {module}", options=PYTHON).stderr


def test_it_has_what_the_bill_of_materials_says_and_nothing_else(tmp_path: Path) -> None:
    code = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    there = {normal(*one.split("==")) for one in run("-c", code, options=PYTHON).stdout.split()}
    bill = {normal(part["name"], part["version"]) for part in json.loads(write(tmp_path).read_text())["components"]}

    # What the lock has for other systems and Pythons is not installed here.
    assert there - bill == {normal("calends", __version__)}
    assert len(there) > 40


def normal(name: str, version: str) -> str:
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def test_it_is_as_large_as_its_page_says() -> None:
    whole, base = (int(said("image", "inspect", "--format={{.Size}}", name)) for name in (IMAGE, BASE))
    (stated,) = re.findall(r"adds (\d+) MB", (ROOT / "docs" / "image.md").read_text())

    assert (whole - base) / 1e6 < SIZE
    assert abs((whole - base) / 1e6 - int(stated)) < 15


def test_it_answers_at_once_is_healthy_and_ends_when_it_is_told(tmp_path: Path) -> None:
    with container(tmp_path) as (name, port):
        assert in_time(lambda: asked(name, port, "/livez"))
        ticks = said("exec", name, "cat", "/proc/1/stat").rpartition(")")[2].split()[11:13]
        assert sum(map(int, ticks)) / 100 < START
        assert not asked(name, port, "/readyz"), "Kafka is not there"

        said("stop", "--time=20", name)
        assert said("inspect", "--format={{.State.ExitCode}}", name) == "0"
        assert "Traceback" not in logs(name)


def test_its_health_check_asks_what_answers(tmp_path: Path) -> None:
    check = json.loads(said("image", "inspect", "--format={{json .Config.Healthcheck}}", IMAGE))["Test"]

    assert check[0] == "CMD"
    assert "/livez" in check[-1]
    compile(check[-1], "HEALTHCHECK", "exec")
