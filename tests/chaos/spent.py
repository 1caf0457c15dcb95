"""Each attempt that an entry spends, kept by the database itself: who looks now and then misses what is soon healed."""

from __future__ import annotations

FAILED = "case when new.failed_at > coalesce(old.failed_at, 0) then new.failed_at else {now} end"
COLUMNS = "destination text, key text, before double precision, ended double precision, error text"
SPENT = f"create table spent ({COLUMNS})"
VALUES = f"insert into spent values (new.destination, new.key, old.failed_at, {FAILED}, coalesce(new.error, ''))"
COUNTED = "create trigger spent after update on entries for each row when (new.attempts > old.attempts)"
LOOK = "select destination, key, before, ended, error from spent"


def postgres(now: str) -> tuple[str, ...]:
    """The statements that make PostgreSQL keep them; `now`: its clock in SQL, seconds since 1970."""
    body = f"begin {VALUES.format(now=now)}; return null; end"
    function = f"create function spent() returns trigger language plpgsql as $$ {body} $$"
    return SPENT, function, f"{COUNTED} execute function spent()"


def sqlite(now: str) -> tuple[str, ...]:
    return SPENT, f"{COUNTED} begin {VALUES.format(now=now)}; end"
