"""A secret that is not there now: named by its setting and its place, at the call that wants it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline.ledger import Ledger
from pipeline.model.wire import Credential, SecretMissing
from pipeline.settings import Account, SecretRef, credential_of
from pipeline.telemetry import configure_logging
from tests.shell.test_lane import OneEntry, Vendor, account_of, lane_of, nobody_answers


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"], ids=["missing", "empty", "no text"])
def test_what_cannot_be_read_is_named_with_what_to_do(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, held = tmp_path / "key", tmp_path / "secret"
    held.write_text("s3cret")
    if content is not None:
        file.write_bytes(content)
    monkeypatch.delenv("NOT_SET", raising=False)
    references = {"k": SecretRef(file=file), "v": SecretRef(env="NOT_SET"), "s": SecretRef(file=held)}
    credential = credential_of(Account(vendor="ecal", credential=references))
    assert _why(credential, "k").startswith(f"the file {file} is missing, empty or not readable: put it back")
    assert _why(credential, "v").startswith("the environment variable NOT_SET is not set, or empty: set it")
    assert credential["s"] == "s3cret"
    assert "s3cret" not in repr(credential)


async def test_a_call_that_wants_it_holds_the_account_and_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", json=True)
    ledger, vendor, held = OneEntry(), Vendor(after=0.0), list[tuple[str, str]]()
    account = account_of(vendor)
    account.credential = lambda: Credential({"api_key": "k"}, {"api_secret": "the file /run/key is missing"})
    lane = lane_of(account, ledger, watch=nobody_answers)
    lane.ledger = cast(Ledger, SimpleNamespace(hold=lambda *place: held.append(place)))
    await lane._bring(ledger.claim().grants[0], 0.0, departs=0.0)
    (told,) = map(json.loads, capfd.readouterr().err.splitlines())
    assert (told["event"], told["part"]) == ("secret missing", "accounts.a.credential.api_secret")
    assert (told["advice"], held, vendor.calls) == ("the file /run/key is missing", [("a", "unauthorized")], [])


def _why(credential: Credential, name: str) -> str:
    with pytest.raises(SecretMissing) as raised:
        credential[name]
    return raised.value.why
