"""The error code in a CalReply answer, in whichever of its four shapes; never its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipeline.model.wire import json_of

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# For bodies that are no JSON; the document's own sample for a 400 lacks a brace.
_LOOSE_CODE = re.compile(r'"code"\s*:\s*"([A-Za-z][A-Za-z0-9_]{0,63})"', re.IGNORECASE)


def code(body: bytes) -> str | None:
    text = body.decode("utf-8", "replace")
    value = json_of(text)
    if value is None:
        found = _LOOSE_CODE.search(text)
        return found[1] if found else None
    errors = value.get("errors") if isinstance(value, dict) else None
    return next(_codes(errors), None)


def _codes(errors: Any) -> Iterator[str]:
    """From `[["code", "reason"]]`, `[{"Code": …}]`, `[{"code": …}]`, and any of them as JSON within a string."""
    match _opened(errors):
        case [str() as first, str()] if _CODE.fullmatch(first):
            yield first
        case list() as several:
            for one in several:
                yield from _code_of(_opened(one))
        case _:
            return


def _code_of(error: Any) -> Iterator[str]:
    match error:
        case {"code": str() as said} | {"Code": str() as said} | [str() as said, *_] if _CODE.fullmatch(said):
            yield said
        case _:
            return


def _opened(value: Any) -> Any:
    """What a string holds where it is JSON itself."""
    return json_of(value) if isinstance(value, str) else value
