"""The ledger as the commands open it: with its tables there, and a word where it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.advice import of_ledger
from pipeline.cli.options import give_up
from pipeline.ledger import Ledger, LedgerUnavailable
from pipeline.meaning import ledger_of
from pipeline.settings import Settings

OLD = "the ledger's tables are missing or old: run calends migrate"


def ledger_at(settings: Settings) -> Ledger:
    """The ledger, not yet spoken to."""
    try:
        return ledger_of(settings)
    except Exception as error:  # whatever a database driver says of a URL, which may hold a password
        give_up(f"ledger.url cannot be used ({type(error).__name__})")


@contextmanager
def of_any_version(settings: Settings) -> Iterator[Ledger]:
    """The ledger for one command, with whatever tables it has."""
    ledger = ledger_at(settings)
    try:
        yield ledger
    except LedgerUnavailable as error:
        give_up(f"the ledger at {ledger.address} cannot be used: {of_ledger(str(error))}")
    finally:
        ledger.close()


@contextmanager
def opened(settings: Settings) -> Iterator[Ledger]:
    """The ledger of this version for one command. SQLite migrates itself."""
    with of_any_version(settings) as ledger:
        if ledger.behind():
            if not ledger.automatic:
                give_up(OLD)
            ledger.migrate()
        yield ledger
