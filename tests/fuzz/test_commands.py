"""Whatever a person gives to a command: what it makes of it, or a sentence and an exit code; no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from pipeline.cli import app
from tests.fuzz.planted import TEXTS, tries
from tests.fuzz.records import BODIES

CONFIG = Path(__file__).parents[2] / "configs" / "examples" / "four-vendors.yaml"
ARGUMENTS = TEXTS.map(lambda text: text[:3000].replace("\0", "")) | st.sampled_from(
    ("[" * 100_000, '{"a":' * 900, "a=" + "[" * 100_000, "=", "a=b", "a:b", "/x\udcff", "a=\udcff", "NaN", "9" * 5000)
)


def ran(*words: str) -> Result:
    found = CliRunner().invoke(app, [*words, "--config", str(CONFIG)])
    assert found.exit_code in {0, 1, 2, 3}, found.exception
    assert isinstance(found.exception, SystemExit | None)
    assert "Traceback" not in found.output
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@given(body=BODIES, topic=ARGUMENTS, as_json=st.booleans())
@tries(5)
def test_explain_tells_what_it_makes_of_any_file(folder: Path, body: bytes, topic: str, as_json: bool) -> None:
    (folder / "event.json").write_bytes(body)
    ran("explain", str(folder / "event.json"), "--topic", topic, *(["--json"] if as_json else []))


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, '{"accounts": ' * 900, "9" * 5000, "NaN", "null", " " * (2 << 20), "\xff"]
)
def test_a_sandbox_of_any_file_is_told_why_not(folder: Path, text: str) -> None:
    (folder / "sandbox.json").write_bytes(text.encode("latin-1"))
    done = CliRunner().invoke(app, ["sandbox", "--config", str(folder / "sandbox.json")])
    assert (done.exit_code, len(done.output.splitlines())) == (2, 1), done.exception


@given(
    path=ARGUMENTS.map("/".__add__),
    pair=ARGUMENTS,
    body=BODIES,
    how=st.sampled_from(("field", "query", "header", "input")),
)
@example(path="/x", pair="a=" + "[" * 100_000, body=b"", how="field")
@example(path="/x\udcff", pair="a=b", body=b"", how="query")
@example(path="/x", pair="a=\udcff", body=b"", how="field")
@example(path="/x", pair="a=\udcff", body=b"", how="query")
@example(path="/x", pair="", body=b"[" * 100_000, how="input")
@tries(5)
def test_a_call_is_shown_or_told_why_not(folder: Path, path: str, pair: str, body: bytes, how: str) -> None:
    (folder / "body").write_bytes(body)
    given_ = str(folder / "body") if how == "input" else pair
    ran("call", "ecal", "POST", path, f"--{how}", given_, "--dry-run")
