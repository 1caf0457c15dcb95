"""Points in time as people write them: a duration that has passed, an instant, or the beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from pipeline.model.when import BadTime, parse_instant
from pipeline.settings import seconds

BEGINNING = "beginning"
Since = Annotated[str, typer.Option(help="From when: 1d, 90m, 2026-11-20, an instant, or beginning.", metavar="TIME")]


def moment(text: str) -> datetime | None:
    """`1d`, `90m`, `2026-11-20`, `2026-11-20T09:00:00Z`; None: the beginning. Else the command ends."""
    if text == BEGINNING:
        return None
    try:
        return datetime.now(UTC) - timedelta(seconds=float(seconds(text)))
    except ValueError:
        pass
    try:
        return parse_instant(f"{text}T00:00:00Z" if len(text) == 10 else text)
    except BadTime:
        words = f"{text} is no time: expected 1d, 90m, 2026-11-20, 2026-11-20T09:00:00Z or {BEGINNING}"
        raise typer.BadParameter(words) from None
