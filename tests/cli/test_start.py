"""A command imports what it needs and no more. Which modules, not which seconds: `make bench ARGS=start` has those."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import COMMANDS, SERVING, chosen

CONFIGS = Path(__file__).parents[2] / "configs"
SLOW = (
    "aiohttp", "aiokafka", "alembic", "confluent_kafka", "fastavro", "httpx", "httpx2", "prometheus_client",
    "sqlalchemy", "starlette", "structlog",
)  # fmt: skip
SETTINGS = """
kafka: {{schema_registry: {{url: "http://127.0.0.1:1"}}}}
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
destinations: {{ecal: {{vendor: ecal, credential: {{api_key: {{env: X}}, api_secret: {{env: X}}}}}}}}
rules: [{{name: r, from: t, send: {{to: ecal, key: k, cancel: true}}}}]
"""
RUN = """
import sys
from pipeline.cli import main
sys.argv = ["calends", *sys.argv[1:]]
try:
    main()
finally:
    print("imported", *sorted(sys.modules), file=sys.stderr)
"""


def imported_by(*arguments: str) -> set[str]:
    """The modules that a command has imported at its end."""
    ended = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, timeout=60)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("imported ")]
    assert len(lines) == 1, ended.stderr
    return set(lines[0].split()[1:])


def test_help_imports_neither_a_library_of_the_shell_nor_any_command() -> None:
    modules = imported_by("--help")

    assert [name for name in (*SLOW, "pydantic", "pipeline.settings") if name in modules] == []
    assert [name for name in modules if name.startswith("pipeline.cli.")] == []


def test_check_imports_no_library_of_the_shell() -> None:
    modules = imported_by("check", str(CONFIGS))

    assert "pipeline.operate.check" in modules
    assert [name for name in SLOW if name in modules] == []


def test_the_worker_imports_no_client_of_a_schema_registry_before_it_needs_one(tmp_path: Path) -> None:
    (tmp_path / "calends.yaml").write_text(SETTINGS.format(folder=tmp_path))
    modules = imported_by("run", "-c", str(tmp_path))  # ends at once: no secret is set

    assert "pipeline.app" in modules
    assert [name for name in ("confluent_kafka", "fastavro", "httpx2") if name in modules] == []


def test_an_open_ledger_that_is_up_to_date_imports_no_alembic(tmp_path: Path) -> None:
    (tmp_path / "calends.yaml").write_text(SETTINGS.format(folder=tmp_path))
    first, then = (imported_by("migrate", "-c", str(tmp_path)) for _ in range(2))

    assert ("alembic.command" in first, "alembic" in then, "sqlalchemy" in then) == (True, False, True)


def test_status_imports_the_database_and_nothing_that_logs_measures_or_draws(tmp_path: Path) -> None:
    (tmp_path / "calends.yaml").write_text(SETTINGS.format(folder=tmp_path))
    assert "sqlalchemy" in imported_by("migrate", "-c", str(tmp_path))
    modules = imported_by("status", "-c", str(tmp_path))

    assert "pipeline.operate.status" in modules
    assert [name for name in (*SLOW, "rich.console") if name in modules] == ["sqlalchemy"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says_first(name: str) -> None:
    assert chosen(name).help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name]


@pytest.mark.parametrize("name", SERVING)
def test_who_asks_for_a_command_is_told_to_stop_as_before(name: str) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        chosen(name)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_every_module_that_holds_a_command_is_listed() -> None:
    folder = Path(__file__).parents[2] / "pipeline" / "cli"
    sources = {file.stem: file.read_text() for file in folder.glob("*.py")}
    own = {name for name, source in sources.items() if re.search(rf"^(def )?{name}\b[ (]", source, re.MULTILINE)}

    assert {name.replace("-", "_") for name in COMMANDS} == own


def test_without_its_extra_the_demo_says_what_to_install() -> None:
    without = "import sys; sys.modules['confluent_kafka'] = None; " + RUN
    ended = subprocess.run([sys.executable, "-c", without, "demo"], capture_output=True, text=True, timeout=60)

    assert ended.returncode == 3
    assert "the demo needs confluent_kafka: pip install 'calends[demo]'" in ended.stderr
