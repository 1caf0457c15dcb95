"""What the pages say of settings and commands is all there is, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_group

from pipeline.cli import COMMANDS, app, chosen
from pipeline.cli.sandbox import DEMO
from pipeline.model.entry import FIELDS
from pipeline.rules.schema import Send
from pipeline.rules.slots import DATE_SLOTS
from pipeline.sandbox.faults import KINDS
from pipeline.sandbox.server import Sandbox
from pipeline.settings import Account, Admin, Brake, Destination, Kafka, LedgerSettings, Settings, Webhooks
from pipeline.vendors import vendors

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for folder in ("docs", "tests", "helm", "configs") for page in (ROOT / folder).rglob("*.md"))
PAGES += sorted(ROOT.glob("*.md"))
GROUPS = {"kafka": Kafka, "ledger": LedgerSettings, "admin": Admin, "webhooks": Webhooks, "brake": Brake}
NAMES = [
    *(name for name in Settings.model_fields if name not in GROUPS),
    *(f"{group}.{name}" for group, model in GROUPS.items() for name in model.model_fields),
    *Account.model_fields,
    *Destination.model_fields,
    *(option.name for vendor in vendors().values() for option in vendor.options),
    *(secret.name for vendor in vendors().values() for secret in vendor.secrets),
]


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_every_setting_is_explained(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("name", get_group(app).commands)
def test_every_command_is_explained(name: str) -> None:
    assert f"\n## `calends {name}" in (ROOT / "docs" / "commands.md").read_text()
    assert f"| `calends {name}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained_and_no_other(name: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    section = re.search(rf"^## `calends {name}\b.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    command = chosen(name)
    options = {option for one in getattr(command, "commands", {"": command}).values() for option in long_options(one)}

    assert section
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", section[0]))
    assert named - EVERYWHERE == options - EVERYWHERE


EVERYWHERE = {"--config", "--help"}


def long_options(command: Any) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("--")}


@pytest.mark.parametrize("vendor", sorted(vendors()))
def test_every_key_of_a_simulator_is_explained(vendor: str) -> None:
    parts = (ROOT / "pipeline" / "vendors" / vendor).glob("simulator*.py")
    source = "".join(part.read_text() for part in parts)
    page = (ROOT / "docs" / "sandbox.md").read_text()
    section = page.partition(f"\n### `config` of `{vendor}`\n")[2].partition("\n#")[0]

    keys = set(re.findall(r"""config(?:\.get\(|\[)"(\w+)\"""", source))
    assert keys
    assert [key for key in sorted(keys) if f"`{key}`" not in section] == []


@pytest.mark.parametrize("name", [*KINDS, *(account.name for account in DEMO)])
def test_every_fault_and_account_of_the_sandbox_is_explained(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "sandbox.md").read_text()


def test_every_path_of_the_sandbox_is_explained() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text()
    paths = [route.path.partition("/{")[0] for route in Sandbox([])._routes()]
    assert [path for path in paths if f"{path}" not in page] == []


@pytest.mark.parametrize("name", [*FIELDS, *DATE_SLOTS, *Send.model_fields.keys() - {"own"}, *vendors()])
def test_every_word_of_a_rule_is_explained(name: str) -> None:
    page = (ROOT / "docs" / "rules.md").read_text() + (ROOT / "docs" / "configuration.md").read_text()
    assert re.search(rf"`{name}[`:]", page)


def test_every_module_has_its_place_in_the_architecture() -> None:
    """And none is named that is not there. A command's module has its command's name, and needs none."""
    page, pipeline = (ROOT / "docs" / "architecture.md").read_text(), ROOT / "pipeline"
    named = {
        f"{row[1]}{name}"
        for row in re.finditer(r"^\| `pipeline/((?:\w+/)?).*", page, re.MULTILINE)
        for name in re.findall(r"(\w+\.py)`", row[0])
    }
    modules = {*pipeline.glob("*.py"), *pipeline.glob("*/*.py")}
    there = {str(file.relative_to(pipeline)) for file in modules if not file.stem.startswith("__")}

    assert named == there - {f"cli/{name}.py" for name in get_group(app).commands}, "docs/architecture.md"


def test_the_readme_shows_the_relay_as_it_is() -> None:
    assert (ROOT / "configs" / "relay.yaml").read_text() in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link.partition("#") for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", words(page))]
    to = [((page.parent / path).resolve() if path else page, heading) for path, _, heading in links]

    assert [str(file) for file, _ in to if not file.exists()] == []
    assert [heading for file, heading in to if heading and heading not in headings(file)] == []


def words(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> set[str]:
    """As GitHub names their anchors."""
    titles = re.findall(r"^#+ (.*)$", words(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_guard_that_is_named_exists() -> None:
    tests = ROOT / "tests"
    page = (tests / "README.md").read_text()
    defined = "\n".join(file.read_text() for file in tests.rglob("test_*.py"))

    assert [name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in defined] == []
