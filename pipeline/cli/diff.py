"""`calends diff`: what other rules would make of the records that there are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.bars import progress_bar
from pipeline.cli.options import HERE, USAGE, AsJson, Config, give_up, refuse, there
from pipeline.cli.since import Since, instant
from pipeline.operate.comparing import KINDS, Comparison, Difference, Version, compare, range_of
from pipeline.operate.reading import file_of
from pipeline.operate.versions import version_at
from pipeline.stream import StreamError
from pipeline.stream.configured import kafka_config
from pipeline.stream.ranges import Span

Old = Annotated[Path, typer.Argument(help="The rules as they are: settings, a rule file, or a folder of either.")]
New = Annotated[Path, typer.Argument(help="The rules as they would be.")]
Until = Annotated[str | None, typer.Option(help="Until when. Default: all that is there now.", metavar="TIME")]
Examples = Annotated[int, typer.Option(help="Entries shown of each kind.", min=0)]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", help="Processes. Default: one for each core.", min=1)]
WORDS = {
    "created": "would be created",
    "changed": "would change",
    "cancelled": "would be cancelled or deleted",
    "gone": "would not be made any more, and stay at the vendor until an event or calends reapply ends them",
}


def diff(
    old: Old,
    new: New,
    config: Config = HERE,
    since: Since = "1d",
    until: Until = None,
    examples: Examples = 3,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Run two rule sets over the same records and show which entries would differ. Reads only, in no group."""
    before, after = _version(old, config), _version(new, config)
    span = Span(instant(since), instant(until) if until else None)
    kafka = kafka_config(after.settings, None)
    try:
        bounds = asyncio.run(range_of(kafka, before, after, span))
        with progress_bar(not as_json) as progress:
            result = compare(kafka, bounds, before, after, progress, jobs, examples)
    except StreamError as error:
        give_up(f"Kafka: {error}")
    typer.echo(json.dumps(_json(result), ensure_ascii=False, indent=2) if as_json else "\n".join(lines(result)))


def _version(path: Path, config: Path) -> Version:
    """The rules at a path. A path to rules alone takes the settings of `-c`."""
    if not path.exists():
        give_up(f"{path}: no such file or folder", USAGE)
    found = version_at(path, None if file_of(path).exists() and path.is_dir() else there(config))
    if not isinstance(found, Version):
        refuse(found)
    return found


def lines(result: Comparison) -> Iterator[str]:
    """What a person reads: the counts, by destination and rule, then the examples."""
    total = result.total(*KINDS)
    yield f"{total:,} of {result.entries:,} entries would differ, in {result.records:,} records"
    for what in KINDS:
        if result.total(what):
            yield f"  {result.total(what):,} {WORDS[what]}"
        for (kind, destination, rule), n in sorted(result.counts.items()):
            if kind == what:
                yield f"    {n:,} at {destination} by {rule}"
    yield from _failures(result)
    for one in result.examples:
        yield ""
        yield from _example(one)


def _failures(result: Comparison) -> Iterator[str]:
    if result.undecodable:
        yield f"  {result.undecodable:,} records are no events, under either"
    for rule in sorted({*result.failures["old"], *result.failures["new"]}):
        was, would = result.failures["old"][rule], result.failures["new"][rule]
        yield f"  rule {rule} fails on {would:,} records; it failed on {was:,}"


def _example(one: Difference) -> Iterator[str]:
    yield f"{one.what} {one.key} at {one.destination} by {one.rule}"
    for name, (was, would) in one.fields.items():
        yield f"    {name}"
        yield from (f"      {mark} {_said(value)}" for mark, value in (("-", was), ("+", would)) if value is not None)
    if one.what == "gone":
        how = f"`calends reapply --rule {one.rule}`" + (" sends:" if one.reapplied else " cannot send anything there")
        yield f"    stays at the vendor until an event ends it, or {how}"
    request = one.request or one.reapplied
    if request is not None:
        yield from (f"    {line}" if line else "" for line in request.text().split("\n"))


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json(result: Comparison) -> dict[str, Any]:
    counts = [{"what": w, "destination": d, "rule": r, "entries": n} for (w, d, r), n in sorted(result.counts.items())]
    return {
        "records": result.records,
        "entries": result.entries,
        **{what: result.total(what) for what in KINDS},
        "counts": counts,
        "undecodable": result.undecodable,
        "failures": {side: dict(failures) for side, failures in result.failures.items()},
        "examples": [asdict(one) for one in result.examples],
        "seconds": round(result.seconds, 3),
        "cpu_seconds": round(result.cpu, 3),
    }
