"""Which tables are too old, and that the answer costs no more than a look at one row."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from pipeline.ledger import versions
from tests.ledger.conftest import Open


def test_tables_without_the_last_migration_are_behind_and_those_of_a_newer_version_are_not(opened: Open) -> None:
    ledger = opened()

    def behind_at(number: str) -> bool:
        with ledger._database.engine.begin() as connection:
            connection.execute(text("update alembic_version set version_num = :number"), {"number": number})
        return ledger.behind()

    assert (ledger.behind(), behind_at("0001"), behind_at("9999")) == (False, True, False)


def test_the_tables_of_a_newer_version_are_left_as_they_are(opened: Open) -> None:
    ledger = opened()
    with ledger._database.engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))

    ledger.migrate()

    with ledger._database.engine.connect() as connection:
        assert connection.scalar(text("select version_num from alembic_version")) == "9999"


def test_the_number_of_a_migrations_file_is_its_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(versions.MIGRATIONS))

    assert [versions.newest()] == ScriptDirectory.from_config(config).get_heads()
