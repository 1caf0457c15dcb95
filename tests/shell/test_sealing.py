"""What the ledger keeps encrypted: links that hold a password, from the answer to Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.housekeeping import Housekeeping
from pipeline.ledger import Ledger, Message
from pipeline.model.blame import Answer
from pipeline.model.facts import Facts
from pipeline.model.outcome import Accepted
from pipeline.outcomes import of_entry
from pipeline.sealing import KeysInvalid, Seal, SealBroken, read
from pipeline.telemetry import Telemetry

OLD, NEW = "o" * 32, "n" * 32
LINK = "webcal://someone:pa55word@calendar.example/1"


def outcome(seal: Seal | None, secret: bool = True) -> Message:
    accepted = Accepted("s1", {"subscription": LINK}, secret)
    answer = Answer(1, accepted, "create", {}, "h", None, asked=0.0, at=0.0, jitter=0.0)
    row = Facts("d", "k", state="idle", observed_hash="h", desired_hash="h", vendor_id="s1", events=[{"id": "e"}])
    return of_entry("outcomes", row, answer, 0.0, seal)


def test_the_first_key_writes_and_all_of_them_read() -> None:
    sealed = Seal([OLD]).close(b"x")
    assert Seal([NEW, OLD]).open(sealed) == b"x"
    with pytest.raises(SealBroken):
        Seal([NEW]).open(sealed)


@pytest.mark.parametrize("text", ["", "short", f"{NEW}\nshort", "\n\n", f"{NEW}\n" * 2000])
def test_a_key_file_needs_long_keys(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(KeysInvalid):
        read(tmp_path / "keys")


def test_what_has_no_end_is_no_key_file() -> None:
    with pytest.raises(KeysInvalid):
        read(Path("/dev/zero"))


def test_a_password_is_neither_in_the_ledger_nor_in_a_repr(tmp_path: Path) -> None:
    seal = Seal([NEW])
    message = outcome(seal)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db", {}, {}, lambda facts: [])
    ledger.migrate()
    ledger.take([], [], [message], {})
    ledger.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"pa55word" not in kept
    assert "pa55word" not in repr((message, seal, outcome(None)))
    assert NEW not in repr(seal)


def test_without_a_key_the_links_with_a_password_are_left_out_and_others_are_not() -> None:
    told, plain = (json.loads(outcome(None, secret).value or b"") for secret in (True, False))
    assert (told["data"]["links"], plain["data"]["links"]) == ({}, {"subscription": LINK})


class Kafka:
    """Takes everything."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: object) -> None:
        self.values.append(value)


async def in_threads(method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(method, *args, **kwargs)


@pytest.mark.parametrize(("keys", "arrives", "kept"), [([NEW], True, {}), ([OLD], False, {"outcomes": 1})])
async def test_it_leaves_the_ledger_decrypted_or_waits_for_its_key(
    tmp_path: Path, keys: list[str], arrives: bool, kept: dict[str, int]
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db", {}, {}, lambda facts: [])
    ledger.migrate()
    ledger.take([], [], [outcome(Seal([NEW])), Message("outcomes", None, b"other", ())], {})
    kafka = Kafka()
    await Housekeeping(
        ledger, in_threads, Telemetry(b"key"), {}, {}, cast(Any, kafka), lambda names: None, Seal(keys)
    ).post()
    assert b"other" in kafka.values
    assert any(LINK.encode() in (value or b"") for value in kafka.values) == arrives
    assert ledger.outbox_refused() == kept
    ledger.close()
