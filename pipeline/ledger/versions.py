"""The tables' version: whether it is this one, and how it becomes this one (Alembic, imported only for that)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pipeline.ledger.database import endless

MIGRATIONS = Path(__file__).parent / "migrations"


def behind(connection: Connection) -> bool:
    """Whether a migration is missing. Migrations only add, so the tables of a newer version serve this one too."""
    return _found(connection) < newest()


@cache
def newest() -> str:
    """The last migration: their files begin with their numbers, of four digits."""
    return max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _found(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(text("select max(version_num) from alembic_version")) or ""


def upgrade(connection: Connection) -> None:
    if not behind(connection):
        return
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":  # an index over millions of rows takes longer than any other statement
        connection.execute(text("set local statement_timeout = 0"))
        connection.execute(text("set local lock_timeout = 0"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    with endless(connection):
        command.upgrade(config, "head")
