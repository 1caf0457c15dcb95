"""How the commands write times and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def span(seconds: float | None) -> str:
    """`0.4 s`, `41 s`, `12 min`, `3 h 10 min`, `2 d 4 h`; nothing known: `-`."""
    if seconds is None:
        return "-"
    if seconds < 10.0:
        return f"{max(0.0, seconds):.1f} s" if seconds > 0 else "0 s"
    for place, (size, name) in enumerate(_UNITS):
        if seconds >= size:
            rest = _UNITS[place + 1] if size > 60.0 else None
            more = int(seconds % size // rest[0]) if rest else 0
            return f"{int(seconds // size)} {name}" + (f" {more} {rest[1]}" if rest and more else "")
    return "-"


def moment(at: float | None) -> str:
    """A time in UTC, to the second."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S") + " UTC"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as what stands in them."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
