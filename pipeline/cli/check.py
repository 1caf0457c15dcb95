"""`calends check`: every problem of a configuration in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.findings import Form, as_github, as_json, as_sarif
from pipeline.cli.options import HERE, PROBLEMS, Config, tell, there
from pipeline.operate.check import Report
from pipeline.operate.check import check as checked
from pipeline.operate.unused import warnings_of

Place = Annotated[
    Path | None, typer.Argument(help="The settings file, or the folder of calends.yaml.", metavar="[PATH]")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
Formed = Annotated[
    Form, typer.Option("--format", help="For people; for programs; annotations of GitHub; or SARIF for code scanning.")
]


def check(path: Place = None, config: Config = HERE, form: Formed = Form.TEXT, in_json: AsJson = False) -> None:
    """Read settings, rules and credentials, run the rules' tests, and tell every problem. Sends nothing."""
    report = checked(there(path or config))
    warnings = warnings_of(report)
    match Form.JSON if in_json else form:
        case Form.JSON:
            typer.echo(as_json(report.problems, warnings, _counts(report)))
        case Form.SARIF:
            typer.echo(as_sarif(report.problems, warnings))
        case Form.GITHUB:
            for line in as_github(report.problems, warnings):
                typer.echo(line)
        case Form.TEXT:
            _text(report)
            for one in warnings:
                typer.echo(f"warning: {one}", err=True)
    raise typer.Exit(PROBLEMS if report.problems else 0)


def _text(report: Report) -> None:
    if report.problems:
        tell(report.problems)
    else:
        typer.echo("ok: " + ", ".join(_counted(name, n) for name, n in _counts(report).items()))


def _counts(report: Report) -> dict[str, int]:
    return {"rules": len(report.rules.rules), "destinations": len(report.views), "tests": len(report.rules.tests)}


def _counted(name: str, number: int) -> str:
    return f"{number} {name.removesuffix('s') if number == 1 else name}"
