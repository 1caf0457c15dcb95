"""Each migration leaves a ledger that the workers of the version before can go on with: it only adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, Table, inspect, text

from pipeline.ledger import versions
from pipeline.ledger.database import Database

LEVELS = sorted(file.name[:4] for file in (Path(versions.__file__).parent / "migrations/versions").glob("[0-9]*.py"))
SAMPLES: dict[str, Any] = {"BIGINT": 1, "INTEGER": 1, "BOOLEAN": False, "BLOB": b"x", "BYTEA": b"x"}


def to(connection: Connection, level: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(versions.MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, level)


def told(connection: Connection) -> dict[str, dict[str, tuple[str, bool]]]:
    """Table → column → its type, and whether it may be empty."""
    look = inspect(connection)
    return {
        name: {column["name"]: (str(column["type"]), bool(column["nullable"])) for column in look.get_columns(name)}
        for name in look.get_table_names()
        if name != "alembic_version"
    }


def sample(column: Any) -> Any:
    kind = str(column.type).split("(")[0].split(" ")[0]
    return SAMPLES.get(kind, 1.5 if kind in ("FLOAT", "DOUBLE", "DOUBLE_PRECISION", "REAL") else "x")


def works(connection: Connection, table: Table) -> None:
    """What a worker does that knows these columns and no others: insert, update, read."""
    row = {column.name: sample(column) for column in table.columns}
    connection.execute(table.insert().values(**row))
    connection.execute(table.update().values(**row))
    assert dict(connection.execute(table.select()).mappings().one()) == row


@pytest.mark.parametrize("level", LEVELS[:-1])
def test_workers_of_an_older_version_read_and_write_the_newest_tables(url: str, level: str) -> None:
    database = Database(url)
    with database.engine.begin() as connection:
        to(connection, level)
        before, old = told(connection), MetaData()
        old.reflect(connection)
        to(connection, "head")
        after = told(connection)
        for name, columns in before.items():
            assert {column: after[name][column] for column in columns} == columns, f"{name} has changed"
        for name in before:
            works(connection, old.tables[name])
    database.engine.dispose()


def test_a_ledger_of_a_newer_version_is_not_behind(url: str) -> None:
    database = Database(url)
    database.transaction(versions.upgrade)
    with database.engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    assert not database.transaction(versions.behind)
    database.transaction(versions.upgrade)
    database.engine.dispose()
