"""A database that cannot be used: which, where and why, and neither user nor password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from pipeline.advice import LEDGER
from pipeline.ledger import Ledger, LedgerUnavailable
from tests.services import PostgresService, postgres
from tests.services.processes import free_ports

SECRET = "s3cret"


def refusal(url: str) -> tuple[str, str]:
    """Where the ledger is, and the code of why it cannot be used."""
    with closing(Ledger(url, {}, {}, lambda facts: [])) as ledger, pytest.raises(LedgerUnavailable) as raised:
        ledger.migrate()
    return ledger.address, str(raised.value)


@pytest.fixture(scope="module")
def strict() -> Iterator[PostgresService]:
    """A PostgreSQL that asks `ann` for her password, and lets `eve` not in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CALENDS_TEST_POSTGRES", raising=False)
        with postgres() as service:
            with psycopg.connect(service.url, autocommit=True) as connection:
                connection.execute(f"create role ann login password '{SECRET}'".encode())
                connection.execute("create role eve login")
                (found,) = connection.execute("show hba_file").fetchone() or ("",)
                rules = ["host all ann all scram-sha-256", "host all eve all reject", "host all all all trust"]
                lines = " union all ".join(f"select '{rule}'" for rule in rules)
                connection.execute(f"copy ({lines}) to '{found}'".encode())
                connection.execute("select pg_reload_conf()")
            yield service


@pytest.mark.parametrize(
    ("user", "database", "code"),
    [
        ("postgres", "none", "no_such_database"),
        ("bob", "postgres", "no_such_user"),
        ("ann:wrong", "postgres", "wrong_password"),
        ("ann", "postgres", "wrong_password"),
        ("eve", "postgres", "not_let_in"),
        (f"ann:{SECRET}", "postgres", "no_privilege"),
        ("postgres", "postgres?sslmode=require", "tls"),
    ],
)
def test_a_postgresql_that_refuses_says_why(strict: PostgresService, user: str, database: str, code: str) -> None:
    parts = urlsplit(strict.url)
    at = f"127.0.0.1:{parts.port}/{database.partition('?')[0]}"
    assert refusal(f"postgresql://{user}@127.0.0.1:{parts.port}/{database}") == (at, code)
    assert code in LEDGER


def test_a_postgresql_that_is_not_there_is_told_from_a_host_that_is_unknown() -> None:
    (port,) = free_ports(1)
    there = refusal(f"postgresql://ann:{SECRET}@127.0.0.1:{port}/calends")
    assert there == (f"127.0.0.1:{port}/calends", "refused")
    assert refusal(f"postgresql://ann:{SECRET}@nowhere.invalid/x") == ("nowhere.invalid:5432/x", "unknown_host")


def test_a_sqlite_that_cannot_be_opened_says_whether_its_folder_is_there(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("no database" * 100)
    (tmp_path / "folder").mkdir()
    found = {name: refusal(f"sqlite:///{tmp_path}/{name}") for name in ("missing/ledger.db", "folder", "junk")}
    codes = {"missing/ledger.db": "no_such_folder", "folder": "cannot_open", "junk": "not_a_database"}
    assert found == {name: (f"{tmp_path}/{name}", code) for name, code in codes.items()}
