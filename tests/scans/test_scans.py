"""What scanners say of the repository: no secret in it or its history, no weak spot, and a whole bill of materials."""

from __future__ import annotations

import json
import re
import secrets
import string
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scans.audit import FINE, FOUND, UNKNOWN, verdict
from tests.scans.sbom import write

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# It must not try what it finds at whoever it belongs to.
KINGFISHER = ("scan", "--no-validate", "--no-update-check", "--redact", "--quiet")
AUTHOR = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")


def said(*command: str | Path, folder: Path = ROOT) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the scanner keeps its rules once it has compiled them."""
    return f"--rule-cache-dir={tmp_path_factory.mktemp('rules')}"


def leaks(repository: Path, folder: Path, rules: str) -> tuple[int, str]:
    """All that was ever committed: of a copy, as files that change while they are read end the scanner."""
    assert said("git", "clone", "--quiet", "--mirror", repository, folder / "mirror")[0] == 0
    return said(BIN / "kingfisher", *KINGFISHER, rules, folder / "mirror")


@pytest.mark.xdist_group("kingfisher")
def test_no_secret_is_in_the_repository_or_its_history(tmp_path: Path, rules: str) -> None:
    assert leaks(ROOT, tmp_path, rules) == (0, "")


@pytest.mark.xdist_group("kingfisher")
def test_a_secret_that_was_deleted_again_would_be_found_and_not_shown(tmp_path: Path, rules: str) -> None:
    token = "ghp_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))
    repository = tmp_path / "repository"
    repository.mkdir()
    said("git", "init", "--quiet", folder=repository)
    for text in (f"token: {token}\n", "token: {env: TOKEN}\n"):
        (repository / "settings.yaml").write_text(text)
        said("git", "add", "settings.yaml", folder=repository)
        said("git", *AUTHOR, "commit", "--quiet", "--message=Change", folder=repository)

    code, text = leaks(repository, tmp_path, rules)

    assert code == 200
    assert "GitHub Personal Access Token" in text
    assert token not in text


def test_bandit_finds_nothing_of_medium_weight_or_more() -> None:
    code, text = said(BIN / "bandit", "--quiet", "--recursive", "-ll", "pipeline")

    assert (code, text) == (0, "")


def test_bandit_would_find_a_shell(tmp_path: Path) -> None:
    (tmp_path / "weak.py").write_text("import subprocess\nsubprocess.run(input(), shell=True)\n")

    code, text = said(BIN / "bandit", "--quiet", "--recursive", "-ll", tmp_path)

    assert code == 1
    assert "B602" in text


def test_the_dockerfile_is_as_it_should_be() -> None:
    assert said(BIN / "hadolint", "Dockerfile") == (0, "")


def test_the_dockerfile_would_be_told_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:latest\nRUN cd /tmp && sudo true\n")

    code, text = said(BIN / "hadolint", tmp_path / "Dockerfile")

    assert code == 1
    assert {"DL3007", "DL3004"} <= set(re.findall(r"DL\d+", text))


def test_the_bill_of_materials_has_each_package_with_its_version_and_hashes(tmp_path: Path) -> None:
    bill = json.loads(write(tmp_path).read_text())
    found = {part["name"]: part for part in bill["components"]}
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    assert bill["metadata"]["component"]["name"] == "calends"
    assert {"aiokafka", "confluent-kafka", "cryptography", "fastavro", "psycopg-binary"} <= set(found)
    assert {"pytest", "ruff", "helm-python-sdk"} & set(found) == set()
    assert {name: part["version"] for name, part in found.items()}.items() <= locked.items()
    assert [name for name, part in found.items() if not part["purl"].startswith("pkg:pypi/") or not hashes(part)] == []


def hashes(part: dict[str, object]) -> list[object]:
    """They stand at the reference to the file, as a package has several."""
    references = part.get("externalReferences", [])
    assert isinstance(references, list)
    return [one for reference in references for one in reference.get("hashes", [])]


HOLE = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
SKIPPED = {"name": "a", "skip_reason": "Dependency not found on PyPI and could not be audited: a (1)"}
GOOD, BAD = {"name": "b", "version": "1", "vulns": []}, {"name": "c", "version": "1", "vulns": [HOLE]}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([GOOD, GOOD], FINE, "2 packages, no known vulnerability"),
        ([GOOD, BAD], FOUND, "c 1: PYSEC-1, mended in 2.0"),
        ([SKIPPED, GOOD], UNKNOWN, "1 packages were not looked up"),
        ([SKIPPED, BAD], FOUND, "c 1: PYSEC-1"),
        ([], UNKNOWN, "all packages were not looked up"),
    ],
)
def test_an_audit_calls_nothing_good_that_was_not_looked_up(packages: list[dict], code: int, words: str) -> None:
    told, lines = verdict(packages)

    assert told == code
    assert words in "\n".join(lines)
