"""Points in time as people write them: a duration that has passed, an instant, or the beginning."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer

from pipeline.model.when import parse_date, parse_moment
from pipeline.settings import seconds

BEGINNING = "beginning"
Since = Annotated[str, typer.Option(help="From when: 1d, 90m, 2026-11-20, an instant, or beginning.", metavar="TIME")]


def instant(text: str) -> datetime | None:
    """`1d`, `90m`, `2026-11-20`, `2026-11-20T09:00:00Z`, in UTC where no zone is said; None: the beginning. Else the
    command ends."""
    if text == BEGINNING:
        return None
    try:
        return _ago(text) or _at(text)
    except (ValueError, OverflowError):
        words = f"{text} is no time: expected 1d, 90m, 2026-11-20, 2026-11-20T09:00:00Z or {BEGINNING}"
        raise typer.BadParameter(words) from None


def _ago(text: str) -> datetime | None:
    try:
        passed = float(seconds(text))
    except ValueError:
        return None
    return datetime.now(UTC) - timedelta(seconds=passed)


def _at(text: str) -> datetime:
    at = datetime.combine(parse_date(text), time()) if len(text) == 10 else parse_moment(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
