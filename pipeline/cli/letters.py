"""How `calends dlq` shows dead letters, and tells what became of them. It reads nothing and changes nothing."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.cli.words import span, table
from pipeline.dead_letters import Letter

Kind = tuple[str, str, str, str]
"""Stage, reason, rule, destination."""
NAMED = 20
"""Records, or letters, of which more are only counted."""
HEAD = ("letter", "age", "stage", "reason", "status", "rule", "destination", "attempts", "record")
DONE = ("replayed", "discarded")


# what became of them ----------------------------------------------------------------------------------------------


def outcomes(came: Mapping[str, str], dry: bool) -> Iterator[str]:
    """A line for each thing that letters came to; of what fails, the first letters by name."""
    if not came:
        yield "no open letter is meant"
    names = defaultdict[str, list[str]](list)
    for name, became in came.items():
        names[became].append(name)
    for became, letters in names.items():
        would = "would be " if dry and became in DONE else ""
        yield f"{len(letters)} {would}{became}{_ADVICE.get(became.partition(':')[0], '')}"
        if became.startswith("fails"):
            more = f" and {len(letters) - NAMED} more: --json names all" if len(letters) > NAMED else ""
            yield f"  {' '.join(letters[:NAMED])}{more}"


_ADVICE = {
    "stale": ": the ledger holds this, or something newer; discard them",
    "unmatched": ": no rule of today wants them; discard them, or bring the rule back",
    "fails": "; they stay dead letters",
}


# what they are ----------------------------------------------------------------------------------------------------


def by_kind(counted: Counter[Kind]) -> Iterator[str]:
    if not counted:
        yield "no open dead letters"
        return
    rows = [(str(n), *kind) for kind, n in counted.most_common()]
    yield from table(("letters", "stage", "reason", "rule", "destination"), rows)


def row(one: Letter) -> tuple[str, ...]:
    age = span(max(0.0, time.time() - one.posted.timestamp()))
    attempts = "-" if one.attempts is None else str(one.attempts)
    words = (one.stage, one.reason, one.status or "-", one.rule or "-", one.destination or "-", attempts)
    return (one.name, age, *words, str(one.record.at))


def plain(one: Letter, data: bool) -> dict[str, Any]:
    said = {name: getattr(one, name) for name in ("stage", "reason", "status", "rule", "layer", "destination")}
    failed = {"attempts": one.attempts, "first_failure": one.first_failure, "last_failure": one.last_failure}
    at = one.record.at
    record = {"topic": at.topic, "partition": at.partition, "offset": at.offset}
    told = {"letter": one.name, "posted": one.posted.isoformat(), **said, **failed, "record": record}
    return told | {"original": _original(one)} if data else told


def _original(one: Letter) -> dict[str, Any]:
    return {
        "timestamp": one.record.timestamp.isoformat(),
        "key": _text(one.record.key),
        "headers": [[name, _text(value)] for name, value in one.record.headers],
        "value": _text(one.record.value),
    }


def _text(value: bytes | None) -> str | None:
    """As text where it is text, else in base64."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return f"base64:{b64encode(value or b'').decode()}"


def lines(one: Letter, data: bool) -> Iterator[str]:
    told = plain(one, False)
    told["record"] = str(one.record.at)
    for name, value in told.items():
        if value is not None:
            yield f"{name.replace('_', ' '):<14} {value}"
    if data:
        yield json.dumps(_original(one), ensure_ascii=False, indent=2)
