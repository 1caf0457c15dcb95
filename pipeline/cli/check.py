"""`calends check`: every problem of a configuration in one run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import HERE, PROBLEMS, Config, tell, there
from pipeline.operate.check import Report
from pipeline.operate.check import check as checked

Place = Annotated[
    Path | None, typer.Argument(help="The settings file, or the folder of calends.yaml.", metavar="[PATH]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


def check(path: Place = None, config: Config = HERE, as_json: AsJson = False) -> None:
    """Read settings, rules and credentials, run the rules' tests, and tell every problem. Sends nothing."""
    report = checked(there(path or config))
    if as_json:
        found = {"ok": not report.problems, **_counts(report), "problems": [asdict(p) for p in report.problems]}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif report.problems:
        tell(report.problems)
    else:
        typer.echo("ok: " + ", ".join(_counted(name, n) for name, n in _counts(report).items()))
    raise typer.Exit(PROBLEMS if report.problems else 0)


def _counts(report: Report) -> dict[str, int]:
    return {"rules": len(report.rules.rules), "destinations": len(report.views), "tests": len(report.rules.tests)}


def _counted(name: str, number: int) -> str:
    return f"{number} {name.removesuffix('s') if number == 1 else name}"
