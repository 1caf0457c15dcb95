"""The configuration as the commands read it: each ends its command, with words, where it cannot be used."""

from __future__ import annotations

from pathlib import Path

from pipeline.cli.options import USAGE, give_up, refuse, there
from pipeline.operate.check import Part, Report, check
from pipeline.rules.language import suggest
from pipeline.settings import Settings, credential_of


def sound(
    config: Path, secrets: bool = False, tests: bool = False, part: Part | None = None, rules: bool = True
) -> Report:
    """A configuration without problems, in what is looked at."""
    report = check(there(config), secrets, tests, part, rules)
    if report.problems or report.settings is None:
        refuse(report.problems)
    return report


def sound_settings(config: Path) -> Report:
    """A configuration whose settings are without problems. For a command that looks into the ledger: a mistake in the
    rules must not be in its way."""
    report = check(there(config), secrets=False, tests=False)
    in_the_way = [problem for problem in report.problems if problem.file == str(report.file) or problem.line == 0]
    if report.settings is None or in_the_way:
        refuse(in_the_way or report.problems)
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
    values = credential_of(account).values
    missing = [secret.name for secret in vendor.secrets if secret.required and not values.get(secret.name)]
    if missing:
        give_up(f"{destination}: {', '.join(missing)} is not there: calends check says where it is looked for")
