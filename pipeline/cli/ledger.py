"""The ledger as the commands open it: with its tables there, and a word where it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from pipeline.cli.options import CANNOT_GO_ON, USAGE, give_up, tell, there
from pipeline.ledger import Ledger, LedgerUnavailable
from pipeline.meaning import ledger_of
from pipeline.operate.check import Report, check
from pipeline.rules.language import suggest
from pipeline.settings import Settings, credential_of

OLD = "the ledger's tables are missing or old: run calends migrate"


def at_night(config: Path) -> Report:
    """The configuration for a command that looks into the ledger: a mistake in the rules must not be in its way."""
    report = check(there(config), secrets=False, tests=False)
    in_the_way = [problem for problem in report.problems if problem.file == str(report.file) or problem.line == 0]
    if report.settings is None or in_the_way:
        tell(in_the_way or report.problems)
        raise typer.Exit(CANNOT_GO_ON)
    return report


def known_destination(settings: Settings, destination: str) -> None:
    """Ends the command where the settings have no such destination."""
    known = sorted(settings.destinations)
    if destination not in known:
        meant = suggest(destination, known)
        words = f"unknown destination {destination}; one of {', '.join(known)}"
        give_up(f"{words}; {meant}" if meant else words, USAGE)


def with_credential(settings: Settings, destination: str) -> None:
    """Ends the command where a part of the credential is missing."""
    account, vendor = settings.account_of(destination)[1], settings.vendor_of(destination)
    there = credential_of(account).values
    missing = [secret.name for secret in vendor.secrets if secret.required and not there.get(secret.name)]
    if missing:
        give_up(f"{destination}: {', '.join(missing)} is not there: calends check says where it is looked for")


def ledger_at(settings: Settings) -> Ledger:
    """The ledger, not yet spoken to."""
    try:
        return ledger_of(settings)
    except Exception as error:  # whatever a database driver says of a URL, which may hold a password
        give_up(f"ledger.url cannot be used ({type(error).__name__})")


def settings_at(config: Path, rules: bool = True) -> Settings:
    """The settings of a configuration without problems; else the command ends. No secret is read; without `rules`, no
    rule either."""
    report = check(there(config), secrets=False, tests=False, rules=rules)
    if report.problems or report.settings is None:
        tell(report.problems)
        raise typer.Exit(CANNOT_GO_ON)
    return report.settings


@contextmanager
def opened(settings: Settings) -> Iterator[Ledger]:
    """The ledger of this version for one command. SQLite migrates itself."""
    ledger = ledger_at(settings)
    try:
        if ledger.behind():
            if not ledger.automatic:
                give_up(OLD)
            ledger.migrate()
        yield ledger
    except LedgerUnavailable as error:
        give_up(f"the ledger cannot be reached, or refuses: {error}")
    finally:
        ledger.close()
