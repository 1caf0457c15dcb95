"""What several commands share: the options that mean the same in each, and how problems are printed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipeline.operate.reading import file_of
from pipeline.rules.problem import Problem

MAX_INPUT = 1 << 20
"""Bytes of an event to explain, or of a body to send."""
FINE, PROBLEMS, USAGE, CANNOT_GO_ON = 0, 1, 2, 3

Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="CALENDS_CONFIG",
        help="The settings file, or the folder of calends.yaml.",
        metavar="PATH",
    ),
]
HERE = Path("configs")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
Destination = Annotated[
    str | None, typer.Option("--destination", "-d", metavar="NAME", help="At this destination only.")
]


def there(path: Path) -> Path:
    """The settings file that is meant; ends the command where there is none."""
    file = file_of(path)
    if not file.exists():
        named = f"{path} has no {file.name}" if path.is_dir() else f"{path}: no such file or folder"
        give_up(f"{named}: name the settings file, or the folder of calends.yaml", USAGE)
    return file


def tell(problems: Sequence[Problem]) -> None:
    """One block for each problem: where and what, then what was found, expected and may have been meant."""
    for problem in problems:
        typer.echo(f"{problem.where}: {problem.message}", err=True)
        for name in ("found", "expected", "suggestion"):
            words = getattr(problem, name)
            if words:
                typer.echo(f"    {words}" if name == "suggestion" else f"    {name} {words}", err=True)
    typer.echo(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}", err=True)


def input_of(name: str) -> bytes:
    """The content of a file, or of standard input (`-`); ends the command where there is none, or more than 1 MiB."""
    try:
        if name == "-":
            found = sys.stdin.buffer.read(MAX_INPUT + 1)
        else:
            with Path(name).open("rb") as file:
                found = file.read(MAX_INPUT + 1)
    except OSError as error:
        give_up(f"{name}: {error.strerror}", USAGE)
    if len(found) > MAX_INPUT:
        give_up(f"{name}: more than 1 MiB", USAGE)
    return found


def write(text: str, path: Path) -> None:
    """Writes a file, and makes the folder it is in, which it says; ends the command where it cannot."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            typer.echo(f"made the folder {path.parent}", err=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        give_up(f"{path}: {error.strerror}", USAGE)


def give_up(words: str, code: int = CANNOT_GO_ON) -> NoReturn:
    typer.echo(f"calends: {words}", err=True)
    raise typer.Exit(code)


def refuse(problems: Sequence[Problem]) -> NoReturn:
    """For a command that cannot go on with such a configuration."""
    tell(problems)
    raise typer.Exit(CANNOT_GO_ON)
