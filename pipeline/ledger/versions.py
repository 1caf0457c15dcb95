"""The tables' version: whether it is this one, and how it becomes this one (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def behind(connection: Connection) -> bool:
    known = MigrationContext.configure(connection).get_current_heads()
    return set(known) != set(ScriptDirectory.from_config(_migrations()).get_heads())


def upgrade(connection: Connection) -> None:
    config = _migrations()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
